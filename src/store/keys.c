#include "store/keys.h"

#include "store/fields.h"

#include <assert.h>

enum { LIST_TEXT_SIZE = KEY_LIST_MAX * (KEY_NAME_MAX + 1) + 1, NAME_TAIL_MAX = 60 };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const reasons[] = {
    [CLAIM_PROVISION] = "provision", [CLAIM_RENEW] = "renew", [CLAIM_AHEAD] = "ahead",
    [CLAIM_RAISE] = "raise",         [CLAIM_MEND] = "mend",
};
static const char *const verdicts[] = {
    [CLAIM_GRANTED] = "granted", [CLAIM_NEWER] = "newer",     [CLAIM_DISABLED] = "disabled",
    [CLAIM_BUSY] = "busy",       [CLAIM_OUTCOME] = "outcome", [CLAIM_PACED] = "paced",
};
static const char *const outcomes[] = {
    [OUTCOME_NONE] = "none",
    [OUTCOME_RENEWED] = "renewed",
    [OUTCOME_HEALTHY] = "healthy",
    [OUTCOME_UNKNOWN_HEALTH] = "unknown_health",
    [OUTCOME_SWITCHED_OFF] = "switched_off",
    [OUTCOME_MANAGEMENT_REFUSED] = "management_refused",
    [OUTCOME_CREATE_FAILED] = "create_failed",
    [OUTCOME_MENDED] = "mended",
    [OUTCOME_LIMIT_RAISED] = "limit_raised",
    [OUTCOME_LIMIT_STANDS] = "limit_stands",
};

/* The user's record and renewal, in the order the scripts take them. */
struct user_keys {
    struct span names[2];
    char texts[2][STORE_KEY_MAX];
};

static void user_keys(struct user_keys *keys, struct span user);
static struct span list_text(const struct key_list *list, char ret_text[LIST_TEXT_SIZE]);
static bool list_read(struct span text, struct key_list *ret_list);
static bool record_read(const struct redis_reply *reply, struct key_record *record);
static bool read_load(struct store_call *call, const struct redis_reply *reply);
static bool read_claim(struct store_call *call, const struct redis_reply *reply);
static bool read_commit(struct store_call *call, const struct redis_reply *reply);
static bool read_release(struct store_call *call, const struct redis_reply *reply);
static bool read_raised(struct store_call *call, const struct redis_reply *reply);
static bool read_proven(struct store_call *call, const struct redis_reply *reply);
static bool read_buried(struct store_call *call, const struct redis_reply *reply);

void key_load(struct store *store, struct key_load *load, struct span user, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span args[] = {SPAN("HGETALL"), store_key_name(STORE_KEY_KEY, user, name)};

    store_ask(store, &load->call, wake, read_load, args, 2);
}

/* lua/key_claim.lua */
void key_claim(struct store *store, struct key_claim *claim, const struct key_claim_ask *ask,
               struct turn *wake)
{
    struct user_keys keys;
    struct store_args args;

    assert(ask->holder.size > 0 && ask->holder.size <= INSTANCE_ID_MAX);
    assert(ask->nonce.size > 0 && ask->nonce.size <= NONCE_SIZE);
    assert(ask->reason == CLAIM_MEND || ask->name_head.size > 0);
    assert(ask->name_head.size + NAME_TAIL_MAX <= KEY_NAME_MAX);
    user_keys(&keys, ask->user);
    args_begin(&args, store);
    args_add(&args, ask->holder);
    args_add(&args, ask->nonce);
    args_add(&args, ask->name_head);
    args_add(&args, span_of(reasons[ask->reason]));
    args_add_number(&args, ask->seen_version);
    args_add_number(&args, ask->lease_ms);
    args_add_number(&args, ask->pace_ms);
    args_add_number(&args, ask->outcome_hold_ms);
    args_send(&args, store, &claim->call, wake, read_claim, SCRIPT_key_claim, keys.names, 2);
}

/* lua/key_commit.lua */
void key_commit(struct store *store, struct key_commit *commit, struct span user, int64_t fence,
                const struct key_record *record, const struct key_list *leftovers,
                struct span doomed_hash, struct turn *wake)
{
    char leftover[LIST_TEXT_SIZE];
    struct user_keys keys;
    struct store_args args;

    user_keys(&keys, user);
    args_begin(&args, store);
    args_add_number(&args, fence);
    args_add_number(&args, record->version);
    args_add(&args, span_of(record->hash));
    args_add(&args, span_of(record->sealed));
    args_add(&args, span_of(record->name));
    args_add_number(&args, record->limit_nano_usd);
    args_add(&args, span_of(limit_reset_name(record->limit_reset)));
    args_add_number(&args, record->expires_at_ms);
    args_add_number(&args, record->auto_renewed);
    args_add_number(&args, record->last_renewal_at_ms);
    args_add(&args, list_text(leftovers, leftover));
    args_add(&args, doomed_hash);
    args_send(&args, store, &commit->call, wake, read_commit, SCRIPT_key_commit, keys.names, 2);
}

/* lua/key_release.lua */
void key_release(struct store *store, struct key_release *release, struct span user, int64_t fence,
                 int64_t seen_version, enum claim_outcome outcome, const struct key_list *leftovers,
                 struct turn *wake)
{
    char leftover[LIST_TEXT_SIZE];
    struct user_keys keys;
    struct store_args args;

    user_keys(&keys, user);
    args_begin(&args, store);
    args_add_number(&args, fence);
    args_add_number(&args, seen_version);
    args_add(&args, span_of(outcomes[outcome]));
    args_add(&args, list_text(leftovers, leftover));
    args_send(&args, store, &release->call, wake, read_release, SCRIPT_key_release, keys.names + 1,
              1);
}

/* lua/key_raised.lua */
void key_raised(struct store *store, struct key_raised *raised, struct span user, int64_t version,
                int64_t limit_nano_usd, enum limit_reset limit_reset, struct turn *wake)
{
    struct user_keys keys;
    struct store_args args;

    user_keys(&keys, user);
    args_begin(&args, store);
    args_add_number(&args, version);
    args_add_number(&args, limit_nano_usd);
    args_add(&args, span_of(limit_reset_name(limit_reset)));
    args_send(&args, store, &raised->call, wake, read_raised, SCRIPT_key_raised, keys.names, 1);
}

/* lua/key_proven.lua */
void key_proven(struct store *store, struct key_proven *proven, struct span user, int64_t version,
                struct turn *wake)
{
    struct user_keys keys;
    struct store_args args;

    user_keys(&keys, user);
    args_begin(&args, store);
    args_add_number(&args, version);
    args_send(&args, store, &proven->call, wake, read_proven, SCRIPT_key_proven, keys.names, 2);
}

/* lua/key_buried.lua */
void key_buried(struct store *store, struct key_buried *buried, struct span user, struct span hash,
                struct turn *wake)
{
    struct user_keys keys;
    struct store_args args;

    user_keys(&keys, user);
    args_begin(&args, store);
    args_add(&args, hash);
    args_send(&args, store, &buried->call, wake, read_buried, SCRIPT_key_buried, keys.names + 1, 1);
}

static void user_keys(struct user_keys *keys, struct span user)
{
    keys->names[0] = store_key_name(STORE_KEY_KEY, user, keys->texts[0]);
    keys->names[1] = store_key_name(STORE_KEY_RENEWAL, user, keys->texts[1]);
}

static struct span list_text(const struct key_list *list, char ret_text[LIST_TEXT_SIZE])
{
    size_t size = 0;

    assert(!list || list->count <= KEY_LIST_MAX);
    for (size_t i = 0; list && i < list->count; i++) {
        struct span item = span_of(list->items[i]);
        assert(item.size > 0 && !span_contains(item, SPAN(" ")));
        if (i > 0)
            ret_text[size++] = ' ';
        memcpy(ret_text + size, item.at, item.size);
        size += item.size;
    }
    return (struct span){ret_text, size};
}

/* A field may hold more than a list: the rest comes when the first are dealt with. */
static bool list_read(struct span text, struct key_list *ret_list)
{
    struct span item;

    ret_list->count = 0;
    while (ret_list->count < KEY_LIST_MAX && span_split(&text, ' ', &item)) {
        if (item.size == 0)
            continue;
        if (!span_text(item, ret_list->items[ret_list->count], KEY_NAME_MAX + 1))
            return false;
        ret_list->count++;
    }
    return true;
}

static bool record_read(const struct redis_reply *reply, struct key_record *record)
{
    *record = (struct key_record){.state = KEY_ABSENT};
    if (!reply || redis_reply_kind(reply) != REDIS_LIST)
        return false;
    if (redis_reply_count(reply) == 0)
        return true;
    record->auto_renewed = field_flag(reply, "auto_renewed");
    record->proven = field_flag(reply, "proven");
    return key_state_parse(field_span(reply, "state"), &record->state) &&
           limit_reset_parse(field_span(reply, "limit_reset"), &record->limit_reset) &&
           field_text(reply, "hash", record->hash, sizeof(record->hash)) &&
           field_text(reply, "name", record->name, sizeof(record->name)) &&
           field_text(reply, "sealed", record->sealed, sizeof(record->sealed)) &&
           field_number(reply, "version", &record->version) &&
           field_number(reply, "limit_nano_usd", &record->limit_nano_usd) &&
           field_number(reply, "expires_at", &record->expires_at_ms) &&
           field_number(reply, "created_at", &record->created_at_ms) &&
           field_number(reply, "updated_at", &record->updated_at_ms) &&
           field_number(reply, "last_renewal_at", &record->last_renewal_at_ms);
}

static bool read_load(struct store_call *call, const struct redis_reply *reply)
{
    return record_read(reply, &container_of(call, struct key_load, call)->record);
}

static bool read_claim(struct store_call *call, const struct redis_reply *reply)
{
    struct key_claim *claim = container_of(call, struct key_claim, call);
    size_t verdict, outcome = OUTCOME_NONE;

    if (!field_word(reply, "verdict", verdicts, COUNT(verdicts), &verdict))
        return false;
    claim->verdict = (enum claim_verdict)verdict;
    if (claim->verdict == CLAIM_OUTCOME &&
        !field_word(reply, "outcome", outcomes, COUNT(outcomes), &outcome))
        return false;
    claim->outcome = (enum claim_outcome)outcome;
    return field_number(reply, "fence", &claim->fence) &&
           field_number(reply, "version", &claim->version) &&
           field_number(reply, "wait_ms", &claim->wait_ms) &&
           field_number(reply, "now_ms", &claim->now_ms) &&
           field_text(reply, "name", claim->name, sizeof(claim->name)) &&
           list_read(field_span(reply, "leftover"), &claim->leftovers) &&
           list_read(field_span(reply, "doomed"), &claim->doomed) &&
           record_read(redis_reply_field(reply, SPAN("record")), &claim->record);
}

static bool read_commit(struct store_call *call, const struct redis_reply *reply)
{
    container_of(call, struct key_commit, call)->fenced = field_flag(reply, "fenced");
    return redis_reply_kind(reply) == REDIS_LIST;
}

static bool read_release(struct store_call *call, const struct redis_reply *reply)
{
    container_of(call, struct key_release, call)->fenced = field_flag(reply, "fenced");
    return redis_reply_kind(reply) == REDIS_LIST;
}

static bool read_raised(struct store_call *call, const struct redis_reply *reply)
{
    container_of(call, struct key_raised, call)->noted = field_flag(reply, "noted");
    return redis_reply_kind(reply) == REDIS_LIST;
}

static bool read_proven(struct store_call *call, const struct redis_reply *reply)
{
    struct key_proven *proven = container_of(call, struct key_proven, call);

    return redis_reply_kind(reply) == REDIS_LIST &&
           list_read(field_span(reply, "doomed"), &proven->doomed);
}

static bool read_buried(struct store_call *call, const struct redis_reply *reply)
{
    container_of(call, struct key_buried, call)->settled = field_flag(reply, "settled");
    return redis_reply_kind(reply) == REDIS_LIST;
}

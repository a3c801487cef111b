/* The side of store/quota.h that takes nothing: looking, expiring, and who has holds. */
#include "store/quota.h"

#include "store/quota_parts.h"
#include "store/settled_text.h"

enum { UNBOOKED_MS = 5000 }; /* what is settled is booked within some rounds, if anybody is there */

static const char *const statuses[] = {"", "active", "disabled"};

static bool read_look(struct store_call *call, const struct redis_reply *reply);
static bool read_expired(struct store_call *call, const struct redis_reply *reply);
static bool read_unbooked_list(const struct redis_reply *list, struct quota_expire *expire);
static bool read_hold(const struct redis_reply *reply, struct expired_hold *hold);
static bool read_billed(struct store_call *call, const struct redis_reply *reply);
static bool read_nothing(struct store_call *call, const struct redis_reply *reply);
static bool read_due(struct store_call *call, const struct redis_reply *reply);

/* lua/admit.lua */
void quota_look(struct store *store, struct quota_look *look, struct span user,
                const struct tier *tier, int64_t wall_ms, struct turn *wake)
{
    const struct admit_ask ask = {.user = user, .tier = tier, .wall_ms = wall_ms};
    struct period budget = period_of(tier->limit_reset, wall_ms);
    struct period day = period_of(LIMIT_RESET_DAILY, wall_ms);

    look->view.budget_resets_ms = budget.ends_ms;
    look->view.day_resets_ms = day.ends_ms;
    quota_admit_send(store, &look->call, &ask, (struct admit_windows){&budget, &day},
                     (struct later_ids){0}, wake, read_look);
}

/* lua/expire.lua */
void quota_expire(struct store *store, struct quota_expire *expire, struct span user,
                  struct turn *wake)
{
    struct quota_keys keys = {.user = user};
    struct store_args args;

    span_text(user, expire->user, sizeof(expire->user));
    quota_key_add(&keys, STORE_KEY_ACCOUNT);
    args_begin(&args, store);
    args_add_number(&args, EXPIRED_PAGE);
    args_add_number(&args, UNBOOKED_MS);
    args_send(&args, store, &expire->call, wake, read_expired, SCRIPT_expire, keys.names,
              keys.count);
}

/* lua/billed.lua */
void quota_billed(struct store *store, struct quota_billed *billed, struct span user,
                  int64_t key_version, struct turn *wake)
{
    struct quota_keys keys = {.user = user};
    struct store_args args;

    quota_key_add(&keys, STORE_KEY_ACCOUNT);
    args_begin(&args, store);
    args_add_number(&args, key_version);
    args_send(&args, store, &billed->call, wake, read_billed, SCRIPT_billed, keys.names,
              keys.count);
}

/* lua/holders_add.lua */
void holders_add(struct store *store, struct holders *holders, struct span user,
                 int64_t until_after_ms, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_HOLDERS, SPAN_NONE, name);
    struct store_args args;

    args_begin(&args, store);
    args_add(&args, user);
    args_add_number(&args, until_after_ms);
    args_send(&args, store, &holders->call, wake, read_nothing, SCRIPT_holders_add, &key, 1);
}

/* lua/holders_due.lua */
void holders_due(struct store *store, struct holders *holders, struct holders_place from,
                 struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_HOLDERS, SPAN_NONE, name);
    struct store_args args;

    args_begin(&args, store);
    args_add_number(&args, HOLDERS_PAGE);
    args_add_number(&args, from.due_ms);
    args_add_number(&args, (int64_t)from.passed);
    holders->next = from;
    args_send(&args, store, &holders->call, wake, read_due, SCRIPT_holders_due, &key, 1);
}

/* lua/holders_remove.lua */
void holders_remove(struct store *store, struct holders *holders, struct span user,
                    struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_HOLDERS, SPAN_NONE, name);
    struct store_args args;

    args_begin(&args, store);
    args_add(&args, user);
    args_send(&args, store, &holders->call, wake, read_nothing, SCRIPT_holders_remove, &key, 1);
}

static bool read_look(struct store_call *call, const struct redis_reply *reply)
{
    struct quota_look *look = container_of(call, struct quota_look, call);
    size_t status;

    if (!item_word(reply, ADMIT_ITEM_STATUS, statuses, sizeof(statuses) / sizeof(*statuses),
                   &status))
        return false;
    look->found = status > 0;
    look->disabled = status == 2;
    return item_text(reply, ADMIT_ITEM_TIER, look->tier, sizeof(look->tier)) &&
           item_number(reply, ADMIT_ITEM_NOW, &look->now_ms) &&
           quota_view_read(reply, look->now_ms, &look->view);
}

static bool read_expired(struct store_call *call, const struct redis_reply *reply)
{
    struct quota_expire *expire = container_of(call, struct quota_expire, call);
    const struct redis_reply *holds = redis_reply_field(reply, SPAN("holds"));
    const struct redis_reply *unbooked = redis_reply_field(reply, SPAN("unbooked"));
    size_t count = holds ? redis_reply_count(holds) : 0;

    expire->count = expire->unbooked_count = 0;
    expire->more = field_flag(reply, "more");
    expire->busy = field_flag(reply, "busy");
    if (!holds || count > EXPIRED_PAGE || !field_number(reply, "now_ms", &expire->now_ms))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_hold(redis_reply_item(holds, i), &expire->holds[i]))
            return false;
    expire->count = count;
    return unbooked && read_unbooked_list(unbooked, expire);
}

/* Pairs: the request id and what stands there. */
static bool read_unbooked_list(const struct redis_reply *list, struct quota_expire *expire)
{
    size_t count = redis_reply_count(list);

    if (count > EXPIRED_PAGE)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct redis_reply *pair = redis_reply_item(list, i);
        struct settlement_record *record = &expire->unbooked[i];
        memcpy(record->user, expire->user, sizeof(record->user));
        record->generation_id[0] = '\0';
        if (redis_reply_count(pair) != 2 ||
            !item_text(pair, 0, record->request_id, sizeof(record->request_id)) ||
            !settled_text_read(redis_reply_text(redis_reply_item(pair, 1)), record))
            return false;
    }
    expire->unbooked_count = count;
    return true;
}

static bool read_hold(const struct redis_reply *reply, struct expired_hold *hold)
{
    hold->ahead = field_flag(reply, "ahead");
    return field_text(reply, "request_id", hold->request_id, sizeof(hold->request_id)) &&
           field_text(reply, "generation", hold->generation_id, sizeof(hold->generation_id)) &&
           field_text(reply, "model", hold->model, sizeof(hold->model)) &&
           field_text(reply, "budget", hold->budget_period, sizeof(hold->budget_period)) &&
           field_text(reply, "day", hold->day, sizeof(hold->day)) &&
           field_text(reply, "tier", hold->tier, sizeof(hold->tier)) &&
           field_number(reply, "amount", &hold->amount_nano_usd) &&
           field_number(reply, "key_version", &hold->key_version) &&
           field_number(reply, "taken_ms", &hold->taken_ms) &&
           field_number(reply, "expired_ms", &hold->expired_ms);
}

static bool read_billed(struct store_call *call, const struct redis_reply *reply)
{
    struct quota_billed *billed = container_of(call, struct quota_billed, call);

    return item_number(reply, 0, &billed->live) &&
           item_number(reply, 1, &billed->billed_nano_usd) &&
           item_number(reply, 2, &billed->settled_ms) && item_number(reply, 3, &billed->now_ms);
}

static bool read_nothing(struct store_call *call, const struct redis_reply *reply)
{
    (void)call;
    return redis_reply_kind(reply) == REDIS_LIST;
}

/* Users and when they are due, in turn. */
static bool read_due(struct store_call *call, const struct redis_reply *reply)
{
    struct holders *holders = container_of(call, struct holders, call);
    size_t count = redis_reply_count(reply) / 2;
    int64_t due_ms;

    holders->count = 0;
    if (redis_reply_kind(reply) != REDIS_LIST || count > HOLDERS_PAGE)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!item_text(reply, 2 * i, holders->users[i], sizeof(holders->users[i])) ||
            !span_i64(redis_reply_text(redis_reply_item(reply, 2 * i + 1)), &due_ms))
            return false;
        if (due_ms != holders->next.due_ms)
            holders->next = (struct holders_place){due_ms, 0};
        holders->next.passed++;
    }
    holders->count = count;
    return true;
}

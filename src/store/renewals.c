/* The sweeper's side of store/keys.h: the list of open renewals and who works through it. */
#include "store/keys.h"

#include "store/fields.h"

#include <assert.h>
#include <stdio.h>

static bool read_nothing(struct store_call *call, const struct redis_reply *reply);
static bool read_members(struct store_call *call, const struct redis_reply *reply);
static bool read_granted(struct store_call *call, const struct redis_reply *reply);

/* lua/renewal_add.lua */
void renewal_index_add(struct store *store, struct renewal_index *index, struct span user,
                       struct span nonce, struct turn *wake)
{
    char name[STORE_KEY_MAX], member[RENEWAL_MEMBER_MAX + 1];
    struct span key = store_key_name(STORE_KEY_RENEWALS, SPAN_NONE, name);
    struct store_args args;

    assert(user.size <= USER_ID_MAX && nonce.size <= NONCE_SIZE);
    snprintf(member, sizeof(member), "%.*s %.*s", SPAN_PRINT(user), SPAN_PRINT(nonce));
    args_begin(&args, store);
    args_add(&args, span_of(member));
    args_send(&args, store, &index->call, wake, read_nothing, SCRIPT_renewal_add, &key, 1);
}

void renewal_index_remove(struct store *store, struct renewal_index *index, struct span member,
                          struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span args[] = {SPAN("ZREM"), store_key_name(STORE_KEY_RENEWALS, SPAN_NONE, name),
                          member};

    store_ask(store, &index->call, wake, read_nothing, args, 3);
}

/* lua/renewal_old.lua */
void renewal_index_old(struct store *store, struct renewal_index *index, int64_t age_ms,
                       size_t offset, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_RENEWALS, SPAN_NONE, name);
    struct store_args args;

    args_begin(&args, store);
    args_add_number(&args, age_ms);
    args_add_number(&args, RENEWALS_PAGE);
    args_add_number(&args, (int64_t)offset);
    args_send(&args, store, &index->call, wake, read_members, SCRIPT_renewal_old, &key, 1);
}

/* lua/sweeper_claim.lua */
void sweeper_claim(struct store *store, struct sweeper_claim *claim, struct span holder,
                   int64_t lease_ms, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_SWEEPER, SPAN_NONE, name);
    struct store_args args;

    args_begin(&args, store);
    args_add(&args, holder);
    args_add_number(&args, lease_ms);
    args_send(&args, store, &claim->call, wake, read_granted, SCRIPT_sweeper_claim, &key, 1);
}

static bool read_nothing(struct store_call *call, const struct redis_reply *reply)
{
    (void)call;
    (void)reply;
    return true;
}

static bool read_members(struct store_call *call, const struct redis_reply *reply)
{
    struct renewal_index *index = container_of(call, struct renewal_index, call);
    size_t count = redis_reply_count(reply);

    index->count = 0;
    if (redis_reply_kind(reply) != REDIS_LIST || count > RENEWALS_PAGE)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct span member = redis_reply_text(redis_reply_item(reply, i));
        if (!span_text(member, index->members[i], sizeof(index->members[i])))
            return false;
    }
    index->count = count;
    return true;
}

static bool read_granted(struct store_call *call, const struct redis_reply *reply)
{
    struct sweeper_claim *claim = container_of(call, struct sweeper_claim, call);

    claim->granted = field_flag(reply, "granted");
    return redis_reply_kind(reply) == REDIS_LIST;
}

/* The side of store/quota.h that takes holds before there is a request, and gives them back. */
#include "store/quota_parts.h"

#include <assert.h>

static bool read_taken(struct store_call *call, const struct redis_reply *reply);
static bool read_given_back(struct store_call *call, const struct redis_reply *reply);

/* lua/admit.lua */
void quota_take_ahead(struct store *store, struct quota_ahead *ahead, const struct admit_ask *ask,
                      const struct span *ids, size_t count, struct turn *wake)
{
    assert(!ask->request_id.at && count > 0 && count <= AHEAD_MAX);
    ahead->asked = count;
    ahead->budget = period_of(ask->tier->limit_reset, ask->wall_ms);
    ahead->day = period_of(LIMIT_RESET_DAILY, ask->wall_ms);
    quota_admit_send(store, &ahead->call, ask, (struct admit_windows){&ahead->budget, &ahead->day},
                     (struct later_ids){ids, count}, wake, read_taken);
}

/* lua/give_back.lua */
void quota_give_back(struct store *store, struct quota_give_back *back, struct span user,
                     const struct span *ids, size_t count, struct turn *wake)
{
    struct quota_keys keys = {.user = user};
    struct store_args args;

    assert(count > 0 && count <= AHEAD_MAX);
    quota_key_add(&keys, STORE_KEY_ACCOUNT);
    args_begin(&args, store);
    for (size_t i = 0; i < count; i++)
        args_add(&args, ids[i]);
    args_send(&args, store, &back->call, wake, read_given_back, SCRIPT_give_back, keys.names,
              keys.count);
}

static bool read_taken(struct store_call *call, const struct redis_reply *reply)
{
    struct quota_ahead *ahead = container_of(call, struct quota_ahead, call);
    int64_t taken;

    if (!item_number(reply, ADMIT_ITEM_LATER, &taken) || taken < 0 ||
        (size_t)taken > ahead->asked || !item_number(reply, ADMIT_ITEM_NOW, &ahead->now_ms))
        return false;
    ahead->taken = (size_t)taken;
    ahead->view.budget_resets_ms = ahead->budget.ends_ms;
    ahead->view.day_resets_ms = ahead->day.ends_ms;
    return quota_view_read(reply, ahead->now_ms, &ahead->view);
}

static bool read_given_back(struct store_call *call, const struct redis_reply *reply)
{
    (void)call;
    return redis_reply_kind(reply) == REDIS_NUMBER;
}

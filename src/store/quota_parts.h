/* quota_parts.h: keys and answers that the files quota*.c share. */
#ifndef KEYTURN_STORE_QUOTA_PARTS_H
#define KEYTURN_STORE_QUOTA_PARTS_H

#include "base/number.h"
#include "store/fields.h"
#include "store/quota.h"

enum { QUOTA_KEYS_MAX = 8 };

/* The keys of one call, in the order its script takes them. */
struct quota_keys {
    struct span user;
    size_t count;
    struct span names[QUOTA_KEYS_MAX];
    char texts[QUOTA_KEYS_MAX][STORE_KEY_MAX];
};

void quota_key_add(struct quota_keys *keys, enum store_key key);
void quota_key_add_window(struct quota_keys *keys, enum store_key key, struct span window);

/* lua/admit.lua's keys and arguments; an ask without a request id only looks, and takes holds for those that come later. */
struct admit_windows {
    const struct period *budget, *day;
};
struct later_ids {
    const struct span *items;
    size_t count;
};
void quota_admit_send(struct store *store, struct store_call *call, const struct admit_ask *ask,
                      struct admit_windows windows, struct later_ids later, struct turn *wake,
                      bool (*read)(struct store_call *call, const struct redis_reply *reply));

/* Where things stand in lua/admit.lua's answer. */
enum admit_item {
    ADMIT_ITEM_VERDICT,
    ADMIT_ITEM_STATUS,
    ADMIT_ITEM_TIER,
    ADMIT_ITEM_CREATED,
    ADMIT_ITEM_GRANTED,
    ADMIT_ITEM_NOW,
    ADMIT_ITEM_BUDGET,
    ADMIT_ITEM_DAY,
    ADMIT_ITEM_ADMITTED,
    ADMIT_ITEM_LIMIT,
    ADMIT_ITEM_SPENT,
    ADMIT_ITEM_HELD,
    ADMIT_ITEM_MESSAGES_LIMIT,
    ADMIT_ITEM_MESSAGES,
    ADMIT_ITEM_REQUESTS_LIMIT,
    ADMIT_ITEM_REQUESTS,
    ADMIT_ITEM_ACTIVE_LIMIT,
    ADMIT_ITEM_ACTIVE,
    ADMIT_ITEM_LATER
};

/* All of the view but when budget and day end: the asker knows that. */
bool quota_view_read(const struct redis_reply *reply, int64_t now_ms, struct quota_view *view);

#endif

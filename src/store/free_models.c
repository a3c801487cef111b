#include "store/free_models.h"

#include "store/fields.h"

#include <assert.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Where things stand in lua/free_take.lua's answer. */
enum take_item {
    TAKE_ITEM_VERDICT,
    TAKE_ITEM_WINDOW,
    TAKE_ITEM_NOW,
    TAKE_ITEM_RESETS,
    TAKE_ITEM_LIMIT,
    TAKE_ITEM_USED,
    TAKE_ITEM_SHARE
};

static const char *const verdicts[] = {"granted", "spent", "share_spent", "closed"};
static const char *const windows[] = {"none", "minute", "day"};
static const struct {
    enum store_key key;
    int64_t length_ms;
} lives[] = {
    [FREE_WINDOW_MINUTE] = {STORE_KEY_FREE_MINUTE, 60000},
    [FREE_WINDOW_DAY] = {STORE_KEY_FREE_DAY, 86400000},
};

static bool read_taken(struct store_call *call, const struct redis_reply *reply);
static bool read_closed(struct store_call *call, const struct redis_reply *reply);

void free_take(struct store *store, struct free_take *take, const struct free_ask *ask,
               struct turn *wake)
{
    static const enum store_key names[] = {STORE_KEY_FREE_MINUTE, STORE_KEY_FREE_MINUTE_BEFORE,
                                           STORE_KEY_FREE_DAY, STORE_KEY_FREE_DAY_BEFORE};
    char texts[COUNT(names)][STORE_KEY_MAX];
    struct span keys[COUNT(names)];
    struct store_args args;

    for (size_t i = 0; i < COUNT(names); i++)
        keys[i] = store_key_name(names[i], SPAN_NONE, texts[i]);
    args_begin(&args, store);
    args_add(&args, ask->user);
    args_add(&args, ask->request_id);
    args_add_number(&args, ask->per_minute);
    args_add_number(&args, ask->per_day);
    args_send(&args, store, &take->call, wake, read_taken, SCRIPT_free_take, keys, COUNT(keys));
}

void free_close(struct store *store, struct free_close *close, enum free_window window,
                int64_t until_ms, struct turn *wake)
{
    char text[STORE_KEY_MAX];
    struct span key;
    struct store_args args;

    assert(window == FREE_WINDOW_MINUTE || window == FREE_WINDOW_DAY);
    key = store_key_name(lives[window].key, SPAN_NONE, text);
    args_begin(&args, store);
    args_add_number(&args, until_ms);
    args_add_number(&args, lives[window].length_ms);
    args_send(&args, store, &close->call, wake, read_closed, SCRIPT_free_close, &key, 1);
}

static bool read_taken(struct store_call *call, const struct redis_reply *reply)
{
    struct free_take *take = container_of(call, struct free_take, call);
    size_t verdict, window;

    if (!item_word(reply, TAKE_ITEM_VERDICT, verdicts, COUNT(verdicts), &verdict) ||
        !item_word(reply, TAKE_ITEM_WINDOW, windows, COUNT(windows), &window))
        return false;
    take->verdict = (enum free_verdict)verdict;
    take->window = (enum free_window)window;
    return item_number(reply, TAKE_ITEM_NOW, &take->now_ms) &&
           item_number(reply, TAKE_ITEM_RESETS, &take->resets_ms) &&
           item_number(reply, TAKE_ITEM_LIMIT, &take->limit) &&
           item_number(reply, TAKE_ITEM_USED, &take->used) &&
           item_number(reply, TAKE_ITEM_SHARE, &take->share);
}

static bool read_closed(struct store_call *call, const struct redis_reply *reply)
{
    struct free_close *close = container_of(call, struct free_close, call);

    return item_number(reply, 0, &close->now_ms) && item_number(reply, 1, &close->until_ms);
}

/* The side of store/quota.h that settles. */
#include "base/unset.h"
#include "store/quota_parts.h"
#include "store/settled_text.h"
#include "store/tally.h"

#include <assert.h>

enum { HEAD_ARGS = 7, MODEL_ARGS = 2, RECORD_ARGS = 3, ANSWER_ITEMS = 2 };
static_assert(HEAD_ARGS + (MODEL_ARGS + RECORD_ARGS) * SETTLE_BATCH_MAX <= STORE_ARGS_MAX,
              "a batch fits into one call");
static_assert((int)SETTLE_BATCH_MAX <= (int)TALLY_ROWS_MAX, "so do its models");

/* What the arguments of one call point into. */
struct texts {
    struct span models[SETTLE_BATCH_MAX];
    char model_texts[SETTLE_BATCH_MAX][METER_TEXT_MAX];
    char rows[SETTLE_BATCH_MAX][TALLY_TEXT_SIZE];
    char lines[SETTLE_BATCH_MAX][SETTLED_TEXT_SIZE];
};

static void add_sums(struct store_args *args, const struct settle *settle, struct texts *texts);
static void add_record(struct store_args *args, const struct settlement_record *record,
                       struct span model, char ret_text[SETTLED_TEXT_SIZE]);
static bool read_settled(struct store_call *call, const struct redis_reply *reply);
static bool read_already(struct settle *settle, const struct redis_reply *reply, size_t at);
static bool read_forgotten(struct store_call *call, const struct redis_reply *reply);

bool settlements_go_together(const struct settlement_record *a, const struct settlement_record *b)
{
    return a->key_version == b->key_version && strcmp(a->user, b->user) == 0 &&
           strcmp(a->day, b->day) == 0 && strcmp(a->budget_period, b->budget_period) == 0;
}

/* lua/settle.lua */
void quota_settle(struct store *store, struct settle *settle,
                  struct settlement_record *const *records, size_t count, struct turn *wake)
{
    const struct settlement_record *first = records[0];
    struct quota_keys keys = {.user = span_of(first->user)};
    struct span day = span_of(first->day);
    UNSET struct store_args args;
    UNSET struct texts texts;

    assert(count > 0 && count <= SETTLE_BATCH_MAX);
    quota_key_add(&keys, STORE_KEY_ACCOUNT);
    quota_key_add_window(&keys, STORE_KEY_SETTLED, day);
    quota_key_add_window(&keys, STORE_KEY_USAGE, span_first(day, strlen("2026-11")));
    args_begin(&args, store);
    args_add(&args, span_of(first->budget_period));
    args_add(&args, day);
    args_add_number(&args, first->key_version);
    args_add_number(&args, store_is_another_day(store, day));
    settle->count = count;
    settle->some_already = false;
    for (size_t i = 0; i < count; i++) {
        assert(settlements_go_together(first, records[i]));
        settle->items[i] = (struct settled){.record = records[i]};
        texts.models[i] = store_line(span_of(records[i]->model), texts.model_texts[i]);
    }
    add_sums(&args, settle, &texts);
    for (size_t i = 0; i < count; i++)
        add_record(&args, records[i], texts.models[i], texts.lines[i]);
    args_send(&args, store, &settle->call, wake, read_settled, SCRIPT_settle, keys.names,
              keys.count);
}

void quota_forget_settled(struct store *store, struct settled_forget *forget, struct span user,
                          const struct span *request_ids, size_t count, struct turn *wake)
{
    struct span words[2 + SETTLE_BATCH_MAX] = {SPAN("HDEL")};
    char name[STORE_KEY_MAX];

    assert(count > 0 && count <= SETTLE_BATCH_MAX);
    words[1] = store_key_name(STORE_KEY_ACCOUNT, user, name);
    memcpy(&words[2], request_ids, count * sizeof(*request_ids));
    store_ask(store, &forget->call, wake, read_forgotten, words, 2 + count);
}

static void add_sums(struct store_args *args, const struct settle *settle, struct texts *texts)
{
    int64_t cost_nano_usd = 0;
    struct tally models;

    models.count = 0;
    for (size_t i = 0; i < settle->count; i++) {
        const struct settlement_record *record = settle->items[i].record;
        cost_nano_usd += quota_amount(record->cost_nano_usd);
        tally_add(&models, (struct tally_name){texts->models[i], SPAN_NONE}, record);
    }
    args_add_number(args, cost_nano_usd);
    args_add_number(args, (int64_t)models.count);
    for (size_t i = 0; i < models.count; i++) {
        args_add(args, models.rows[i].name.first);
        args_add(args, tally_text(&models.rows[i], texts->rows[i]));
    }
}

static void add_record(struct store_args *args, const struct settlement_record *record,
                       struct span model, char ret_text[SETTLED_TEXT_SIZE])
{
    assert(request_id_is_fine(span_of(record->request_id)));
    args_add(args, span_of(record->request_id));
    args_add_number(args, record->delivered);
    args_add(args, settled_text_write(record, model, ret_text));
}

static bool read_settled(struct store_call *call, const struct redis_reply *reply)
{
    struct settle *settle = container_of(call, struct settle, call);
    bool fine = redis_reply_kind(reply) == REDIS_LIST;

    for (size_t at = 0; fine && at < redis_reply_count(reply); at += ANSWER_ITEMS)
        fine = read_already(settle, reply, at);
    return fine;
}

/* Its number, and what is not booked yet; "": nothing is left to be booked. */
static bool read_already(struct settle *settle, const struct redis_reply *reply, size_t at)
{
    struct span text = redis_reply_text(redis_reply_item(reply, at + 1));
    struct settled *item;
    int64_t index;

    if (!item_number(reply, at, &index) || index < 1 || (size_t)index > settle->count || !text.at)
        return false;
    item = &settle->items[index - 1];
    settle->some_already = item->already = true;
    item->is_booked = text.size == 0;
    return item->is_booked || settled_text_read(text, item->record);
}

static bool read_forgotten(struct store_call *call, const struct redis_reply *reply)
{
    (void)call;
    return redis_reply_kind(reply) == REDIS_NUMBER;
}

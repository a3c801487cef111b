/* The side of store/quota.h that settles, and what was settled and is not booked yet, as lua/settle.lua leaves it in the
 * account. */
#include "store/quota_parts.h"

#include <assert.h>

enum { HEAD_ARGS = 5, RECORD_ARGS = 11, ANSWER_HEAD = 2, ANSWER_ITEMS = 2 };
static_assert(HEAD_ARGS + RECORD_ARGS * SETTLE_BATCH_MAX <= STORE_ARGS_MAX,
              "a batch fits into one call");

static const char *const sources[] = {
    [COST_FROM_USAGE] = "usage",          [COST_FROM_GENERATION] = "generation",
    [COST_FROM_KEY] = "key_usage",        [COST_FROM_ESTIMATE] = "estimate",
    [COST_NOTHING_SENT] = "nothing_sent",
};

#define SOURCES (sizeof(sources) / sizeof(*sources))

static void add_record(struct store_args *args, const struct settlement_record *record,
                       char ret_line[METER_TEXT_MAX]);
static bool read_settled(struct store_call *call, const struct redis_reply *reply);
static bool read_item(struct settled *item, const struct redis_reply *reply, size_t at,
                      int64_t spent, int64_t held);
static bool read_unbooked(struct span text, struct settled *item);
static bool read_forgotten(struct store_call *call, const struct redis_reply *reply);
static bool take_text(struct span *rest, char *ret_text, size_t capacity);
static bool take_number(struct span *rest, int64_t *ret_number);
static bool take_source(struct span *rest, enum cost_source *ret_source);

const char *cost_source_name(enum cost_source source)
{
    assert(source < SOURCES);
    return sources[source];
}

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
    char lines[SETTLE_BATCH_MAX][METER_TEXT_MAX];
    struct span day = span_of(first->day);
    struct store_args args;

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
    for (size_t i = 0; i < count; i++) {
        assert(settlements_go_together(first, records[i]));
        settle->items[i] = (struct settled){.record = records[i]};
        add_record(&args, records[i], lines[i]);
    }
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

bool quota_unbooked_read(struct span text, struct settlement_record *record)
{
    int64_t settled_ms, delivered = 0;
    struct settlement_record got = *record;
    struct span rest = text, state;

    if (!span_split(&rest, '\n', &state) || !span_equal(state, SPAN("S")) ||
        !take_number(&rest, &settled_ms) ||
        !take_text(&rest, got.budget_period, sizeof(got.budget_period)) ||
        !take_text(&rest, got.day, sizeof(got.day)) ||
        !take_text(&rest, got.model, sizeof(got.model)) ||
        !take_number(&rest, &got.cost_nano_usd) || !take_number(&rest, &delivered) ||
        !take_number(&rest, &got.prompt_tokens) || !take_number(&rest, &got.cached_tokens) ||
        !take_number(&rest, &got.completion_tokens) || !take_number(&rest, &got.reasoning_tokens) ||
        !take_number(&rest, &got.key_version) || !take_text(&rest, got.tier, sizeof(got.tier)) ||
        !take_number(&rest, &got.finished_ms) || !take_source(&rest, &got.source))
        return false;
    got.delivered = delivered == 1;
    if (rest.at)
        return false;
    *record = got;
    return true;
}

static void add_record(struct store_args *args, const struct settlement_record *record,
                       char ret_line[METER_TEXT_MAX])
{
    assert(request_id_is_fine(span_of(record->request_id)));
    args_add(args, span_of(record->request_id));
    args_add(args, quota_line(span_of(record->model), ret_line));
    args_add_number(args, quota_amount(record->cost_nano_usd));
    args_add_number(args, record->delivered);
    args_add_number(args, record->prompt_tokens);
    args_add_number(args, record->cached_tokens);
    args_add_number(args, record->completion_tokens);
    args_add_number(args, record->reasoning_tokens);
    args_add(args, span_of(record->tier));
    args_add_number(args, record->finished_ms);
    args_add(args, span_of(cost_source_name(record->source)));
}

static bool read_settled(struct store_call *call, const struct redis_reply *reply)
{
    struct settle *settle = container_of(call, struct settle, call);
    int64_t spent, held;
    bool fine = item_number(reply, 0, &spent) && item_number(reply, 1, &held);

    for (size_t i = 0; fine && i < settle->count; i++)
        fine = read_item(&settle->items[i], reply, ANSWER_HEAD + i * ANSWER_ITEMS, spent, held);
    return fine;
}

/* 0 and the limit; or 1 and what is not booked yet. */
static bool read_item(struct settled *item, const struct redis_reply *reply, size_t at,
                      int64_t spent, int64_t held)
{
    int64_t already, limit = UNLIMITED;

    if (!item_number(reply, at, &already))
        return false;
    item->already = already == 1;
    if (!item->already && !item_number(reply, at + 1, &limit))
        return false;
    quota_rest(limit, spent, held, &item->debt_nano_usd, &item->remaining_nano_usd);
    return !item->already || read_unbooked(redis_reply_text(redis_reply_item(reply, at + 1)), item);
}

/* "": nothing is left to be booked. */
static bool read_unbooked(struct span text, struct settled *item)
{
    item->is_booked = text.at && text.size == 0;
    return text.at && (item->is_booked || quota_unbooked_read(text, item->record));
}

static bool read_forgotten(struct store_call *call, const struct redis_reply *reply)
{
    (void)call;
    return redis_reply_kind(reply) == REDIS_NUMBER;
}

static bool take_text(struct span *rest, char *ret_text, size_t capacity)
{
    struct span line;

    return span_split(rest, '\n', &line) && span_text(line, ret_text, capacity);
}

static bool take_number(struct span *rest, int64_t *ret_number)
{
    struct span line;

    return span_split(rest, '\n', &line) && span_i64(line, ret_number);
}

static bool take_source(struct span *rest, enum cost_source *ret_source)
{
    struct span line;

    if (!span_split(rest, '\n', &line))
        return false;
    for (size_t i = 0; i < SOURCES; i++)
        if (span_equal(line, span_of(sources[i]))) {
            *ret_source = (enum cost_source)i;
            return true;
        }
    return false;
}

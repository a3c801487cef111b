#include "store/books.h"

#include "base/alloc.h"
#include "base/number.h"
#include "store/fields.h"

#include <assert.h>
#include <stdlib.h>

enum {
    KEYS = 6,
    COLUMNS = 6,
    WINDOW_SIZE = 40,
    DATE_SIZE = sizeof("2026-11-20") - 1,
    MONTH_SIZE = sizeof("2026-11") - 1
};

#define PART_USER SPAN("user")
#define PART_ALL SPAN("all")

/* The clock, the day, is it another; and each record's fields and which of them are numbers, as lua/book.lua has them. */
enum { HEAD_ARGS = 3, RECORD_ARGS = 11, HEAD_NUMBERS = 2, RECORD_NUMBERS = 6 };
struct book_args {
    size_t count, number_count;
    struct span items[HEAD_ARGS + RECORD_ARGS * BOOK_BATCH_MAX];
    char numbers[HEAD_NUMBERS + RECORD_NUMBERS * BOOK_BATCH_MAX][NUMBER_TEXT_SIZE];
};
static_assert(KEYS + HEAD_ARGS + RECORD_ARGS * BOOK_BATCH_MAX <= REDIS_ARGS_MAX,
              "a batch fits into one call");

static void add_record(struct book_args *args, const struct settlement_record *record);
static void add(struct book_args *args, struct span text);
static void add_number(struct book_args *args, int64_t number);
static struct span sums_key(struct span window, struct span part, char ret_name[STORE_KEY_MAX]);
static void ask_sums(struct store *store, struct sums_read *read, struct span key,
                     struct turn *wake);
static bool read_booked(struct store_call *call, const struct redis_reply *reply);
static bool read_sums(struct store_call *call, const struct redis_reply *reply);
static bool read_rows(const struct sums_read *read, const struct redis_reply *reply,
                      struct sums_row *rows, size_t *ret_count);
static bool row_name(const struct sums_read *read, struct span field, struct span *ret_name);
static bool read_row(struct span packed, struct sums_row *row);
static int by_name(const void *a, const void *b);
static void row_add(struct sums_row *sum, const struct sums_row *row);

/* lua/book.lua */
void book_settlements(struct store *store, struct book *book,
                      const struct settlement_record *const *records, size_t count,
                      struct turn *wake)
{
    struct span names[KEYS], day = span_of(records[0]->day), month = span_first(day, MONTH_SIZE);
    char texts[KEYS][STORE_KEY_MAX];
    struct book_args args;

    assert(count > 0 && count <= BOOK_BATCH_MAX && day.size == DATE_SIZE);
    names[0] = store_key_name(STORE_KEY_LEDGER, SPAN_NONE, texts[0]);
    names[1] = store_window_key_name(STORE_KEY_SEEN, SPAN_NONE, day, texts[1]);
    names[2] = sums_key(day, PART_USER, texts[2]);
    names[3] = sums_key(day, PART_ALL, texts[3]);
    names[4] = sums_key(month, PART_USER, texts[4]);
    names[5] = sums_key(month, PART_ALL, texts[5]);
    args.count = args.number_count = 0;
    add_number(&args, 0);
    add(&args, day);
    add_number(&args, store_is_another_day(store, day));
    for (size_t i = 0; i < count; i++)
        add_record(&args, records[i]);
    store_eval(store, &book->call, wake, read_booked, store_script(SCRIPT_book), names, KEYS,
               args.items, args.count);
}

void sums_of(struct store *store, struct sums_read *read, const struct period *period,
             enum sums_group group, void (*visit)(struct sums_read *, const struct sums_row *),
             struct turn *wake)
{
    static const enum sums_name names[] = {[SUMS_BY_USER] = SUMS_WHOLE,
                                           [SUMS_BY_TIER] = SUMS_HEAD,
                                           [SUMS_BY_MODEL] = SUMS_TAIL,
                                           [SUMS_BY_DAY] = SUMS_DATES};
    struct span window = span_of(period->name);
    char name[STORE_KEY_MAX];

    assert(group <= SUMS_BY_DAY);
    read->visit = visit;
    read->name = names[group];
    read->only[0] = '\0';
    if (group == SUMS_BY_DAY && window.size == DATE_SIZE) { /* a day's own row is in its month */
        memcpy(read->only, period->name, sizeof(read->only));
        window.size = MONTH_SIZE;
    }
    ask_sums(store, read, sums_key(window, group == SUMS_BY_USER ? PART_USER : PART_ALL, name),
             wake);
}

void sums_of_user(struct store *store, struct sums_read *read, struct span user,
                  const struct period *month,
                  void (*visit)(struct sums_read *, const struct sums_row *), struct turn *wake)
{
    struct span window = span_of(month->name);
    char name[STORE_KEY_MAX];

    assert(window.size == MONTH_SIZE);
    read->visit = visit;
    read->name = SUMS_HEAD;
    ask_sums(store, read, store_window_key_name(STORE_KEY_USAGE, user, window, name), wake);
}

static void add_record(struct book_args *args, const struct settlement_record *record)
{
    assert(request_id_is_fine(span_of(record->request_id)));
    add(args, span_of(record->request_id));
    add(args, span_of(record->user));
    add(args, span_of(record->tier));
    add(args, span_of(record->model));
    add_number(args, record->finished_ms);
    add_number(args, quota_amount(record->cost_nano_usd));
    add_number(args, record->prompt_tokens);
    add_number(args, record->cached_tokens);
    add_number(args, record->completion_tokens);
    add_number(args, record->reasoning_tokens);
    add(args, span_of(cost_source_name(record->source)));
}

static void add(struct book_args *args, struct span text)
{
    args->items[args->count++] = text;
}

static void add_number(struct book_args *args, int64_t number)
{
    add(args, number_text(number, args->numbers[args->number_count++]));
}

/* There are sums of days and of months, not of weeks. */
static struct span sums_key(struct span window, struct span part, char ret_name[STORE_KEY_MAX])
{
    const struct span parts[] = {window.size == DATE_SIZE ? SPAN("day:") : SPAN("month:"), window,
                                 SPAN(":"), part};
    char text[WINDOW_SIZE], *to = text;

    assert(window.size == DATE_SIZE || window.size == MONTH_SIZE);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        memcpy(to, parts[i].at, parts[i].size);
        to += parts[i].size;
    }
    return store_window_key_name(STORE_KEY_SUMS, SPAN_NONE,
                                 (struct span){text, (size_t)(to - text)}, ret_name);
}

static void ask_sums(struct store *store, struct sums_read *read, struct span key,
                     struct turn *wake)
{
    const struct span words[] = {SPAN("HGETALL"), key};

    store_ask(store, &read->call, wake, read_sums, words, sizeof(words) / sizeof(*words));
}

static bool read_booked(struct store_call *call, const struct redis_reply *reply)
{
    container_of(call, struct book, call)->fresh = redis_reply_number(reply);
    return redis_reply_kind(reply) == REDIS_NUMBER;
}

/* Several fields may be of one name: a tier's models, a model's tiers. */
static bool read_sums(struct store_call *call, const struct redis_reply *reply)
{
    struct sums_read *read = container_of(call, struct sums_read, call);
    size_t count = 0;

    if (redis_reply_kind(reply) != REDIS_LIST)
        return false;
    struct sums_row *rows = must_alloc((redis_reply_count(reply) + 1) * sizeof(*rows));
    bool fine = read_rows(read, reply, rows, &count);
    qsort(rows, count, sizeof(*rows), by_name);
    for (size_t first = 0, next; fine && first < count; first = next) {
        for (next = first + 1; next < count && by_name(&rows[first], &rows[next]) == 0; next++)
            row_add(&rows[first], &rows[next]);
        read->visit(read, &rows[first]);
    }
    must_free(rows);
    return fine;
}

static bool read_rows(const struct sums_read *read, const struct redis_reply *reply,
                      struct sums_row *rows, size_t *ret_count)
{
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        struct sums_row *row = &rows[*ret_count];
        if (!row_name(read, redis_reply_text(redis_reply_item(reply, i)), &row->name))
            continue;
        if (!read_row(redis_reply_text(redis_reply_item(reply, i + 1)), row))
            return false;
        ++*ret_count;
    }
    return true;
}

static bool row_name(const struct sums_read *read, struct span field, struct span *ret_name)
{
    struct span head = SPAN_NONE, tail = field;

    if (read->name == SUMS_WHOLE || !field.at) {
        *ret_name = field;
        return field.at != NULL;
    }
    span_split(&tail, '\n', &head);
    *ret_name = read->name == SUMS_TAIL ? tail : head;
    if (read->name == SUMS_DATES)
        return !tail.at && (!read->only[0] || span_equal(head, span_of(read->only)));
    return tail.at != NULL;
}

static bool read_row(struct span packed, struct sums_row *row)
{
    int64_t *const numbers[COLUMNS] = {&row->requests,          &row->cost_nano_usd,
                                       &row->prompt_tokens,     &row->cached_tokens,
                                       &row->completion_tokens, &row->reasoning_tokens};
    struct span number;

    for (size_t i = 0; i < COLUMNS; i++)
        if (!span_split(&packed, ' ', &number) || !span_i64(number, numbers[i]))
            return false;
    return !packed.at;
}

static int by_name(const void *a, const void *b)
{
    const struct span one = ((const struct sums_row *)a)->name,
                      other = ((const struct sums_row *)b)->name;
    int order = memcmp(one.at, other.at, one.size < other.size ? one.size : other.size);

    return order ? order : (one.size > other.size) - (one.size < other.size);
}

static void row_add(struct sums_row *sum, const struct sums_row *row)
{
    sum->requests += row->requests;
    sum->cost_nano_usd += row->cost_nano_usd;
    sum->prompt_tokens += row->prompt_tokens;
    sum->cached_tokens += row->cached_tokens;
    sum->completion_tokens += row->completion_tokens;
    sum->reasoning_tokens += row->reasoning_tokens;
}

#include "store/books_parts.h"

#include "base/number.h"
#include "base/unset.h"
#include "store/fields.h"
#include "store/tally.h"

#include <assert.h>

enum { KEYS = 6, WINDOW_SIZE = 40 };

/* What lua/book.lua takes: the clock, the day, is it another, how many users and models; of each user two, of each model three;
 * each settlement's fields. */
enum {
    HEAD_ARGS = 5,
    USER_ARGS = 2,
    MODEL_ARGS = 3,
    RECORD_ARGS = 11,
    HEAD_NUMBERS = 4,
    RECORD_NUMBERS = 6,
    ARGS_MAX = HEAD_ARGS + (USER_ARGS + MODEL_ARGS + RECORD_ARGS) * BOOK_BATCH_MAX
};
static_assert(KEYS + ARGS_MAX <= REDIS_ARGS_MAX, "a batch fits into one call");
static_assert((int)BOOK_BATCH_MAX <= (int)TALLY_ROWS_MAX, "so do its users and models");

struct args {
    size_t count, number_count, row_count;
    struct span items[ARGS_MAX];
    char numbers[HEAD_NUMBERS + RECORD_NUMBERS * BOOK_BATCH_MAX][NUMBER_TEXT_SIZE];
    char rows[2 * BOOK_BATCH_MAX][TALLY_TEXT_SIZE];
};

static void add_sums(struct args *args, const struct settlement_record *const *records,
                     size_t count);
static void add_record(struct args *args, const struct settlement_record *record);
static void add(struct args *args, struct span text);
static void add_number(struct args *args, int64_t number);
static bool read_booked(struct store_call *call, const struct redis_reply *reply);

/* lua/book.lua */
void book_settlements(struct store *store, struct book *book,
                      const struct settlement_record *const *records, size_t count,
                      struct turn *wake)
{
    struct span names[KEYS], day = span_of(records[0]->day),
                             month = span_first(day, SUMS_MONTH_SIZE);
    char texts[KEYS][STORE_KEY_MAX];
    UNSET struct args args;

    assert(count > 0 && count <= BOOK_BATCH_MAX && day.size == SUMS_DATE_SIZE);
    names[0] = store_key_name(STORE_KEY_LEDGER, SPAN_NONE, texts[0]);
    names[1] = store_window_key_name(STORE_KEY_SEEN, SPAN_NONE, day, texts[1]);
    names[2] = books_sums_key(day, SUMS_PART_USER, texts[2]);
    names[3] = books_sums_key(day, SUMS_PART_ALL, texts[3]);
    names[4] = books_sums_key(month, SUMS_PART_USER, texts[4]);
    names[5] = books_sums_key(month, SUMS_PART_ALL, texts[5]);
    args.count = args.number_count = args.row_count = 0;
    add_number(&args, 0);
    add(&args, day);
    add_number(&args, store_is_another_day(store, day));
    add_sums(&args, records, count);
    for (size_t i = 0; i < count; i++)
        add_record(&args, records[i]);
    book->count = count;
    book->some_already = false;
    memset(book->already, 0, sizeof(book->already));
    store_eval(store, &book->call, wake, read_booked, store_script(SCRIPT_book), names, KEYS,
               args.items, args.count);
}

struct span books_sums_key(struct span window, struct span part, char ret_name[STORE_KEY_MAX])
{
    const struct span parts[] = {window.size == SUMS_DATE_SIZE ? SPAN("day:") : SPAN("month:"),
                                 window, SPAN(":"), part};
    char text[WINDOW_SIZE], *to = text;

    assert(window.size == SUMS_DATE_SIZE || window.size == SUMS_MONTH_SIZE);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        memcpy(to, parts[i].at, parts[i].size);
        to += parts[i].size;
    }
    return store_window_key_name(STORE_KEY_SUMS, SPAN_NONE,
                                 (struct span){text, (size_t)(to - text)}, ret_name);
}

static void add_sums(struct args *args, const struct settlement_record *const *records,
                     size_t count)
{
    UNSET struct tally users, models;

    users.count = models.count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct settlement_record *record = records[i];
        tally_add(&users, (struct tally_name){span_of(record->user), SPAN_NONE}, record);
        tally_add(&models, (struct tally_name){span_of(record->tier), span_of(record->model)},
                  record);
    }
    add_number(args, (int64_t)users.count);
    add_number(args, (int64_t)models.count);
    for (size_t i = 0; i < users.count; i++) {
        add(args, users.rows[i].name.first);
        add(args, tally_text(&users.rows[i], args->rows[args->row_count++]));
    }
    for (size_t i = 0; i < models.count; i++) {
        add(args, models.rows[i].name.first);
        add(args, models.rows[i].name.second);
        add(args, tally_text(&models.rows[i], args->rows[args->row_count++]));
    }
}

static void add_record(struct args *args, const struct settlement_record *record)
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

static void add(struct args *args, struct span text)
{
    assert(args->count < ARGS_MAX);
    args->items[args->count++] = text;
}

static void add_number(struct args *args, int64_t number)
{
    add(args, number_text(number, args->numbers[args->number_count++]));
}

static bool read_booked(struct store_call *call, const struct redis_reply *reply)
{
    struct book *book = container_of(call, struct book, call);
    int64_t number;

    if (redis_reply_kind(reply) != REDIS_LIST)
        return false;
    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        if (!item_number(reply, i, &number) || number < 1 || (size_t)number > book->count)
            return false;
        book->some_already = book->already[number - 1] = true;
    }
    return true;
}

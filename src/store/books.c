#include "store/books_parts.h"

#include "base/unset.h"
#include "store/fields.h"
#include "store/settled_text.h"
#include "store/tally.h"

#include <assert.h>

enum { KEYS = 7, WINDOW_SIZE = 40, HEAD_ARGS = 5, USER_ARGS = 2, MODEL_ARGS = 3, RECORD_ARGS = 2 };
static_assert(HEAD_ARGS + (USER_ARGS + MODEL_ARGS + RECORD_ARGS) * BOOK_BATCH_MAX <= STORE_ARGS_MAX,
              "a batch fits into one call");
static_assert((int)BOOK_BATCH_MAX <= (int)TALLY_ROWS_MAX, "so do its users and models");

/* What the arguments of one call point into. */
struct texts {
    char users[BOOK_BATCH_MAX][TALLY_TEXT_SIZE], models[BOOK_BATCH_MAX][TALLY_TEXT_SIZE];
    char entries[BOOK_BATCH_MAX][SETTLED_ENTRY_SIZE];
};

static void add_sums(struct store_args *args, const struct settlement_record *const *records,
                     size_t count, struct texts *texts);
static bool read_booked(struct store_call *call, const struct redis_reply *reply);

/* lua/book.lua */
void book_settlements(struct store *store, struct book *book,
                      const struct settlement_record *const *records, size_t count,
                      struct turn *wake)
{
    struct span names[KEYS], day = span_of(records[0]->day),
                             month = span_first(day, SUMS_MONTH_SIZE);
    char key_texts[KEYS][STORE_KEY_MAX];
    UNSET struct store_args args;
    UNSET struct texts texts;

    assert(count > 0 && count <= BOOK_BATCH_MAX && day.size == SUMS_DATE_SIZE);
    names[0] = store_key_name(STORE_KEY_LEDGER, SPAN_NONE, key_texts[0]);
    names[1] = store_window_key_name(STORE_KEY_SEEN, SPAN_NONE, day, key_texts[1]);
    names[2] = books_sums_key(day, SUMS_PART_USER, key_texts[2]);
    names[3] = books_sums_key(day, SUMS_PART_ALL, key_texts[3]);
    names[4] = books_sums_key(month, SUMS_PART_USER, key_texts[4]);
    names[5] = books_sums_key(month, SUMS_PART_ALL, key_texts[5]);
    names[6] = store_key_name(STORE_KEY_LEDGER_MARKS, SPAN_NONE, key_texts[6]);
    args_begin(&args, store);
    args_add(&args, day);
    args_add_number(&args, store_is_another_day(store, day));
    add_sums(&args, records, count, &texts);
    for (size_t i = 0; i < count; i++) {
        assert(request_id_is_fine(span_of(records[i]->request_id)));
        args_add(&args, span_of(records[i]->request_id));
        args_add(&args, settled_entry_write(records[i], texts.entries[i]));
    }
    book->count = count;
    book->some_already = false;
    memset(book->already, 0, sizeof(book->already));
    args_send(&args, store, &book->call, wake, read_booked, SCRIPT_book, names, KEYS);
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

static void add_sums(struct store_args *args, const struct settlement_record *const *records,
                     size_t count, struct texts *texts)
{
    UNSET struct tally users, models;

    users.count = models.count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct settlement_record *record = records[i];
        tally_add(&users, (struct tally_name){span_of(record->user), SPAN_NONE}, record);
        tally_add(&models, (struct tally_name){span_of(record->tier), span_of(record->model)},
                  record);
    }
    args_add_number(args, (int64_t)users.count);
    args_add_number(args, (int64_t)models.count);
    for (size_t i = 0; i < users.count; i++) {
        args_add(args, users.rows[i].name.first);
        args_add(args, tally_text(&users.rows[i], texts->users[i]));
    }
    for (size_t i = 0; i < models.count; i++) {
        args_add(args, models.rows[i].name.first);
        args_add(args, models.rows[i].name.second);
        args_add(args, tally_text(&models.rows[i], texts->models[i]));
    }
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

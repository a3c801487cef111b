/* books.h: settlements booked and sums read in one line each. */
#ifndef KEYTURN_TESTS_STORE_BOOKS_H
#define KEYTURN_TESTS_STORE_BOOKS_H

#include "quota.h"

#include "store/books.h"

enum { ROWS_MAX = 16 };

struct rows {
    struct sums_read read;
    size_t count;
    char names[ROWS_MAX][METER_TEXT_MAX + 1];
    struct sums_row rows[ROWS_MAX];
};

static inline void on_row(struct sums_read *read, const struct sums_row *row)
{
    struct rows *rows = container_of(read, struct rows, read);

    assert_true(rows->count < ROWS_MAX);
    assert_true(span_text(row->name, rows->names[rows->count], sizeof(rows->names[0])));
    rows->rows[rows->count++] = *row;
}

static inline struct rows sums_now(struct harness *h, const struct period *period,
                                   enum sums_group group)
{
    struct rows rows = {0};

    sums_of(&h->b, &rows.read, period, group, on_row, &h->wake);
    AWAIT_OK(h, rows.read);
    return rows;
}

/* As who settles does: where some were booked before, the others are asked again. How many were not. */
static inline int64_t book_batch(struct harness *h, const struct settlement_record *records,
                                 size_t count)
{
    const struct settlement_record *batch[BOOK_BATCH_MAX];
    struct book book = {0};
    size_t rest = 0;

    assert_true(count <= BOOK_BATCH_MAX);
    for (size_t i = 0; i < count; i++)
        batch[i] = &records[i];
    book_settlements(&h->a, &book, batch, count, &h->wake);
    AWAIT_OK(h, book);
    for (size_t i = 0; i < count; i++)
        if (!book.already[i])
            batch[rest++] = batch[i];
    assert_int_equal(book.some_already, rest < count);
    if (rest == count || rest == 0)
        return (int64_t)rest;
    book_settlements(&h->a, &book, batch, rest, &h->wake);
    AWAIT_OK(h, book);
    assert_false(book.some_already);
    return (int64_t)rest;
}

static inline bool book_now(struct harness *h, const struct settlement_record *record)
{
    return book_batch(h, record, 1) == 1;
}

static inline struct period month(void)
{
    return period_of(LIMIT_RESET_MONTHLY, hand_ms);
}

static inline struct period today(void)
{
    return period_of(LIMIT_RESET_DAILY, hand_ms);
}

static inline struct settlement_record booking(const char *id, const char *user, const char *tier,
                                               const char *model, int64_t cost)
{
    struct settlement_record record = record_of(id, cost);

    snprintf(record.user, sizeof(record.user), "%s", user);
    snprintf(record.tier, sizeof(record.tier), "%s", tier);
    snprintf(record.model, sizeof(record.model), "%s", model);
    return record;
}

static inline void assert_row(const struct rows *rows, size_t index, const char *name,
                              int64_t requests, int64_t cost)
{
    assert_true(index < rows->count);
    assert_string_equal(rows->names[index], name);
    assert_int_equal(rows->rows[index].requests, requests);
    assert_int_equal(rows->rows[index].cost_nano_usd, cost);
}

#endif

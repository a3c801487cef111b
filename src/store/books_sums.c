/* The side of store/books.h that reads sums. */
#include "store/books_parts.h"

#include "base/alloc.h"

#include <stdlib.h>

enum { COLUMNS = 6 };

static void ask_sums(struct store *store, struct sums_read *read, struct span key,
                     struct turn *wake);
static bool read_sums(struct store_call *call, const struct redis_reply *reply);
static bool read_rows(const struct sums_read *read, const struct redis_reply *reply,
                      struct sums_row *rows, size_t *ret_count);
static bool row_name(const struct sums_read *read, struct span field, struct span *ret_name);
static bool read_row(struct span packed, struct sums_row *row);
static int by_name(const void *a, const void *b);

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
    if (group == SUMS_BY_DAY &&
        window.size == SUMS_DATE_SIZE) { /* a day's own row is in its month */
        memcpy(read->only, period->name, sizeof(read->only));
        window.size = SUMS_MONTH_SIZE;
    }
    ask_sums(store, read,
             books_sums_key(window, group == SUMS_BY_USER ? SUMS_PART_USER : SUMS_PART_ALL, name),
             wake);
}

void sums_of_user(struct store *store, struct sums_read *read, struct span user,
                  const struct period *month,
                  void (*visit)(struct sums_read *, const struct sums_row *), struct turn *wake)
{
    struct span window = span_of(month->name);
    char name[STORE_KEY_MAX];

    assert(window.size == SUMS_MONTH_SIZE);
    read->visit = visit;
    read->name = SUMS_HEAD;
    ask_sums(store, read, store_window_key_name(STORE_KEY_USAGE, user, window, name), wake);
}

static void ask_sums(struct store *store, struct sums_read *read, struct span key,
                     struct turn *wake)
{
    const struct span words[] = {SPAN("HGETALL"), key};

    store_ask(store, &read->call, wake, read_sums, words, sizeof(words) / sizeof(*words));
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
            sums_row_add(&rows[first], &rows[next]);
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

    for (size_t i = 0; i < COLUMNS; i++)
        if (!span_split_i64(&packed, ' ', numbers[i]))
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

void sums_row_add(struct sums_row *sum, const struct sums_row *row)
{
    sum->requests += row->requests;
    sum->cost_nano_usd += row->cost_nano_usd;
    sum->prompt_tokens += row->prompt_tokens;
    sum->cached_tokens += row->cached_tokens;
    sum->completion_tokens += row->completion_tokens;
    sum->reasoning_tokens += row->reasoning_tokens;
}

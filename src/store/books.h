/* books.h: the ledger of settlements and its sums, in a slot of their own.
 *
 * book is idempotent by request id like settle, and follows it: what was charged stands in the user's account until it is
 * booked, so somebody comes back to it. The books and the quotas end up equal whoever settled and whatever died in between.
 * Many settlements of one day are one call.
 *
 * Keys ({books} is the hash tag): kt:{books}:ledger (stream) and its :marks (hash), kt:{books}:seen:<date> (set of request
 * ids; the record's day), and per UTC day and month the sums kt:{books}:day:<date>:<part>, kt:{books}:month:<month>:<part>: hashes of
 * "requests cost prompt cached completion reasoning". Part user: by user. Part all: by "<tier>\n<model>", from which the
 * sums by tier and by model are made when they are read, and in the month's by date. What was never sent
 * (COST_NOTHING_SENT) is in the ledger and not in the sums; tokens that are not known count as none.
 *
 * Units     nano-USD, tokens.
 * Source    design 4.4, 4.5 (field names of our JSON), issue: books; lua/book.lua
 */
#ifndef KEYTURN_STORE_BOOKS_H
#define KEYTURN_STORE_BOOKS_H

#include "store/quota.h"

enum { BOOK_BATCH_MAX = 32 };
struct book {
    struct store_call call;
    size_t count;
    bool already[BOOK_BATCH_MAX]; /* it was booked before */
    bool some_already;
};
/* All of one day; their request ids differ. Where some were booked before, nothing changes, and the others are to be asked
 * again without those. */
void book_settlements(struct store *store, struct book *book,
                      const struct settlement_record *const *records, size_t count,
                      struct turn *wake);

enum sums_group { SUMS_BY_USER, SUMS_BY_TIER, SUMS_BY_MODEL, SUMS_BY_DAY };

/* One row per name, ordered by name; SUMS_BY_DAY rows are dates. */
struct sums_row {
    struct span name; /* valid during visit */
    int64_t requests, cost_nano_usd, prompt_tokens, cached_tokens, completion_tokens,
        reasoning_tokens;
};

void sums_row_add(struct sums_row *sum, const struct sums_row *row);

/* Reads one day's or one month's sums (weeks have none); rows are visited inside the answer (record only). */
struct sums_read {
    struct store_call call;
    enum sums_name { SUMS_WHOLE, SUMS_HEAD, SUMS_TAIL, SUMS_DATES } name; /* what of a field */
    char only[PERIOD_NAME_SIZE];                                          /* this date; "": all */
    void (*visit)(struct sums_read *read, const struct sums_row *row);
};
void sums_of(struct store *store, struct sums_read *read, const struct period *period,
             enum sums_group group, void (*visit)(struct sums_read *, const struct sums_row *),
             struct turn *wake);
/* One user's own sums of a month, by day (user slot): GET /v1/me/usage, GET /admin/users/{id}/usage. */
void sums_of_user(struct store *store, struct sums_read *read, struct span user,
                  const struct period *month,
                  void (*visit)(struct sums_read *, const struct sums_row *), struct turn *wake);

#endif

/* usage_query.h: which days of the books, grouped by what, printed how: the same for the admin API and the shell.
 *
 * Units     days are UTC, both ends inclusive, at most USAGE_DAYS_MAX; unix milliseconds.
 * Fails     false, with a sentence for people in ret_error.
 * Source    design 4.1, 4.4
 */
#ifndef KEYTURN_API_USAGE_QUERY_H
#define KEYTURN_API_USAGE_QUERY_H

#include "store/books.h"

enum { USAGE_DAYS_MAX = 366, USAGE_ERROR_SIZE = 200 };
enum usage_format { USAGE_JSON, USAGE_CSV, USAGE_TABLE };

struct usage_query {
    struct period first, last; /* days; not given: from the first of last's month to today */
    enum sums_group group;     /* not given: by user */
    enum usage_format format;
    unsigned given; /* parameters that were set; none twice */
};

/* "from", "to", "group_by", "format". */
bool usage_query_set(struct usage_query *query, struct span name, struct span value,
                     char ret_error[USAGE_ERROR_SIZE]);
/* After the last of them. */
bool usage_query_seal(struct usage_query *query, int64_t now_ms, char ret_error[USAGE_ERROR_SIZE]);
/* All of it from a request's query. */
bool usage_query_read(struct usage_query *ret_query, struct span text, int64_t now_ms,
                      char ret_error[USAGE_ERROR_SIZE]);
/* The one parameter of a user's usage, "month"; now's month when it is not given. */
bool usage_month_read(struct period *ret_month, struct span text, int64_t now_ms,
                      char ret_error[USAGE_ERROR_SIZE]);

const char *usage_group_name(enum sums_group group);
bool day_parse(struct span text, struct period *ret_day);     /* YYYY-MM-DD */
bool month_parse(struct span text, struct period *ret_month); /* YYYY-MM */

/* The sums to read for the days from at_ms on: a month where the range has all of it, else a day. Rows by day are in
 * the month's sums, whichever of its days are wanted. */
struct period usage_window(const struct usage_query *query, int64_t at_ms);
/* Of rows by day: is the date in the range? */
bool usage_query_covers(const struct usage_query *query, struct span date);

#endif

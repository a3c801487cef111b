/* usage_sheet.h: sums of the books by name, added up over days and months, and their printed forms.
 *
 *     JSON      {"from","to","group_by","rows":[{"name",...}],"totals":{...}}
 *     CSV       RFC 4180, a head line, no totals. A name that a spreadsheet would take for a formula gets an apostrophe
 *               in front; JSON has the names as they are.
 *     table     aligned, for people, with totals; control bytes are shown as ?
 * Rows by day come in the order of days, others the dearest first.
 *
 * Owns      its rows and their names.
 * Units     nano-USD, tokens.
 * Fails     full: more than USAGE_ROWS_MAX names, those that came later are only in the totals. Printing: false when out
 *           is full.
 */
#ifndef KEYTURN_API_USAGE_SHEET_H
#define KEYTURN_API_USAGE_SHEET_H

#include "api/usage_query.h"
#include "base/json_write.h"
#include "base/map.h"

enum { USAGE_ROWS_MAX = 200000, USAGE_PRINTED_MAX = 64 << 20 };

struct usage_sheet {
    struct map by_name;
    struct sums_row totals; /* its name is none */
    bool full;
};

void usage_sheet_init(struct usage_sheet *sheet, const uint64_t map_seed[2]);
void usage_sheet_done(struct usage_sheet *sheet);
void usage_sheet_add(struct usage_sheet *sheet, const struct sums_row *row);
/* The rows in their order, usage_sheet_size of them; the array is the caller's to free, the rows are not. */
size_t usage_sheet_size(const struct usage_sheet *sheet);
const struct sums_row **usage_sheet_rows(const struct usage_sheet *sheet, bool by_name);

/* Of rows by day: what the days of the range cost. */
int64_t usage_sheet_cost(const struct usage_sheet *sheet, const struct usage_query *query);

/* usage_print.c */
bool usage_print(const struct usage_sheet *sheet, const struct usage_query *query,
                 struct buffer *out);
/* The members "month","totals":{...},"days":[{"day",...}] of an open object. */
void usage_print_month(const struct usage_sheet *sheet, const struct period *month, struct json *j);

#endif

/* tally.h: what some settlements add to the sums, a row for each name: summed here, so that a script reads and writes each
 * row once however many settlements it takes.
 *
 * Owns      the rows; names are borrowed.
 * Units     nano-USD, tokens; tokens that are not known count as none, and what was never sent is no request.
 * Source    the rows of docs/store.md: "requests cost prompt cached completion reasoning"
 */
#ifndef KEYTURN_STORE_TALLY_H
#define KEYTURN_STORE_TALLY_H

#include "base/number.h"
#include "store/quota.h"

enum { TALLY_ROWS_MAX = 32, TALLY_COLUMNS = 6, TALLY_TEXT_SIZE = TALLY_COLUMNS * NUMBER_TEXT_SIZE };

/* A user; a model; a tier and a model. */
struct tally_name {
    struct span first, second;
};
struct tally_row {
    struct tally_name name;
    int64_t sums[TALLY_COLUMNS];
};
struct tally {
    size_t count;
    struct tally_row rows[TALLY_ROWS_MAX];
};

/* At most TALLY_ROWS_MAX names in all. */
void tally_add(struct tally *tally, struct tally_name name, const struct settlement_record *record);
struct span tally_text(const struct tally_row *row, char ret_text[TALLY_TEXT_SIZE]);

#endif

/* settled_text.h: a settlement as Redis keeps it: eleven lines, the same in the account, until it is booked, and in the
 * ledger. In front of them lua/settle.lua puts "S", when, the budget window and the day; the ledger has the user and the day there.
 *
 *     model, cost in nano-USD, was it delivered, prompt, cached, completion and reasoning tokens (-1: unknown), key version,
 *     tier, finished at (unix ms), source
 *
 * Owns      nothing.
 * Fails     reading gives false for what is not written so, and leaves the record alone.
 */
#ifndef KEYTURN_STORE_SETTLED_TEXT_H
#define KEYTURN_STORE_SETTLED_TEXT_H

#include "base/number.h"
#include "store/quota.h"

enum {
    SETTLED_TEXT_NUMBERS = 8,
    SETTLED_TEXT_SIZE = METER_TEXT_MAX + 1 + SETTLED_TEXT_NUMBERS * NUMBER_TEXT_SIZE +
                        TIER_NAME_MAX + 1 + sizeof("nothing_sent"),
    SETTLED_ENTRY_SIZE = USER_ID_MAX + 1 + PERIOD_NAME_SIZE + SETTLED_TEXT_SIZE
};

/* A text from outside as one line: control characters become blanks. */
struct span store_line(struct span text, char ret_line[METER_TEXT_MAX]);

/* model is a line. */
struct span settled_text_write(const struct settlement_record *record, struct span model,
                               char ret_text[SETTLED_TEXT_SIZE]);
/* As it stands in the ledger. */
struct span settled_entry_write(const struct settlement_record *record,
                                char ret_entry[SETTLED_ENTRY_SIZE]);
/* As it stands in the account: put over the user and the request id that are there. */
bool settled_text_read(struct span text, struct settlement_record *record);

#endif

/* usage_reader.h: the sums of a range of days, read from the books one day or month after the other.
 *
 * Owns      its questions; borrows the store, the sheet it fills and the query, until wake is posted.
 * Runs on   the loop; wake is posted once, at the end. It cannot be called off.
 * Fails     end is not STORE_OK: the sheet is not whole.
 */
#ifndef KEYTURN_API_USAGE_READER_H
#define KEYTURN_API_USAGE_READER_H

#include "api/usage_sheet.h"

struct usage_reader {
    struct store *store;             /* borrowed */
    const struct usage_query *query; /* borrowed */
    struct usage_sheet *sheet;       /* borrowed */
    struct turn turn, *wake;         /* wake: borrowed */
    struct sums_read read;
    struct period window;
    bool done;
    enum store_end end;
};

void usage_read(struct store *store, struct usage_reader *reader, const struct usage_query *query,
                struct usage_sheet *sheet, struct turn *wake);

#endif

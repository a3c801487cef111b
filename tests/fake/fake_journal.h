/* fake_journal.h: io/journal.h in memory: it outlives an instance as its file would.
 *
 * Owns      its lines.
 * Fails     appending while it is told to be full.
 */
#ifndef KEYTURN_TESTS_FAKE_JOURNAL_H
#define KEYTURN_TESTS_FAKE_JOURNAL_H

#include "io/journal.h"

#include <stddef.h>

size_t fake_journal_lines(struct journal *journal);
void fake_journal_is_full(struct journal *journal, bool full);

#endif

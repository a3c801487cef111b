/* journal_place.h: this process's journal among those of its siblings in one data directory, and what dead ones left.
 *
 * Fails     NULL and a sentence: settlements then live in memory only.
 */
#ifndef KEYTURN_APP_JOURNAL_PLACE_H
#define KEYTURN_APP_JOURNAL_PLACE_H

#include "io/journal.h"

/* Takes the first journal-<n> nobody holds, and moves into it the lines of every other that nobody holds. */
struct journal *journal_place_take(const char *directory, char ret_error[160]);

#endif

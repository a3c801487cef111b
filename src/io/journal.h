/* journal.h: lines that must outlive the process, in one file that is only appended to and emptied.
 *
 * Owns      the descriptor, and a lock: one process per file.
 * Runs on   the loop; an append is one write(2) into the page cache: it outlives the process, not the machine's power.
 * Fails     journal_open: NULL and a sentence. journal_append: false when the disk is full or gone.
 * Ends      journal_close leaves the file as it is.
 */
#ifndef KEYTURN_IO_JOURNAL_H
#define KEYTURN_IO_JOURNAL_H

#include "base/span.h"

struct journal;

struct journal *journal_open(const char *path, char ret_error[160]);
void journal_close(struct journal *journal);
/* Every whole line of the file as it is now, without its newline. */
void journal_each(struct journal *journal, void (*visit)(struct span line, void *context),
                  void *context);
bool journal_append(struct journal *journal, struct span line); /* with its newline */
void journal_empty(struct journal *journal);

#endif

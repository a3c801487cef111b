/* word.h: which known word somebody meant who wrote another one.
 *
 * Owns      nothing; words are compared by bytes, ASCII letters without case.
 * Units     edits: a letter inserted, deleted or replaced. Of a word only the first 64 bytes count.
 */
#ifndef KEYTURN_BASE_WORD_H
#define KEYTURN_BASE_WORD_H

#include "base/span.h"

struct word_search {
    struct span word; /* as it was written */
    const char *near; /* what it may be a slip of, NULL: nothing yet */
    size_t edits;     /* of near */
};

size_t word_distance(struct span a, struct span b);
size_t word_slips(
    struct span word); /* so many edits are still a slip of the pen: a third of the letters */
/* Looks at one of the known words; of equally near ones the first stays. */
void word_compare(struct word_search *search, const char *known);

#endif

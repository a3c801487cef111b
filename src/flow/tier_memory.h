/* tier_memory.h: which tier each user had last, so that admission can ask with the right limits in one call. A wrong
 * guess costs one more call (the script says which tier it is), never a wrong answer. And how many requests each user sent
 * lately.
 *
 * Owns      its entries, at most cache_max; the oldest goes first.
 */
#ifndef KEYTURN_FLOW_TIER_MEMORY_H
#define KEYTURN_FLOW_TIER_MEMORY_H

#include "base/list.h"
#include "base/map.h"
#include "domain/tier.h"

struct tier_memory {
    struct map by_user;
    struct list by_age;
    size_t entries_max;
};

void tier_memory_open(struct tier_memory *memory, size_t entries_max, const uint64_t map_seed[2]);
void tier_memory_close(struct tier_memory *memory);
const struct tier *tier_memory_find(const struct tier_memory *memory, struct span user);
void tier_memory_set(struct tier_memory *memory, struct span user, const struct tier *tier);

/* A request came. So many came within the last half second to whole second, this one included; 0: the user is not
 * remembered. */
unsigned tier_memory_count(struct tier_memory *memory, struct span user, uint64_t now_ms);

/* Whether something is due for this user now; then not again for every_ms. A user not remembered is always due. */
bool tier_memory_note(struct tier_memory *memory, struct span user, uint64_t now_ms,
                      uint64_t every_ms);
/* The same of a second matter, which is due for the first time every_ms after it was asked first. */
bool tier_memory_look(struct tier_memory *memory, struct span user, uint64_t now_ms,
                      uint64_t every_ms);
/* What was due could not be done: it is due again. */
void tier_memory_note_failed(struct tier_memory *memory, struct span user);

#endif

/* user_memory.h: what this process remembers of users who were here lately: the tier, so that admission can ask with the right
 * limits in one call (a wrong guess costs one more call, for the script says which tier it is, never a wrong answer); when
 * something is due for the user; how many requests came within about a second, and whether they grow.
 *
 * Owns      its entries, at most cache_max; the oldest goes first.
 */
#ifndef KEYTURN_FLOW_USER_MEMORY_H
#define KEYTURN_FLOW_USER_MEMORY_H

#include "base/list.h"
#include "base/map.h"
#include "domain/tier.h"

struct user_memory {
    struct map by_user;
    struct list by_age;
    size_t entries_max;
};

void user_memory_open(struct user_memory *memory, size_t entries_max, const uint64_t map_seed[2]);
void user_memory_close(struct user_memory *memory);
const struct tier *user_memory_find(const struct user_memory *memory, struct span user);
void user_memory_set(struct user_memory *memory, struct span user, const struct tier *tier);

/* A request came. So many came within the last half second to whole second, this one included; 0: the user is not
 * remembered. */
unsigned user_memory_count(struct user_memory *memory, struct span user, uint64_t now_ms);

/* One asked for more than was kept ready for it: within the next ten seconds others may, too. */
void user_memory_outgrew(struct user_memory *memory, struct span user, uint64_t now_ms);
bool user_memory_grows(const struct user_memory *memory, struct span user, uint64_t now_ms);

/* Whether something is due for this user now; then not again for every_ms. A user not remembered is always due. */
bool user_memory_note(struct user_memory *memory, struct span user, uint64_t now_ms,
                      uint64_t every_ms);
/* The same of a second matter, which is due for the first time every_ms after it was asked first. */
bool user_memory_look(struct user_memory *memory, struct span user, uint64_t now_ms,
                      uint64_t every_ms);
/* What was due could not be done: it is due again. */
void user_memory_note_failed(struct user_memory *memory, struct span user);

#endif

/* arena.h: memory that ends all at once, with a cap.
 *
 * Owns      its chunks; everything handed out ends with arena_done.
 * Fails     NULL / SPAN_NONE when the cap would be passed: the arena's cap is the request's cap.
 * Ends      arena_done; arena_wipe where secrets may have been copied in.
 */
#ifndef KEYTURN_BASE_ARENA_H
#define KEYTURN_BASE_ARENA_H

#include "base/span.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
    size_t used_bytes, limit_bytes; /* used: what was handed out, rounded up for alignment */
};

void arena_init(struct arena *arena, size_t limit_bytes);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type */
/* A NUL follows, not counted; none stays none. */
struct span arena_copy(struct arena *arena, struct span bytes);
/* One behind the other; a NUL follows here, too. */
struct span arena_join(struct arena *arena, struct span first, struct span second);
struct span arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *arena); /* everything handed out ends; a chunk is kept */
void arena_done(struct arena *arena);
void arena_wipe(struct arena *arena); /* zeroes and ends */

#endif

/* server/spares.h: buffers between two uses. A connection borrows memory while bytes are in it and gives
 * it back at once, so that idle connections cost nothing and busy ones allocate nothing.
 *
 * Owns      the memory of what was given back, at most SPARES_MAX buffers of keep_bytes each.
 * Ends      spares_trim, now and then, frees what was not needed since the last time; spares_done
 *           frees all.
 */
#ifndef KEYTURN_IO_SERVER_SPARES_H
#define KEYTURN_IO_SERVER_SPARES_H

#include "base/buffer.h"

enum { SPARES_MAX = 1024 }; /* as many connections as one poll may report */

struct spares {
    struct buffer rows[SPARES_MAX];
    size_t count, keep_bytes;
    size_t least; /* the smallest count since the last trim */
};

static inline void spares_init(struct spares *s, size_t keep_bytes)
{
    s->count = s->least = 0;
    s->keep_bytes = keep_bytes;
}

/* Gives memory to a buffer that has none. Its limit stays. */
static inline void spares_lend(struct spares *s, struct buffer *b)
{
    size_t limit_bytes = b->limit_bytes;

    if (b->memory || !s->count)
        return;
    *b = s->rows[--s->count];
    b->limit_bytes = limit_bytes;
    if (s->count < s->least)
        s->least = s->count;
}

/* What is still inside is dropped. */
static inline void spares_take_back(struct spares *s, struct buffer *b)
{
    if (!b->memory)
        return;
    if (s->count < SPARES_MAX && b->capacity <= s->keep_bytes) {
        b->head = b->tail = 0;
        s->rows[s->count++] = *b;
        buffer_init(b, b->limit_bytes);
    } else {
        buffer_done(b);
    }
}

static inline void spares_trim(struct spares *s)
{
    for (size_t i = 0; i < s->least; i++)
        buffer_wipe(&s->rows[--s->count]);
    s->least = s->count;
}

static inline void spares_done(struct spares *s)
{
    while (s->count)
        buffer_wipe(&s->rows[--s->count]);
}

#endif

/* bodies.h: memory of large request bodies between two uses. Given back to the kernel after each body it would come
 * anew for the next one, page by page: more than half of what a body of megabytes costs.
 *
 * A body goes into the smallest kept block that holds it, else it grows by itself. What ends is kept; over the cap the
 * oldest go. What was not needed for BODIES_TRIM_MS is freed: all of it at most twice that after the last large body.
 *
 * Owns      what was given back: at most BODIES_KEPT_MAX blocks and kept_max bytes. What is left in them of the last body
 *           is not wiped, as in any freed memory; the next one never sees it, it reads what it has written itself.
 * Units     bytes of address space: pages nobody ever wrote to are counted, and weigh nothing.
 * Runs on   the loop.
 * Ends      bodies_close; whoever was lent memory gives it back before.
 */
#ifndef KEYTURN_FLOW_BODIES_H
#define KEYTURN_FLOW_BODIES_H

#include "base/buffer.h"
#include "io/deadline.h"

enum {
    BODIES_LEAST_BYTES = 128 * 1024, /* smaller ones are malloc's: its heap keeps their pages */
    BODIES_KEPT_MAX = 256,
    BODIES_KEPT_BYTES = 64 * 1024 * 1024,
    BODIES_TRIM_MS = 5000
};

struct bodies {
    struct buffer rows[BODIES_KEPT_MAX]; /* empty ones, the oldest first */
    size_t count, bytes, bytes_max;
    size_t least; /* the smallest count since the last trim */
    struct deadline_class trims;
    struct deadline trim;
    struct turn turn;
};

void bodies_open(struct bodies *bodies, struct loop *loop, size_t bytes_max);
/* The body, with what is in it, moves where it has room for `size` bytes in all; false: there is no such block. */
bool bodies_lend(struct bodies *bodies, struct buffer *body, size_t size);
void bodies_take_back(struct bodies *bodies, struct buffer *body); /* ends it, whatever its size */
void bodies_close(struct bodies *bodies);

#endif

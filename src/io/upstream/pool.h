/* upstream/pool.h: connections between two requests. A kept connection stays watched: what comes while nobody asked, the
 * end included, closes it. Before it is used again it is looked at.
 *
 *     kept ──► resting ── UPSTREAM_REST_MS ──► ready ──► used, the one used last first
 *                 └── the same owner again: at once
 *
 * Bytes that an upstream sends late cannot be told from the answer to the next request. A connection therefore rests
 * before another owner may have it, and late bytes of a sane network fall into that rest.
 *
 * When many are of no use any more, at most UPSTREAM_DROPS_MAX are dropped at one time of the loop's clock, the others
 * later: closing thousands, each with its TLS, would be one long tick.
 *
 * Owns      kept connections; one in use belongs to its user, who gives it back or drops it.
 * Units     milliseconds.
 * Runs on   the loop.
 * Fails     upstream_pool_adopt: NULL when the socket cannot be watched.
 * Ends      upstream_pool_close when none is in use; then upstream_pool_is_closed once the last handle is gone.
 * Source    reliability D13, F1
 */
#ifndef KEYTURN_IO_UPSTREAM_POOL_H
#define KEYTURN_IO_UPSTREAM_POOL_H

#include "io/deadline.h"
#include "io/upstream/connect.h"
#include "io/upstream/wire.h"

enum { UPSTREAM_REST_MS = 5, UPSTREAM_DROPS_MAX = 64 };

struct upstream_pool {
    struct loop *loop; /* borrowed */
    char *room;        /* borrowed; for reading */
    uint64_t idle_ms;
    struct list resting, ready; /* since longest first; used last first */
    size_t kept, open;          /* open: in use, too */
    size_t handles;             /* close callbacks still due, too */
    uint64_t drops_ms;          /* the time at which the last were dropped, and how many */
    int drops;
    struct deadline_class sweeps;
    struct deadline sweep;
    struct turn sweeping;
};

struct upstream_connection {
    struct upstream_wire wire;
    struct upstream_pool *pool; /* borrowed */
    struct list link;           /* in resting or ready */
    void *user;                 /* borrowed; NULL while it is kept */
    void (*on_ready)(void *user);
    uint64_t owner, generation;
    uint64_t made_ms, kept_ms;
    bool is_used; /* a request went over it before */
};

void upstream_pool_open(struct upstream_pool *pool, struct loop *loop, uint64_t idle_ms,
                        char *room);
void upstream_pool_close(struct upstream_pool *pool);
bool upstream_pool_is_closed(const struct upstream_pool *pool);

/* generation: of the addresses; connections of another one are not used any more. */
struct upstream_connection *upstream_pool_adopt(struct upstream_pool *pool,
                                                const struct upstream_connected *connected,
                                                uint64_t generation);
/* NULL: none that this owner may have now, or too many to be dropped before it is found. */
struct upstream_connection *upstream_pool_take(struct upstream_pool *pool, uint64_t owner,
                                               uint64_t generation);
void upstream_pool_keep(struct upstream_connection *connection, uint64_t owner);
void upstream_pool_drop(struct upstream_connection *connection);
void upstream_pool_make_room(
    struct upstream_pool *pool); /* drops one that is kept, if there is one */

#endif

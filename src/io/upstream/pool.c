#include "io/upstream/pool.h"

#include "base/alloc.h"

#include <assert.h>

/* Kept connections are renewed now and then, so that load follows the origin's addresses. */
enum { LIFE_MS = 300 * 1000, OWN_LOOKED_AT_MAX = 8, SWEEP_ON_MS = 1 };

static struct upstream_connection *connection_of(struct list *node);
static void end_rests(struct upstream_pool *pool);
static struct upstream_connection *own_of(struct upstream_pool *pool, uint64_t owner);
static bool is_usable(struct upstream_connection *connection, uint64_t generation);
static bool may_drop(struct upstream_pool *pool);
static void on_ready(struct upstream_wire *wire);
static void look_at_kept(struct upstream_connection *connection);
static void on_sweep(struct turn *turn);
static void on_closed(uv_handle_t *handle);

void upstream_pool_open(struct upstream_pool *pool, struct loop *loop, uint64_t idle_ms, char *room)
{
    *pool = (struct upstream_pool){.loop = loop, .room = room, .idle_ms = idle_ms};
    list_init(&pool->resting);
    list_init(&pool->ready);
    turn_init(&pool->sweeping, on_sweep);
    deadline_init(&pool->sweep, &pool->sweeping);
    deadline_class_open(&pool->sweeps, loop, idle_ms);
}

void upstream_pool_close(struct upstream_pool *pool)
{
    while (pool->kept)
        upstream_pool_make_room(pool);
    assert(pool->open == 0);
    deadline_class_close(&pool->sweeps);
    turn_cancel(&pool->sweeping);
}

bool upstream_pool_is_closed(const struct upstream_pool *pool)
{
    return pool->handles == 0;
}

struct upstream_connection *upstream_pool_adopt(struct upstream_pool *pool,
                                                const struct upstream_connected *connected,
                                                uint64_t generation)
{
    struct upstream_connection *connection = must_alloc(sizeof(*connection));

    list_init(&connection->link);
    connection->pool = pool;
    connection->generation = generation;
    connection->made_ms = loop_now_ms(pool->loop);
    pool->open++;
    pool->handles++;
    if (upstream_wire_open(&connection->wire, pool->loop, connected->fd, connected->session,
                           on_ready))
        return connection;
    upstream_pool_drop(connection);
    return NULL;
}

struct upstream_connection *upstream_pool_take(struct upstream_pool *pool, uint64_t owner,
                                               uint64_t generation)
{
    struct upstream_connection *connection;

    end_rests(pool);
    for (;;) {
        struct list *node = list_first(&pool->ready);
        connection = own_of(pool, owner);
        if (!connection && node)
            connection = connection_of(node);
        if (!connection)
            return NULL;
        if (is_usable(connection, generation))
            break;
        if (!may_drop(pool))
            return NULL;
        upstream_pool_drop(connection);
    }
    list_remove(&connection->link);
    pool->kept--;
    connection->kept_ms = 0;
    return connection;
}

void upstream_pool_keep(struct upstream_connection *connection, uint64_t owner)
{
    struct upstream_pool *pool = connection->pool;
    uint64_t now_ms = loop_now_ms(pool->loop);

    if (now_ms - connection->made_ms >= LIFE_MS) {
        upstream_pool_drop(connection);
        return;
    }
    connection->user = NULL;
    connection->owner = owner;
    connection->is_used = true;
    connection->kept_ms = now_ms;
    list_append(&pool->resting, &connection->link);
    pool->kept++;
    upstream_wire_want(&connection->wire, true, false);
    if (!deadline_is_set(&pool->sweep))
        deadline_join(&pool->sweeps, &pool->sweep);
}

void upstream_pool_drop(struct upstream_connection *connection)
{
    if (list_is_linked(&connection->link)) {
        list_remove(&connection->link);
        connection->pool->kept--;
    }
    connection->user = NULL;
    connection->pool->open--;
    upstream_wire_close(&connection->wire, on_closed);
}

/* The one that was kept longest. */
void upstream_pool_make_room(struct upstream_pool *pool)
{
    struct list *node = list_is_empty(&pool->ready) ? list_first(&pool->resting) : pool->ready.prev;

    if (node)
        upstream_pool_drop(connection_of(node));
}

static struct upstream_connection *connection_of(struct list *node)
{
    return container_of(node, struct upstream_connection, link);
}

static void end_rests(struct upstream_pool *pool)
{
    uint64_t now_ms = loop_now_ms(pool->loop);
    struct list *node;

    while ((node = list_first(&pool->resting)) &&
           now_ms - connection_of(node)->kept_ms >= UPSTREAM_REST_MS) {
        list_remove(node);
        list_prepend(&pool->ready, node);
    }
}

/* Among the few that came to rest last: whoever asks one after the other finds his own there. */
static struct upstream_connection *own_of(struct upstream_pool *pool, uint64_t owner)
{
    struct list *node = pool->resting.prev;

    for (int i = 0; i < OWN_LOOKED_AT_MAX && node != &pool->resting; i++, node = node->prev)
        if (connection_of(node)->owner == owner)
            return connection_of(node);
    return NULL;
}

static bool is_usable(struct upstream_connection *connection, uint64_t generation)
{
    uint64_t idle_ms = loop_now_ms(connection->pool->loop) - connection->kept_ms;

    return idle_ms < connection->pool->idle_ms && connection->generation == generation &&
           !upstream_wire_has_input(&connection->wire);
}

static bool may_drop(struct upstream_pool *pool)
{
    uint64_t now_ms = loop_now_ms(pool->loop);

    if (pool->drops_ms != now_ms)
        pool->drops = 0;
    pool->drops_ms = now_ms;
    return pool->drops++ < UPSTREAM_DROPS_MAX;
}

static void on_ready(struct upstream_wire *wire)
{
    struct upstream_connection *connection = container_of(wire, struct upstream_connection, wire);

    if (connection->user)
        connection->on_ready(connection->user);
    else
        look_at_kept(connection);
}

/* Over TLS there may be a ticket to read, which is for us; anything else is for nobody. What is left for later is told
 * again by the next poll. */
static void look_at_kept(struct upstream_connection *connection)
{
    if (may_drop(connection->pool) &&
        (!connection->wire.ssl || upstream_wire_read(&connection->wire, connection->pool->room) ||
         upstream_wire_holds_more(&connection->wire)))
        upstream_pool_drop(connection);
    else
        upstream_wire_want(&connection->wire, true, false);
}

static void on_sweep(struct turn *turn)
{
    struct upstream_pool *pool = container_of(turn, struct upstream_pool, sweeping);
    uint64_t now_ms = loop_now_ms(pool->loop);

    end_rests(pool);
    while (!list_is_empty(&pool->ready) &&
           now_ms - connection_of(pool->ready.prev)->kept_ms >= pool->idle_ms) {
        if (!may_drop(pool)) {
            deadline_join_in(&pool->sweeps, &pool->sweep, SWEEP_ON_MS);
            return;
        }
        upstream_pool_drop(connection_of(pool->ready.prev));
    }
    if (pool->kept)
        deadline_join(&pool->sweeps, &pool->sweep);
}

static void on_closed(uv_handle_t *handle)
{
    struct upstream_wire *wire = container_of(handle, struct upstream_wire, poll);
    struct upstream_connection *connection = container_of(wire, struct upstream_connection, wire);

    connection->pool->handles--;
    must_free(connection);
}

/* Calls wait for a slot and an address, fly, and end exactly once; see upstream/flight.h for the
 * picture. */
#include "io/upstream/flight.h"

#include "base/alloc.h"

#include <signal.h>

#include <assert.h>

enum {
    FRESH_MS = 30 * 1000,
    KEEP_MS = 60 * 60 * 1000,
    RETRY_MS = 1000,
    AGAIN_MS = 30 * 1000,
    LOG_EVERY_MS = 1000
};

static struct deadline_class *heads_of(struct upstream *upstream, uint64_t head_ms);
static struct upstream_flight *flight_take(struct upstream *upstream);
static struct upstream_flight *flight_open(struct upstream *upstream);
static void flight_give_back(struct upstream_flight *flight);
static void give_up_connecting(struct upstream_flight *flight);
static void flight_free(struct upstream_flight *flight);
static void on_launch(struct turn *turn);
static void fly(struct upstream_flight *flight);
static void connect_anew(struct upstream_flight *flight);
static void on_connect_end(void *context, const struct upstream_connected *connected);
static void on_late(struct turn *turn);
static void on_resume(struct turn *turn);
static void log_failure(struct upstream_flight *flight, enum upstream_end end, const char *reason);

struct upstream *upstream_open(struct loop *loop, struct log *log,
                               const struct upstream_settings *settings)
{
    struct resolver_settings patience = {settings->connect_ms, FRESH_MS, KEEP_MS, RETRY_MS,
                                         AGAIN_MS};
    struct upstream *upstream;
    struct origin origin;
    char error[ORIGIN_ERROR_SIZE];

    if (!origin_parse(settings->origin, &origin, error)) {
        log_error(log, "no upstream", log_text("reason", error));
        return NULL;
    }
    assert(settings->calls_max > 0 && settings->connect_ms > 0);
    upstream = must_alloc(sizeof(*upstream));
    upstream->loop = loop;
    upstream->log = log;
    upstream->calls_max = settings->calls_max;
    upstream->queue_ms = settings->connect_ms;
    upstream->ca_file = settings->ca_file ? must_copy(settings->ca_file) : NULL;
    upstream->origin = origin;
    upstream->room = must_alloc(UPSTREAM_ROOM_BYTES);
    upstream->connector = (struct upstream_connector){.origin = &upstream->origin,
                                                      .ca_file = upstream->ca_file,
                                                      .connect_ms = settings->connect_ms};
    signal(SIGPIPE, SIG_IGN);
    list_init(&upstream->waiting);
    list_init(&upstream->flying);
    list_init(&upstream->spare);
    list_init(&upstream->resumed);
    turn_init(&upstream->launch, on_launch);
    turn_init(&upstream->resume, on_resume);
    deadline_class_open(&upstream->queue, loop, upstream->queue_ms);
    for (int i = 0; i < UPSTREAM_HEAD_CLASSES; i++)
        deadline_class_open(&upstream->heads[i], loop, 0);
    deadline_class_open(&upstream->pieces, loop, 0);
    upstream_connector_open(&upstream->connector, loop);
    upstream_pool_open(&upstream->pool, loop, settings->idle_connection_ms, upstream->room);
    upstream->resolver = resolver_open(loop, log, &upstream->origin, &patience, &upstream->launch);
    return upstream;
}

void upstream_close(struct upstream *upstream)
{
    struct list *node;

    assert(list_is_empty(&upstream->waiting) && list_is_empty(&upstream->flying));
    while ((node = list_first(&upstream->spare)))
        flight_free(container_of(node, struct upstream_flight, link));
    upstream_connector_close(&upstream->connector);
    upstream_pool_close(&upstream->pool);
    resolver_close(upstream->resolver);
    upstream->resolver = NULL;
    turn_cancel(&upstream->launch);
    turn_cancel(&upstream->resume);
    deadline_class_close(&upstream->queue);
    for (int i = 0; i < UPSTREAM_HEAD_CLASSES; i++)
        deadline_class_close(&upstream->heads[i]);
    deadline_class_close(&upstream->pieces);
}

bool upstream_is_closed(const struct upstream *upstream)
{
    return !upstream->resolver && upstream_connector_is_closed(&upstream->connector) &&
           upstream_pool_is_closed(&upstream->pool);
}

void upstream_free(struct upstream *upstream)
{
    assert(upstream_is_closed(upstream));
    upstream_connector_free(&upstream->connector);
    must_free(upstream->ca_file);
    must_free(upstream->room);
    must_free(upstream);
}

void upstream_start(struct upstream *upstream, struct upstream_call *call,
                    const struct upstream_events *events, const struct upstream_ask *ask)
{
    struct upstream_flight *flight = flight_take(upstream);

    assert(!upstream_call_is_open(call));
    call->events = events;
    call->flight = flight;
    flight->call = call;
    flight->head_ms = ask->head_ms;
    flight->idle_ms = ask->idle_ms;
    flight->owner = ask->owner;
    flight->can_be_sent = upstream_request_set(&flight->request, &upstream->origin, ask);
    upstream_answer_begin(&flight->answer, call, flight->request.asked_head);
    list_append(&upstream->waiting, &flight->link);
    upstream->waiting_count++;
    deadline_join(&upstream->queue, &flight->deadline);
    loop_post(upstream->loop, &upstream->launch);
}

/* The piece in hand is given out in a turn of ours, never inside the caller's. */
void upstream_resume(struct upstream_call *call)
{
    struct upstream_flight *flight = call->flight;

    if (!flight || !flight->paused || list_is_linked(&flight->resume_link))
        return;
    list_append(&flight->upstream->resumed, &flight->resume_link);
    loop_post(flight->upstream->loop, &flight->upstream->resume);
}

void upstream_cancel(struct upstream_call *call)
{
    struct upstream_flight *flight = call->flight;

    if (!flight)
        return;
    call->flight = NULL;
    flight_give_back(flight);
}

struct upstream_stats upstream_stats(const struct upstream *upstream)
{
    size_t connecting = upstream_connector_sockets(&upstream->connector);

    return (struct upstream_stats){.calls_open = upstream->flying_count,
                                   .calls_waiting = upstream->waiting_count,
                                   .connections_open = connecting + upstream->pool.open,
                                   .connections_made = upstream->connector.made,
                                   .connections_reused = upstream->reused};
}

bool upstream_call_has_left(const struct upstream_call *call)
{
    return call->flight && call->flight->request.has_left;
}

bool upstream_call_needs_body(const struct upstream_call *call)
{
    return call->flight && call->flight->request.body.size > 0;
}

static struct upstream_flight *flight_take(struct upstream *upstream)
{
    struct list *node = list_first(&upstream->spare);

    if (!node)
        return flight_open(upstream);
    list_remove(node);
    upstream->spare_count--;
    return container_of(node, struct upstream_flight, link);
}

static struct upstream_flight *flight_open(struct upstream *upstream)
{
    struct upstream_flight *flight = must_alloc(sizeof(*flight));

    flight->upstream = upstream;
    list_init(&flight->link);
    list_init(&flight->resume_link);
    turn_init(&flight->late, on_late);
    deadline_init(&flight->deadline, &flight->late);
    upstream_request_init(&flight->request);
    upstream_answer_init(&flight->answer);
    buffer_init(&flight->rest, UPSTREAM_ROOM_BYTES);
    return flight;
}

/* Ends what is under way and forgets the request. A flood's flights are not all kept. */
static void flight_give_back(struct upstream_flight *flight)
{
    struct upstream *upstream = flight->upstream;

    if (flight->attempt)
        give_up_connecting(flight);
    if (flight->connection)
        upstream_pool_drop(flight->connection);
    flight->connection = NULL;
    deadline_leave(&flight->deadline);
    turn_cancel(&flight->late);
    list_remove(&flight->resume_link);
    list_remove(&flight->link);
    if (flight->is_flying)
        upstream->flying_count--;
    else
        upstream->waiting_count--;
    upstream_request_done(&flight->request);
    upstream_answer_done(&flight->answer);
    buffer_wipe(&flight->rest);
    flight->call = NULL;
    flight->is_flying = flight->paused = flight->cannot_send = false;
    if (upstream->spare_count < upstream->calls_max) {
        list_prepend(&upstream->spare, &flight->link);
        upstream->spare_count++;
    } else {
        flight_free(flight);
    }
    if (!list_is_empty(&upstream->waiting))
        loop_post(upstream->loop, &upstream->launch);
}

/* Who leaves first does not see the end of a connect, only that it hung: as good a reason as its end. */
static void give_up_connecting(struct upstream_flight *flight)
{
    const char *hangs_at = upstream_connect_hangs_at(flight->attempt);

    if (hangs_at)
        resolver_blame(flight->upstream->resolver, hangs_at);
    upstream_connect_cancel(flight->attempt);
    flight->attempt = NULL;
}

static void flight_free(struct upstream_flight *flight)
{
    list_remove(&flight->link);
    upstream_request_close(&flight->request);
    must_free(flight);
}

static void on_launch(struct turn *turn)
{
    struct upstream *upstream = container_of(turn, struct upstream, launch);
    struct list *node;

    while ((node = list_first(&upstream->waiting)) &&
           upstream->flying_count < upstream->calls_max) {
        struct upstream_flight *flight = container_of(node, struct upstream_flight, link);
        enum resolve_state state =
            flight->can_be_sent ? resolver_ask(upstream->resolver) : RESOLVE_FAILED;

        if (state == RESOLVE_WAIT)
            return;
        if (state == RESOLVE_READY)
            fly(flight);
        else
            upstream_flight_end(flight, UPSTREAM_UNREACHED,
                                flight->can_be_sent ? "no address for the host"
                                                    : "the request is not well-formed");
    }
}

static void fly(struct upstream_flight *flight)
{
    struct upstream *upstream = flight->upstream;
    struct upstream_connection *connection;

    list_remove(&flight->link);
    upstream->waiting_count--;
    list_append(&upstream->flying, &flight->link);
    upstream->flying_count++;
    flight->is_flying = true;
    flight->generation = resolver_generation(upstream->resolver);
    deadline_join_in(heads_of(upstream, flight->head_ms), &flight->deadline, flight->head_ms);
    connection = upstream_pool_take(&upstream->pool, flight->owner, flight->generation);
    if (!connection) {
        connect_anew(flight);
        return;
    }
    upstream->reused++;
    upstream_flight_board(flight, connection);
}

/* There are never more connections than calls allowed: one that rests makes room. */
static void connect_anew(struct upstream_flight *flight)
{
    struct upstream *upstream = flight->upstream;

    if (upstream->flying_count + upstream->pool.kept > upstream->calls_max)
        upstream_pool_make_room(&upstream->pool);
    flight->attempt = upstream_connect(
        &upstream->connector, resolver_connect_to(upstream->resolver), flight, on_connect_end);
}

static void on_connect_end(void *context, const struct upstream_connected *connected)
{
    struct upstream_flight *flight = context;
    struct upstream *upstream = flight->upstream;
    struct upstream_connection *connection = NULL;

    flight->attempt = NULL;
    if (connected->is_unreachable)
        resolver_blame(upstream->resolver, connected->connect_to);
    if (connected->fd >= 0) {
        resolver_reached(upstream->resolver, connected->connect_to);
        connection = upstream_pool_adopt(&upstream->pool, connected, flight->generation);
    }
    if (connection)
        upstream_flight_board(flight, connection);
    else
        upstream_flight_end(flight, UPSTREAM_UNREACHED,
                            connected->fd >= 0 ? "the socket cannot be watched"
                                               : connected->reason);
}

static void on_late(struct turn *turn)
{
    struct upstream_flight *flight = container_of(turn, struct upstream_flight, late);

    if (!flight->deadline.passed)
        return; /* something came in the meantime */
    if (flight->answer.head_is_told)
        upstream_flight_end(flight, UPSTREAM_STALLED, "the answer stopped coming");
    else if (flight->request.has_left)
        upstream_flight_end(flight, UPSTREAM_LATE_HEAD, "no answer in time");
    else
        upstream_flight_end(flight, UPSTREAM_UNREACHED, "no connection in time");
}

static void on_resume(struct turn *turn)
{
    struct upstream *upstream = container_of(turn, struct upstream, resume);
    struct list *node;

    while ((node = list_first(&upstream->resumed))) {
        struct upstream_flight *flight = container_of(node, struct upstream_flight, resume_link);

        list_remove(node);
        upstream_flight_resume(flight);
    }
}

/* The call is its owner's again before it is told. */
void upstream_flight_end(struct upstream_flight *flight, enum upstream_end end, const char *reason)
{
    struct upstream_call *call = flight->call;

    if (end != UPSTREAM_DONE)
        log_failure(flight, end, reason);
    call->flight = NULL;
    flight_give_back(flight);
    call->events->on_end(call, end);
}

static void log_failure(struct upstream_flight *flight, enum upstream_end end, const char *reason)
{
    static const char *const words[] = {"done", "unreached", "lost", "cut", "late_head", "stalled"};
    struct upstream *upstream = flight->upstream;
    uint64_t now_ms = loop_now_ms(upstream->loop);

    if (now_ms < upstream->log_again_ms) {
        upstream->unlogged++;
        return;
    }
    log_warn(upstream->log, "upstream call failed", log_text("origin", upstream->origin.url),
             log_text("end", words[end]), log_text("reason", reason),
             log_int("unlogged_before", (int64_t)upstream->unlogged));
    upstream->log_again_ms = now_ms + LOG_EVERY_MS;
    upstream->unlogged = 0;
}

/* The last one takes all that come after the first few. */
static struct deadline_class *heads_of(struct upstream *upstream, uint64_t head_ms)
{
    int i = 0;

    while (i < UPSTREAM_HEAD_CLASSES - 1 && upstream->heads_ms[i] &&
           upstream->heads_ms[i] != head_ms)
        i++;
    upstream->heads_ms[i] = head_ms;
    return &upstream->heads[i];
}

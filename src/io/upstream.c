/* Calls wait for a slot and an address, fly, and end exactly once; see upstream_flight.h for the
 * picture. */
#include "io/upstream_flight.h"

#include "base/alloc.h"

#include <assert.h>

enum { FRESH_MS = 30 * 1000, KEEP_MS = 60 * 60 * 1000, RETRY_MS = 1000, LOG_EVERY_MS = 1000 };

static struct upstream_flight *flight_take(struct upstream *upstream);
static struct upstream_flight *flight_open(struct upstream *upstream);
static void flight_give_back(struct upstream_flight *flight, bool whole);
static void flight_free(struct upstream_flight *flight);
static void on_launch(struct turn *turn);
static void fly(struct upstream_flight *flight);
static void on_transfer_end(struct curl_transfer *transfer, CURLcode code);
static enum upstream_end end_of(const struct upstream_flight *flight, CURLcode code);
static void on_late(struct turn *turn);
static void on_resume(struct turn *turn);
static void flight_end(struct upstream_flight *flight, enum upstream_end end, const char *reason);
static void log_failure(struct upstream_flight *flight, enum upstream_end end, const char *reason);

struct upstream *upstream_open(struct loop *loop, struct log *log,
                               const struct upstream_settings *settings)
{
    struct resolver_settings patience = {settings->connect_ms, FRESH_MS, KEEP_MS, RETRY_MS};
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
    upstream->lock = (struct curl_lock){origin, upstream->ca_file, settings->connect_ms,
                                        settings->idle_connection_ms};
    list_init(&upstream->waiting);
    list_init(&upstream->flying);
    list_init(&upstream->spare);
    list_init(&upstream->resumed);
    turn_init(&upstream->launch, on_launch);
    turn_init(&upstream->resume, on_resume);
    deadline_class_open(&upstream->heads, loop, 0);
    deadline_class_open(&upstream->pieces, loop, 0);
    upstream->engine = curl_engine_open(loop, (long)settings->calls_max);
    upstream->resolver = resolver_open(loop, log, &origin, &patience, &upstream->launch);
    return upstream;
}

void upstream_close(struct upstream *upstream)
{
    struct list *node;

    assert(list_is_empty(&upstream->waiting) && list_is_empty(&upstream->flying));
    while ((node = list_first(&upstream->spare)))
        flight_free(container_of(node, struct upstream_flight, link));
    curl_engine_close(upstream->engine);
    resolver_close(upstream->resolver);
    upstream->resolver = NULL;
    turn_cancel(&upstream->launch);
    turn_cancel(&upstream->resume);
    deadline_class_close(&upstream->heads);
    deadline_class_close(&upstream->pieces);
}

bool upstream_is_closed(const struct upstream *upstream)
{
    return !upstream->resolver && curl_engine_is_closed(upstream->engine);
}

void upstream_free(struct upstream *upstream)
{
    assert(upstream_is_closed(upstream));
    curl_engine_free(upstream->engine);
    must_free(upstream->ca_file);
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
    flight->asked_head = span_equal(ask->method, SPAN("HEAD"));
    flight->can_be_sent = curl_request_set(&flight->request, ask);
    list_append(&upstream->waiting, &flight->link);
    upstream->waiting_count++;
    deadline_join_in(&upstream->heads, &flight->deadline, upstream->queue_ms);
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
    flight_give_back(flight, false);
}

struct upstream_stats upstream_stats(const struct upstream *upstream)
{
    struct curl_engine_stats sockets = curl_engine_stats(upstream->engine);

    return (struct upstream_stats){.calls_open = upstream->flying_count,
                                   .calls_waiting = upstream->waiting_count,
                                   .connections_open = sockets.connections_open,
                                   .connections_made = sockets.connections_made,
                                   .connections_reused = upstream->reused};
}

bool upstream_call_has_left(const struct upstream_call *call)
{
    return call->flight && call->flight->request.has_left;
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
    CURL *easy;

    flight->upstream = upstream;
    list_init(&flight->link);
    list_init(&flight->resume_link);
    turn_init(&flight->late, on_late);
    deadline_init(&flight->deadline, &flight->late);
    curl_head_init(&flight->head);
    curl_request_open(&flight->request, &upstream->lock);
    easy = flight->request.easy;
    flight->transfer.easy = easy;
    flight->transfer.on_end = on_transfer_end;
    curl_engine_adopt(upstream->engine, &flight->transfer);
    CURL_SET(easy, CURLOPT_HEADERFUNCTION, upstream_answer_line);
    CURL_SET(easy, CURLOPT_HEADERDATA, (void *)flight);
    CURL_SET(easy, CURLOPT_WRITEFUNCTION, upstream_answer_piece);
    CURL_SET(easy, CURLOPT_WRITEDATA, (void *)flight);
    return flight;
}

/* Ends what is under way and forgets the request. Only the handle of a whole exchange is kept: libcurl
 * remembers in it that a body it could not rewind is still to be sent, and refuses every later one.
 * A flood's handles are not all kept either. */
static void flight_give_back(struct upstream_flight *flight, bool whole)
{
    struct upstream *upstream = flight->upstream;

    curl_engine_remove(&flight->transfer);
    deadline_leave(&flight->deadline);
    turn_cancel(&flight->late);
    list_remove(&flight->resume_link);
    list_remove(&flight->link);
    if (flight->is_flying)
        upstream->flying_count--;
    else
        upstream->waiting_count--;
    curl_request_done(&flight->request);
    curl_head_done(&flight->head);
    flight->call = NULL;
    flight->is_flying = flight->paused = flight->held = false;
    if (whole && upstream->spare_count < upstream->calls_max) {
        list_prepend(&upstream->spare, &flight->link);
        upstream->spare_count++;
    } else {
        flight_free(flight);
    }
    if (!list_is_empty(&upstream->waiting))
        loop_post(upstream->loop, &upstream->launch);
}

static void flight_free(struct upstream_flight *flight)
{
    list_remove(&flight->link);
    curl_request_close(&flight->request);
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
            flight_end(flight, UPSTREAM_UNREACHED,
                       flight->can_be_sent ? "no address for the host"
                                           : "the request is not well-formed");
    }
}

static void fly(struct upstream_flight *flight)
{
    struct upstream *upstream = flight->upstream;
    uint64_t generation = resolver_generation(upstream->resolver);

    list_remove(&flight->link);
    upstream->waiting_count--;
    list_append(&upstream->flying, &flight->link);
    upstream->flying_count++;
    flight->is_flying = true;
    if (flight->generation != generation)
        curl_request_connect_to(&flight->request, resolver_connect_to(upstream->resolver));
    flight->generation = generation;
    deadline_join_in(&upstream->heads, &flight->deadline, flight->head_ms);
    curl_engine_add(upstream->engine, &flight->transfer);
}

static void on_transfer_end(struct curl_transfer *transfer, CURLcode code)
{
    struct upstream_flight *flight = container_of(transfer, struct upstream_flight, transfer);
    struct upstream *upstream = flight->upstream;
    long connects = 0;

    curl_must(curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects));
    if (flight->request.has_left && connects == 0)
        upstream->reused++;
    if (code == CURLE_COULDNT_CONNECT ||
        (code == CURLE_OPERATION_TIMEDOUT && !flight->request.has_left))
        resolver_blame(upstream->resolver, flight->generation);
    flight_end(flight, end_of(flight, code),
               flight->request.error[0] ? flight->request.error : curl_easy_strerror(code));
}

/* By what was seen, not by libcurl's code: where both are possible it is "lost", never "safe to try
 * again". */
static enum upstream_end end_of(const struct upstream_flight *flight, CURLcode code)
{
    if (flight->head.is_told)
        return code == CURLE_OK ? UPSTREAM_DONE : UPSTREAM_CUT;
    return flight->request.has_left ? UPSTREAM_LOST : UPSTREAM_UNREACHED;
}

static void on_late(struct turn *turn)
{
    struct upstream_flight *flight = container_of(turn, struct upstream_flight, late);

    if (!flight->deadline.passed)
        return; /* something came in the meantime */
    if (flight->head.is_told)
        flight_end(flight, UPSTREAM_STALLED, "the answer stopped coming");
    else if (flight->request.has_left)
        flight_end(flight, UPSTREAM_LATE_HEAD, "no answer in time");
    else
        flight_end(flight, UPSTREAM_UNREACHED, "no connection in time");
}

static void on_resume(struct turn *turn)
{
    struct upstream *upstream = container_of(turn, struct upstream, resume);
    struct list *node;

    while ((node = list_first(&upstream->resumed))) {
        struct upstream_flight *flight = container_of(node, struct upstream_flight, resume_link);
        bool held = flight->held;

        list_remove(node);
        flight->paused = flight->held = false;
        deadline_join_in(&upstream->pieces, &flight->deadline, flight->idle_ms);
        if (held)
            curl_engine_unpause(&flight->transfer);
    }
}

/* The call is its owner's again before it is told. */
static void flight_end(struct upstream_flight *flight, enum upstream_end end, const char *reason)
{
    struct upstream_call *call = flight->call;

    if (end != UPSTREAM_DONE)
        log_failure(flight, end, reason);
    call->flight = NULL;
    flight_give_back(flight, end == UPSTREAM_DONE);
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
    log_warn(upstream->log, "upstream call failed", log_text("origin", upstream->lock.origin.url),
             log_text("end", words[end]), log_text("reason", reason),
             log_int("unlogged_before", (int64_t)upstream->unlogged));
    upstream->log_again_ms = now_ms + LOG_EVERY_MS;
    upstream->unlogged = 0;
}

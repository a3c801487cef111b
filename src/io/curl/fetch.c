/* A fetch is a call to an upstream of its own, its answer gathered; nothing here speaks HTTP. */
#include "io/fetch.h"

#include "base/alloc.h"
#include "io/deadline.h"
#include "io/upstream.h"

#include <assert.h>
#include <curl/curl.h>

enum { RETRY_AFTER_MAX_S = 365 * 24 * 60 * 60, FIELDS = 2, IDLE_CONNECTION_MS = 30 * 1000 };

struct fetcher {
    struct loop *loop; /* borrowed */
    struct upstream *upstream;
    struct deadline_class totals;
    size_t body_max_bytes;
};

struct fetch_flight {
    struct fetch_call *owner; /* borrowed */
    struct upstream_call call;
    struct buffer body; /* what is sent */
    struct deadline total;
    struct turn late;
    struct turn too_large;
};

static uint64_t owner_of(const struct secret *bearer);
static void on_head(struct upstream_call *call, const struct upstream_head *head);
static bool on_body(struct upstream_call *call, struct span bytes);
static void on_end(struct upstream_call *call, enum upstream_end end);
static void on_late(struct turn *turn);
static void on_too_large(struct turn *turn);
static void flight_end(struct fetch_flight *flight, enum fetch_end end);
static void flight_free(struct fetch_flight *flight);
static int64_t retry_after(const struct loop *loop, struct span value);

static const struct upstream_events events = {on_head, on_body, on_end};

struct fetcher *fetcher_open(struct loop *loop, struct log *log,
                             const struct fetch_settings *settings)
{
    const struct upstream_settings upstream_settings = {.origin = settings->origin,
                                                        .ca_file = settings->ca_file,
                                                        .calls_max = settings->parallel_max,
                                                        .connect_ms = settings->connect_ms,
                                                        .idle_connection_ms = IDLE_CONNECTION_MS};
    struct upstream *upstream = upstream_open(loop, log, &upstream_settings);
    struct fetcher *fetcher;

    if (!upstream)
        return NULL;
    fetcher = must_alloc(sizeof(*fetcher));
    fetcher->loop = loop;
    fetcher->upstream = upstream;
    fetcher->body_max_bytes = settings->body_max_bytes;
    deadline_class_open(&fetcher->totals, loop, 0);
    return fetcher;
}

void fetcher_close(struct fetcher *fetcher)
{
    deadline_class_close(&fetcher->totals);
    upstream_close(fetcher->upstream);
}

bool fetcher_is_closed(const struct fetcher *fetcher)
{
    return upstream_is_closed(fetcher->upstream);
}

void fetcher_free(struct fetcher *fetcher)
{
    upstream_free(fetcher->upstream);
    must_free(fetcher);
}

void fetch_start(struct fetcher *fetcher, struct fetch_call *call, const char *method,
                 struct span path, const struct secret *bearer, struct span body, uint64_t total_ms,
                 struct turn *wake)
{
    static const struct header fields[FIELDS] = {{{"Accept", 6}, {"application/json", 16}},
                                                 {{"Content-Type", 12}, {"application/json", 16}}};
    struct fetch_flight *flight = must_alloc(sizeof(*flight));

    *call = (struct fetch_call){
        .fetcher = fetcher, .flight = flight, .wake = wake, .retry_after_s = -1};
    buffer_init(&call->body, fetcher->body_max_bytes);
    flight->owner = call;
    turn_init(&flight->late, on_late);
    turn_init(&flight->too_large, on_too_large);
    deadline_init(&flight->total, &flight->late);
    deadline_join_in(&fetcher->totals, &flight->total, total_ms);
    buffer_init(&flight->body, body.size);
    buffer_append(&flight->body, body);
    upstream_start(fetcher->upstream, &flight->call, &events,
                   &(struct upstream_ask){.method = span_of(method),
                                          .path = path,
                                          .headers = {fields, body.size ? FIELDS : 1},
                                          .bearer = bearer,
                                          .owner = owner_of(bearer),
                                          .body = buffer_view(&flight->body),
                                          .head_ms = total_ms,
                                          .idle_ms = total_ms});
}

void fetch_cancel(struct fetch_call *call)
{
    if (!call->flight)
        return;
    upstream_cancel(&call->flight->call);
    flight_free(call->flight);
    call->flight = NULL;
}

void fetch_done(struct fetch_call *call)
{
    assert(!call->flight); /* cancel first */
    buffer_wipe(&call->body);
    *call = (struct fetch_call){0};
}

static void on_head(struct upstream_call *call, const struct upstream_head *head)
{
    struct fetch_flight *flight = container_of(call, struct fetch_flight, call);

    flight->owner->status = head->status;
    flight->owner->retry_after_s =
        retry_after(flight->owner->fetcher->loop, header_find(head->headers, SPAN("Retry-After")));
}

static bool on_body(struct upstream_call *call, struct span bytes)
{
    struct fetch_flight *flight = container_of(call, struct fetch_flight, call);

    if (list_is_linked(&flight->too_large.link) || buffer_append(&flight->owner->body, bytes))
        return true;
    loop_post(flight->owner->fetcher->loop, &flight->too_large);
    return false;
}

static void on_end(struct upstream_call *call, enum upstream_end end)
{
    struct fetch_flight *flight = container_of(call, struct fetch_flight, call);

    switch (end) {
    case UPSTREAM_DONE:
        flight_end(flight,
                   list_is_linked(&flight->too_large.link) ? FETCH_UNKNOWN : FETCH_ANSWERED);
        break;
    case UPSTREAM_UNREACHED:
        flight_end(flight, FETCH_UNREACHED);
        break;
    case UPSTREAM_LOST:
    case UPSTREAM_CUT:
    case UPSTREAM_LATE_HEAD:
    case UPSTREAM_STALLED:
        flight_end(flight, FETCH_UNKNOWN);
        break;
    }
}

static void on_late(struct turn *turn)
{
    struct fetch_flight *flight = container_of(turn, struct fetch_flight, late);
    bool has_left = upstream_call_has_left(&flight->call);

    upstream_cancel(&flight->call);
    flight_end(flight, has_left ? FETCH_UNKNOWN : FETCH_UNREACHED);
}

static void on_too_large(struct turn *turn)
{
    struct fetch_flight *flight = container_of(turn, struct fetch_flight, too_large);

    upstream_cancel(&flight->call);
    flight_end(flight, FETCH_UNKNOWN);
}

static void flight_end(struct fetch_flight *flight, enum fetch_end end)
{
    struct fetch_call *call = flight->owner;

    call->end = end;
    call->flight = NULL;
    if (end != FETCH_ANSWERED) { /* half an answer is none */
        call->status = 0;
        buffer_wipe(&call->body);
    }
    flight_free(flight);
    loop_post(call->fetcher->loop, call->wake);
}

static void flight_free(struct fetch_flight *flight)
{
    deadline_leave(&flight->total);
    turn_cancel(&flight->late);
    turn_cancel(&flight->too_large);
    buffer_wipe(&flight->body);
    must_free(flight);
}

/* Seconds, or a date: RFC 9110 section 10.2.3. */
static int64_t retry_after(const struct loop *loop, struct span value)
{
    int64_t seconds;
    char text[64];
    time_t date;

    if (!value.at || value.size == 0)
        return -1;
    if (!span_i64(value, &seconds)) {
        if (!span_text(value, text, sizeof(text)) || (date = curl_getdate(text, NULL)) < 0)
            return -1;
        seconds = (int64_t)date - loop_wall_ms(loop) / 1000;
        if (seconds < 0)
            seconds = 0;
    }
    if (seconds < 0)
        return -1;
    return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}

/* FNV-1a of the credential: answers to one user's key and another's do not meet on a connection. */
static uint64_t owner_of(const struct secret *bearer)
{
    struct span bytes = bearer ? secret_reveal(bearer) : SPAN_NONE;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

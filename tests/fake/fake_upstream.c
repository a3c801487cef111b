#include "fake/fake_upstream.h"

#include "base/alloc.h"
#include "io/deadline.h"

#include <assert.h>

struct upstream {
    struct loop *loop;      /* borrowed */
    struct fake_asks *asks; /* borrowed */
    fake_answers *answers;
    fake_accepts *accepts;
    void *context;
    struct list flights;
    struct deadline_class waits;
    size_t hold_after;
    struct upstream_stats stats;
    bool closed;
};

enum { SENT_LATE = 3 }; /* every third */

struct upstream_flight {
    struct list link;
    struct upstream *upstream;
    struct upstream_call *call; /* borrowed */
    struct span body;           /* borrowed; of no bytes once it was sent */
    struct fake_asked *asked;
    struct fake_answer answer;
    uint64_t idle_ms;
    struct deadline wait;
    struct turn late;
    size_t told; /* pieces */
    bool head_told, paused, withheld;
};

static void on_late(struct turn *turn);
static void record(struct upstream_flight *flight, const struct upstream_ask *ask);
static void tell_head(struct upstream_flight *flight);
static void tell_piece(struct upstream_flight *flight);
static void tell_end(struct upstream_flight *flight, enum upstream_end end);
static void bill(struct upstream_flight *flight, enum fake_billed how);
static void flight_free(struct upstream_flight *flight);
static void body_is_sent(struct upstream_flight *flight);
static bool can_step(const struct upstream_flight *flight);
static struct upstream_flight *oldest(const struct upstream *upstream);

struct upstream *upstream_open(struct loop *loop, struct log *log,
                               const struct upstream_settings *settings)
{
    struct upstream *upstream = must_alloc(sizeof(*upstream));

    (void)log;
    (void)settings;
    upstream->loop = loop;
    upstream->hold_after = SIZE_MAX;
    list_init(&upstream->flights);
    deadline_class_open(&upstream->waits, loop, 0);
    return upstream;
}

void upstream_close(struct upstream *upstream)
{
    assert(list_is_empty(&upstream->flights));
    deadline_class_close(&upstream->waits);
    upstream->closed = true;
}

bool upstream_is_closed(const struct upstream *upstream)
{
    return upstream->closed;
}

void upstream_free(struct upstream *upstream)
{
    assert(upstream->closed);
    must_free(upstream);
}

void upstream_start(struct upstream *upstream, struct upstream_call *call,
                    const struct upstream_events *events, const struct upstream_ask *ask)
{
    struct upstream_flight *flight = must_alloc(sizeof(*flight));

    assert(!upstream->closed && !upstream_call_is_open(call));
    assert(ask->bearer && secret_is_set(ask->bearer) && ask->head_ms > 0 && ask->idle_ms > 0);
    call->events = events;
    call->flight = flight;
    flight->upstream = upstream;
    flight->call = call;
    flight->body = ask->body;
    flight->idle_ms = ask->idle_ms;
    turn_init(&flight->late, on_late);
    deadline_init(&flight->wait, &flight->late);
    deadline_join_in(&upstream->waits, &flight->wait, ask->head_ms);
    record(flight, ask);
    list_append(&upstream->flights, &flight->link);
    upstream->stats.calls_open++;
}

void upstream_resume(struct upstream_call *call)
{
    struct upstream_flight *flight = call->flight;

    assert(flight && flight->paused); /* nobody asked for a pause */
    flight->paused = false;
    deadline_join_in(&flight->upstream->waits, &flight->wait, flight->idle_ms);
}

void upstream_cancel(struct upstream_call *call)
{
    if (!call->flight)
        return;
    bill(call->flight, BILLED_AS_TOLD);
    flight_free(call->flight);
    call->flight = NULL;
}

bool upstream_call_has_left(const struct upstream_call *call)
{
    return call->flight != NULL; /* nothing waits for a connection here */
}

bool upstream_call_needs_body(const struct upstream_call *call)
{
    return call->flight && call->flight->body.size > 0;
}

struct upstream_stats upstream_stats(const struct upstream *upstream)
{
    return upstream->stats;
}

void fake_upstream_serve(struct upstream *upstream, struct fake_asks *asks, fake_answers *answers,
                         fake_accepts *accepts, void *context)
{
    upstream->asks = asks;
    upstream->answers = answers;
    upstream->accepts = accepts;
    upstream->context = context;
}

size_t fake_upstream_pending(const struct upstream *upstream)
{
    size_t count = 0;

    for (struct list *node = upstream->flights.next; node != &upstream->flights; node = node->next)
        count += can_step(container_of(node, struct upstream_flight, link));
    return count;
}

size_t fake_upstream_open(const struct upstream *upstream)
{
    return upstream->stats.calls_open;
}

size_t fake_upstream_paused(const struct upstream *upstream)
{
    size_t count = 0;

    for (struct list *node = upstream->flights.next; node != &upstream->flights; node = node->next)
        count += container_of(node, struct upstream_flight, link)->paused;
    return count;
}

enum fake_step fake_upstream_next(const struct upstream *upstream)
{
    const struct upstream_flight *flight = oldest(upstream);

    if (!flight->head_told)
        return STEP_HEAD;
    return flight->told < flight->answer.piece_count ? STEP_PIECE : STEP_END;
}

void fake_upstream_step(struct upstream *upstream, enum fake_fate fate)
{
    struct upstream_flight *flight = oldest(upstream);
    enum fake_step step = fake_upstream_next(upstream);

    list_remove(&flight->link);
    list_append(&upstream->flights, &flight->link);
    if (fate == FATE_WITHHELD)
        flight->withheld = true;
    else if (fate == FATE_UNREACHED || fate == FATE_LOST || fate == FATE_CUT) {
        assert((fate == FATE_CUT) == flight->head_told);
        tell_end(flight, fate == FATE_UNREACHED ? UPSTREAM_UNREACHED
                         : fate == FATE_LOST    ? UPSTREAM_LOST
                                                : UPSTREAM_CUT);
    } else if (step == STEP_HEAD)
        tell_head(flight);
    else if (step == STEP_PIECE)
        tell_piece(flight);
    else
        tell_end(flight, UPSTREAM_DONE);
}

void fake_upstream_hold_after(struct upstream *upstream, size_t pieces)
{
    upstream->hold_after = pieces;
}

void fake_upstream_forget(struct upstream *upstream)
{
    struct list *node;

    while ((node = list_first(&upstream->flights))) {
        struct upstream_flight *flight = container_of(node, struct upstream_flight, link);
        bill(flight, BILLED_AS_TOLD);
        flight_free(flight);
    }
}

void fake_asks_done(struct fake_asks *asks)
{
    for (size_t i = 0; i < asks->count; i++) {
        buffer_done(&asks->rows[i].headers);
        buffer_done(&asks->rows[i].body);
    }
    asks->count = 0;
}

const struct fake_bill *fake_asks_bill(const struct fake_asks *asks, struct span generation)
{
    for (size_t i = 0; i < asks->count; i++)
        if (span_equal(span_of(asks->rows[i].bill.generation), generation))
            return &asks->rows[i].bill;
    return NULL;
}

static void on_late(struct turn *turn)
{
    struct upstream_flight *flight = container_of(turn, struct upstream_flight, late);

    if (flight->wait.passed)
        tell_end(flight, flight->head_told ? UPSTREAM_STALLED : UPSTREAM_LATE_HEAD);
}

static void record(struct upstream_flight *flight, const struct upstream_ask *ask)
{
    struct fake_asks *asks = flight->upstream->asks;
    struct fake_asked *asked = &asks->rows[asks->count];

    assert(asks->count < FAKE_ASKS_MAX && span_equal(ask->method, SPAN("POST")));
    asks->count++;
    assert(span_text(ask->path, asked->path, sizeof(asked->path)));
    assert(span_text(secret_reveal(ask->bearer), asked->bearer, sizeof(asked->bearer)));
    buffer_init(&asked->headers, SIZE_MAX / 4);
    buffer_init(&asked->body, SIZE_MAX / 4);
    for (size_t i = 0; i < ask->headers.count; i++)
        buffer_format(&asked->headers, "%.*s: %.*s\n", SPAN_PRINT(ask->headers.rows[i].name),
                      SPAN_PRINT(ask->headers.rows[i].value));
    buffer_append(&asked->body, ask->body);
    fake_bill_open(&asked->bill, &asks->billing, asks->count - 1, ask->body);
    flight->asked = asked;
}

/* The fields are valid during on_head and not longer. */
static void tell_head(struct upstream_flight *flight)
{
    const struct fake_answer *answer = &flight->answer;
    struct header fields[FAKE_FIELDS_MAX];
    char *texts[2 * FAKE_FIELDS_MAX];
    int64_t size = 0;

    flight->upstream->answers(flight->upstream->context, flight->asked, &flight->answer);
    if (flight->upstream->asks->count % SENT_LATE !=
        0) /* else its answer comes before it was sent */
        body_is_sent(flight);
    for (size_t i = 0; i < answer->field_count; i++) {
        struct header from = answer->fields[i];
        texts[2 * i] = must_alloc(from.name.size + 1);
        texts[2 * i + 1] = must_alloc(from.value.size + 1);
        memcpy(texts[2 * i], from.name.at, from.name.size);
        memcpy(texts[2 * i + 1], from.value.at, from.value.size);
        fields[i] =
            (struct header){{texts[2 * i], from.name.size}, {texts[2 * i + 1], from.value.size}};
    }
    for (size_t i = 0; i < answer->piece_count; i++)
        size += (int64_t)strlen(answer->pieces[i]);
    flight->head_told = true;
    deadline_join_in(&flight->upstream->waits, &flight->wait, flight->idle_ms);
    flight->call->events->on_head(flight->call,
                                  &(struct upstream_head){answer->status,
                                                          {fields, answer->field_count},
                                                          answer->tells_size ? size : -1});
    for (size_t i = 0; i < 2 * answer->field_count; i++)
        must_free(texts[i]);
}

static void tell_piece(struct upstream_flight *flight)
{
    struct span piece = span_of(flight->answer.pieces[flight->told]);
    char *copy = must_alloc(piece.size);

    fake_bill_tell(&flight->asked->bill, flight->told++);
    memcpy(copy, piece.at, piece.size);
    deadline_join_in(&flight->upstream->waits, &flight->wait, flight->idle_ms);
    flight->paused = !flight->call->events->on_body(flight->call, (struct span){copy, piece.size});
    must_free(copy);
    if (flight->paused)
        deadline_leave(&flight->wait);
}

/* The call is its owner's again before it is told. */
static void tell_end(struct upstream_flight *flight, enum upstream_end end)
{
    struct upstream_call *call = flight->call;

    call->flight = NULL;
    bill(flight, end == UPSTREAM_UNREACHED ? BILLED_NOTHING : BILLED_WHOLE);
    flight_free(flight);
    call->events->on_end(call, end);
}

/* Before its head nobody stops anything. */
static void bill(struct upstream_flight *flight, enum fake_billed how)
{
    struct upstream *upstream = flight->upstream;
    bool works = flight->head_told ? flight->asked->bill.worked_on
                                   : upstream->accepts(upstream->context, flight->asked);

    if (!works)
        how = BILLED_NOTHING;
    else if (!flight->head_told && how == BILLED_AS_TOLD)
        how = BILLED_WHOLE;
    fake_bill_close(&flight->asked->bill, &upstream->asks->billing, how,
                    loop_wall_ms(upstream->loop));
}

static void flight_free(struct upstream_flight *flight)
{
    body_is_sent(flight);
    flight->upstream->stats.calls_open--;
    list_remove(&flight->link);
    deadline_leave(&flight->wait);
    turn_cancel(&flight->late);
    must_free(flight);
}

static void body_is_sent(struct upstream_flight *flight)
{
    if (flight->body.size > 0)
        assert(span_equal(flight->body, buffer_view(&flight->asked->body))); /* changed under way */
    flight->body = SPAN_NONE;
}

static bool can_step(const struct upstream_flight *flight)
{
    return !flight->paused && !flight->withheld &&
           !(flight->head_told && flight->told >= flight->upstream->hold_after);
}

static struct upstream_flight *oldest(const struct upstream *upstream)
{
    for (struct list *node = upstream->flights.next; node != &upstream->flights;
         node = node->next) {
        struct upstream_flight *flight = container_of(node, struct upstream_flight, link);
        if (can_step(flight))
            return flight;
    }
    assert(!"nothing is pending");
    return NULL;
}

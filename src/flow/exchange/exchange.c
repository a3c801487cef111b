/* The exchange: beginning, running the way, what its client tells it, ending. The rows are in exchange/admit.c (who, may
 * they, with what key), exchange/ask.c (upstream, its errors, the second try) and exchange/answer.c (relay, faults,
 * settling). */
#include "flow/exchange.h"

#include "base/alloc.h"
#include "base/fault_point.h"
#include "base/unset.h"
#include "domain/header_rules.h"
#include "flow/exchange/way.h"

#include <assert.h>

enum { BODY_GROWTH = 8, BODY_TRUST = 16 };

/* Ended exchanges are used again with their arena's first chunk: their size is the one malloc is slow with. A sanitizer
 * is to see what is used after its end. */
#ifdef __SANITIZE_ADDRESS__
static const size_t spares_max = 0;
#else
static const size_t spares_max = 256;
#endif

static const struct {
    const char *name;
    enum verdict (*run)(struct exchange *x);
} way[EXCHANGE_AT_COUNT] = {
#define ROW(name, text) {#name, exchange_##name},
    EXCHANGE_WAY(ROW)
#undef ROW
};

static void on_exchange_turn(struct turn *turn);
static void on_body(struct visit *visit, struct span bytes);
static void make_body_room(struct exchange *x, size_t size);
static void on_body_end(struct visit *visit);
static void on_fault(struct visit *visit, enum fault fault);
static void on_drained(struct visit *visit);
static void on_gone(struct visit *visit);
static struct exchange *exchange_take(struct flow *flow);
static void copy_head(struct exchange *x, const struct request_head *head);
static void exchange_free(struct exchange *x);

static const struct visit_calls calls = {on_body, on_body_end, on_fault, on_drained, on_gone};

void exchange_begin(struct flow *flow, struct client *client, const struct request_head *head,
                    enum dialect dialect)
{
    struct exchange *x = exchange_take(flow);

    x->visit.calls = &calls;
    x->flow = flow;
    x->client = client;
    x->dialect = dialect;
    x->began_us = loop_now_us(flow->loop);
    turn_init(&x->turn, on_exchange_turn);
    deadline_init(&x->pause, &x->turn);
    buffer_init(&x->body, sizeof(struct body_room) + flow->settings->body_max_bytes);
    buffer_init(&x->up.held, HELD_MAX);
    list_append(&flow->exchanges, &x->in_flight);
    flow->exchange_count++;
    request_id_next(flow->request_ids, x->request_id);
    client_attach(client, &x->visit);
    copy_head(x, head);
    on_exchange_turn(&x->turn);
}

void exchange_spares_free(struct flow *flow)
{
    struct list *node;

    while ((node = list_first(&flow->spare_exchanges))) {
        struct exchange *x = container_of(node, struct exchange, in_flight);
        list_remove(node);
        arena_done(&x->memory);
        must_free(x);
    }
    flow->spare_count = 0;
}

void exchange_wake(struct list *in_flight)
{
    struct exchange *x = container_of(in_flight, struct exchange, in_flight);

    loop_post(x->flow->loop, &x->turn);
}

static void on_exchange_turn(struct turn *turn)
{
    struct exchange *x = container_of(turn, struct exchange, turn);
    enum verdict verdict;

    do {
        fault_point("exchange", way[x->at].name);
        verdict = way[x->at].run(x);
    } while (verdict == GO_ON);
    if (verdict == END)
        exchange_free(x);
}

enum verdict exchange_go(struct exchange *x, enum exchange_at at)
{
    x->at = at;
    return GO_ON;
}

enum verdict exchange_fail(struct exchange *x, enum fault fault)
{
    return exchange_fail_because(x, fault, SPAN_NONE, SPAN_NONE);
}

enum verdict exchange_fail_because(struct exchange *x, enum fault fault, struct span detail,
                                   struct span param)
{
    if (x->fault == FAULT_NONE) {
        x->fault = fault;
        x->fault_detail = detail;
        x->fault_param = param;
    }
    return exchange_go(x, EXCHANGE_AT_answer_fault);
}

bool exchange_client_left(const struct exchange *x)
{
    return x->client == NULL;
}

void exchange_give_client_back(struct exchange *x)
{
    struct client *client = x->client;

    x->client = NULL;
    if (client)
        client_reply_end(client);
}

struct span exchange_body(const struct exchange *x)
{
    assert(!x->sending.at);
    return span_from(buffer_view(&x->body), sizeof(struct body_room));
}

void exchange_drop_body(struct exchange *x)
{
    x->billed_model = arena_copy(&x->memory, exchange_model(x));
    x->names = NULL;
    if (upstream_call_needs_body(&x->call))
        return; /* an answer that came before the request was sent */
    x->sending = SPAN_NONE;
    bodies_take_back(&x->flow->bodies, &x->body);
}

bool exchange_may_drain(struct exchange *x)
{
    if (!x->drains && x->flow->drain_count >= DRAINS_MAX)
        return false;
    if (!x->drains)
        x->flow->drain_count++;
    x->drains = true;
    return true;
}

static void on_body(struct visit *visit, struct span bytes)
{
    struct exchange *x = container_of(visit, struct exchange, visit);

    make_body_room(x, bytes.size);
    if (!buffer_append(&x->body, bytes))
        x->body_fault = FAULT_BODY_TOO_LARGE;
}

/* Doubling would copy and wipe a large body again and again. Who announces much has to send a sixteenth of it
 * first; memory that is there already is given at once. */
static void make_body_room(struct exchange *x, size_t size)
{
    struct buffer *body = &x->body;
    size_t filled = buffer_size(body), whole, wanted;

    if (size <= body->capacity - body->tail)
        return;
    if (x->body_size < 0) {
        bodies_lend(&x->flow->bodies, body, filled + size);
        return;
    }
    whole = sizeof(struct body_room) + (size_t)x->body_size;
    wanted = body->capacity < whole / BODY_TRUST ? body->capacity * BODY_GROWTH : whole;
    if (wanted > filled + size)
        buffer_room(body, wanted - filled);
}

static void on_body_end(struct visit *visit)
{
    struct exchange *x = container_of(visit, struct exchange, visit);

    x->body_complete = true;
    loop_post(x->flow->loop, &x->turn);
}

static void on_fault(struct visit *visit, enum fault fault)
{
    struct exchange *x = container_of(visit, struct exchange, visit);

    x->body_fault = fault;
    loop_post(x->flow->loop, &x->turn);
}

static void on_drained(struct visit *visit)
{
    struct exchange *x = container_of(visit, struct exchange, visit);

    loop_post(x->flow->loop, &x->turn);
}

static void on_gone(struct visit *visit)
{
    struct exchange *x = container_of(visit, struct exchange, visit);

    x->client = NULL;
    x->client_gone = true;
    x->caller.credential = (struct credential){0};
    metric_add(x->flow->metrics, MEASURE_CLIENT_GONE, x->dialect, 0, 1);
    loop_post(x->flow->loop, &x->turn);
}

static struct exchange *exchange_take(struct flow *flow)
{
    struct list *node = list_first(&flow->spare_exchanges);
    struct exchange *x;
    struct arena memory;

    if (!node) {
        x = must_alloc(sizeof(*x));
        arena_init(&x->memory, EXCHANGE_ARENA_MAX);
        return x;
    }
    list_remove(node);
    flow->spare_count--;
    x = container_of(node, struct exchange, in_flight);
    memory = x->memory;
    memset(x, 0, sizeof(*x));
    x->memory = memory;
    return x;
}

/* What outlives the client is copied; the credential is not: it is used at once. */
static void copy_head(struct exchange *x, const struct request_head *head)
{
    struct span id = header_find(head->headers, SPAN("x-request-id"));

    x->passed = exchange_copy_headers(x, head->headers, header_passes_up);
    x->body_size = head->body_size;
    caller_read(&x->caller, head->headers);
    x->wants_comment = exchange_wants_comment(x, head->headers);
    if (request_id_is_fine(id))
        x->echoed_id = arena_copy(&x->memory, id);
}

struct headers exchange_copy_headers(struct exchange *x, struct headers all,
                                     bool (*passes)(struct span name))
{
    UNSET struct header rows[PASSED_HEADERS_MAX];
    struct header *copy;
    size_t count = 0;

    for (size_t i = 0; i < all.count && count < PASSED_HEADERS_MAX; i++) {
        const struct header *field = &all.rows[i];
        if (passes(field->name) && header_value_is_fine(field->value))
            rows[count++] = (struct header){arena_copy(&x->memory, field->name),
                                            arena_copy(&x->memory, field->value)};
    }
    copy = count ? arena_alloc(&x->memory, count * sizeof(*copy)) : NULL;
    if (copy)
        memcpy(copy, rows, count * sizeof(*copy));
    return (struct headers){copy, copy ? count : 0};
}

static void exchange_free(struct exchange *x)
{
    assert(!upstream_call_is_open(&x->call) && !x->client && !store_call_is_open(&x->extend.call));
    deadline_leave(&x->pause);
    turn_cancel(&x->turn);
    list_remove(&x->in_flight);
    x->flow->exchange_count--;
    x->flow->drain_count -= x->drains;
    caller_done(&x->caller);
    bodies_take_back(&x->flow->bodies, &x->body);
    buffer_done(&x->up.held);
    must_free(x->error);
    if (x->flow->spare_count >= spares_max) {
        arena_done(&x->memory);
        must_free(x);
        return;
    }
    arena_reset(&x->memory);
    list_prepend(&x->flow->spare_exchanges, &x->in_flight);
    x->flow->spare_count++;
}

/* Rows of the exchange: relaying, answering what went wrong, the books, the end. */
#include "base/number.h"
#include "domain/provider.h"
#include "flow/exchange/way.h"
#include "flow/retire.h"

enum { REPLY_HEADERS_MAX = PASSED_HEADERS_MAX + 12, ANSWER_MAX = 8192, DRAIN_MS = 60000 };

static void begin_relay(struct exchange *x);
static enum verdict relay_ended(struct exchange *x);
static enum verdict relay_without_client(struct exchange *x);
static void upstream_accepted(struct exchange *x);
static void send_head(struct exchange *x, int status, int64_t body_size, const struct header *more,
                      size_t more_count);
static void send_whole(struct exchange *x, int status, struct span body, const struct header *more,
                       size_t more_count);
static void end_stream_with_fault(struct exchange *x);
static void reply_with_fault(struct exchange *x);

enum verdict exchange_relay(struct exchange *x)
{
    enum body_beginning begins = x->replying ? BEGINS_AS_ANSWER : exchange_look_inside(x);

    if (x->flow->cutting && !x->up.ended)
        return exchange_fail(x, FAULT_DRAINING);
    if (exchange_client_left(x))
        return relay_without_client(x);
    if (begins == BEGINS_AS_ERROR)
        return exchange_go(x, EXCHANGE_AT_got_error);
    if (begins == BEGINS_OPEN && !x->up.ended)
        return WAIT;
    if (begins == BEGINS_OPEN && x->up.end != UPSTREAM_DONE)
        return relay_ended(x); /* nothing of it was any use: the head can still say so */
    if (!x->replying)
        begin_relay(x);
    if (x->up.ended)
        return relay_ended(x);
    if (x->up.paused && !client_is_full(x->client)) {
        x->up.paused = false;
        upstream_resume(&x->call);
    }
    return WAIT;
}

enum verdict exchange_answer_error(struct exchange *x)
{
    struct header retry_after = {SPAN("retry-after"), x->up.retry_after};
    char seconds[NUMBER_TEXT_SIZE];
    struct buffer body;

    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    if (!retry_after.value.at &&
        upstream_error_is_passing(x->up.status)) /* a 503 always says when */
        retry_after.value = number_text(fault_row(FAULT_UPSTREAM_DOWN)->retry_after_s, seconds);
    buffer_init(&body, ANSWER_MAX);
    upstream_error_body(exchange_error(x), x->up.status, span_of(x->request_id), &body);
    send_whole(x, x->up.status, buffer_view(&body), &retry_after, retry_after.value.at ? 1 : 0);
    buffer_done(&body);
    return exchange_go(x, EXCHANGE_AT_settle);
}

enum verdict exchange_answer_fault(struct exchange *x)
{
    if (upstream_call_is_open(&x->call))
        upstream_cancel(&x->call);
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    if (!x->replying)
        reply_with_fault(x);
    else if (x->stream)
        end_stream_with_fault(x);
    else {
        struct client *client = x->client;
        x->client = NULL;
        client_reply_cut(client);
    }
    return exchange_go(x, EXCHANGE_AT_settle);
}

enum verdict exchange_settle(struct exchange *x)
{
    struct flow *flow = x->flow;
    uint64_t now_us = loop_now_us(flow->loop);
    const struct upstream_error *error = exchange_error(x);

    if (x->reply_status)
        metric_add(flow->metrics, MEASURE_REQUESTS, x->dialect, measure_status(x->reply_status), 1);
    log_info(
        flow->log, "request", log_text("request_id", x->request_id),
        log_span("client_request_id", x->echoed_id), log_text("user", x->user[0] ? x->user : NULL),
        log_text("tier", x->tier ? x->tier->name : NULL),
        log_text("route", dialect_row(x->dialect)->name),
        log_span("model", span_first(x->parsed.model, 128)), log_bool("stream", x->parsed.stream),
        log_int("status", x->reply_status),
        log_text("fault", x->fault ? fault_row(x->fault)->name : NULL),
        log_int("upstream_status", x->up.status),
        log_text("upstream_error",
                 error->message[0] || error->class ? upstream_error_class_name(error->class)
                                                   : NULL),
        log_int("tries", x->tries), log_bool("renewed", x->renewed),
        log_int("key_version", x->key_version), log_span("generation_id", x->up.generation_id),
        log_int("bytes_down", (int64_t)x->bytes_down), log_bool("client_gone", x->client_gone),
        log_int("first_byte_us", x->first_byte_us ? (int64_t)(x->first_byte_us - x->began_us) : 0),
        log_int("us", (int64_t)(now_us - x->began_us)));
    if (x->hold_taken)
        exchange_settle_hold(x);
    return exchange_go(x, EXCHANGE_AT_finish);
}

enum verdict exchange_finish(struct exchange *x)
{
    exchange_give_client_back(x);
    deadline_leave(&x->extend_due);
    turn_cancel(&x->extend_turn);
    return store_call_is_open(&x->extend.call) ? WAIT : END;
}

/* Head and first bytes leave together: the client's buffer is flushed after this turn. */
static void begin_relay(struct exchange *x)
{
    struct span held = buffer_view(&x->up.held);

    upstream_accepted(x);
    if (x->parsed.stream) /* should we die now, the cost can be looked up */
        exchange_extend_hold(x);
    exchange_drop_body(x);
    x->stream = span_starts(x->up.content_type, SPAN("text/event-stream"));
    x->comments = x->wants_comment && x->stream;
    send_head(x, x->up.status, x->comments ? -1 : x->up.body_size, x->up.headers.rows,
              x->up.headers.count);
    exchange_pass_down(x, held);
    x->content_down = x->meter.usage.delivered;
    buffer_consume(&x->up.held, held.size);
}

static enum verdict relay_ended(struct exchange *x)
{
    if (x->up.end != UPSTREAM_DONE)
        return exchange_fail(x, x->up.end == UPSTREAM_STALLED ? FAULT_UPSTREAM_SLOW
                                                              : FAULT_UPSTREAM_BAD);
    exchange_pass_rest(x, true);
    exchange_give_client_back(x);
    return exchange_go(x, EXCHANGE_AT_settle);
}

/* A stream is closed, once it is known whom to ask what it cost, unless its provider bills to the end anyway. A plain
 * answer is billed whole, so it is always read to its end. */
static enum verdict relay_without_client(struct exchange *x)
{
    bool has_name = x->up.generation_id.at || x->meter.usage.id[0];
    bool cancels = x->parsed.stream && has_name &&
                   !provider_bills_to_the_end(span_of(x->meter.usage.provider));

    if (!x->replying)
        upstream_accepted(x);
    x->replying = true;
    if (x->up.ended || usage_bill(&x->meter.usage) >= 0) {
        upstream_cancel(&x->call);
        return exchange_go(x, EXCHANGE_AT_settle);
    }
    if (!deadline_is_set(&x->pause) && !x->pause.passed)
        deadline_join_in(&x->flow->pauses, &x->pause, DRAIN_MS);
    if (cancels || x->pause.passed || !exchange_may_drain(x)) {
        deadline_leave(&x->pause);
        upstream_cancel(&x->call);
        return exchange_go(x, EXCHANGE_AT_settle);
    }
    if (x->up.paused) {
        x->up.paused = false;
        upstream_resume(&x->call);
    }
    return WAIT;
}

/* The key works: whatever doubted it is over, and what it replaced may go. */
static void upstream_accepted(struct exchange *x)
{
    struct flow *flow = x->flow;
    struct open_key *key = keyring_find(&flow->keyring, span_of(x->user));

    retry_budget_earn(&flow->retry_budget);
    if (x->shared_key) /* which says nothing about the user's own */
        return;
    renewals_key_accepted(&flow->renewals);
    if (key && key->version == x->key_version && !key->proven) {
        key->proven = true;
        retire_predecessors(flow, span_of(x->user), key->version);
    }
}

static void send_head(struct exchange *x, int status, int64_t body_size, const struct header *more,
                      size_t more_count)
{
    struct header rows[REPLY_HEADERS_MAX];
    char overhead[NUMBER_TEXT_SIZE];
    size_t count = 0;
    uint64_t now_us = loop_now_us(x->flow->loop), since_us = x->body_us ? x->body_us : x->began_us;
    uint64_t own_us = now_us - since_us > x->upstream_us ? now_us - since_us - x->upstream_us : 0;

    x->first_byte_us = now_us;
    for (size_t i = 0; i < more_count; i++)
        rows[count++] = more[i];
    rows[count++] = (struct header){SPAN("x-request-id"),
                                    x->echoed_id.at ? x->echoed_id : span_of(x->request_id)};
    rows[count++] =
        (struct header){SPAN("x-keyturn-overhead-us"), number_text((int64_t)own_us, overhead)};
    if (x->tier)
        rows[count++] = (struct header){SPAN("x-keyturn-tier"), span_of(x->tier->name)};
    count += exchange_quota_headers(x, rows + count, REPLY_HEADERS_MAX - count);
    if (x->renewed && status / 100 == 2)
        rows[count++] = (struct header){SPAN("x-keyturn-renewed"), SPAN("true")};
    if (x->stream)
        rows[count++] = (struct header){SPAN("x-accel-buffering"), SPAN("no")};
    metric_observe_us(x->flow->metrics, MEASURE_FIRST_BYTE, x->dialect, now_us - x->began_us);
    metric_observe_us(x->flow->metrics, MEASURE_OVERHEAD, x->dialect, own_us);
    x->reply_status = status;
    x->replying = true;
    client_reply_head(x->client, &(struct reply_head){status, {rows, count}, body_size});
}

static void send_whole(struct exchange *x, int status, struct span body, const struct header *more,
                       size_t more_count)
{
    struct header rows[REPLY_HEADERS_MAX - 10] = {{SPAN("content-type"), SPAN("application/json")}};
    size_t count = 1;

    for (size_t i = 0; i < more_count; i++)
        rows[count++] = more[i];
    send_head(x, status, (int64_t)body.size, rows, count);
    client_reply_body(x->client, body);
    exchange_give_client_back(x);
}

static void end_stream_with_fault(struct exchange *x)
{
    struct buffer event;

    exchange_pass_rest(x, false);
    buffer_init(&event, ANSWER_MAX);
    stream_error_event(x->dialect, x->fault, x->fault_detail, span_of(x->request_id), &event);
    client_reply_body(x->client, buffer_view(&event));
    buffer_done(&event);
    exchange_give_client_back(x);
}

static void reply_with_fault(struct exchange *x)
{
    const struct fault_row *row = fault_row(x->fault);
    struct header more[2];
    size_t count = 0;
    char seconds[NUMBER_TEXT_SIZE];
    struct buffer body;

    if (row->retry_after_s) {
        uint64_t after_s = (uint64_t)row->retry_after_s;
        if (exchange_quota_retry_s(x))
            after_s = exchange_quota_retry_s(x);
        if (x->renewal.outcome == RENEWAL_BREAKER_OPEN)
            after_s =
                breaker_retry_ms(&x->flow->renewals.breaker, loop_now_ms(x->flow->loop)) / 1000 + 1;
        more[count++] =
            (struct header){SPAN("retry-after"), number_text((int64_t)after_s, seconds)};
    }
    if (fault_wants_no_retry(x->fault))
        more[count++] = (struct header){SPAN("x-should-retry"), SPAN("false")};
    buffer_init(&body, ANSWER_MAX);
    fault_body_with(&body, x->fault, x->fault_detail, x->fault_param, span_of(x->request_id),
                    exchange_quota_members(x));
    send_whole(x, row->status, buffer_view(&body), more, count);
    buffer_done(&body);
}

/* Rows of the exchange: asking the upstream, what its errors mean, the second try. */
#include "base/alloc.h"
#include "base/unset.h"
#include "domain/header_rules.h"
#include "flow/exchange/way.h"

enum {
    ERROR_BODY_MAX = 64 * 1024,
    LOOK_MS = 15000,
    RETRY_AFTER_MAX_S = 5,
    FRESH_KEY_MS = 5000,
    MODEL_LOGGED_MAX = 128,
    ASK_HEADERS_MAX = PASSED_HEADERS_MAX + 4
};

static void on_head(struct upstream_call *call, const struct upstream_head *head);
static bool on_body(struct upstream_call *call, struct span bytes);
static void on_end(struct upstream_call *call, enum upstream_end end);
static void compose_body(struct exchange *x, const struct open_key *key);
static size_t compose_headers(struct exchange *x, struct header rows[ASK_HEADERS_MAX]);
static void forget_answer(struct exchange *x);
static void take_hidden_status(struct exchange *x);
static enum verdict ended_without_head(struct exchange *x);
static enum verdict key_was_refused(struct exchange *x);
static enum verdict retry_hinted_or_tell(struct exchange *x);
static enum verdict money_is_gone(struct exchange *x, const char *what);

static const struct upstream_events events = {on_head, on_body, on_end};

enum verdict exchange_ask_upstream(struct exchange *x)
{
    struct flow *flow = x->flow;
    const struct open_key *key = keyring_find(&flow->keyring, span_of(x->user));
    UNSET struct header rows[ASK_HEADERS_MAX];
    struct upstream_ask ask = {.method = SPAN("POST")};

    if (flow->cutting)
        return exchange_fail(x, FAULT_DRAINING);
    if (!key && !x->shared_key)
        return exchange_go(x, EXCHANGE_AT_ask_key);
    compose_body(x, key);
    forget_answer(x);
    ask.path =
        arena_join(&x->memory, flow->settings->base_path, span_of(dialect_row(x->dialect)->path));
    ask.headers = (struct headers){rows, compose_headers(x, rows)};
    ask.bearer = x->shared_key ? flow->shared_key : &key->secret;
    ask.body = x->sending;
    ask.owner = map_hash(&flow->keyring.entries, span_of(x->user));
    ask.head_ms = x->parsed.stream ? flow->settings->head_stream_ms : flow->settings->head_plain_ms;
    ask.idle_ms = flow->settings->idle_ms;
    x->tries++;
    x->asked_us = loop_now_us(flow->loop);
    x->at = EXCHANGE_AT_got_head;
    x->sent = true; /* until the answer says that nothing was done */
    upstream_start(flow->upstream, &x->call, &events, &ask);
    return WAIT;
}

enum verdict exchange_got_head(struct exchange *x)
{
    if (x->flow->cutting)
        return exchange_fail(x, FAULT_DRAINING);
    if (x->up.status == 0 && !x->up.ended) {
        bool left = upstream_call_has_left(&x->call);
        if (!exchange_client_left(x) || (left && exchange_may_drain(x)))
            return WAIT; /* what left may be billed: its head tells whom to ask how much */
        x->sent = left;
        upstream_cancel(&x->call);
        return exchange_go(x, EXCHANGE_AT_settle);
    }
    x->upstream_us += loop_now_us(x->flow->loop) - x->asked_us;
    x->sent = x->up.status == 0 ? x->up.end != UPSTREAM_UNREACHED : x->up.status / 100 == 2;
    if (x->up.status == 0)
        return ended_without_head(x);
    if (x->up.status / 100 == 2)
        return exchange_go(x, EXCHANGE_AT_relay);
    return exchange_go(x, EXCHANGE_AT_got_error);
}

enum verdict exchange_got_error(struct exchange *x)
{
    if (x->flow->cutting)
        return exchange_fail(x, FAULT_DRAINING);
    if (!x->up.ended) {
        if (buffer_size(&x->up.held) < ERROR_BODY_MAX && !x->up.paused)
            return WAIT;
        upstream_cancel(&x->call);
    }
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    if (x->up.status / 100 == 2)
        take_hidden_status(x);
    if (x->up.status / 100 == 3) /* we follow nobody */
        return exchange_fail(x, FAULT_UPSTREAM_BAD);
    if (!x->error) /* few requests see one, and it is large */
        x->error = must_alloc(sizeof(*x->error));
    upstream_error_read(x->up.status, span_first(buffer_view(&x->up.held), ERROR_BODY_MAX),
                        x->error);
    switch (x->error->class) {
    case UPSTREAM_ERROR_KEY:
        return key_was_refused(x);
    case UPSTREAM_ERROR_MISSING_AUTH:
        log_error(
            x->flow->log,
            "OpenRouter says our request carried no credential; tried once more with the same key",
            log_text("request_id", x->request_id));
        return exchange_may_retry(x) ? exchange_pause(x, 100)
                                     : exchange_fail(x, FAULT_UPSTREAM_REFUSED);
    case UPSTREAM_ERROR_PROVIDER_AUTH:
    case UPSTREAM_ERROR_BYOK_AUTH:
        return exchange_fail(x, FAULT_PROVIDER_REFUSED);
    case UPSTREAM_ERROR_KEY_LIMIT: /* the ledger let it through: it may be out of date */
        if (x->shared_key)
            return money_is_gone(x, "the shared key OPENROUTER_API_KEY has met its own limit at "
                                    "OpenRouter: raise it; its users get 503 until then");
        if (x->limit_met || x->sent)
            return exchange_fail(x, FAULT_QUOTA_SPENT);
        x->limit_met = true;
        return exchange_go(x, EXCHANGE_AT_ask_renewal);
    case UPSTREAM_ERROR_CREDITS:
        return money_is_gone(x, "the OpenRouter account is out of credits: add credits; requests "
                                "get 503 until then");
    case UPSTREAM_ERROR_RATE:
    case UPSTREAM_ERROR_BUSY:
        if (x->error->free_window != FREE_WINDOW_NONE)
            return exchange_go(x, EXCHANGE_AT_ask_free);
        if (exchange_is_free(x)) /* each try counts: the client's own asks for its share */
            break;
        return retry_hinted_or_tell(x);
    case UPSTREAM_ERROR_IN_FLIGHT:
        return retry_hinted_or_tell(x);
    case UPSTREAM_ERROR_TOO_EXPENSIVE:
    case UPSTREAM_ERROR_BUDGET:
    case UPSTREAM_ERROR_CLIENT:
        break;
    }
    return exchange_go(x, EXCHANGE_AT_answer_error);
}

const struct upstream_error *exchange_error(const struct exchange *x)
{
    static const struct upstream_error none;

    return x->error ? x->error : &none;
}

/* OpenRouter says 200 and sends blank lines while it works, so an error in a 200 mostly stands behind some: the head waits
 * with them. Not longer than LOOK_MS, as somebody between us and the client may give up on a reply without a head; then it
 * goes on, and an error that comes later passes as it comes. */
enum body_beginning exchange_look_inside(struct exchange *x)
{
    enum body_beginning begins =
        x->meter.stream ? BEGINS_AS_ANSWER : hidden_error_beginning(buffer_view(&x->up.held));
    uint64_t now_us = loop_now_us(x->flow->loop);

    if (begins == BEGINS_OPEN && (x->pause.passed || x->up.paused))
        begins = BEGINS_AS_ANSWER;
    if (!x->up.looked_us)
        x->up.looked_us = now_us;
    if (begins != BEGINS_OPEN || x->up.ended || exchange_client_left(x)) {
        deadline_leave(&x->pause); /* it is used again when a client leaves */
        x->upstream_us += now_us - x->up.looked_us;
    } else if (!deadline_is_set(&x->pause))
        deadline_join_in(&x->flow->pauses, &x->pause, LOOK_MS);
    return begins;
}

enum verdict exchange_wait_retry(struct exchange *x)
{
    if (exchange_client_left(x) || x->flow->cutting) {
        deadline_leave(&x->pause);
        return exchange_client_left(x) ? exchange_go(x, EXCHANGE_AT_settle)
                                       : exchange_fail(x, FAULT_DRAINING);
    }
    if (!x->pause.passed)
        return WAIT;
    deadline_leave(&x->pause); /* it is used again when a client leaves */
    return exchange_go(x, EXCHANGE_AT_ask_key);
}

enum verdict exchange_pause(struct exchange *x, uint64_t after_ms)
{
    x->at = EXCHANGE_AT_wait_retry;
    deadline_join_in(&x->flow->pauses, &x->pause, after_ms);
    return WAIT;
}

/* The callbacks record, and hand bytes on once the reply's head is out. */
static void on_head(struct upstream_call *call, const struct upstream_head *head)
{
    struct exchange *x = container_of(call, struct exchange, call);
    struct upstream_record *up = &x->up;

    up->status = head->status;
    up->is_answer = head->status / 100 == 2;
    up->body_size = head->body_size;
    up->headers = exchange_copy_headers(x, head->headers, header_passes_down);
    up->content_type = header_find(up->headers, SPAN("content-type"));
    up->generation_id = header_find(up->headers, SPAN("x-generation-id"));
    usage_meter_init(&x->meter, x->dialect,
                     span_starts(up->content_type, SPAN("text/event-stream")));
    up->retry_after = header_find(up->headers, SPAN("retry-after"));
    loop_post(x->flow->loop, &x->turn);
}

static bool on_body(struct upstream_call *call, struct span bytes)
{
    struct exchange *x = container_of(call, struct exchange, call);

    if (x->up.status / 100 == 2)
        usage_meter_feed(&x->meter, bytes);
    if (x->replying) {
        if (!x->client)
            return true;
        exchange_pass_down(x, bytes);
        x->content_down = x->meter.usage.delivered;
        x->up.paused = client_is_full(x->client);
    } else {
        x->up.paused =
            !buffer_append(&x->up.held, bytes) || buffer_size(&x->up.held) >= ERROR_BODY_MAX;
        loop_post(x->flow->loop, &x->turn);
    }
    return !x->up.paused;
}

static void on_end(struct upstream_call *call, enum upstream_end end)
{
    struct exchange *x = container_of(call, struct exchange, call);

    x->up.ended = true;
    x->up.end = end;
    if (end == UPSTREAM_DONE && x->up.status / 100 == 2)
        usage_meter_end(&x->meter);
    metric_add(x->flow->metrics, MEASURE_UPSTREAM_ENDS, end, 0, 1);
    loop_post(x->flow->loop, &x->turn);
}

/* The pseudonym, and an output cap where the hold or the tier bounds the output. */
static void compose_body(struct exchange *x, const struct open_key *key)
{
    char pseudonym[PSEUDONYM_SIZE + 1];
    int cap = dialect_row(x->dialect)->cap;
    bool priced = x->bound.base_nano_usd >= 0 && x->bound.output_pico > 0 &&
                  x->admission.view.limit_nano_usd >= 0; /* the user's own, too */
    struct body_edits edits = {.cap = (enum output_cap)cap, .cap_tokens = -1};

    if (x->sending.at) /* a second try is the same bytes */
        return;
    edits.pseudonym = key ? (struct span){key->pseudonym, PSEUDONYM_SIZE}
                          : flow_pseudonym(x->flow, span_of(x->user), pseudonym);
    if (cap == CAP_COUNT)
        edits.cap = CAP_MAX_TOKENS;
    else if (priced)
        edits.cap_tokens = x->bound.output_tokens > 0 ? x->bound.output_tokens : 1;
    else
        edits.cap_tokens = x->tier->max_output_tokens;
    x->parsed.model = arena_copy(&x->memory, span_first(x->parsed.model, MODEL_LOGGED_MAX));
    x->sending = inference_body_edit(&x->parsed, exchange_body(x), &edits);
}

static size_t compose_headers(struct exchange *x, struct header rows[ASK_HEADERS_MAX])
{
    const struct flow_settings *settings = x->flow->settings;
    size_t count = 0;

    rows[count++] = (struct header){SPAN("Content-Type"), SPAN("application/json")};
    if (settings->referer.at)
        rows[count++] = (struct header){SPAN("HTTP-Referer"), settings->referer};
    if (settings->title.at)
        rows[count++] = (struct header){SPAN("X-OpenRouter-Title"), settings->title};
    for (size_t i = 0; i < x->passed.count; i++)
        rows[count++] = x->passed.rows[i];
    return count;
}

static void forget_answer(struct exchange *x)
{
    struct buffer held = x->up.held;

    buffer_consume(&held, buffer_size(&held));
    x->up = (struct upstream_record){.held = held};
    usage_meter_init(&x->meter, x->dialect, false); /* nothing of an earlier try is this one's */
}

/* As if it had come with that status. One that tells a cost was worked on: that is looked up, and it is not tried again. */
static void take_hidden_status(struct exchange *x)
{
    x->sent = usage_bill(&x->meter.usage) > 0;
    x->up.status = hidden_error_status(span_first(buffer_view(&x->up.held), ERROR_BODY_MAX));
}

static enum verdict ended_without_head(struct exchange *x)
{
    static const enum fault faults[] = {
        [UPSTREAM_DONE] = FAULT_UPSTREAM_BAD,       [UPSTREAM_UNREACHED] = FAULT_UPSTREAM_DOWN,
        [UPSTREAM_LOST] = FAULT_UPSTREAM_BAD,       [UPSTREAM_CUT] = FAULT_UPSTREAM_BAD,
        [UPSTREAM_LATE_HEAD] = FAULT_UPSTREAM_SLOW, [UPSTREAM_STALLED] = FAULT_UPSTREAM_SLOW,
    };

    if (x->up.end == UPSTREAM_UNREACHED && !exchange_client_left(x) &&
        exchange_may_retry(x)) /* nothing left: safe */
        return exchange_pause(x, backoff_ms(0, 100, 2000, x->flow->random()));
    return exchange_fail(x, faults[x->up.end]);
}

/* A key that never answered anything may only just have been made: OpenRouter may take a moment to know it. */
static enum verdict key_was_refused(struct exchange *x)
{
    const struct open_key *key = keyring_find(&x->flow->keyring, span_of(x->user));
    bool fresh = key && key->version == x->key_version && !key->proven &&
                 loop_wall_ms(x->flow->loop) - key->made_at_ms < FRESH_KEY_MS;

    metric_add(x->flow->metrics, MEASURE_KEYS_REJECTED, 0, 0, 1);
    if (x->shared_key) {
        log_error(x->flow->log, "OpenRouter refuses the shared key: replace OPENROUTER_API_KEY",
                  log_text("request_id", x->request_id));
        return exchange_fail(x, FAULT_UPSTREAM_REFUSED);
    }
    if (fresh && x->fresh_key_tries < FRESH_KEY_TRIES_MAX)
        return exchange_pause(x, x->fresh_key_tries++ ? 1000 : 250);
    if (x->renewed)
        return exchange_fail(x, FAULT_RENEWAL_FAILED);
    if (x->outage)
        return exchange_fail(x, FAULT_UPSTREAM_DOWN);
    return exchange_go(x, EXCHANGE_AT_ask_renewal);
}

bool exchange_may_retry(struct exchange *x)
{
    if (x->tries >= TRIES_MAX || x->sent || !retry_budget_take(&x->flow->retry_budget))
        return false;
    metric_add(x->flow->metrics, MEASURE_RETRIES, 0, 0, 1);
    return true;
}

/* 402 in flight, 429 and 5xx: once more if the upstream itself says so and soon; else the caller decides. */
static enum verdict retry_hinted_or_tell(struct exchange *x)
{
    uint64_t after_s = 0;
    bool soon = x->up.retry_after.at && span_u64(x->up.retry_after, &after_s) &&
                after_s <= RETRY_AFTER_MAX_S;

    if (soon && upstream_error_is_unprocessed(x->up.status) && exchange_may_retry(x))
        return exchange_pause(x, after_s * 1000 + x->flow->random() % 250);
    if (x->error->class == UPSTREAM_ERROR_IN_FLIGHT)
        return exchange_fail_because(x, FAULT_BUDGET_HELD,
                                     SPAN("OpenRouter holds what the account has left for requests "
                                          "under way. Retry when some have ended."),
                                     SPAN_NONE);
    return exchange_go(x, EXCHANGE_AT_answer_error);
}

/* The operator's money, not the user's. */
static enum verdict money_is_gone(struct exchange *x, const char *what)
{
    metric_add(x->flow->metrics, MEASURE_OUT_OF_CREDITS, 0, 0, 1);
    log_error(x->flow->log, what, log_text("request_id", x->request_id));
    return exchange_fail(x, FAULT_OUT_OF_CREDITS);
}

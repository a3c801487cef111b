#include "exchange.h"

#include <string.h>

#include "access.h"
#include "connection.h"
#include "dialect.h"
#include "fast.h"
#include "fault_kinds.h"
#include "player.h"
#include "routes.h"
#include "sim.h"

static void find_route(struct exchange *exchange);
static void count_request(struct exchange *exchange);
static void open_row(struct exchange *exchange);
static bool meet_fault(struct exchange *exchange);
static void work(struct exchange *exchange);
static void send_reply(struct exchange *exchange);
static void build_play(struct exchange *exchange);
static void write_body(struct exchange *exchange, const struct canned *canned);
static void forget(struct exchange *exchange);

static const struct route nowhere = {"", "", 0, ACCESS_OPEN, 0, NULL, NULL};

void exchange_start(struct exchange *exchange)
{
    exchange->epoch = exchange->sim->epoch;
    exchange->row_seq = 0;
    exchange->reply.content_type = "application/json";
    find_route(exchange);
    if (exchange->route == &nowhere) {
        reply_canned(exchange, canned_find("route_not_found"));
        send_reply(exchange);
        return;
    }
    count_request(exchange);
    access_identify(exchange);
    if (exchange->route->dialect && fast_serve(exchange))
        return;
    exchange->doc = yyjson_read(exchange->request->body.bytes, exchange->request->body.length, 0);
    if (exchange->route->dialect && exchange->sim->settings.ledger_rows)
        open_row(exchange);
    if (!meet_fault(exchange))
        work(exchange);
}

void exchange_on_timer(struct exchange *exchange)
{
    if (exchange->phase == PHASE_HELD)
        work(exchange);
    else if (exchange->phase != PHASE_IDLE)
        player_go_on(exchange);
}

void exchange_release(struct exchange *exchange, uint64_t fault_id)
{
    bool waits = exchange->phase == PHASE_HELD || exchange->phase == PHASE_STALLED;
    if (waits && (!fault_id || exchange->fault.id == fault_id))
        connection_start_timer(exchange->connection, 0);
}

void exchange_wait(struct exchange *exchange, enum phase phase, int64_t delay_ms, bool for_ever)
{
    exchange->phase = phase;
    if (!for_ever)
        connection_start_timer(exchange->connection, delay_ms);
}

/* The answer's end is about to leave: book now, before the client can ask for the books. */
void exchange_last_bytes(struct exchange *exchange, size_t end)
{
    const struct bill *bill = &exchange->bill;
    bool cut = exchange->play.cut;
    int64_t tokens = cut ? player_tokens_at(exchange, end) : bill->completion_tokens;
    bill_settle(exchange, tokens, cut ? NULL : bill->finish_reason);
    struct row *row = exchange_row(exchange);
    if (row) {
        row->completed = !cut;
        row->ended_ms = row->ended_ms < 0 ? sim_now_ms(exchange->sim) : row->ended_ms;
    }
}

void exchange_over(struct exchange *exchange)
{
    enum play_end end = exchange->play.end;
    exchange_last_bytes(exchange, exchange->position);
    if (exchange->play.late_bytes)
        connection_send_late(exchange->connection, exchange->fault.body, exchange->fault.delay_ms);
    forget(exchange);
    connection_exchange_over(exchange->connection, end);
}

void exchange_client_gone(struct exchange *exchange)
{
    const struct settings *settings = &exchange->sim->settings;
    int64_t tokens = exchange->bill.completion_tokens;
    if (exchange->bill.stream && settings->cancel_stops_billing)
        tokens = player_tokens_at(exchange, exchange->position);
    bill_settle(exchange, tokens, NULL);
    struct row *row = exchange_row(exchange);
    if (row) {
        row->client_aborted = true;
        row->completed = false;
        row->ended_ms = row->ended_ms < 0 ? sim_now_ms(exchange->sim) : row->ended_ms;
    }
    forget(exchange);
}

void exchange_done(struct exchange *exchange)
{
    forget(exchange);
    text_done(&exchange->reply.headers);
    track_done(&exchange->reply.body);
    play_done(&exchange->play);
}

struct row *exchange_row(struct exchange *exchange)
{
    if (!exchange->row_seq || exchange->epoch != exchange->sim->epoch)
        return NULL;
    return ledger_find(&exchange->sim->ledger, exchange->row_seq);
}

void reply_json(struct exchange *exchange, int status, struct json json)
{
    exchange->reply.status = status;
    json_finish(json, &exchange->reply.body.bytes);
    track_cut(&exchange->reply.body, 0, 0);
}

void reply_canned(struct exchange *exchange, const struct canned *canned)
{
    struct reply *reply = &exchange->reply;
    reply->status = canned->status;
    reply->error = true;
    reply->content_type = canned->html ? "text/html; charset=UTF-8" : "application/json";
    if (canned->headers)
        text_add_string(&reply->headers, canned->headers);
    track_clear(&reply->body);
    write_body(exchange, canned);
    track_cut(&reply->body, 0, 0);
}

void reply_error(struct exchange *exchange, int status, const char *message)
{
    exchange->reply.status = status;
    exchange->reply.error = true;
    plain_error_write(status, message, &exchange->reply.body.bytes);
    track_cut(&exchange->reply.body, 0, 0);
}

static void find_route(struct exchange *exchange)
{
    const struct request *request = exchange->request;
    exchange->route = route_find(request->method, request_path(request), &exchange->argument);
    if (!exchange->route)
        exchange->route = &nowhere;
}

static void count_request(struct exchange *exchange)
{
    struct totals *totals = &exchange->sim->ledger.totals;
    if (exchange->route->total < sizeof *totals)
        ++*(uint64_t *)(void *)((char *)totals + exchange->route->total);
}

static void open_row(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    const struct request *request = exchange->request;
    yyjson_val *body = yyjson_doc_get_root(exchange->doc);
    struct row *row = ledger_open(&sim->ledger, exchange->route->path, sim_now_ms(sim));
    exchange->row_seq = row->seq;
    memcpy(row->key_hash, exchange->presented_hash, SHA256_HEX);
    sha256_hex(row->body_hash, request->body.bytes, request->body.length);
    row->body_bytes = request->body.length;
    row->key_name = must_copy(exchange->key ? exchange->key->name : NULL);
    row->model = must_copy(json_string(body, "model", NULL));
    row->user = must_copy(json_string(body, "user", NULL));
    row->stream = json_boolean(body, "stream", false);
    const char *title = request_header(request, "x-openrouter-title");
    row->title = must_copy(title ? title : request_header(request, "x-title"));
    row->referer = must_copy(request_header(request, "http-referer"));
    if (exchange->key)
        exchange->key->requests++;
}

/* True: the fault took the place of the work, or makes it wait. */
static bool meet_fault(struct exchange *exchange)
{
    bool by_argument = *exchange->argument != '\0';
    const char *hash = by_argument ? exchange->argument : exchange->presented_hash;
    exchange->fault = faults_take(&exchange->sim->faults, exchange->route->where, hash);
    if (!exchange->fault.kind || !exchange->fault.kind->before)
        return false;
    enum fault_step step = exchange->fault.kind->before(exchange);
    if (step == FAULT_ANSWERED)
        send_reply(exchange);
    return step != FAULT_GO_ON;
}

static void work(struct exchange *exchange)
{
    access_identify(exchange); /* again: the key may have gone while the exchange was held */
    const struct canned *refusal = access_check(exchange);
    if (refusal)
        reply_canned(exchange, refusal);
    else
        exchange->route->serve(exchange);
    send_reply(exchange);
}

static void send_reply(struct exchange *exchange)
{
    struct row *row = exchange_row(exchange);
    if (exchange->reply.silent)
        exchange->play.end = PLAY_CLOSE, exchange->play.cut = true;
    else
        build_play(exchange);
    if (row)
        row->status = exchange->reply.silent ? 0 : exchange->reply.status;
    player_start(exchange);
}

static void build_play(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    struct reply *reply = &exchange->reply;
    const struct fault_kind *kind = exchange->fault.kind;
    bool control = !exchange->route->where;
    if (kind && kind->on_body)
        kind->on_body(exchange, &reply->body);
    if (sim->settings.split_bytes && !control)
        track_recut(&reply->body, (size_t)sim->settings.split_bytes, 0);
    struct head head = {
        .status = reply->status,
        .content_type = reply->content_type,
        .headers = text_string(&reply->headers),
        .generation_id = reply->generation_id,
        .now_ms = sim_now_ms(sim),
        .latency_ms = reply->latency_ms,
        .ray = ++sim->next_generation,
        .content_length =
            control || (sim->settings.content_length && !reply->error && !exchange->bill.stream),
        .keep_alive = exchange->request->keep_alive,
        .unfinished = reply->unfinished,
    };
    play_build(&exchange->play, &head, &reply->body);
    exchange->play.split_bytes = control ? 0 : (size_t)sim->settings.split_bytes;
    exchange->play.split_delay_ms = sim->settings.split_delay_ms;
    if (kind && kind->on_play)
        kind->on_play(exchange, &exchange->play);
}

static void write_body(struct exchange *exchange, const struct canned *canned)
{
    struct text_values values = access_values(exchange);
    struct text *bytes = &exchange->reply.body.bytes;
    bool anthropic = exchange->route->dialect == &dialect_messages;
    if (anthropic && !exchange->sim->settings.plain_errors)
        canned_write_anthropic(canned, &values, bytes);
    else
        canned_write(canned, &values, bytes);
}

/* Makes it ready for the next request of its connection. */
static void forget(struct exchange *exchange)
{
    struct reply *reply = &exchange->reply;
    yyjson_doc_free(exchange->doc);
    exchange->doc = NULL;
    exchange->phase = PHASE_IDLE;
    exchange->bill = (struct bill){0};
    fault_hit_done(&exchange->fault);
    text_clear(&reply->headers);
    track_clear(&reply->body);
    *reply = (struct reply){.headers = reply->headers, .body = reply->body};
    play_clear(&exchange->play);
}

#include "fault_kinds.h"

#include <string.h>

#include "dialect.h"
#include "player.h"
#include "routes.h"
#include "server.h"
#include "sim.h"

enum { SLOW_JSON_PIECE = 64 };

static enum fault_step answer_status(struct exchange *exchange);
static enum fault_step answer_error_in_200(struct exchange *exchange);
static enum fault_step answer_user_not_found(struct exchange *exchange);
static enum fault_step answer_html_502(struct exchange *exchange);
static enum fault_step say_nothing(struct exchange *exchange);
static enum fault_step hold(struct exchange *exchange);
static void slow_down(struct exchange *exchange, struct track *body);
static void break_off_with_error(struct exchange *exchange, struct track *body);
static void break_off(struct exchange *exchange, struct track *body);
static void lose_reply(struct exchange *exchange, struct play *play);
static void reset_at(struct exchange *exchange, struct play *play);
static void stall_at(struct exchange *exchange, struct play *play);
static void add_late_bytes(struct exchange *exchange, struct play *play);
static void truncate_after_chunks(struct track *body, int64_t chunks);

static const struct fault_kind table[] = {
    {.name = "status",
     .help = "answers `status`, `text` (a name of /__sim/texts) or `body`, after `delay_ms`, "
             "without doing the work",
     .before = answer_status},
    {.name = "error_in_200",
     .help = "answers what `status` would with status 200: `arg` blank lines at once, the error "
             "`delay_ms` later",
     .before = answer_error_in_200},
    {.name = "user_not_found_storm",
     .help = "answers 401 `User not found.` to healthy keys",
     .before = answer_user_not_found},
    {.name = "html_502", .help = "answers the HTML page of the edge", .before = answer_html_502},
    {.name = "close",
     .help = "closes after reading the body, without a byte and without the work",
     .before = say_nothing},
    {.name = "hold",
     .help = "waits `delay_ms`, or until the fault is deleted, before doing the work",
     .before = hold},
    {.name = "lost_reply",
     .help = "does the work, then closes without a byte",
     .on_play = lose_reply},
    {.name = "reset",
     .help = "does the work, resets the connection after `arg` bytes of the response",
     .on_play = reset_at},
    {.name = "stall",
     .help = "does the work, stops after `arg` bytes of the response for `delay_ms`, or until the "
             "fault is deleted",
     .on_play = stall_at},
    {.name = "late_bytes",
     .help = "`delay_ms` after a complete response sends another one (with `body`), keeps the "
             "connection open",
     .on_play = add_late_bytes},
    {.name = "slow",
     .help = "`delay_ms` between chunks; JSON goes out in pieces of `arg` (64) bytes",
     .on_body = slow_down},
    {.name = "mid_stream_error",
     .help = "after `arg` chunks of a stream an error event, then the end",
     .on_body = break_off_with_error},
    {.name = "mid_stream_cut",
     .help = "after `arg` chunks of a stream closes the connection",
     .on_body = break_off},
    {.name = "refuse",
     .help = "at once, for `delay_ms`: connections are refused and idle ones closed",
     .at_once = server_refuse},
};

const struct fault_kind *fault_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

void fault_kinds_write(struct json json)
{
    struct json kinds = json_object(json, "kinds");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        json_put_string(kinds, table[i].name, table[i].help);
}

static enum fault_step answer_status(struct exchange *exchange)
{
    const struct fault_hit *fault = &exchange->fault;
    const struct canned *canned = fault->text ? fault->text : canned_for_status((int)fault->status);
    reply_canned(exchange, canned);
    if (fault->status)
        exchange->reply.status = (int)fault->status;
    if (fault->body) {
        bool html = fault->body[0] == '<';
        track_clear(&exchange->reply.body);
        text_add_string(&exchange->reply.body.bytes, fault->body);
        track_cut(&exchange->reply.body, 0, 0);
        exchange->reply.content_type = html ? "text/html; charset=UTF-8" : "application/json";
    }
    exchange->reply.latency_ms = fault->delay_ms;
    return FAULT_ANSWERED;
}

static enum fault_step answer_error_in_200(struct exchange *exchange)
{
    struct reply *reply = &exchange->reply;
    struct text error = {0};
    answer_status(exchange);
    text_add(&error, reply->body.bytes.bytes, reply->body.bytes.length);
    track_clear(&reply->body);
    if (exchange->fault.arg > 0) {
        text_fill(&reply->body.bytes, '\n', (size_t)exchange->fault.arg);
        track_cut(&reply->body, 0, 0);
    }
    text_add(&reply->body.bytes, error.bytes, error.length);
    track_cut(&reply->body, 0, exchange->fault.delay_ms);
    text_done(&error);
    reply->status = 200;
    reply->latency_ms = 0;
    return FAULT_ANSWERED;
}

static enum fault_step answer_user_not_found(struct exchange *exchange)
{
    reply_canned(exchange, canned_find("user_not_found"));
    return FAULT_ANSWERED;
}

static enum fault_step answer_html_502(struct exchange *exchange)
{
    reply_canned(exchange, canned_find("html_502"));
    return FAULT_ANSWERED;
}

static enum fault_step say_nothing(struct exchange *exchange)
{
    exchange->reply.silent = true;
    return FAULT_ANSWERED;
}

static enum fault_step hold(struct exchange *exchange)
{
    exchange_wait(exchange, PHASE_HELD, exchange->fault.delay_ms, exchange->fault.delay_ms == 0);
    return FAULT_WAITS;
}

static void slow_down(struct exchange *exchange, struct track *body)
{
    const struct fault_hit *fault = &exchange->fault;
    if (exchange->bill.stream)
        for (size_t i = 0; i < body->count; i++)
            body->pieces[i].delay_ms = fault->delay_ms;
    else
        track_recut(body, fault->arg > 0 ? (size_t)fault->arg : SLOW_JSON_PIECE, fault->delay_ms);
}

static void break_off_with_error(struct exchange *exchange, struct track *body)
{
    if (!exchange->bill.stream)
        return;
    truncate_after_chunks(body, exchange->fault.arg);
    dialect_write_error(exchange->route->dialect, &exchange->sim->settings,
                        exchange->reply.generation_id, body);
    exchange->bill.failed = true;
    exchange->bill.completion_tokens = body->pieces[body->count - 1].tokens;
}

static void break_off(struct exchange *exchange, struct track *body)
{
    if (!exchange->bill.stream)
        return;
    truncate_after_chunks(body, exchange->fault.arg);
    exchange->reply.unfinished = true;
}

static void lose_reply(struct exchange *exchange, struct play *play)
{
    bill_settle(exchange, exchange->bill.completion_tokens, exchange->bill.finish_reason);
    track_truncate(&play->track, 0);
    play->end = PLAY_CLOSE;
    play->cut = true;
}

static void reset_at(struct exchange *exchange, struct play *play)
{
    track_truncate(&play->track, (size_t)exchange->fault.arg);
    play->end = PLAY_RESET;
    play->cut = true;
}

static void stall_at(struct exchange *exchange, struct play *play)
{
    play->stalls = true;
    play->stall_at = (size_t)exchange->fault.arg;
}

static void add_late_bytes(struct exchange *exchange, struct play *play)
{
    (void)exchange;
    play->late_bytes = true;
}

/* Keeps the body up to the given number of pieces that carry tokens. */
static void truncate_after_chunks(struct track *body, int64_t chunks)
{
    size_t kept = 0;
    int64_t tokens = 0;
    for (size_t i = 0; i < body->count; i++) {
        bool carries = body->pieces[i].tokens > tokens;
        if (carries && chunks-- == 0)
            break;
        tokens = body->pieces[i].tokens;
        kept = body->pieces[i].end;
    }
    track_truncate(body, kept);
}

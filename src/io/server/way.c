/* The way of a connection: one turn takes what came in as far as it goes, one step for each state,
 * then sends what was written. The drawing is in front.h.
 */
#include "io/server/front.h"

#include "base/secret.h"

#include <assert.h>

static void advance(struct client *c);
static bool await_head(struct client *c);
static bool collect_head(struct client *c);
static bool serve(struct client *c);
static bool leave(struct client *c);
static bool linger(struct client *c);
static bool rest(struct client *c);
static bool begin_request(struct client *c, size_t size);
static enum fault read_head(struct client *c, size_t size, struct guarded_head *ret_head);
static void note_request(struct client *c, const struct guarded_head *head);
static bool take_body(struct client *c);
static void watch_body(struct client *c);
static void fail_body(struct client *c, enum fault fault);
static bool finish_request(struct client *c);
static void drop_input(struct client *c);
static bool is_in_time(struct client *c, bool landed);
static void watch_writes(struct client *c, bool landed);
static bool wants_input(const struct client *c);

/* Each says whether the client came into another state and can go on at once. */
static bool (*const steps[CLIENT_STATES])(struct client *c) = {
    [CLIENT_FRESH] = await_head, [CLIENT_IDLE] = await_head, [CLIENT_HEAD] = collect_head,
    [CLIENT_BUSY] = serve,       [CLIENT_LEAVING] = leave,   [CLIENT_LINGERING] = linger,
    [CLIENT_CLOSED] = rest,
};

void client_turn(struct turn *turn)
{
    struct client *c = container_of(turn, struct client, turn);
    bool landed = c->wire.landed;

    if (!c->wire.failed)
        advance(c);
    if (c->at == CLIENT_CLOSED)
        return;
    wire_flush(&c->wire);
    if (c->wire.failed || !is_in_time(c, landed)) {
        client_lose(c);
        return;
    }
    watch_writes(c, landed);
    wire_read(&c->wire, wants_input(c));
    wire_rest(&c->wire);
}

static void advance(struct client *c)
{
    while (steps[c->at](c))
        ;
}

static bool await_head(struct client *c)
{
    if (buffer_size(&c->wire.in)) {
        client_move(c, CLIENT_HEAD);
        return true;
    }
    if (c->wire.ended) {
        client_move(c, CLIENT_LEAVING);
        return true;
    }
    return false;
}

static bool collect_head(struct client *c)
{
    const struct server_settings *set = &c->server->settings;
    struct head_limits limits = {set->head_max_bytes, set->line_max_bytes, set->fields_max};
    size_t size;
    enum fault fault = head_search(&c->search, buffer_view(&c->wire.in), &limits, &size);

    if (!fault && size)
        return begin_request(c, size);
    if (!fault && c->wire.ended)
        fault = FAULT_BAD_FRAMING;
    if (!fault)
        return false;
    client_refuse(c, fault);
    return true;
}

static bool serve(struct client *c)
{
    while (c->body == BODY_COMING && c->lent && take_body(c))
        ;
    if (c->body == BODY_COMING && c->lent)
        watch_body(c);
    if (c->lent && c->wire.ended && wire_peer_is_gone(&c->wire))
        c->wire.failed = true;
    return !c->lent && finish_request(c);
}

/* The last bytes go out; if the client may still be sending, it gets time to read them (RFC 9112
   section 9.6). */
static bool leave(struct client *c)
{
    drop_input(c);
    wire_flush(&c->wire);
    if (wire_backlog(&c->wire) || c->wire.failed)
        return false;
    if (c->wire.ended || (c->cut && c->reply.framing == REPLY_UNTIL_CLOSE)) {
        client_move(c, CLIENT_CLOSED);
        return false;
    }
    wire_shutdown(&c->wire);
    client_move(c, CLIENT_LINGERING);
    return true;
}

static bool linger(struct client *c)
{
    drop_input(c);
    if (c->wire.ended)
        client_move(c, CLIENT_CLOSED);
    return false;
}

static bool rest(struct client *c)
{
    (void)c;
    return false;
}

/* The head leaves the input for memory of its own: the spans stay while the body comes and goes. */
static bool begin_request(struct client *c, size_t size)
{
    struct guarded_head head;
    enum fault fault = read_head(c, size, &head);

    wipe(c->wire.in.memory + c->wire.in.head, size);
    buffer_consume(&c->wire.in, size);
    if (fault) {
        client_refuse(c, fault);
        return true;
    }
    note_request(c, &head);
    client_move(c, CLIENT_BUSY);
    c->lent = true;
    c->server->calls.on_request(c->server->context, c, &c->request);
    assert(c->attached || !c->lent);
    return true;
}

static enum fault read_head(struct client *c, size_t size, struct guarded_head *ret_head)
{
    size_t rows_size = c->search.lines * sizeof(struct header);
    struct span bytes;
    enum fault fault;
    char *room;

    assert(!buffer_size(&c->head));
    spares_lend(&c->server->heads, &c->head);
    room = buffer_room(&c->head, rows_size + size);
    memcpy(room + rows_size, c->wire.in.memory + c->wire.in.head, size);
    buffer_grew(&c->head, rows_size + size);
    bytes = (struct span){room + rows_size, size};
    fault = head_guard(bytes, (struct header *)(void *)room, ret_head);
    if (!fault && !message_begin(&c->message, bytes, ret_head, c->server->settings.body_max_bytes))
        fault = c->message.fault;
    return fault;
}

static void note_request(struct client *c, const struct guarded_head *head)
{
    struct span query = head->target, path;

    span_split(&query, '?', &path);
    c->request = (struct request_head){
        .method = head->method,
        .method_name = head->method_name,
        .path = path,
        .query = query.at ? query : SPAN(""),
        .headers = head->headers,
        .body_size = head->body_size,
        .local = c->local,
        .over_unix = c->over_unix,
    };
    c->awaits_continue = head->awaits_continue;
    c->body = BODY_UNASKED;
    c->reply = (struct reply){0};
    c->manner = (struct reply_manner){head->method, head->minor, !head->keeps_alive};
}

/* What is here of the body goes to the caller; true: there may be more. */
static bool take_body(struct client *c)
{
    struct message_pieces pieces;
    size_t taken = message_feed(&c->message, buffer_view(&c->wire.in), &pieces);

    if (c->message.fault) {
        fail_body(c, c->message.fault);
        return false;
    }
    for (size_t i = 0; i < pieces.count && c->lent; i++)
        c->server->calls.on_body(c->attached, pieces.rows[i]);
    buffer_consume(&c->wire.in, taken);
    if (!c->lent)
        return false;
    if (c->message.ended) {
        c->body = BODY_DONE;
        deadline_leave(&c->waiting);
        c->server->calls.on_body_end(c->attached);
    } else if (!taken && c->wire.ended) {
        fail_body(c, FAULT_BAD_FRAMING);
    }
    return taken && c->body == BODY_COMING;
}

/* Progress counts in strides: a byte now and then is none. */
static void watch_body(struct client *c)
{
    if (c->wire.received_bytes - c->body_mark < BODY_STRIDE_BYTES)
        return;
    c->body_mark = c->wire.received_bytes;
    deadline_join(&c->server->body_class, &c->waiting);
}

static void fail_body(struct client *c, enum fault fault)
{
    c->body = BODY_BAD;
    deadline_leave(&c->waiting);
    c->server->calls.on_fault(c->attached, fault);
}

/* The next request waits until most of this reply was taken: a client that only asks does not fill
   our memory. */
static bool finish_request(struct client *c)
{
    bool closes = c->cut || c->manner.closes || !c->message.ended || c->server->draining ||
                  c->reply.framing == REPLY_UNTIL_CLOSE;

    if (closes) {
        client_move(c, CLIENT_LEAVING);
        return true;
    }
    wire_flush(&c->wire);
    if (c->wire.failed || wire_backlog(&c->wire) >= c->server->settings.backlog_low_bytes)
        return false;
    wipe(c->head.memory, c->head.tail);
    spares_take_back(&c->server->heads, &c->head);
    server_trim_later(c->server);
    c->search = (struct head_search){0};
    c->full = false;
    client_move(c, CLIENT_IDLE);
    if (buffer_size(&c->wire.in) || c->wire.ended)
        loop_post(c->server->loop, &c->turn); /* others first */
    return false;
}

static void drop_input(struct client *c)
{
    c->dropped_bytes += buffer_size(&c->wire.in);
    buffer_consume(&c->wire.in, buffer_size(&c->wire.in));
}

/* False: the client is gone. Input was looked at before, so who was late by less than a tick is
   not. */
static bool is_in_time(struct client *c, bool landed)
{
    if (c->taking.passed) {
        size_t left = wire_in_flight(&c->wire);
        bool took =
            left < c->untaken_bytes && (left == 0 || c->untaken_bytes - left >= WRITE_STRIDE_BYTES);
        if (!landed && !took)
            return false;
        deadline_leave(&c->taking);
    }
    if (!c->waiting.passed)
        return true;
    deadline_leave(&c->waiting);
    if (c->at == CLIENT_HEAD) {
        client_refuse(c, FAULT_SLOW_REQUEST);
        loop_post(c->server->loop, &c->turn);
        return true;
    }
    if (c->at == CLIENT_BUSY) {
        if (c->lent && c->body == BODY_COMING)
            fail_body(c, FAULT_SLOW_REQUEST);
        return true;
    }
    return c->at == CLIENT_LEAVING;
}

static void watch_writes(struct client *c, bool landed)
{
    size_t backlog = wire_backlog(&c->wire);

    if (!backlog || landed)
        deadline_leave(&c->taking);
    if (backlog && !deadline_is_set(&c->taking)) {
        c->untaken_bytes = wire_in_flight(&c->wire);
        deadline_join(&c->server->write_class, &c->taking);
    }
    if (c->full && backlog < c->server->settings.backlog_low_bytes) {
        c->full = false;
        if (c->lent)
            c->server->calls.on_drained(c->attached);
    }
}

static bool wants_input(const struct client *c)
{
    if (c->at == CLIENT_LEAVING || c->at == CLIENT_LINGERING)
        return c->dropped_bytes <= CLIENT_DROP_MAX_BYTES;
    return buffer_size(&c->wire.in) < CLIENT_READ_HIGH_BYTES;
}

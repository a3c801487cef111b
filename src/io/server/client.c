#include "io/server/front.h"

#include "base/alloc.h"

#include <assert.h>

static struct deadline_class *class_of(struct client *c, enum client_at at);
static void on_closed(uv_handle_t *handle);
static void client_wake(struct client *c);

void client_open(struct server *s, int fd, bool local, bool over_unix, bool at_cap)
{
    struct client *c = must_alloc(sizeof(*c));
    size_t in_max = s->settings.head_max_bytes;
    bool opened;

    c->server = s;
    c->local = local;
    c->over_unix = over_unix;
    c->at_cap = at_cap;
    s->at_cap += at_cap;
    turn_init(&c->turn, client_turn);
    deadline_init(&c->waiting, &c->turn);
    deadline_init(&c->taking, &c->turn);
    list_append(&s->clients[CLIENT_FRESH], &c->place);
    s->counts[CLIENT_FRESH]++;
    buffer_init(&c->head, SIZE_MAX / 4);
    opened = wire_open(&c->wire, s->loop, &c->turn, &s->bulk, fd, over_unix,
                       in_max > CLIENT_READ_HIGH_BYTES ? in_max : CLIENT_READ_HIGH_BYTES);
    if (!opened)
        client_move(c, CLIENT_CLOSED);
    else if (at_cap)
        client_refuse(c, FAULT_OVERLOADED);
    else
        client_move(c, CLIENT_FRESH);
    client_wake(c); /* reading begins in its turn */
}

void client_move(struct client *c, enum client_at to)
{
    struct server *s = c->server;
    struct deadline_class *class = class_of(c, to);

    assert(c->at != CLIENT_CLOSED && !(c->lent && to != CLIENT_BUSY));
    list_remove(&c->place);
    s->counts[c->at]--;
    c->at = to;
    s->counts[to]++;
    list_append(&s->clients[to], &c->place);
    if (class)
        deadline_join(class, &c->waiting);
    else
        deadline_leave(&c->waiting);
    if (to != CLIENT_CLOSED)
        return;
    deadline_leave(&c->taking);
    turn_cancel(&c->turn);
    wire_close(&c->wire, c->cut && c->reply.framing == REPLY_UNTIL_CLOSE, on_closed);
}

void client_refuse(struct client *c, enum fault fault)
{
    char id[REQUEST_ID_MAX + 1];

    assert(!c->lent);
    if (!c->at_cap)
        c->server->stats.heads_refused++;
    reply_fault_write(wire_out(&c->wire), fault, request_id_next(c->server->request_ids, id));
    client_move(c, CLIENT_LEAVING);
}

void client_lose(struct client *c)
{
    void *attached = c->attached;

    if (c->lent) {
        c->lent = false;
        c->attached = NULL;
        c->server->calls.on_gone(attached);
    }
    client_move(c, CLIENT_CLOSED);
}

void client_attach(struct client *client, void *attached)
{
    assert(client->lent && !client->attached && attached);
    client->attached = attached;
}

void client_want_body(struct client *client)
{
    bool more = !client->message.ended && !client->message.fault;

    assert(client->lent);
    if (client->body != BODY_UNASKED)
        return;
    client->body = BODY_COMING;
    client->body_mark = client->wire.received_bytes;
    if (more)
        deadline_join(&client->server->body_class, &client->waiting);
    if (more && client->awaits_continue && !client->reply.begun && !buffer_size(&client->wire.in))
        buffer_append(wire_out(&client->wire), SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    client_wake(client);
}

void client_reply_head(struct client *client, const struct reply_head *head)
{
    assert(client->lent);
    client->manner.closes |=
        client->server->draining || !client->message.ended || client->body == BODY_BAD;
    reply_head_write(&client->reply, wire_out(&client->wire), head, client->manner);
    client_wake(client);
}

void client_reply_body(struct client *client, struct span bytes)
{
    assert(client->lent);
    reply_body_write(&client->reply, wire_out(&client->wire), bytes);
    if (!client->full)
        client->full = wire_backlog(&client->wire) >= client->server->settings.backlog_high_bytes;
    client_wake(client);
}

void client_reply_end(struct client *client)
{
    assert(client->lent);
    reply_end_write(&client->reply, wire_out(&client->wire));
    client->cut = client->reply.broken;
    client->lent = false;
    client->attached = NULL;
    client_wake(client);
}

void client_reply_cut(struct client *client)
{
    assert(client->lent);
    client->cut = true;
    client->lent = false;
    client->attached = NULL;
    client_wake(client);
}

bool client_is_full(const struct client *client)
{
    return client->full;
}

static struct deadline_class *class_of(struct client *c, enum client_at at)
{
    switch (at) {
    case CLIENT_FRESH:
    case CLIENT_HEAD:
        return &c->server->head_class;
    case CLIENT_IDLE:
        return &c->server->idle_class;
    case CLIENT_LINGERING:
        return &c->server->linger_class;
    case CLIENT_BUSY:
    case CLIENT_LEAVING:
    case CLIENT_CLOSED:
    case CLIENT_STATES:
        break;
    }
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct wire *wire = handle->data;
    struct client *c = container_of(wire, struct client, wire);

    list_remove(&c->place);
    c->server->counts[CLIENT_CLOSED]--;
    c->server->at_cap -= c->at_cap;
    wire_done(&c->wire);
    server_trim_later(c->server);
    buffer_wipe(&c->head);
    must_free(c);
}

static void client_wake(struct client *c)
{
    if (c->at != CLIENT_CLOSED)
        loop_post(c->server->loop, &c->turn);
}

#include "fake/fake_client.h"

#include "base/alloc.h"

#include <assert.h>

enum { TEXT_MAX = 4096 };

struct field {
    struct span name, value;
};

struct client {
    struct loop *loop;                /* borrowed */
    const struct client_calls *calls; /* borrowed */
    void *context, *attached;
    struct turn turn;

    struct request_head head;
    struct header *fields; /* ours, each text a block of its own */
    struct buffer body;    /* not told yet */
    size_t piece_size;
    enum fault fault;
    bool request_due, step_due, fault_due, drained_due, gone_due;
    bool lent, wanted, body_told;

    bool replied, ended, cut, gone;
    int status;
    int64_t promised;
    struct field *reply_fields;
    size_t reply_field_count;
    struct buffer reply;

    bool takes_nothing, full;
    size_t high_bytes, backlog;
};

static void run(struct turn *turn);
static void tell_piece(struct client *c);
static void forget_request(struct client *c);
static struct span keep(struct span text);

struct client *fake_client_new(struct loop *loop, const struct client_calls *calls, void *context)
{
    struct client *c = must_alloc(sizeof(*c));

    c->loop = loop;
    c->calls = calls;
    c->context = context;
    c->promised = -1;
    turn_init(&c->turn, run);
    buffer_init(&c->body, SIZE_MAX / 4);
    buffer_init(&c->reply, SIZE_MAX / 4);
    return c;
}

void fake_client_free(struct client *c)
{
    assert(!c->lent);
    turn_cancel(&c->turn);
    forget_request(c);
    for (size_t i = 0; i < c->reply_field_count; i++) {
        must_free((char *)(uintptr_t)c->reply_fields[i].name.at);
        must_free((char *)(uintptr_t)c->reply_fields[i].value.at);
    }
    must_free(c->reply_fields);
    buffer_done(&c->reply);
    must_free(c);
}

void fake_client_sends(struct client *c, const struct request_head *head, struct span body,
                       size_t piece_size)
{
    assert(!c->lent && !c->replied && head->headers.count <= FAKE_CLIENT_FIELDS_MAX);
    c->head = *head;
    c->fields = must_alloc((head->headers.count + 1) * sizeof(*c->fields));
    for (size_t i = 0; i < head->headers.count; i++) {
        c->fields[i].name = keep(head->headers.rows[i].name);
        c->fields[i].value = keep(head->headers.rows[i].value);
    }
    c->head.headers.rows = c->fields;
    buffer_append(&c->body, body);
    c->piece_size = piece_size;
    c->request_due = true;
    loop_post(c->loop, &c->turn);
}

bool fake_client_has_step(const struct client *c)
{
    return c->lent && c->wanted && !c->body_told && !c->fault_due;
}

void fake_client_step(struct client *c)
{
    assert(fake_client_has_step(c));
    c->step_due = true;
    loop_post(c->loop, &c->turn);
}

void fake_client_fails(struct client *c, enum fault fault)
{
    if (!c->lent || c->body_told)
        return;
    c->fault = fault;
    c->fault_due = true;
    loop_post(c->loop, &c->turn);
}

void fake_client_leaves(struct client *c)
{
    c->gone_due = fake_client_is_open(c);
    if (c->gone_due)
        loop_post(c->loop, &c->turn);
}

void fake_client_vanishes(struct client *c)
{
    c->gone = c->gone || fake_client_is_open(c);
    c->lent = false;
    c->attached = NULL;
    forget_request(c);
}

void fake_client_stops_taking(struct client *c, size_t high_bytes)
{
    c->takes_nothing = true;
    c->high_bytes = high_bytes;
}

void fake_client_takes(struct client *c)
{
    c->takes_nothing = false;
    c->backlog = 0;
    c->drained_due = c->full && c->lent;
    c->full = false;
    if (c->drained_due)
        loop_post(c->loop, &c->turn);
}

bool fake_client_is_open(const struct client *c)
{
    return !c->ended && !c->cut && !c->gone;
}

bool fake_client_is_gone(const struct client *c)
{
    return c->gone;
}

bool fake_client_was_cut(const struct client *c)
{
    return c->cut;
}

bool fake_client_has_ended(const struct client *c)
{
    return c->ended;
}

int fake_client_status(const struct client *c)
{
    return c->status;
}

struct span fake_client_header(const struct client *c, struct span name)
{
    for (size_t i = 0; i < c->reply_field_count; i++)
        if (span_equal_nocase(c->reply_fields[i].name, name))
            return c->reply_fields[i].value;
    return SPAN_NONE;
}

struct span fake_client_body(const struct client *c)
{
    return buffer_view(&c->reply);
}

void client_attach(struct client *c, void *attached)
{
    assert(c->lent && !c->attached && attached);
    c->attached = attached;
}

void client_want_body(struct client *c)
{
    assert(c->lent);
    c->wanted = true;
}

void client_reply_head(struct client *c, const struct reply_head *head)
{
    assert(c->lent && c->attached && !c->replied);
    assert(head->status >= 200 && head->status <= 599);
    c->replied = true;
    c->status = head->status;
    c->promised = head->body_size;
    c->reply_fields = must_alloc((head->headers.count + 1) * sizeof(*c->reply_fields));
    c->reply_field_count = head->headers.count;
    for (size_t i = 0; i < head->headers.count; i++) {
        c->reply_fields[i].name = keep(head->headers.rows[i].name);
        c->reply_fields[i].value = keep(head->headers.rows[i].value);
    }
}

void client_reply_body(struct client *c, struct span bytes)
{
    assert(c->lent && c->replied);
    buffer_append(&c->reply, bytes);
    assert(c->promised < 0 || buffer_size(&c->reply) <= (size_t)c->promised);
    if (c->takes_nothing)
        c->backlog += bytes.size;
    if (c->takes_nothing && c->backlog >= c->high_bytes)
        c->full = true;
}

void client_reply_end(struct client *c)
{
    assert(c->lent && c->replied);
    assert(c->promised < 0 || buffer_size(&c->reply) == (size_t)c->promised);
    c->ended = true;
    c->lent = false;
    c->attached = NULL;
    forget_request(c);
}

void client_reply_cut(struct client *c)
{
    assert(c->lent && c->replied);
    c->cut = true;
    c->lent = false;
    c->attached = NULL;
    forget_request(c);
}

bool client_is_full(const struct client *c)
{
    assert(c->lent);
    return c->full;
}

static void run(struct turn *turn)
{
    struct client *c = container_of(turn, struct client, turn);

    if (c->request_due) {
        c->request_due = false;
        c->lent = true;
        c->calls->on_request(c->context, c, &c->head);
        assert(c->attached || !c->lent);
    }
    if (c->step_due && c->lent)
        tell_piece(c);
    if (c->fault_due && c->lent)
        c->calls->on_fault(c->attached, c->fault);
    if (c->drained_due && c->lent)
        c->calls->on_drained(c->attached);
    c->step_due = c->drained_due = false;
    if (c->gone_due && c->lent) {
        void *attached = c->attached;
        c->gone = true;
        c->lent = false;
        c->attached = NULL;
        forget_request(c);
        c->calls->on_gone(attached);
    }
    c->gone_due = false;
}

static void tell_piece(struct client *c)
{
    struct span piece = span_first(buffer_view(&c->body), c->piece_size);

    if (piece.size > 0) {
        struct span copy = keep(piece);
        c->calls->on_body(c->attached, copy);
        must_free((char *)(uintptr_t)copy.at);
        buffer_consume(&c->body, piece.size);
        return;
    }
    c->body_told = true;
    c->calls->on_body_end(c->attached);
}

/* The spans of a head are valid until the reply has ended or the client is gone, and not longer. */
static void forget_request(struct client *c)
{
    for (size_t i = 0; c->fields && i < c->head.headers.count; i++) {
        must_free((char *)(uintptr_t)c->fields[i].name.at);
        must_free((char *)(uintptr_t)c->fields[i].value.at);
    }
    must_free(c->fields);
    c->fields = NULL;
    c->head = (struct request_head){0};
    buffer_done(&c->body);
}

static struct span keep(struct span text)
{
    char *copy = must_alloc(text.size + 1);

    if (text.size > 0)
        memcpy(copy, text.at, text.size);
    return (struct span){copy, text.size};
}

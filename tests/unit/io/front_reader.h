/* front_reader.h: reads requests from pieces of bytes as a connection does (search, guard,
   message), with no socket. */
#ifndef KEYTURN_TEST_FRONT_READER_H
#define KEYTURN_TEST_FRONT_READER_H

#include "base/alloc.h"
#include "io/server/message.h"

#include <assert.h>

enum { READER_FIELDS_MAX = 50, READER_BODY_MAX = 4096 };

struct reader {
    struct buffer in, head_bytes, bodies; /* each body ends with a '|' */
    struct head_search search;
    struct header rows[READER_FIELDS_MAX];
    struct guarded_head head;
    struct message message;
    bool in_body;
    size_t heads, requests; /* begun and ended */
    enum fault fault;
};

static const struct head_limits reader_limits = {4096, 1024, READER_FIELDS_MAX};

static inline void reader_init(struct reader *r)
{
    *r = (struct reader){0};
    buffer_init(&r->in, (size_t)1 << 24);
    buffer_init(&r->head_bytes, reader_limits.head_max_bytes);
    buffer_init(&r->bodies, (size_t)1 << 24);
}

static inline void reader_done(struct reader *r)
{
    buffer_done(&r->in);
    buffer_done(&r->head_bytes);
    buffer_done(&r->bodies);
}

static inline bool reader_take_head(struct reader *r)
{
    size_t size;

    r->fault = head_search(&r->search, buffer_view(&r->in), &reader_limits, &size);
    if (r->fault || !size)
        return false;
    buffer_consume(&r->head_bytes, buffer_size(&r->head_bytes));
    buffer_append(&r->head_bytes, span_first(buffer_view(&r->in), size));
    buffer_consume(&r->in, size);
    assert(r->search.lines <= READER_FIELDS_MAX + 1);
    r->fault = head_guard(buffer_view(&r->head_bytes), r->rows, &r->head);
    if (r->fault)
        return false;
    if (!message_begin(&r->message, buffer_view(&r->head_bytes), &r->head, READER_BODY_MAX)) {
        r->fault = r->message.fault;
        return false;
    }
    r->search = (struct head_search){0};
    r->in_body = true;
    r->heads++;
    return true;
}

static inline bool reader_take_body(struct reader *r)
{
    struct message_pieces pieces;
    size_t taken = message_feed(&r->message, buffer_view(&r->in), &pieces);

    r->fault = r->message.fault;
    if (r->fault)
        return false;
    for (size_t i = 0; i < pieces.count; i++)
        buffer_append(&r->bodies, pieces.rows[i]);
    buffer_consume(&r->in, taken);
    if (!r->message.ended)
        return taken > 0;
    buffer_append(&r->bodies, SPAN("|"));
    r->in_body = false;
    r->requests++;
    return true;
}

static inline void reader_feed(struct reader *r, struct span bytes)
{
    if (r->fault)
        return;
    buffer_append(&r->in, bytes);
    while (r->in_body ? reader_take_body(r) : buffer_size(&r->in) && reader_take_head(r))
        ;
}

#endif

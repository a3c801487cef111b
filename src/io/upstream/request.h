/* upstream/request.h: one request as it goes on the wire, and how much of it has gone.
 *
 * Owns      the head's bytes, which are wiped as soon as they were sent; the body is borrowed until
 *           upstream_request_done.
 * Fails     upstream_request_set: false when a part cannot stand in a request (CR, LF, NUL ...); nothing may be sent then.
 * Source    RFC 9112 section 3; RFC 9110 section 8.6; reliability D9, D12
 */
#ifndef KEYTURN_IO_UPSTREAM_REQUEST_H
#define KEYTURN_IO_UPSTREAM_REQUEST_H

#include "base/buffer.h"
#include "io/origin.h"
#include "io/upstream.h"

struct upstream_request {
    struct buffer head; /* what of it is unsent */
    struct span body;   /* borrowed; what of it is unsent */
    bool has_left;      /* something may have been sent */
    bool asked_head;    /* the method is HEAD */
};

void upstream_request_init(struct upstream_request *request);
bool upstream_request_set(struct upstream_request *request, const struct origin *origin,
                          const struct upstream_ask *ask);
void upstream_request_took(struct upstream_request *request, size_t size); /* the wire did */
void upstream_request_done(struct upstream_request *request);              /* keeps empty memory */
void upstream_request_close(struct upstream_request *request);
static inline bool upstream_request_is_sent(const struct upstream_request *request)
{
    return buffer_size(&request->head) == 0 && request->body.size == 0;
}

#endif

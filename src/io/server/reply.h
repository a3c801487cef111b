/* server/reply.h: the bytes of one reply: head, body framing, end.
 *
 * Owns      nothing; writes into the connection's out buffer.
 * Fails     reply->broken: the reply on the wire is not what its head promised, so the connection
 *           must not be reused.
 * Source    RFC 9112 sections 6, 7, 9; RFC 9110 sections 6.4.1, 9.3.2 (HEAD). Reason phrases are
 *           for people.
 */
#ifndef KEYTURN_IO_SERVER_REPLY_H
#define KEYTURN_IO_SERVER_REPLY_H

#include "base/buffer.h"
#include "io/client.h"

enum reply_framing {
    REPLY_NO_BODY, /* HEAD, 204, 304: body bytes are dropped */
    REPLY_SIZED,
    REPLY_CHUNKED,
    REPLY_UNTIL_CLOSE, /* HTTP/1.0 without a size: only a reset can tell that it was cut */
};

struct reply {
    enum reply_framing framing;
    uint64_t left_bytes; /* of REPLY_SIZED */
    bool begun, ended, broken;
};

struct reply_manner {
    enum http_method method; /* of the request */
    int minor;               /* HTTP/1.x spoken by the client */
    bool closes;             /* the connection ends after this reply */
};

void reply_head_write(struct reply *r, struct buffer *out, const struct reply_head *head,
                      struct reply_manner manner);
void reply_body_write(struct reply *r, struct buffer *out, struct span bytes);
void reply_end_write(struct reply *r, struct buffer *out);
/* A reply that closes and always has a body: for requests that were not understood. */
void reply_fault_write(struct buffer *out, enum fault fault, struct span request_id);

#endif

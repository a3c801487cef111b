/* server/message.h: one request on the wire, read by llhttp: where it ends and what its body is. The head
 * was guarded before; that both readers agree on it is checked.
 *
 * Owns      nothing; pieces point into the bytes that were fed.
 * Units     bytes. raw is what came on the wire for the body, chunk sizes and trailers included.
 * Fails     message->fault; nothing can be read from the connection afterwards.
 * Source    reliability D2, D4 (CVE-2024-22019); c-style 5.3. Trailers are read and dropped.
 */
#ifndef KEYTURN_IO_SERVER_MESSAGE_H
#define KEYTURN_IO_SERVER_MESSAGE_H

#include "io/server/head_guard.h"

#include <llhttp.h>

enum { MESSAGE_PIECES_MAX = 32 };

struct message_pieces {
    struct span rows[MESSAGE_PIECES_MAX];
    size_t count;
};

struct message {
    llhttp_t parser;
    struct message_pieces *pieces; /* borrowed while feeding */
    uint64_t raw_bytes, body_bytes, body_max_bytes;
    unsigned extension_bytes, trailer_bytes;
    bool trailing, ended; /* ended: the last byte of the request was taken */
    enum fault fault;
};

/* False with message->fault when llhttp reads the head differently. */
bool message_begin(struct message *m, struct span head, const struct guarded_head *guarded,
                   size_t body_max_bytes);
/* Takes bytes of the body and tells how many; the rest is for the next call or, once ended, the
   next request. */
size_t message_feed(struct message *m, struct span bytes, struct message_pieces *ret_pieces);

#endif

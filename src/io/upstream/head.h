/* upstream/head.h: the head of an answer, read strictly: what could be read in two ways (a length beside chunks, two
 * lengths, folded lines, odd encodings, bare line feeds, a switch of protocols) is refused, and the connection is
 * closed with it.
 *
 * Owns      nothing; rows point into the head's bytes.
 * Units     at most 64 KiB and 256 fields.
 * Fails     false: malformed.
 * Source    RFC 9112 sections 2.2, 5.2, 6.1, 6.3, 9.3
 */
#ifndef KEYTURN_IO_UPSTREAM_HEAD_H
#define KEYTURN_IO_UPSTREAM_HEAD_H

#include "io/upstream.h"

enum { UPSTREAM_HEAD_MAX_BYTES = 64 * 1024, UPSTREAM_FIELDS_MAX = 256 };

struct upstream_head_read {
    struct upstream_head told;
    int minor; /* of HTTP/1.x */
    bool is_interim, is_chunked, keeps_alive;
};

/* head ends with its empty line; rows has room for UPSTREAM_FIELDS_MAX. */
bool upstream_head_read(struct span head, bool asked_head, struct header *rows,
                        struct upstream_head_read *ret_head);

#endif

/* server/head_guard.h: decides whether the bytes of a request head can mean only one thing. What any other
 * HTTP server might read differently is refused here, before a parser or the flow sees it.
 *
 * Owns      nothing; rows and spans point into the head's bytes.
 * Units     bytes; a head ends with its empty line.
 * Fails     the fault to answer; the connection must close then, its next bytes mean nothing.
 * Source    RFC 9112 sections 2-7, RFC 9110 sections 5, 7.2, 10.1.1; reliability D1, D5
 */
#ifndef KEYTURN_IO_SERVER_HEAD_GUARD_H
#define KEYTURN_IO_SERVER_HEAD_GUARD_H

#include "base/fault.h"
#include "io/client.h"

struct head_limits {
    size_t head_max_bytes, line_max_bytes, fields_max;
};

/* How far the search for the end of a head has come; zeroed before its first byte. */
struct head_search {
    size_t scanned, line_start;
    size_t lines; /* whole lines so far, the empty one not counted */
};

struct guarded_head {
    enum http_method method;
    struct span method_name, target;
    int minor; /* of HTTP/1.x */
    struct headers headers;
    int64_t body_size; /* -1: chunked */
    bool keeps_alive, awaits_continue;
};

/* bytes begin with the head and may hold more than at the last call. *ret_size is the head's size,
   0 while unknown. */
enum fault head_search(struct head_search *search, struct span bytes,
                       const struct head_limits *limits, size_t *ret_size);
/* head is exactly what head_search found; rows has room for search->lines fields. */
enum fault head_guard(struct span head, struct header *rows, struct guarded_head *ret_head);

#endif

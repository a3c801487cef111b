/* client.h: one client connection, one request at a time.
 *
 *     connection ── head ──► on_request ── client_attach
 *                   body ──► on_body … on_body_end      (only after client_want_body)
 *     client_reply_head, client_reply_body …, client_reply_end ──► next request or close
 *     leaves early ────────► on_gone, and the client must not be used again
 *
 * Pipelined requests wait in the connection's buffer until the reply of the one before has ended. A client that closed
 * only its sending side (half-closed) still gets its reply; a client is gone when a write fails, the connection is
 * reset, or it takes nothing for write_ms.
 *
 * Owns      the connection, its buffers; not what the caller attached.
 * Units     bytes.
 * Runs on   the loop; every call into client_calls comes from a turn. Reply bytes are copied and leave in one write
 *           per tick.
 * Fails     on_fault: the body is malformed, too large or too slow; the caller answers with that fault and ends, the
 *           connection then closes with lingering. It comes after client_want_body, also for a body_size that is too
 *           large. A reply that begins before the body was read closes the connection in the same way.
 * Ends      client_reply_end or client_reply_cut give the client back to the server; on_gone means it is gone.
 * Source    RFC 9112; reliability D3, D4, D27, D28
 */
#ifndef KEYTURN_IO_CLIENT_H
#define KEYTURN_IO_CLIENT_H

#include "base/fault.h"
#include "base/request_id.h"
#include "io/header.h"

struct client;

enum http_method {
    HTTP_GET_METHOD,
    HTTP_HEAD_METHOD,
    HTTP_POST_METHOD,
    HTTP_PUT_METHOD,
    HTTP_PATCH_METHOD,
    HTTP_DELETE_METHOD,
    HTTP_OPTIONS_METHOD
};

/* A parsed head; the spans are valid until the reply has ended or on_gone. */
struct request_head {
    enum http_method method;
    struct span method_name, path, query; /* path without the query; both as sent, not decoded */
    struct headers headers;
    int64_t body_size; /* -1: chunked; 0: none */
    bool local;        /* came over a unix socket or from a loopback address */
    bool over_unix;    /* ... over a unix socket: from somebody who may open its file */
};

struct reply_head {
    int status;
    struct headers
        headers;       /* not Content-Length, Transfer-Encoding, Connection, Date: those are ours */
    int64_t body_size; /* -1: unknown; chunked towards 1.1, close-delimited towards 1.0 */
};

struct client_calls {
    void (*on_request)(void *context, struct client *client, const struct request_head *head);
    void (*on_body)(void *attached, struct span bytes);
    void (*on_body_end)(void *attached);
    void (*on_fault)(void *attached, enum fault fault);
    void (*on_drained)(void *attached);
    void (*on_gone)(void *attached);
};

void client_attach(struct client *client, void *attached); /* in on_request, always */
void client_want_body(struct client *client); /* sends 100 Continue if the client waits for it */
void client_reply_head(struct client *client, const struct reply_head *head);
void client_reply_body(struct client *client, struct span bytes); /* copied */
void client_reply_end(struct client *client);
/* The reply cannot be finished: closes so that the client sees it was cut, never a clean end. */
void client_reply_cut(struct client *client);
bool client_is_full(const struct client *client);

#endif

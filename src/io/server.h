/* server.h: the listeners and the connections they accepted: the side that clients see.
 *
 * Owns      listeners and clients (client.h), their buffers and deadlines.
 * Units     milliseconds and bytes, as named.
 * Runs on   the loop; calls into server_calls come from turns, never from inside libuv or llhttp.
 * Fails     server_listen says why in ret_error; at the connection cap a newcomer gets 503 overloaded and is closed;
 *           a head that is refused (framing, size, time) is answered and closed here and never seen by the calls.
 * Ends      server_drain: no new connections, idle ones close, replies say Connection: close; server_cut: the rest
 *           closes now; server_close when server_connection_count is 0 and the listeners are closed (server_is_closed).
 * Source    RFC 9112, reliability D1-D5, D16, D30; c-style 5.3, 5.4
 */
#ifndef KEYTURN_IO_SERVER_H
#define KEYTURN_IO_SERVER_H

#include "io/client.h"
#include "io/loop.h"

struct server_settings {
    size_t connections_max;    /* well below RLIMIT_NOFILE */
    size_t head_max_bytes;     /* the whole head: 431 above */
    size_t line_max_bytes;     /* the request line: 414 above */
    size_t fields_max;         /* header fields: 431 above */
    size_t body_max_bytes;     /* decoded body: 413 above */
    size_t backlog_high_bytes; /* unsent reply bytes at which client_is_full turns true */
    size_t backlog_low_bytes;  /* ... and below which on_drained is called */
    uint64_t
        head_ms; /* whole head, from its first byte; also how long a new connection may say nothing */
    uint64_t body_ms;   /* body: each 1 KiB of progress within this */
    uint64_t idle_ms;   /* between requests on one connection */
    uint64_t write_ms;  /* a client that takes nothing for this long is gone */
    uint64_t linger_ms; /* after an early refusal, so that the answer arrives */
};

struct server_stats {
    size_t connections, idle_connections;
    uint64_t accepted, refused_at_cap, heads_refused;
};

struct server;

struct server *server_open(struct loop *loop, const struct server_settings *settings,
                           const struct client_calls *calls, void *context,
                           struct request_ids *request_ids);
/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (loopback), "unix:/path". Port 0 picks one; ret_bound is the address
 * in use. SO_REUSEPORT is set, so several instances share a port. */
bool server_listen(struct server *server, const char *address, char ret_bound[128],
                   char ret_error[160]);
struct server_stats server_stats(const struct server *server);
void server_drain(struct server *server);
void server_cut(struct server *server);
bool server_is_closed(
    const struct server *server); /* after server_cut or a finished drain: no handle is left */
void server_close(struct server *server);

#endif

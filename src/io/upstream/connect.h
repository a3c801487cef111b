/* upstream/connect.h: new connections to the origin. libcurl connects, does TLS and proves who is there; then the socket,
 * and over TLS the session, are handed over and libcurl knows nothing of them any more.
 *
 * The session is taken through CURLINFO_TLS_SSL_PTR with a reference of ours. libcurl's own is dropped with its handle;
 * before that the session is tied to the socket itself and libcurl's mark in it is removed, so that nothing of libcurl is
 * called from it later.
 *
 * Owns      the engine and, while they are under way, attempts.
 * Units     milliseconds.
 * Runs on   the loop; upstream_connect and upstream_connect_cancel from turns, on_end from the engine's pump.
 * Fails     on_end with fd -1, the code and the reason.
 * Ends      upstream_connector_close when no attempt is left; upstream_connector_free when it is closed.
 * Source    https://curl.se/libcurl/c/CURLOPT_CONNECT_ONLY.html, CURLINFO_TLS_SSL_PTR, CURLOPT_PREREQFUNCTION;
 *           reliability D10, F3
 */
#ifndef KEYTURN_IO_UPSTREAM_CONNECT_H
#define KEYTURN_IO_UPSTREAM_CONNECT_H

#include "io/curl_engine.h"
#include "io/origin.h"

#include <openssl/ssl.h>

struct upstream_connector {
    struct curl_engine *engine;
    struct loop *loop;           /* borrowed */
    const struct origin *origin; /* borrowed */
    const char *ca_file;         /* borrowed; NULL: the system's */
    uint64_t connect_ms;
    uint64_t made;
    size_t under_way, most; /* attempts; most: since the heap was last given back */
};

struct upstream_connected {
    int fd;                 /* the receiver's, as is the session; -1: none */
    SSL *session;           /* NULL: plain */
    bool is_unreachable;    /* nobody is there, or nobody answers */
    const char *reason;     /* when there is no connection */
    const char *connect_to; /* where it went; valid during on_end, as is the reason */
};

struct upstream_attempt;

void upstream_connector_open(struct upstream_connector *connector, struct loop *loop);
void upstream_connector_close(struct upstream_connector *connector);
bool upstream_connector_is_closed(const struct upstream_connector *connector);
void upstream_connector_free(struct upstream_connector *connector);
size_t upstream_connector_sockets(const struct upstream_connector *connector);

/* connect_to as CURLOPT_CONNECT_TO wants it. The attempt is gone when on_end is called. */
struct upstream_attempt *upstream_connect(
    struct upstream_connector *connector, const char *connect_to, void *context,
    void (*on_end)(void *context, const struct upstream_connected *connected));
void upstream_connect_cancel(struct upstream_attempt *attempt);
/* Where to, when it has been under way for so long that a sane address would have answered; else NULL. Until cancelled. */
const char *upstream_connect_hangs_at(const struct upstream_attempt *attempt);

#endif

/* curl_engine.h: one libcurl multi on the loop, which makes connections and hands them over. Everything libcurl forbids
 * inside its callbacks happens outside: there is one pump, and what has ended is told after it returned.
 *
 *     curl_engine_add ──► "soon" ──► a turn ──► pump ──► connect, TLS
 *     a socket is ready ──────────────────────► pump ──► on_end: the socket, or why there is none
 *
 * Owns      the multi, its watches and timer, sockets until they are handed over; easy handles are the transfers'
 *           owners'.
 * Units     milliseconds.
 * Runs on   the loop. add and remove are called from turns only; on_end comes from the pump, after libcurl has returned,
 *           with the transfer already removed.
 * Fails     a socket that cannot be watched ends its transfer with CURLE_RECV_ERROR.
 * Ends      curl_engine_close when no transfer is left; curl_engine_free when
 *           curl_engine_is_closed.
 * Source    https://curl.se/libcurl/c/curl_multi_socket_action.html, CURLMOPT_TIMERFUNCTION,
 *           CURLMOPT_SOCKETFUNCTION, CURLOPT_CONNECT_ONLY
 */
#ifndef KEYTURN_IO_CURL_ENGINE_H
#define KEYTURN_IO_CURL_ENGINE_H

#include "io/loop.h"

#include <curl/curl.h>

struct curl_engine;

struct curl_transfer {
    CURL *easy;       /* set up by the owner, for connecting only */
    struct list link; /* among the engine's unwatchable ones */
    /* The connection is made and libcurl still has it; soon on_end. */
    void (*on_connected)(struct curl_transfer *transfer, int fd);
    /* fd is the receiver's when the code is CURLE_OK, else -1. */
    void (*on_end)(struct curl_transfer *transfer, CURLcode code, int fd);
    struct curl_engine *engine; /* NULL when no transfer is under way */
};

/* A libcurl that refused one of the options that keep us safe must not run: stops the process. */
void curl_must(CURLcode code);
#define CURL_SET(easy, option, value) curl_must(curl_easy_setopt((easy), (option), (value)))

struct curl_engine *curl_engine_open(struct loop *loop);
void curl_engine_close(struct curl_engine *engine);
bool curl_engine_is_closed(const struct curl_engine *engine);
void curl_engine_free(struct curl_engine *engine);
size_t curl_engine_sockets(const struct curl_engine *engine); /* open and not handed over */

/* Ties the easy handle's sockets to the engine, and starts. */
void curl_engine_add(struct curl_engine *engine, struct curl_transfer *transfer);
/* Safe when none is under way; its socket is closed. No callback comes afterwards. */
void curl_engine_remove(struct curl_transfer *transfer);

#endif

/* curl_engine.h: one libcurl multi on the loop. Everything libcurl forbids inside its callbacks
 * happens outside: there is one pump, and what has ended is told after it returned.
 *
 *     curl_engine_add ──► "soon" ──► a turn ──► pump ──► connect, send
 *     a socket is ready ──────────────────────► pump ──► callbacks of the transfer ──► on_end
 *
 * Owns      the multi, its connections, watches and timer; easy handles are the transfers' owners'.
 * Units     milliseconds.
 * Runs on   the loop. add, remove and unpause are called from turns only; on_end comes from the
 *           pump, after libcurl has returned, with the transfer already removed.
 * Fails     a socket that cannot be watched ends its transfer with CURLE_RECV_ERROR.
 * Ends      curl_engine_close when no transfer is left; curl_engine_free when
 *           curl_engine_is_closed.
 * Source    https://curl.se/libcurl/c/curl_multi_socket_action.html, CURLMOPT_TIMERFUNCTION,
 *           CURLMOPT_SOCKETFUNCTION
 */
#ifndef KEYTURN_IO_CURL_ENGINE_H
#define KEYTURN_IO_CURL_ENGINE_H

#include "io/loop.h"

#include <curl/curl.h>

struct curl_engine;

struct curl_transfer {
    CURL *easy;       /* made by curl_easy_open; owned by whoever embeds this */
    struct list link; /* among the engine's unwatchable ones */
    void (*on_end)(struct curl_transfer *transfer, CURLcode code);
    struct curl_engine *engine; /* NULL when no transfer is under way */
};

struct curl_engine_stats {
    size_t connections_open;
    uint64_t connections_made;
};

/* A libcurl that refused one of the options that keep us safe must not run: stops the process. */
void curl_must(CURLcode code);
#define CURL_SET(easy, option, value) curl_must(curl_easy_setopt((easy), (option), (value)))

struct curl_engine *curl_engine_open(struct loop *loop, long connections_max);
void curl_engine_close(struct curl_engine *engine);
bool curl_engine_is_closed(const struct curl_engine *engine);
void curl_engine_free(struct curl_engine *engine);
struct curl_engine_stats curl_engine_stats(const struct curl_engine *engine);

/* Ties an easy handle's sockets to the engine; once for each handle. */
void curl_engine_adopt(struct curl_engine *engine, struct curl_transfer *transfer);
void curl_engine_add(struct curl_engine *engine, struct curl_transfer *transfer);
/* Safe when none is under way; a connection in the middle of an answer is closed. No callback comes
 * afterwards. */
void curl_engine_remove(struct curl_transfer *transfer);
/* The transfer's callbacks run before this returns. */
void curl_engine_unpause(struct curl_transfer *transfer);

#endif

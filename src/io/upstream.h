/* upstream.h: requests towards one origin, many at a time, answers as they come.
 *
 * One call is one request on the wire: nothing is ever sent again behind the caller's back, no byte that arrives
 * outside an answer is handed to anybody. How the connections are kept is not told here.
 *
 * Owns      connections; calls are embedded in their callers.
 * Units     milliseconds, bytes.
 * Runs on   the loop. The calls of upstream_events may come from inside a library: they record and post, nothing else;
 *           in particular they do not start, pause, resume or cancel calls. on_body may return false to pause.
 * Fails     by on_end with the reason; each started call gets exactly one on_end, unless it was cancelled.
 *           SIGPIPE is ignored from upstream_open on: OpenSSL writes without MSG_NOSIGNAL.
 * Ends      upstream_cancel: no event comes afterwards; upstream_close when no call is open.
 * Source    reliability F1-F3, D9-D16; c-style 5.1
 */
#ifndef KEYTURN_IO_UPSTREAM_H
#define KEYTURN_IO_UPSTREAM_H

#include "base/secret.h"
#include "io/header.h"
#include "io/loop.h"

struct upstream;

struct upstream_settings {
    const char
        *origin; /* "https://openrouter.ai": scheme, host, port; nothing else ever selects a host */
    const char *ca_file;         /* NULL: the system's */
    size_t calls_max;            /* open calls; more wait their turn inside, at most connect_ms */
    uint64_t connect_ms;         /* connect and TLS */
    uint64_t idle_connection_ms; /* a kept connection older than this is not used again */
};

struct upstream_ask {
    struct span method,
        path;               /* path with the origin's base path and query, as it goes on the wire */
    struct headers headers; /* copied; not Host, Content-Length, Authorization */
    const struct secret *bearer; /* copied; NULL: no Authorization */
    struct span body;            /* borrowed while upstream_call_needs_body; sent once */
    uint64_t
        owner; /* who asks; a connection rests before another owner may have it. 0: one like any other */
    uint64_t head_ms; /* until the answer's head */
    uint64_t idle_ms; /* between pieces of the answer; not counted while paused */
};

struct upstream_head {
    int status;
    struct headers headers; /* valid during on_head */
    int64_t body_size;      /* -1: not told */
};

enum upstream_end {
    UPSTREAM_DONE,      /* the whole answer was delivered */
    UPSTREAM_UNREACHED, /* nothing of the request left: safe to try again */
    UPSTREAM_LOST,      /* the request left, no answer came: it may have been processed */
    UPSTREAM_CUT,       /* broke off or malformed within the answer */
    UPSTREAM_LATE_HEAD, /* head_ms passed */
    UPSTREAM_STALLED    /* idle_ms passed */
};

struct upstream_call;

struct upstream_events {
    void (*on_head)(struct upstream_call *call, const struct upstream_head *head);
    bool (*on_body)(struct upstream_call *call,
                    struct span bytes); /* taken in any case; false: pause now */
    void (*on_end)(struct upstream_call *call, enum upstream_end end);
};

struct upstream_call {
    const struct upstream_events *events;
    struct upstream_flight *flight; /* the pool's side; NULL when the call is not open */
};

struct upstream_stats {
    size_t calls_open, calls_waiting, connections_open;
    uint64_t connections_made, connections_reused;
};

struct upstream *upstream_open(struct loop *loop, struct log *log,
                               const struct upstream_settings *settings);
void upstream_close(struct upstream *upstream);
bool upstream_is_closed(
    const struct upstream *upstream); /* all its handles are gone; then upstream_free */
void upstream_free(struct upstream *upstream);

void upstream_start(struct upstream *upstream, struct upstream_call *call,
                    const struct upstream_events *events, const struct upstream_ask *ask);
static inline bool upstream_call_is_open(const struct upstream_call *call)
{
    return call->flight != NULL;
}
void upstream_resume(struct upstream_call *call); /* from a turn only */
void upstream_cancel(struct upstream_call *call); /* from a turn only; closes the connection */
/* Something of the request may have been sent: false while it waits for its turn or for a connection. */
bool upstream_call_has_left(const struct upstream_call *call);
/* The ask's body is still to be sent, or may be sent: it must stay. */
bool upstream_call_needs_body(const struct upstream_call *call);
struct upstream_stats upstream_stats(const struct upstream *upstream);

#endif

/* fetch.h: whole small answers from the control plane (keys, models, generation): ask, wait, read.
 *
 * Owns      connections and the answer's bytes until fetch_done.
 * Units     milliseconds; answers above body_max_bytes end as FETCH_UNKNOWN.
 * Runs on   the loop; the caller's turn is posted when the answer is there.
 * Fails     call->end. Nothing is sent twice: FETCH_UNKNOWN means the request may have been carried out.
 * Ends      fetch_done gives the answer back; fetch_cancel before that, from a turn.
 * Source    design 3 and 5.2; openrouter-api 1.7 (a lost create is cleaned up, never repeated)
 */
#ifndef KEYTURN_IO_FETCH_H
#define KEYTURN_IO_FETCH_H

#include "base/buffer.h"
#include "base/secret.h"
#include "io/loop.h"

struct fetcher;

struct fetch_settings {
    const char *origin; /* as in upstream_settings */
    const char *ca_file;
    size_t parallel_max; /* more wait inside */
    size_t body_max_bytes;
    uint64_t connect_ms;
};

enum fetch_end {
    FETCH_ANSWERED,  /* status and body are there */
    FETCH_UNREACHED, /* nothing left: it was not carried out */
    FETCH_UNKNOWN,   /* it may have been carried out, or not */
};

struct fetch_call {
    struct fetcher *fetcher;
    struct fetch_flight *flight; /* NULL when no transfer is under way */
    struct turn *wake;           /* borrowed; posted at the end */
    enum fetch_end end;
    int status;
    int64_t retry_after_s; /* -1: none told */
    struct buffer body;
};

struct fetcher *fetcher_open(struct loop *loop, struct log *log,
                             const struct fetch_settings *settings);
void fetcher_close(struct fetcher *fetcher);
bool fetcher_is_closed(const struct fetcher *fetcher);
void fetcher_free(struct fetcher *fetcher);

/* path as it goes on the wire; body may be SPAN_NONE and is copied; total_ms bounds everything. */
void fetch_start(struct fetcher *fetcher, struct fetch_call *call, const char *method,
                 struct span path, const struct secret *bearer, struct span body, uint64_t total_ms,
                 struct turn *wake);
void fetch_cancel(struct fetch_call *call);
void fetch_done(
    struct fetch_call *call); /* safe on a zeroed one; wipes: create answers hold keys */

#endif

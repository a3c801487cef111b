/* upstream_flight.h: the pool's side of a call, shared by the files behind upstream.h.
 *
 *     upstream_start ──► waiting ── a slot and an address ──► flying ──► ended ──► spare
 *
 * A flight keeps its easy handle with all its options for the next call; what belongs to one
 * request is set anew each time. Only the flight's turns and the engine's on_end move it from list
 * to list.
 *
 * Runs on   the loop; upstream_answer_* are libcurl's callbacks.
 */
#ifndef KEYTURN_IO_UPSTREAM_FLIGHT_H
#define KEYTURN_IO_UPSTREAM_FLIGHT_H

#include "io/curl_engine.h"
#include "io/curl_head.h"
#include "io/curl_request.h"
#include "io/deadline.h"
#include "io/resolve.h"
#include "io/upstream.h"

struct upstream {
    struct loop *loop; /* borrowed */
    struct log *log;   /* borrowed */
    struct curl_lock lock;
    char *ca_file;
    size_t calls_max;
    uint64_t queue_ms; /* a call that waits longer for its turn ends as unreached */
    struct curl_engine *engine;
    struct resolver *resolver; /* NULL once closed */
    struct list waiting, flying, spare, resumed;
    size_t waiting_count, flying_count, spare_count;
    struct turn launch, resume;
    struct deadline_class heads, pieces;
    uint64_t reused;
    uint64_t log_again_ms, unlogged; /* failures are logged once a second at most */
};

struct upstream_flight {
    struct list link;           /* in waiting, flying or spare */
    struct list resume_link;    /* in resumed */
    struct upstream *upstream;  /* borrowed */
    struct upstream_call *call; /* borrowed; NULL while spare */
    struct curl_transfer transfer;
    struct curl_request request;
    struct curl_head head;
    struct deadline deadline; /* of the head, then of each piece */
    struct turn late;
    uint64_t head_ms, idle_ms;
    uint64_t generation; /* of the address the handle was told */
    bool is_flying;      /* else it waits, or is spare */
    bool can_be_sent;    /* the ask was well-formed */
    bool asked_head;     /* the method is HEAD */
    bool paused;         /* the caller takes no more for now */
    bool held;           /* ... and libcurl has a piece in hand that comes again */
};

size_t upstream_answer_line(char *bytes, size_t one, size_t size, void *context);
size_t upstream_answer_piece(char *bytes, size_t one, size_t size, void *context);

#endif

/* upstream/flight.h: the pool's side of a call, shared by the files behind upstream.h.
 *
 *     upstream_start ──► waiting ── a slot and an address ──► flying ───────────────────────► ended ──► spare
 *                                                              └ a kept connection, or a new one: sends, receives
 *
 * An answer that begins before the upstream can have read the request was not meant for it: bytes of somebody else that
 * come late look like that. On a connection that was used before only an error that ends the connection is then
 * believed (RFC 9112 section 9.3: a server may refuse a request it has not read to its end). On a new connection
 * there is nobody else.
 *
 * Runs on   the loop. upstream_flight_end gives the flight back before the call's owner is told: nothing of it may be
 *           touched afterwards.
 */
#ifndef KEYTURN_IO_UPSTREAM_FLIGHT_H
#define KEYTURN_IO_UPSTREAM_FLIGHT_H

#include "io/deadline.h"
#include "io/resolve.h"
#include "io/upstream/answer.h"
#include "io/upstream/connect.h"
#include "io/upstream/pool.h"
#include "io/upstream/request.h"

enum { UPSTREAM_HEAD_CLASSES = 4 };

struct upstream {
    struct loop *loop; /* borrowed */
    struct log *log;   /* borrowed */
    struct origin origin;
    char *ca_file;
    size_t calls_max;
    uint64_t queue_ms; /* a call that waits longer for its turn ends as unreached */
    struct upstream_connector connector;
    struct upstream_pool pool;
    struct resolver *resolver; /* NULL once closed */
    struct list waiting, flying, spare, resumed;
    size_t waiting_count, flying_count, spare_count;
    struct turn launch, resume;
    struct deadline_class queue, pieces;
    struct deadline_class
        heads[UPSTREAM_HEAD_CLASSES];         /* one for each patience: joining is appending */
    uint64_t heads_ms[UPSTREAM_HEAD_CLASSES]; /* 0: not used yet */
    uint64_t reused;
    uint64_t log_again_ms, unlogged; /* failures are logged once a second at most */
    char *room;                      /* what is read is parsed in here at once */
    struct header rows[UPSTREAM_FIELDS_MAX];
};

struct upstream_flight {
    struct list link;                       /* in waiting, flying or spare */
    struct list resume_link;                /* in resumed */
    struct upstream *upstream;              /* borrowed */
    struct upstream_call *call;             /* borrowed; NULL while spare */
    struct upstream_attempt *attempt;       /* while a connection is made for it */
    struct upstream_connection *connection; /* from then on; owned */
    struct upstream_request request;
    struct upstream_answer answer;
    struct buffer rest;       /* of a paused answer: read and not yet parsed */
    struct deadline deadline; /* of the head, then of each piece */
    struct turn late;
    uint64_t head_ms, idle_ms;
    uint64_t owner;
    uint64_t generation; /* of the addresses */
    bool is_flying;      /* else it waits, or is spare */
    bool can_be_sent;    /* the ask was well-formed */
    bool cannot_send;    /* writing failed under way: what the upstream has said is still read */
    bool paused;         /* the caller takes no more for now */
};

/* upstream.c */
void upstream_flight_end(struct upstream_flight *flight, enum upstream_end end, const char *reason);

/* upstream/flight.c */
void upstream_flight_board(struct upstream_flight *flight, struct upstream_connection *connection);
void upstream_flight_resume(struct upstream_flight *flight);

#endif

/* server/front.h: the inside of server and client, for the files of the front alone (server.c, client.c,
 * way.c, listener.c).
 *
 *            first byte       whole head       reply ended
 *     FRESH ───────────► HEAD ───────────► BUSY ───────────► IDLE ──► HEAD ...
 *                          │ refused         │ must close      │ draining, or nothing comes
 *                          ▼                 ▼                 ▼
 *     at the cap ───────► LEAVING ── all sent ──► LINGERING ── read to its end ──► CLOSED
 *
 * Owns      the server its clients; each client is in the list of its state and goes with its last
 *           close callback.
 */
#ifndef KEYTURN_IO_SERVER_FRONT_H
#define KEYTURN_IO_SERVER_FRONT_H

#include "io/deadline.h"
#include "io/server.h"
#include "io/server/head_guard.h"
#include "io/server/listener.h"
#include "io/server/message.h"
#include "io/server/reply.h"
#include "io/server/wire.h"

enum client_at {
    CLIENT_FRESH,     /* accepted, no byte yet; head_ms is running */
    CLIENT_IDLE,      /* between two requests */
    CLIENT_HEAD,      /* part of a head is here */
    CLIENT_BUSY,      /* the caller has the request, or its reply has not left yet */
    CLIENT_LEAVING,   /* the last reply is on its way out; what comes in is dropped */
    CLIENT_LINGERING, /* everything was sent; waiting for the client to have read it */
    CLIENT_CLOSED,    /* uv still holds the handle */
    CLIENT_STATES
};

enum body_at {
    BODY_UNASKED,
    BODY_COMING,
    BODY_DONE, /* on_body_end was called */
    BODY_BAD,  /* on_fault was called */
};

enum {
    CLIENT_READ_HIGH_BYTES = 65536,
    CLIENT_DROP_MAX_BYTES = 65536,
    BODY_STRIDE_BYTES = 1024,
    WRITE_STRIDE_BYTES = 1024
};

struct client {
    struct list place; /* in server->clients[at] */
    enum client_at at;
    struct server *server; /* borrowed */
    struct turn turn;
    struct wire wire;
    struct deadline waiting; /* for bytes from the client, by state */
    struct deadline taking;  /* for the client to take our bytes */
    size_t untaken_bytes;    /* when taking was set */

    /* The request. */
    struct head_search search;
    struct buffer head; /* header rows, then the head's bytes */
    struct request_head request;
    struct message message;
    enum body_at body;
    uint64_t body_mark; /* wire.received_bytes when the body's deadline was set */
    void *attached;     /* the caller's; valid while lent */
    bool lent;          /* the caller may call us, and we it */
    bool awaits_continue;

    /* The reply. */
    struct reply reply;
    struct reply_manner manner;
    bool cut;  /* ended by client_reply_cut */
    bool full; /* client_is_full, until on_drained */

    bool local, over_unix, at_cap;
    size_t dropped_bytes;
};

struct server {
    struct loop *loop;
    struct server_settings settings;
    struct client_calls calls;
    void *context;                   /* borrowed */
    struct request_ids *request_ids; /* borrowed */
    struct list clients[CLIENT_STATES];
    size_t counts[CLIENT_STATES];
    size_t at_cap; /* of those that were told 503 on arrival */
    struct list listeners;
    struct deadline_class head_class, body_class, idle_class, linger_class, write_class,
        pause_class, trim_class;
    struct spares bulk, heads;
    struct turn trim_turn;
    struct deadline trim;
    struct server_stats stats;
    bool draining;
};

/* server.c */
/* A connection for the client's side. False: none more now, ask again later. */
bool server_has_room(const struct server *s);
void server_adopt(struct server *s, int fd, bool local, bool over_unix);

void server_trim_later(struct server *s); /* there is memory that may turn out to be spare */

/* client.c */
void client_open(struct server *s, int fd, bool local, bool over_unix, bool at_cap);
void client_move(struct client *c, enum client_at to); /* the only writer of client->at */
void client_refuse(struct client *c,
                   enum fault fault); /* answered here, never seen by the caller */
void client_lose(struct client *c);   /* gone: the caller is told, the connection closed */

/* way.c: what a client does next, by state */
void client_turn(struct turn *turn);

#endif

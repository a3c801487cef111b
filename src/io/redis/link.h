/* redis/link.h: a connection to Redis that makes itself again.
 *
 *     WAITING ── back-off ──► RESOLVING ──► CONNECTING ──► GREETING ──► UP
 *        ▲                        │              │             │         │
 *        └────────────────────────┴── dropped ───┴─────────────┴─────────┘
 *
 * The greeting is AUTH, PING, SELECT and what the owner adds; all of it leaves in one write and any error reply drops
 * the link. redis.c and redis/watch.c each own one.
 *
 * Owns      its socket and its alarm: back-off, time for connecting, and while up the owner's own.
 * Units     milliseconds.
 * Runs on   the loop; the owner's calls come from libuv's callbacks and from turns.
 * Fails     redis_link_drop, from anywhere; one log line for each kind of fault in an outage, one when it is over.
 * Ends      redis_link_close; the link must stay until redis_link_is_closed.
 */
#ifndef KEYTURN_IO_REDIS_LINK_H
#define KEYTURN_IO_REDIS_LINK_H

#include "io/deadline.h"
#include "io/redis.h"
#include "io/redis/socket.h"

#include <uv.h>

enum { REDIS_ADDRESSES_MAX = 4 };

struct redis_link;

struct redis_link_owner {
    const char *up_line, *down_line, *failed_line; /* for the log */
    void (*greet)(struct redis_link *link);        /* redis_link_ask for each further step */
    bool (*got_greeting)(struct redis_link *link, unsigned step,
                         const redisReply *reply); /* of those steps */
    void (*on_up)(struct redis_link *link);
    void (*on_down)(struct redis_link *link); /* it was up */
    void (*on_reply)(struct redis_link *link, redisReply *reply);
    void (*on_push)(struct redis_link *link, redisReply *reply); /* NULL: dropped */
    void (*on_alarm)(struct redis_link *link); /* while up, after what had arrived was read */
};

struct redis_link {
    struct loop *loop; /* these five are borrowed */
    struct log *log;
    const struct redis_settings *settings;
    struct redis_tls *tls; /* NULL: plain */
    const struct redis_link_owner *owner;

    enum {
        REDIS_LINK_WAITING,
        REDIS_LINK_RESOLVING,
        REDIS_LINK_CONNECTING,
        REDIS_LINK_GREETING,
        REDIS_LINK_UP,
        REDIS_LINK_CLOSED
    } state;
    struct redis_socket *socket; /* NULL when there is none */
    unsigned sockets_open;       /* whose handles are not gone yet */
    struct deadline_class deadlines;
    struct deadline alarm;
    struct turn alarm_turn, resolved_turn;

    uv_getaddrinfo_t resolver;
    bool resolving; /* the resolver is at work, perhaps for an attempt that was given up */
    int resolve_status;
    struct redis_address addresses[REDIS_ADDRESSES_MAX];
    unsigned address_count, address_next;

    unsigned greeting_sent, greeting_got,
        greeting_own;        /* the owner's steps start at greeting_own */
    unsigned attempts;       /* since it was last up for a while */
    unsigned faults_told;    /* bit set of enum redis_fault, in this outage */
    uint64_t up_ms, down_ms; /* since when; down_ms is 0 before the first fault */
    uint64_t random;
};

void redis_link_open(struct redis_link *link, struct loop *loop, struct log *log,
                     const struct redis_settings *settings, struct redis_tls *tls,
                     const struct redis_link_owner *owner);
void redis_link_close(struct redis_link *link);
bool redis_link_is_closed(const struct redis_link *link);
static inline bool redis_link_is_up(const struct redis_link *link)
{
    return link->state == REDIS_LINK_UP;
}
void redis_link_drop(struct redis_link *link, enum redis_fault fault, const char *reason);
void redis_link_send(struct redis_link *link, const char *wire, size_t size);
void redis_link_ask(struct redis_link *link, const struct span *args, size_t count);
void redis_link_alarm_in(struct redis_link *link, uint64_t after_ms); /* while up */
/* Also one that is due and not told yet: setting it anew then would let steady traffic put it off for ever. */
static inline bool redis_link_alarm_is_set(const struct redis_link *link)
{
    return deadline_is_set(&link->alarm) || link->alarm.passed;
}

/* In redis/wire.c: a command as it goes on the wire, in one piece; end it with must_free. */
char *redis_wire(const struct span *args, size_t count, size_t *ret_size);

/* In redis/link_tell.c: the log's lines. */
void redis_link_tell_up(struct redis_link *link);
void redis_link_tell_fault(struct redis_link *link, enum redis_fault fault, const char *reason);

/* In redis/address.c. False: the path does not fit; the host is a name and has to be resolved. */
bool redis_address_of_path(const char *path, struct redis_address *ret_address);
bool redis_address_of_literal(const char *host, int port, struct redis_address *ret_address);
unsigned redis_addresses_of(const struct addrinfo *list,
                            struct redis_address ret_addresses[REDIS_ADDRESSES_MAX]);

/* In redis/reply.c. The first word of an error reply: "WRONGPASS", "ERR". */
struct span redis_error_code(const redisReply *reply);
bool redis_error_is_refusal(struct span code);

#endif

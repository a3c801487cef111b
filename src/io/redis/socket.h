/* redis/socket.h: one descriptor to Redis: bytes out, replies in, perhaps TLS between.
 *
 * hiredis is used for its writer and its reader alone, on a descriptor of ours. Its asynchronous half is not: it calls
 * back from inside, asserts on a reply nobody asked for, and ignores running out of memory (reliability F6, c-style 5.2).
 *
 * Owns      the descriptor, its poll handle, hiredis' context.
 * Runs on   the loop. What is sent in one tick leaves in one write. Events come from libuv's callbacks and from turns;
 *           closing the socket inside any of them is fine.
 * Fails     on_broken, once; then close it. No event but on_gone comes after redis_socket_close.
 * Ends      redis_socket_close; the memory goes with the handle, on_gone says so.
 */
#ifndef KEYTURN_IO_REDIS_SOCKET_H
#define KEYTURN_IO_REDIS_SOCKET_H

#include "io/loop.h"

#include <hiredis/hiredis.h>
#include <sys/socket.h>

/*      kind        what to do */
#define REDIS_FAULTS(ROW) \
    ROW(RESOLVE, "check the host name of Redis and the name server") \
    ROW(CONNECT, "check that Redis runs and listens at this address") \
    ROW(TLS, "check Redis' certificate, its host name and the CA file, and that it speaks TLS") \
    ROW(LOGIN, "check the user and the password for Redis; leave them out if it has none") \
    ROW(NOT_READY, "wait: it is loading, a replica without its master, or busy") \
    ROW(REFUSED, "check Redis' version (6 or newer), the database number and the user's rights") \
    ROW(LATE, "look at Redis' SLOWLOG, its memory and the network") \
    ROW(PROTOCOL, "check that this is Redis, and whether it wants TLS") \
    ROW(CLOSED, "look at Redis' log")

enum redis_fault {
#define ROW(kind, advice) REDIS_FAULT_##kind,
    REDIS_FAULTS(ROW)
#undef ROW
};

enum { REDIS_REASON_SIZE = 200 };

struct redis_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

struct redis_tls;
struct redis_socket;

struct redis_socket_events {
    void (*on_connected)(void *context);
    void (*on_reply)(void *context, redisReply *reply); /* valid during the call */
    void (*on_broken)(void *context, enum redis_fault fault, const char *reason);
    void (*on_gone)(void *context);
};

/* NULL and a reason when the address is refused at once. tls may be NULL; it is borrowed. */
struct redis_socket *redis_socket_open(struct loop *loop, const struct redis_address *address,
                                       struct redis_tls *tls,
                                       const struct redis_socket_events *events, void *context,
                                       char ret_reason[REDIS_REASON_SIZE]);
void redis_socket_close(struct redis_socket *s);
/* Copied; NULL stands for a command there was no memory for and breaks the socket in the next turn. */
void redis_socket_send(struct redis_socket *s, const char *wire, size_t size);
void redis_socket_read(struct redis_socket *s); /* what has arrived, without waiting for the poll */

#endif

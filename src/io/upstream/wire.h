/* upstream/wire.h: the bytes of one connection to the upstream, plain or over TLS. libcurl made the connection and has
 * let go of it: what is here is a socket and, over TLS, an OpenSSL session that reads and writes that socket itself.
 *
 * The poll handle waits for readable all its life; it is changed for a write that is held up and for a pause alone.
 *
 * Owns      the descriptor, the session, the poll handle.
 * Runs on   the loop; on_ready is called from inside libuv.
 * Fails     upstream_wire_open: false when the descriptor cannot be polled; then close it all the same.
 *           UPSTREAM_WIRE_BROKEN from reading or writing: nothing but upstream_wire_close may follow.
 * Ends      upstream_wire_close; the memory may go in on_closed.
 * Source    https://docs.openssl.org/3.0/man3/SSL_read/, SSL_has_pending, SSL_CTX_set_mode; RFC 8446 section 6.1
 */
#ifndef KEYTURN_IO_UPSTREAM_WIRE_H
#define KEYTURN_IO_UPSTREAM_WIRE_H

#include "base/span.h"
#include "io/loop.h"

#include <openssl/ssl.h>
#include <sys/types.h>
#include <uv.h>

enum {
    UPSTREAM_WIRE_ENDED = -1, /* the peer sends no more */
    UPSTREAM_WIRE_BROKEN = -2,
    /* Of the room a wire reads into: a record of TLS. What a paused call holds is this at most. */
    UPSTREAM_ROOM_BYTES = 16 * 1024
};

struct upstream_wire {
    uv_poll_t poll;
    void (*on_ready)(struct upstream_wire *wire);
    SSL *ssl; /* NULL: plain */
    int fd;
    int armed; /* uv events the kernel was told */
    bool is_polled, is_broken;
};

/* Takes the descriptor and the session in any case. */
bool upstream_wire_open(struct upstream_wire *wire, struct loop *loop, int fd, SSL *ssl,
                        void (*on_ready)(struct upstream_wire *wire));
void upstream_wire_close(struct upstream_wire *wire, uv_close_cb on_closed);
void upstream_wire_want(struct upstream_wire *wire, bool readable, bool writable);

/* Bytes, 0 for none now, ENDED or BROKEN. room has UPSTREAM_ROOM_BYTES. */
ssize_t upstream_wire_read(struct upstream_wire *wire, char *room);
/* Bytes taken, 0 for none now, or BROKEN. Of a try that took none the next one must begin with the same bytes. room is
 * used and wiped. */
ssize_t upstream_wire_write(struct upstream_wire *wire, struct span head, struct span body,
                            char *room);
/* More was taken from the socket than was read: no event will tell. */
bool upstream_wire_holds_more(const struct upstream_wire *wire);
/* Something is there to be read, or the end. */
bool upstream_wire_has_input(const struct upstream_wire *wire);
/* The peer's kernel has not confirmed all that was written. */
bool upstream_wire_is_unconfirmed(const struct upstream_wire *wire);

#endif

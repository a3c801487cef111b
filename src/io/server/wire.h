/* server/wire.h: the bytes of one connection: a stream with a buffer in each direction. What arrived is in
 * `in`, what was appended to wire_out leaves with wire_flush. Knows nothing of HTTP.
 *
 * Owns      the uv handle and the descriptor; buffers, whose memory is lent while bytes are in
 *           them.
 * Runs on   the loop; uv's callbacks record here and post the turn.
 * Fails     wire.failed: reset, or a write did not go through. Nothing comes after it but
 *           wire_close.
 * Ends      wire_close, then on_closed from uv: only then may the memory go.
 * Source    c-style 5.4: one write in flight, one buffer filling
 */
#ifndef KEYTURN_IO_SERVER_WIRE_H
#define KEYTURN_IO_SERVER_WIRE_H

#include "io/loop.h"
#include "io/server/spares.h"

#include <uv.h>

enum { WIRE_READ_BYTES = 16384 };

struct wire {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_write_t writing;
    uv_shutdown_t shutting;
    struct loop *loop;     /* borrowed */
    struct turn *turn;     /* borrowed; posted when something happened */
    struct spares *spares; /* borrowed */
    struct buffer in, out;
    struct buffer flight; /* belongs to uv while in_flight */
    uint64_t received_bytes;
    bool reading, ended, failed; /* ended: the peer sends no more */
    bool in_flight, landed;      /* landed: the write is over, its buffer not yet given back */
    bool shut, closing;
};

/* Takes the descriptor in any case; false when it could not be used and must be ended by
   wire_close. */
bool wire_open(struct wire *w, struct loop *loop, struct turn *turn, struct spares *spares, int fd,
               bool over_unix, size_t in_max_bytes);
void wire_read(struct wire *w, bool wanted);
struct buffer *wire_out(struct wire *w); /* to append to */
void wire_flush(struct wire *w);
/* After the turn began: gives back what a finished write held. After it ended: what is empty. */
void wire_rest(struct wire *w);
size_t wire_backlog(const struct wire *w);   /* appended and not yet taken by the kernel */
size_t wire_in_flight(const struct wire *w); /* of these, what is being written */
void wire_shutdown(struct wire *w);          /* no more bytes from us; out must be empty */
bool wire_peer_is_gone(
    const struct wire *w); /* of an ended one: closed altogether, where the kernel can tell */
bool wire_has_unread(const struct wire *w); /* bytes in `in` or in the kernel */
void wire_close(struct wire *w, bool reset, uv_close_cb on_closed);
void wire_done(struct wire *w); /* after on_closed */

#endif

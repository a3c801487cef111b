#include "io/server/wire.h"

#include "io/uv_loop.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room);
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room);
static void on_written(uv_write_t *request, int status);
static void on_shut(uv_shutdown_t *request, int status);
static void post(struct wire *w);
static void fly(struct wire *w);

bool wire_open(struct wire *w, struct loop *loop, struct turn *turn, struct spares *spares, int fd,
               bool over_unix, size_t in_max_bytes)
{
    int failed;

    *w = (struct wire){.loop = loop, .turn = turn, .spares = spares};
    buffer_init(&w->in, in_max_bytes);
    buffer_init(&w->out, SIZE_MAX / 4);
    buffer_init(&w->flight, SIZE_MAX / 4);
    if (over_unix) {
        uv_pipe_init(loop_uv(loop), &w->uv.pipe, 0);
        failed = uv_pipe_open(&w->uv.pipe, fd);
    } else {
        uv_tcp_init(loop_uv(loop), &w->uv.tcp);
        failed = uv_tcp_open(&w->uv.tcp, fd);
        if (!failed)
            uv_tcp_nodelay(&w->uv.tcp, 1);
    }
    w->uv.handle.data = w;
    if (failed)
        close(fd);
    return !failed;
}

void wire_read(struct wire *w, bool wanted)
{
    wanted = wanted && !w->ended && !w->failed;
    if (wanted == w->reading)
        return;
    w->reading = wanted;
    if (!wanted)
        uv_read_stop(&w->uv.stream);
    else if (uv_read_start(&w->uv.stream, on_room, on_read))
        w->failed = true;
}

struct buffer *wire_out(struct wire *w)
{
    spares_lend(w->spares, &w->out);
    return &w->out;
}

void wire_flush(struct wire *w)
{
    size_t size = buffer_size(&w->out);
    uv_buf_t bytes;
    int sent;

    if (!size || w->in_flight || w->failed)
        return;
    assert(!w->shut);
    bytes = uv_buf_init(w->out.memory + w->out.head, size < INT_MAX ? (unsigned)size : INT_MAX);
    sent = uv_try_write(&w->uv.stream, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        w->failed = true;
        return;
    }
    if (sent > 0)
        buffer_consume(&w->out, (size_t)sent);
    if (buffer_size(&w->out))
        fly(w);
}

void wire_rest(struct wire *w)
{
    if (w->landed) {
        w->landed = false;
        spares_take_back(w->spares, &w->flight);
    }
    if (!buffer_size(&w->in))
        spares_take_back(w->spares, &w->in);
    if (!buffer_size(&w->out))
        spares_take_back(w->spares, &w->out);
}

size_t wire_backlog(const struct wire *w)
{
    return buffer_size(&w->out) + wire_in_flight(w);
}

size_t wire_in_flight(const struct wire *w)
{
    return w->in_flight ? uv_stream_get_write_queue_size(&w->uv.stream) : 0;
}

void wire_shutdown(struct wire *w)
{
    assert(!w->shut && !wire_backlog(w));
    w->shut = true;
    if (uv_shutdown(&w->shutting, &w->uv.stream, on_shut))
        w->failed = true;
}

bool wire_peer_is_gone(const struct wire *w)
{
    struct pollfd socket = {.fd = -1};

    uv_fileno(&w->uv.handle, &socket.fd);
    return poll(&socket, 1, 0) > 0 && (socket.revents & (POLLHUP | POLLERR));
}

bool wire_has_unread(const struct wire *w)
{
    int fd, waiting = 0;

    if (buffer_size(&w->in))
        return true;
    return !uv_fileno(&w->uv.handle, &fd) && !ioctl(fd, FIONREAD, &waiting) && waiting > 0;
}

void wire_close(struct wire *w, bool reset, uv_close_cb on_closed)
{
    assert(!w->closing);
    w->closing = true;
    if (!reset || w->uv.handle.type != UV_TCP || uv_tcp_close_reset(&w->uv.tcp, on_closed))
        uv_close(&w->uv.handle, on_closed);
}

void wire_done(struct wire *w)
{
    spares_take_back(w->spares, &w->in);
    spares_take_back(w->spares, &w->out);
    spares_take_back(w->spares, &w->flight);
}

/* No room is how reading waits until the turn decides: uv then calls on_read with UV_ENOBUFS. */
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room)
{
    struct wire *w = handle->data;
    size_t left = w->in.limit_bytes - buffer_size(&w->in);
    size_t size = left < WIRE_READ_BYTES ? left : WIRE_READ_BYTES;

    (void)suggested;
    *ret_room = uv_buf_init(NULL, 0);
    if (!size)
        return;
    spares_lend(w->spares, &w->in);
    ret_room->base = buffer_room(&w->in, size);
    ret_room->len = w->in.capacity - w->in.tail < left ? w->in.capacity - w->in.tail : left;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
    struct wire *w = stream->data;

    (void)room;
    if (size > 0) {
        buffer_grew(&w->in, (size_t)size);
        w->received_bytes += (uint64_t)size;
    } else if (size == UV_EOF) {
        w->ended = true;
        w->reading = false;
    } else if (size < 0 && size != UV_ENOBUFS) {
        w->failed = true;
        w->reading = false;
    }
    post(w);
}

static void on_written(uv_write_t *request, int status)
{
    struct wire *w = request->data;

    w->in_flight = false;
    w->landed = true;
    if (status < 0)
        w->failed = true;
    post(w);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    struct wire *w = request->handle->data;

    if (status < 0)
        w->failed = true;
    post(w);
}

static void post(struct wire *w)
{
    if (!w->closing)
        loop_post(w->loop, w->turn);
}

static void fly(struct wire *w)
{
    size_t size = buffer_size(&w->out);
    uv_buf_t bytes;

    if (w->landed)
        spares_take_back(w->spares, &w->flight);
    w->landed = false;
    w->flight = w->out;
    buffer_init(&w->out, w->flight.limit_bytes);
    bytes =
        uv_buf_init(w->flight.memory + w->flight.head, size < INT_MAX ? (unsigned)size : INT_MAX);
    assert(bytes.len == size);
    w->writing.data = w;
    if (uv_write(&w->writing, &w->uv.stream, &bytes, 1, on_written))
        w->failed = true;
    else
        w->in_flight = true;
}

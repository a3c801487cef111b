#include "io/upstream/wire.h"

#include "base/secret.h"
#include "io/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <openssl/err.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORD_BYTES = 16 * 1024, WRITE_BYTES_PER_TURN = 256 * 1024 };

static void on_poll(uv_poll_t *poll, int status, int events);
static ssize_t read_plain(struct upstream_wire *wire, char *room);
static ssize_t read_tls(struct upstream_wire *wire, char *room);
static ssize_t write_plain(struct upstream_wire *wire, struct span head, struct span body);
static ssize_t write_tls(struct upstream_wire *wire, struct span head, struct span body,
                         char *room);
static ssize_t write_record(struct upstream_wire *wire, struct span bytes);
static ssize_t failed(struct upstream_wire *wire, ssize_t as);

bool upstream_wire_open(struct upstream_wire *wire, struct loop *loop, int fd, SSL *ssl,
                        void (*on_ready)(struct upstream_wire *wire))
{
    *wire = (struct upstream_wire){.on_ready = on_ready, .ssl = ssl, .fd = fd};
    if (uv_poll_init(loop_uv(loop), &wire->poll, fd))
        return false;
    wire->is_polled = true;
    upstream_wire_want(wire, true, false);
    return wire->armed != 0;
}

/* A wire that could not be polled has no handle to wait for. */
void upstream_wire_close(struct upstream_wire *wire, uv_close_cb on_closed)
{
    if (wire->is_polled) {
        uv_poll_stop(&wire->poll);
        uv_close((uv_handle_t *)&wire->poll, on_closed);
    }
    if (wire->ssl && !wire->is_broken)
        SSL_shutdown(wire->ssl);
    ERR_clear_error();
    SSL_free(wire->ssl);
    close(wire->fd);
    wire->ssl = NULL;
    wire->fd = -1;
    if (!wire->is_polled)
        on_closed((uv_handle_t *)&wire->poll);
}

void upstream_wire_want(struct upstream_wire *wire, bool readable, bool writable)
{
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);

    if (events == wire->armed)
        return;
    wire->armed = uv_poll_start(&wire->poll, events, on_poll) ? 0 : events;
}

ssize_t upstream_wire_read(struct upstream_wire *wire, char *room)
{
    return wire->ssl ? read_tls(wire, room) : read_plain(wire, room);
}

ssize_t upstream_wire_write(struct upstream_wire *wire, struct span head, struct span body,
                            char *room)
{
    return wire->ssl ? write_tls(wire, head, body, room) : write_plain(wire, head, body);
}

bool upstream_wire_holds_more(const struct upstream_wire *wire)
{
    return wire->ssl && SSL_has_pending(wire->ssl);
}

bool upstream_wire_has_input(const struct upstream_wire *wire)
{
    char byte;

    if (upstream_wire_holds_more(wire))
        return true;
    return recv(wire->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

bool upstream_wire_is_unconfirmed(const struct upstream_wire *wire)
{
    int bytes = 0;

    return !ioctl(wire->fd, SIOCOUTQ, &bytes) && bytes > 0;
}

/* A negative status means that libuv has stopped polling by itself; reading tells why. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct upstream_wire *wire = container_of(poll, struct upstream_wire, poll);

    (void)events;
    if (status < 0)
        wire->armed = 0;
    wire->on_ready(wire);
}

static ssize_t read_plain(struct upstream_wire *wire, char *room)
{
    ssize_t got = recv(wire->fd, room, UPSTREAM_ROOM_BYTES, MSG_DONTWAIT);

    if (got > 0)
        return got;
    if (got == 0)
        return UPSTREAM_WIRE_ENDED;
    return errno == EAGAIN || errno == EINTR ? 0 : failed(wire, UPSTREAM_WIRE_BROKEN);
}

/* One record at most; an end without close_notify is an error, so a cut answer never looks whole. */
static ssize_t read_tls(struct upstream_wire *wire, char *room)
{
    int got;

    ERR_clear_error();
    got = SSL_read(wire->ssl, room, UPSTREAM_ROOM_BYTES);
    if (got > 0 && !SSL_has_pending(wire->ssl))
        SSL_free_buffers(wire->ssl); /* reading a ticket leaves one for writing behind */
    if (got > 0)
        return got;
    switch (SSL_get_error(wire->ssl, got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return UPSTREAM_WIRE_ENDED;
    default:
        return failed(wire, UPSTREAM_WIRE_BROKEN);
    }
}

static ssize_t write_plain(struct upstream_wire *wire, struct span head, struct span body)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)head.at, head.size},
                             {(void *)(uintptr_t)body.at, body.size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EINTR ? 0 : failed(wire, UPSTREAM_WIRE_BROKEN);
}

/* The head and the first of the body are one record; what of the body comes later is not copied. */
static ssize_t write_tls(struct upstream_wire *wire, struct span head, struct span body, char *room)
{
    ssize_t all = 0, sent = 1;

    if (head.size) {
        struct span first = span_first(head, RECORD_BYTES);
        struct span behind =
            span_first(body, head.size > RECORD_BYTES ? 0 : RECORD_BYTES - head.size);
        memcpy(room, first.at, first.size);
        if (behind.size)
            memcpy(room + first.size, behind.at, behind.size);
        all = sent = write_record(wire, (struct span){room, first.size + behind.size});
        wipe(room, first.size);
        if (sent <= 0 || head.size > RECORD_BYTES)
            return sent;
        body = span_from(body, behind.size);
    }
    while (body.size && all < WRITE_BYTES_PER_TURN) {
        sent = write_record(wire, span_first(body, RECORD_BYTES));
        if (sent <= 0)
            return sent < 0 ? sent : all;
        all += sent;
        body = span_from(body, (size_t)sent);
    }
    return all;
}

/* Whole or not at all. */
static ssize_t write_record(struct upstream_wire *wire, struct span bytes)
{
    int sent, error;

    ERR_clear_error();
    sent = SSL_write(wire->ssl, bytes.at, (int)bytes.size);
    if (sent > 0)
        return sent;
    error = SSL_get_error(wire->ssl, sent);
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ
               ? 0
               : failed(wire, UPSTREAM_WIRE_BROKEN);
}

static ssize_t failed(struct upstream_wire *wire, ssize_t as)
{
    wire->is_broken = true;
    return as;
}

#include "io/redis/socket.h"

#include "base/alloc.h"
#include "io/redis/objects.h"
#include "io/redis/tls.h"
#include "io/uv_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

/* A reply beyond these is not one of ours: the peer is not Redis or out of step. */
enum { REPLY_ELEMENTS_MAX = 1 << 20, REPLY_DEPTH_MAX = 64, REPLY_BYTES_MAX = 64 << 20 };

struct redis_socket {
    uv_poll_t poll;
    struct loop *loop; /* borrowed */
    redisContext *context;
    struct arena replies;
    struct redis_tls *tls; /* borrowed; NULL: plain */
    struct redis_tls_session session;
    const struct redis_socket_events *events;
    void *owner;
    struct turn flush;
    int polled; /* what the poll handle waits for */
    bool connected, unsent, out_of_memory, closed;
};

static int open_descriptor(const struct redis_address *address, char ret_reason[REDIS_REASON_SIZE]);
static redisContext *context_of(int fd);
static void poll_for(struct redis_socket *s, int events);
static void on_poll(uv_poll_t *handle, int status, int events);
static void on_poll_error(struct redis_socket *s, int status);
static void connect_end(struct redis_socket *s);
static void run_flush(struct turn *turn);
static void flush(struct redis_socket *s);
static void take_replies(struct redis_socket *s);
static bool reply_is_too_large(const redisReader *reader);
static void context_broke(struct redis_socket *s);
static void broke(struct redis_socket *s, enum redis_fault fault, const char *reason);
static void on_close(uv_handle_t *handle);

struct redis_socket *redis_socket_open(struct loop *loop, const struct redis_address *address,
                                       struct redis_tls *tls,
                                       const struct redis_socket_events *events, void *context,
                                       char ret_reason[REDIS_REASON_SIZE])
{
    int fd = open_descriptor(address, ret_reason);
    struct redis_socket *s;

    if (fd < 0)
        return NULL;
    s = must_alloc(sizeof(*s));
    s->context = context_of(fd);
    arena_init(&s->replies, REPLY_BYTES_MAX);
    redis_objects_use(s->context->reader, &s->replies);
    s->loop = loop;
    s->tls = tls;
    s->events = events;
    s->owner = context;
    s->poll.data = s;
    turn_init(&s->flush, run_flush);
    if (uv_poll_init(loop_uv(loop), &s->poll, fd)) {
        snprintf(ret_reason, REDIS_REASON_SIZE, "the descriptor cannot be polled");
        redisFree(s->context);
        arena_done(&s->replies);
        must_free(s);
        return NULL;
    }
    poll_for(s, UV_WRITABLE);
    return s;
}

void redis_socket_close(struct redis_socket *s)
{
    if (s->closed)
        return;
    s->closed = true;
    turn_cancel(&s->flush);
    uv_close((uv_handle_t *)&s->poll,
             on_close); /* leaves the poll set before the descriptor closes */
    redisFree(s->context);
    s->context = NULL; /* the reply in hand stays until the handle is gone */
}

void redis_socket_send(struct redis_socket *s, const char *wire, size_t size)
{
    if (s->closed)
        return;
    if (!wire || redisAppendFormattedCommand(s->context, wire, size) != REDIS_OK)
        s->out_of_memory = true;
    s->unsent = true;
    loop_post(s->loop, &s->flush);
}

void redis_socket_read(struct redis_socket *s)
{
    if (s->closed || !s->connected)
        return;
    redis_tls_prepare(&s->session);
    if (redisBufferRead(s->context) != REDIS_OK) {
        context_broke(s);
        return;
    }
    take_replies(s);
    if (!s->closed && s->unsent && redis_tls_is_on(&s->session))
        flush(s); /* a handshake writes after it has read */
}

static int open_descriptor(const struct redis_address *address, char ret_reason[REDIS_REASON_SIZE])
{
    int on = 1, error;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && address->storage.ss_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    if (fd >= 0 && (!connect(fd, (const struct sockaddr *)&address->storage, address->size) ||
                    errno == EINPROGRESS))
        return fd;
    error = errno;
    if (fd >= 0)
        close(fd);
    snprintf(ret_reason, REDIS_REASON_SIZE, "%s", uv_strerror(-error));
    return -1;
}

static redisContext *context_of(int fd)
{
    redisOptions options = {.type = REDIS_CONN_USERFD,
                            .options = REDIS_OPT_NONBLOCK | REDIS_OPT_NO_PUSH_AUTOFREE};
    redisContext *context;

    options.endpoint.fd = fd;
    context = redisConnectWithOptions(&options);
    assert(context && !context->err); /* a small fixed object, see alloc.h */
    context->reader->maxelements = REPLY_ELEMENTS_MAX;
    return context;
}

static void poll_for(struct redis_socket *s, int events)
{
    if (s->polled == events)
        return;
    s->polled = events;
    uv_poll_start(&s->poll, events, on_poll);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct redis_socket *s = handle->data;

    if (status < 0) {
        on_poll_error(s, status);
        return;
    }
    if (!s->connected) {
        connect_end(s);
        return;
    }
    if (events & UV_READABLE)
        redis_socket_read(s);
    if (!s->closed && (events & UV_WRITABLE))
        flush(s);
}

/* libuv says EBADF for any POLLERR; the socket knows better. */
static void on_poll_error(struct redis_socket *s, int status)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (!getsockopt(s->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) && error)
        status = -error;
    broke(s, s->connected ? REDIS_FAULT_CLOSED : REDIS_FAULT_CONNECT, uv_strerror(status));
}

static void connect_end(struct redis_socket *s)
{
    char reason[REDIS_REASON_SIZE];
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(s->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error) {
        broke(s, REDIS_FAULT_CONNECT, uv_strerror(-error));
        return;
    }
    s->connected = true;
    if (s->tls && !redis_tls_start(s->tls, s->context, &s->session, reason)) {
        broke(s, REDIS_FAULT_TLS, reason);
        return;
    }
    poll_for(s, UV_READABLE);
    s->events->on_connected(s->owner);
}

static void run_flush(struct turn *turn)
{
    struct redis_socket *s = container_of(turn, struct redis_socket, flush);

    if (s->out_of_memory)
        broke(s, REDIS_FAULT_CLOSED, "out of memory");
    else if (s->connected)
        flush(s);
}

static void flush(struct redis_socket *s)
{
    int done = 0;

    redis_tls_prepare(&s->session);
    if (redisBufferWrite(s->context, &done) != REDIS_OK) {
        context_broke(s);
        return;
    }
    s->unsent = !done;
    poll_for(s, UV_READABLE | (done || redis_tls_wants_read(&s->session) ? 0 : UV_WRITABLE));
}

static void take_replies(struct redis_socket *s)
{
    void *reply;

    for (;;) {
        reply = NULL;
        if (redisGetReplyFromReader(s->context, &reply) != REDIS_OK) {
            context_broke(s);
            return;
        }
        if (!reply)
            break;
        s->events->on_reply(s->owner, reply);
        if (s->closed)
            return;
        arena_reset(&s->replies);
    }
    if (reply_is_too_large(s->context->reader))
        broke(s, REDIS_FAULT_PROTOCOL, "a reply is too large or nested too deeply");
}

static bool reply_is_too_large(const redisReader *reader)
{
    return reader->len > REPLY_BYTES_MAX || reader->ridx > REPLY_DEPTH_MAX;
}

static void context_broke(struct redis_socket *s)
{
    char reason[REDIS_REASON_SIZE];

    if (redis_tls_has_failed(&s->session, reason))
        broke(s, REDIS_FAULT_TLS, reason);
    else
        broke(s, s->context->err == REDIS_ERR_PROTOCOL ? REDIS_FAULT_PROTOCOL : REDIS_FAULT_CLOSED,
              s->context->errstr);
}

static void broke(struct redis_socket *s, enum redis_fault fault, const char *reason)
{
    s->events->on_broken(s->owner, fault, reason);
    assert(s->closed);
}

static void on_close(uv_handle_t *handle)
{
    struct redis_socket *s = handle->data;

    s->events->on_gone(s->owner);
    arena_done(&s->replies);
    must_free(s);
}

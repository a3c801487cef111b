/* test_upstream_peer.h: a scriptable origin on real sockets, and a call that remembers what
 * happened to it.
 *
 * The peer accepts in a thread and serves each connection in another; a script is a function of
 * (peer, fd, number of the connection). The tests' side runs the loop until what it waits for has
 * happened.
 */
#ifndef KEYTURN_TEST_UPSTREAM_PEER_H
#define KEYTURN_TEST_UPSTREAM_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "io/deadline.h"
#include "io/upstream.h"

#define CONNECTIONS_MAX 4096
#define REQUEST_MAX (256 * 1024)

struct peer {
    int listener, port;
    char origin[64];
    void (*serve)(struct peer *peer, int fd, int number);
    pthread_t thread, threads[CONNECTIONS_MAX];
    int fds[CONNECTIONS_MAX];
    atomic_int connections, requests, step;
    char last[REQUEST_MAX]; /* the last request, NUL-terminated; read it when the peer is at rest */
    const char *script;     /* for the script's own use */
    int number;
};

struct peer_connection {
    struct peer *peer;
    int fd, number;
};

static inline void sleep_ms(int ms)
{
    poll(NULL, 0, ms);
}

static inline void *peer_serve(void *context)
{
    struct peer_connection c = *(struct peer_connection *)context;
    sigset_t pipes;

    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, NULL); /* in this thread alone: our side must not need it */
    free(context);
    c.peer->serve(c.peer, c.fd, c.number);
    shutdown(c.fd, SHUT_RDWR); /* closed in peer_close: a number must not be used twice */
    return NULL;
}

static inline void *peer_accept(void *context)
{
    struct peer *peer = context;
    int fd;

    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        struct peer_connection *c = malloc(sizeof(*c));
        int number = atomic_load(&peer->connections);
        assert_true(c && number < CONNECTIONS_MAX);
        *c = (struct peer_connection){peer, fd, number};
        peer->fds[number] = fd;
        assert_int_equal(pthread_create(&peer->threads[number], NULL, peer_serve, c), 0);
        atomic_fetch_add(&peer->connections, 1);
    }
    return NULL;
}

static inline struct peer *peer_open(void (*serve)(struct peer *peer, int fd, int number))
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    assert_non_null(peer);
    peer->serve = serve;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(peer->listener, 1024), 0);
    getsockname(peer->listener, (struct sockaddr *)&address, &size);
    peer->port = ntohs(address.sin_port);
    snprintf(peer->origin, sizeof(peer->origin), "http://127.0.0.1:%d", peer->port);
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_accept, peer), 0);
    return peer;
}

static inline void peer_close(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    for (int i = 0; i < peer->connections; i++) {
        shutdown(peer->fds[i], SHUT_RDWR);
        pthread_join(peer->threads[i], NULL);
        close(peer->fds[i]);
    }
    close(peer->listener);
    free(peer);
}

/* A whole request by Content-Length; false when the client closed. */
static inline bool peer_take(struct peer *peer, int fd)
{
    char *text = calloc(1, REQUEST_MAX);
    size_t size = 0, wanted = 0;
    ssize_t got;

    while ((got = recv(fd, text + size, REQUEST_MAX - 1 - size, 0)) > 0) {
        char *end, *length;
        size += (size_t)got;
        text[size] = '\0';
        if (!wanted && (end = strstr(text, "\r\n\r\n"))) {
            length = strcasestr(text, "\r\nContent-Length:");
            wanted = (size_t)(end + 4 - text) +
                     (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (wanted && size >= wanted) {
            memcpy(peer->last, text, size + 1);
            atomic_fetch_add(&peer->requests, 1);
            free(text);
            return true;
        }
    }
    free(text);
    return false;
}

static inline bool peer_say(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* The next close of fd is a reset. */
static inline void peer_reset(int fd)
{
    struct linger hard = {1, 0};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    connect(fd, &nobody,
            sizeof(nobody)); /* dissolves the connection with a reset; the number stays ours */
}

/* The tests' side. */
struct probe {
    struct upstream_call call;
    struct bench *bench;
    int status, heads, ends;
    int64_t told_size;
    enum upstream_end end;
    char type[64];
    struct buffer body;
    bool pause_each, full; /* full: on_body asked to pause */
    int pieces, pieces_while_full;
};

struct bench {
    struct loop *loop;
    struct upstream *upstream;
    struct deadline_class waits;
    struct deadline wait;
    struct turn awake;
    int open;        /* probes not ended */
    int pieces_left; /* stop the loop after that many pieces; 0: never */
    bool timed_out;
};

static inline void probe_on_head(struct upstream_call *call, const struct upstream_head *head)
{
    struct probe *probe = container_of(call, struct probe, call);
    struct span type = header_find(head->headers, SPAN("Content-Type"));

    probe->heads++;
    probe->status = head->status;
    probe->told_size = head->body_size;
    if (type.at)
        span_text(type, probe->type, sizeof(probe->type));
}

static inline bool probe_on_body(struct upstream_call *call, struct span bytes)
{
    struct probe *probe = container_of(call, struct probe, call);

    assert_true(bytes.size > 0);
    probe->pieces++;
    probe->pieces_while_full += probe->full;
    assert_true(buffer_append(&probe->body, bytes));
    if (probe->bench->pieces_left && --probe->bench->pieces_left == 0)
        loop_stop(probe->bench->loop);
    probe->full = probe->pause_each;
    return !probe->pause_each;
}

static inline void probe_on_end(struct upstream_call *call, enum upstream_end end)
{
    struct probe *probe = container_of(call, struct probe, call);

    probe->ends++;
    probe->end = end;
    if (--probe->bench->open == 0)
        loop_stop(probe->bench->loop);
}

static const struct upstream_events probe_events = {probe_on_head, probe_on_body, probe_on_end};

static inline void bench_on_awake(struct turn *turn)
{
    struct bench *bench = container_of(turn, struct bench, awake);

    bench->timed_out = true;
    loop_stop(bench->loop);
}

static inline struct upstream_settings usual_settings(const char *origin)
{
    return (struct upstream_settings){
        .origin = origin, .calls_max = 500, .connect_ms = 3000, .idle_connection_ms = 30000};
}

static inline void bench_open(struct bench *bench, const struct upstream_settings *settings)
{
    *bench = (struct bench){.loop = loop_open(NULL)};
    deadline_class_open(&bench->waits, bench->loop, 0);
    turn_init(&bench->awake, bench_on_awake);
    deadline_init(&bench->wait, &bench->awake);
    bench->upstream = upstream_open(bench->loop, NULL, settings);
    assert_non_null(bench->upstream);
}

/* Runs until the loop is stopped by what is awaited; false when that took too long. */
static inline bool bench_run(struct bench *bench, uint64_t most_ms)
{
    bench->timed_out = false;
    deadline_join_in(&bench->waits, &bench->wait, most_ms);
    loop_run(bench->loop);
    deadline_leave(&bench->wait);
    turn_cancel(&bench->awake);
    return !bench->timed_out;
}

static inline void bench_rest(struct bench *bench, uint64_t ms)
{
    assert_false(bench_run(bench, ms));
}

static inline void bench_close(struct bench *bench)
{
    upstream_close(bench->upstream);
    for (int i = 0; i < 100 && !upstream_is_closed(bench->upstream); i++)
        bench_rest(bench, 1);
    assert_true(upstream_is_closed(bench->upstream));
    upstream_free(bench->upstream);
    deadline_class_close(&bench->waits);
    loop_close(bench->loop);
}

static inline void probe_ask(struct bench *bench, struct probe *probe,
                             const struct upstream_ask *ask)
{
    *probe = (struct probe){.bench = bench};
    buffer_init(&probe->body, 64 << 20);
    bench->open++;
    upstream_start(bench->upstream, &probe->call, &probe_events, ask);
}

static inline struct upstream_ask ask_of(const char *method, const char *path, const char *body)
{
    return (struct upstream_ask){.method = span_of(method),
                                 .path = span_of(path),
                                 .body = span_of(body),
                                 .head_ms = 5000,
                                 .idle_ms = 5000};
}

static inline void probe_start(struct bench *bench, struct probe *probe, const char *method,
                               const char *path, const char *body)
{
    struct upstream_ask ask = ask_of(method, path, body);

    probe_ask(bench, probe, &ask);
}

/* Ends as expected, with exactly this body. */
static inline void probe_expect(struct probe *probe, enum upstream_end end, int status,
                                const char *body)
{
    assert_int_equal(probe->ends, 1);
    assert_int_equal(probe->end, end);
    assert_int_equal(probe->status, status);
    assert_int_equal(buffer_size(&probe->body), strlen(body));
    assert_true(span_equal(buffer_view(&probe->body), span_of(body)));
    assert_false(upstream_call_is_open(&probe->call));
    buffer_done(&probe->body);
}

/* A peer, a bench and one call, for tests that need no more. */
struct stage {
    struct peer *peer;
    struct bench bench;
    struct probe probe;
};

static inline void stage_open(struct stage *stage, void (*serve)(struct peer *, int, int))
{
    struct upstream_settings settings;

    stage->peer = peer_open(serve);
    settings = usual_settings(stage->peer->origin);
    bench_open(&stage->bench, &settings);
}

static inline void stage_close(struct stage *stage)
{
    bench_close(&stage->bench);
    peer_close(stage->peer);
    buffer_done(&stage->probe.body);
}

/* Reads the request, says the script, and then nothing until the client leaves. */
static inline void serve_and_stall(struct peer *peer, int fd, int number)
{
    char byte;

    (void)number;
    if (peer_take(peer, fd)) {
        peer_say(fd, peer->script);
        recv(fd, &byte, 1, 0);
        atomic_fetch_add(&peer->step, 1); /* the client's end of the connection is gone */
    }
}

static inline void serve_nothing(struct peer *peer, int fd, int number)
{
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};

    (void)number;
    poll(&gone, 1, 10000);
    atomic_fetch_add(&peer->step, 1);
}

#endif

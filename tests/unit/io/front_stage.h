/* front_stage.h: a real server on a real loop and clients on plain non-blocking sockets, in one
 * thread. Whoever waits for something runs the loop until it is so; ten seconds without it fail the
 * test.
 */
#ifndef KEYTURN_TEST_FRONT_STAGE_H
#define KEYTURN_TEST_FRONT_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "io/deadline.h"
#include "io/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASKS_MAX = 4096, STAGE_PATIENCE_MS = 10000 };

struct stage;

/* One request as the caller of the server sees it. */
struct ask {
    struct stage *stage;
    struct client *client; /* NULL when it was given back or is gone */
    struct buffer body;
    char path[64];
    bool local, over_unix, gone, body_ended;
    enum fault fault;
    unsigned drained;
};

struct stage {
    struct loop *loop;
    struct server *server;
    struct request_ids ids;
    struct deadline_class tick_class;
    struct deadline tick;
    struct turn turn;
    bool (*is_done)(const void *context);
    const void *context;
    uint64_t give_up_ms;
    char bound[128];
    struct ask *asks[ASKS_MAX];
    size_t ask_count, awaited; /* awaited: how many of them a test has seen */
};

struct peer {
    int fd;
    struct buffer got;
    bool ended, reset;
};

static inline void ask_reply(struct ask *a, int status, const char *text)
{
    struct header row = {SPAN("x-test"), SPAN("1")};
    struct reply_head head = {status, {&row, 1}, (int64_t)strlen(text)};
    struct client *client = a->client;

    a->client = NULL;
    client_reply_head(client, &head);
    client_reply_body(client, span_of(text));
    client_reply_end(client);
}

static inline void ask_stream(struct ask *a)
{
    client_reply_head(a->client, &(struct reply_head){200, {NULL, 0}, -1});
}

/* /hello answers, /echo reads the body and sends it back, /refuse answers without reading, /want
 * reads and holds, anything else holds. */
static inline void stage_on_request(void *context, struct client *client,
                                    const struct request_head *head)
{
    struct stage *s = context;
    struct ask *a = must_alloc(sizeof(*a));

    assert_true(s->ask_count < ASKS_MAX);
    s->asks[s->ask_count++] = a;
    a->stage = s;
    a->client = client;
    a->local = head->local;
    a->over_unix = head->over_unix;
    buffer_init(&a->body, (size_t)64 << 20);
    span_text(head->path, a->path, sizeof(a->path));
    client_attach(client, a);
    if (span_equal(head->path, SPAN("/hello")))
        ask_reply(a, 200, "hi");
    else if (span_equal(head->path, SPAN("/refuse")))
        ask_reply(a, 401, "no");
    else if (span_equal(head->path, SPAN("/echo")) || span_equal(head->path, SPAN("/want")))
        client_want_body(client);
}

static inline void stage_on_body(void *attached, struct span bytes)
{
    struct ask *a = attached;

    assert_true(buffer_append(&a->body, bytes));
}

static inline void stage_on_body_end(void *attached)
{
    struct ask *a = attached;

    a->body_ended = true;
    buffer_append(&a->body, (struct span){"", 1});
    if (!strcmp(a->path, "/echo"))
        ask_reply(a, 200, a->body.memory + a->body.head);
}

static inline void stage_on_fault(void *attached, enum fault fault)
{
    struct ask *a = attached;

    assert_int_equal(a->fault, FAULT_NONE);
    a->fault = fault;
    ask_reply(a, fault_row(fault)->status, fault_row(fault)->name);
}

static inline void stage_on_drained(void *attached)
{
    ((struct ask *)attached)->drained++;
}

static inline void stage_on_gone(void *attached)
{
    struct ask *a = attached;

    assert_false(a->gone);
    assert_non_null(a->client);
    a->gone = true;
    a->client = NULL;
}

static inline void stage_on_tick(struct turn *turn)
{
    struct stage *s = container_of(turn, struct stage, turn);

    if (!s->is_done)
        return;
    if (s->is_done(s->context) || loop_now_ms(s->loop) > s->give_up_ms)
        loop_stop(s->loop);
    deadline_join(&s->tick_class,
                  &s->tick); /* also when done, so that the poll in progress ends soon */
}

static inline bool stage_reaches(struct stage *s, bool (*is_done)(const void *context),
                                 const void *context)
{
    s->is_done = is_done;
    s->context = context;
    s->give_up_ms = loop_now_ms(s->loop) + STAGE_PATIENCE_MS;
    loop_post(s->loop, &s->turn);
    loop_run(s->loop);
    s->is_done = NULL;
    return is_done(context);
}

static inline struct server_settings stage_settings(void)
{
    return (struct server_settings){
        .connections_max = 1000,
        .head_max_bytes = 8192,
        .line_max_bytes = 2048,
        .fields_max = 20,
        .body_max_bytes = 1 << 20,
        .backlog_high_bytes = 65536,
        .backlog_low_bytes = 16384,
        .head_ms = 5000,
        .body_ms = 5000,
        .idle_ms = 5000,
        .write_ms = 5000,
        .linger_ms = 500,
    };
}

static inline struct stage *stage_open(struct server_settings settings, const char *address)
{
    static const struct client_calls calls = {stage_on_request, stage_on_body,    stage_on_body_end,
                                              stage_on_fault,   stage_on_drained, stage_on_gone};
    struct stage *s = must_alloc(sizeof(*s));
    char error[160] = "";

    signal(SIGPIPE, SIG_IGN);
    s->loop = loop_open(NULL);
    s->ids.process = 7;
    turn_init(&s->turn, stage_on_tick);
    deadline_init(&s->tick, &s->turn);
    deadline_class_open(&s->tick_class, s->loop, 1);
    s->server = server_open(s->loop, &settings, &calls, s, &s->ids);
    if (!server_listen(s->server, address, s->bound, error))
        fail_msg("%s", error);
    return s;
}

static inline bool stage_is_closed(const void *context)
{
    return server_is_closed(((const struct stage *)context)->server);
}

static inline void stage_close(struct stage *s)
{
    server_cut(s->server);
    assert_true(stage_reaches(s, stage_is_closed, s));
    server_close(s->server);
    deadline_class_close(&s->tick_class);
    loop_close(s->loop);
    for (size_t i = 0; i < s->ask_count; i++) {
        buffer_done(&s->asks[i]->body);
        must_free(s->asks[i]);
    }
    must_free(s);
}

static inline struct ask *stage_last(struct stage *s)
{
    return s->asks[s->ask_count - 1];
}

static inline struct peer *peer_open_sized(const struct stage *s, int receive_bytes)
{
    struct peer *p = must_alloc(sizeof(*p));
    struct sockaddr_in ip4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    bool unix_socket = !strncmp(s->bound, "unix:", 5);
    unsigned port = 0;

    p->fd = socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    assert_true(p->fd >= 0);
    if (receive_bytes)
        setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    if (unix_socket) {
        snprintf(file.sun_path, sizeof(file.sun_path), "%s", s->bound + 5);
        assert_int_equal(connect(p->fd, (struct sockaddr *)&file, sizeof(file)), 0);
    } else {
        sscanf(strrchr(s->bound, ':') + 1, "%u", &port);
        ip4.sin_port = htons((uint16_t)port);
        assert_int_equal(connect(p->fd, (struct sockaddr *)&ip4, sizeof(ip4)), 0);
    }
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    buffer_init(&p->got, (size_t)64 << 20);
    return p;
}

static inline struct peer *peer_open(const struct stage *s)
{
    return peer_open_sized(s, 0);
}

static inline void peer_close(struct peer *p)
{
    close(p->fd);
    buffer_done(&p->got);
    must_free(p);
}

static inline void peer_reset(struct peer *p)
{
    struct linger none = {1, 0};

    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    peer_close(p);
}

static inline void peer_read(struct peer *p)
{
    ssize_t size;

    while (!p->ended && !p->reset) {
        char *room = buffer_room(&p->got, 65536);
        size = recv(p->fd, room, 65536, 0);
        if (size > 0)
            buffer_grew(&p->got, (size_t)size);
        else if (size == 0)
            p->ended = true;
        else if (errno == EAGAIN)
            return;
        else
            p->reset = true;
    }
}

static inline void peer_send_span(struct peer *p, struct span bytes)
{
    assert_int_equal(send(p->fd, bytes.at, bytes.size, 0), bytes.size);
}
static inline void peer_send(struct peer *p, const char *text)
{
    peer_send_span(p, span_of(text));
}

struct peer_wait {
    struct peer *peer;
    const char *text;
};

static inline bool peer_has(const void *context)
{
    const struct peer_wait *wait = context;

    peer_read(wait->peer);
    return span_contains(buffer_view(&wait->peer->got), span_of(wait->text));
}

static inline bool peer_is_over(const void *context)
{
    struct peer *p = ((const struct peer_wait *)context)->peer;

    peer_read(p);
    return p->ended || p->reset;
}

static inline void peer_awaits(struct stage *s, struct peer *p, const char *text)
{
    if (!stage_reaches(s, peer_has, &(struct peer_wait){p, text}))
        fail_msg("'%s' did not come, only: %.*s", text, SPAN_PRINT(buffer_view(&p->got)));
}

static inline void peer_awaits_end(struct stage *s, struct peer *p)
{
    assert_true(stage_reaches(s, peer_is_over, &(struct peer_wait){p, NULL}));
    assert_false(p->reset);
}

static inline void peer_forgets(struct peer *p)
{
    buffer_consume(&p->got, buffer_size(&p->got));
}

static inline bool ask_came(const void *context)
{
    const struct stage *s = context;
    return s->ask_count > s->awaited;
}
/* The next request that the caller holds. */
static inline struct ask *stage_awaits_ask(struct stage *s)
{
    assert_true(stage_reaches(s, ask_came, s));
    s->awaited = s->ask_count;
    return stage_last(s);
}
static inline bool ask_is_gone(const void *context)
{
    return ((const struct ask *)context)->gone;
}

#endif

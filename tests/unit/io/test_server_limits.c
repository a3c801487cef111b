/* The server at its limits: slow readers, too many connections, too few descriptors, its end. */
#include "front_stage.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define HOST "Host: a\r\n"

static const char hello[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";
static const char hold[] = "GET /hold HTTP/1.1\r\n" HOST "\r\n";

static char piece[16384];

struct reading {
    struct peer *peer;
    const struct ask *ask;
};

static bool reads_until_drained(const void *context)
{
    const struct reading *reading = context;

    peer_read(reading->peer);
    peer_forgets(reading->peer);
    return reading->ask->drained > 0;
}

/* Writes until the client is full; runs the loop between pieces so that the kernel takes what it can. */
static bool fill(const void *context)
{
    struct ask *a = (struct ask *)(uintptr_t)context;

    if (!client_is_full(a->client))
        client_reply_body(a->client, (struct span){piece, sizeof(piece)});
    return client_is_full(a->client);
}

static struct ask *stream_until_full(struct stage *s, struct peer *p)
{
    peer_send(p, hold);
    s->awaited = s->ask_count;
    stage_awaits_ask(s);
    ask_stream(stage_last(s));
    for (int i = 0; i < 50;
         i++) /* full more than for a moment: the kernel's buffers are full too */
        assert_true(stage_reaches(s, fill, stage_last(s)));
    return stage_last(s);
}

static void slow_reader_is_full_and_drains(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open_sized(s, 4096);
    struct ask *a = stream_until_full(s, p);

    (void)state;
    a->drained = 0;
    assert_false(a->gone);
    assert_true(client_is_full(a->client));
    assert_true(stage_reaches(s, reads_until_drained, &(struct reading){p, a}));
    assert_false(client_is_full(a->client));
    client_reply_end(a->client);
    a->client = NULL;
    peer_awaits(s, p, "0\r\n\r\n");
    peer_close(p);
    stage_close(s);
}

static void reader_of_nothing_is_gone(void **state)
{
    struct server_settings settings = stage_settings();
    struct stage *s;
    struct peer *p;
    struct ask *a;

    (void)state;
    settings.write_ms = 60;
    s = stage_open(settings, "127.0.0.1:0");
    p = peer_open_sized(s, 4096);
    a = stream_until_full(s, p);
    assert_true(stage_reaches(s, ask_is_gone, a));
    peer_close(p);
    stage_close(s);
}

static bool all_have_left(const void *context)
{
    return server_stats(((const struct stage *)context)->server).connections == 0;
}

static void newcomer_at_the_cap_is_told(void **state)
{
    struct server_settings settings = stage_settings();
    struct stage *s;
    struct peer *first, *second, *third;

    (void)state;
    settings.connections_max = 1;
    s = stage_open(settings, "127.0.0.1:0");
    first = peer_open(s);
    peer_send(first, hello);
    peer_awaits(s, first, "\r\n\r\nhi");
    second = peer_open(s);
    peer_send(second, hello);
    peer_awaits_end(s, second);
    assert_true(
        span_starts(buffer_view(&second->got), SPAN("HTTP/1.1 503 Service Unavailable\r\n")));
    assert_true(span_contains(buffer_view(&second->got), SPAN("\r\nretry-after: 1\r\n")));
    assert_true(span_contains(buffer_view(&second->got), SPAN("\r\nconnection: close\r\n")));
    assert_true(span_contains(buffer_view(&second->got), SPAN("\"code\":\"overloaded\"")));
    assert_int_equal(server_stats(s->server).refused_at_cap, 1);
    assert_int_equal(server_stats(s->server).heads_refused, 0);
    peer_close(second);
    peer_send(first, "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    peer_awaits_end(s, first);
    peer_close(first);
    assert_true(stage_reaches(s, all_have_left, s));
    third = peer_open(s);
    peer_send(third, hello);
    peer_awaits(s, third, "HTTP/1.1 200 OK");
    peer_close(third);
    stage_close(s);
}

enum { CROWD = 40, CROWD_DESCRIPTORS = 30 };

struct crowd {
    struct stage *stage;
    int fds[CROWD];
    size_t answered, silently_closed;
};

/* Reads who has an answer and closes them, which lets the next ones in. */
static bool crowd_is_served(const void *context)
{
    struct crowd *crowd = (struct crowd *)(uintptr_t)context;
    char text[512];

    for (size_t i = 0; i < CROWD; i++) {
        ssize_t size =
            crowd->fds[i] < 0 ? -1 : recv(crowd->fds[i], text, sizeof(text), MSG_DONTWAIT);
        if (size < 0 && (crowd->fds[i] < 0 || errno == EAGAIN))
            continue;
        crowd->answered += size > 0 && !memcmp(text, "HTTP/1.1 200", 12);
        crowd->silently_closed += size <= 0;
        close(crowd->fds[i]);
        crowd->fds[i] = -1;
    }
    return crowd->answered + crowd->silently_closed == CROWD;
}

/* The clients' descriptors lie above the limit, which then holds for what the server opens. */
static void lack_of_descriptors_closes_nobody_silently(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct crowd crowd = {.stage = s};
    struct rlimit before, tight;
    struct peer *p;

    (void)state;
    for (int i = 0; i < CROWD; i++) {
        p = peer_open(s);
        crowd.fds[i] = fcntl(p->fd, F_DUPFD, 100 + i);
        assert_true(crowd.fds[i] >= 100);
        peer_send(p, hello);
        peer_close(p);
    }
    getrlimit(RLIMIT_NOFILE, &before);
    tight = (struct rlimit){CROWD_DESCRIPTORS, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    assert_true(stage_reaches(s, crowd_is_served, &crowd));
    assert_int_equal(crowd.silently_closed, 0);
    assert_true(server_stats(s->server).accepted == CROWD);
    assert_true(loop_take_lag(s->loop).ticks < 5000); /* waited, did not spin */
    setrlimit(RLIMIT_NOFILE, &before);
    p = peer_open(s);
    peer_send(p, hello);
    peer_awaits(s, p, "\r\n\r\nhi");
    peer_close(p);
    stage_close(s);
}

static void drain_lets_the_busy_finish(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *idle = peer_open(s), *busy = peer_open(s), *waiting;
    struct ask *held;

    (void)state;
    peer_send(idle, hello);
    peer_awaits(s, idle, "\r\n\r\nhi");
    peer_send(busy, hold);
    s->awaited = s->ask_count;
    held = stage_awaits_ask(s);
    waiting = peer_open(s); /* connected, not yet accepted */
    peer_send(waiting, hello);
    server_drain(s->server);
    peer_awaits_end(s, idle);
    peer_awaits_end(s, waiting);
    assert_true(span_contains(buffer_view(&waiting->got), SPAN("connection: close\r\n\r\nhi")));
    assert_false(server_is_closed(s->server));
    ask_reply(held, 200, "done");
    peer_awaits_end(s, busy);
    assert_true(span_contains(buffer_view(&busy->got), SPAN("connection: close\r\n\r\ndone")));
    peer_close(idle);
    peer_close(busy);
    peer_close(waiting);
    assert_true(stage_reaches(s, all_have_left, s));
    assert_true(stage_reaches(s, stage_is_closed, s));
    stage_close(s);
}

static void cut_tells_the_caller(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    peer_send(p, hold);
    stage_awaits_ask(s);
    server_cut(s->server);
    assert_false(stage_last(s)->gone); /* told in a turn, not from within */
    assert_true(stage_reaches(s, stage_is_closed, s));
    assert_true(stage_last(s)->gone);
    peer_close(p);
    stage_close(s);
}

static void name_socket(char ret_address[64])
{
    snprintf(ret_address, 64, "unix:/tmp/keyturn-test-%d.sock", getpid());
    unlink(ret_address + 5);
}

static void listens_on_a_unix_socket(void **state)
{
    char address[64], *path = address + 5;
    struct stage *s, *next;
    struct peer *p;
    struct stat file;
    char bound[128], error[160];

    (void)state;
    name_socket(address);
    s = stage_open(stage_settings(), address);
    assert_string_equal(s->bound, address);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0660);
    assert_false(server_listen(s->server, address, bound, error)); /* somebody listens: not stale */
    assert_non_null(strstr(error, "Address already in use"));
    p = peer_open(s);
    peer_send(p, hello);
    peer_awaits(s, p, "\r\n\r\nhi");
    assert_true(stage_last(s)->over_unix && stage_last(s)->local);
    peer_send(p, hold);
    s->awaited = s->ask_count;
    stage_awaits_ask(s);
    peer_close(p); /* the kernel tells closed from half-closed here */
    assert_true(stage_reaches(s, ask_is_gone, stage_last(s)));

    unlink(path); /* a successor takes the path over */
    next = stage_open(stage_settings(), address);
    stage_close(s);
    assert_int_equal(stat(path, &file), 0);
    stage_close(next);
    assert_int_equal(stat(path, &file), -1);
}

static void replaces_a_stale_unix_socket_only(void **state)
{
    char address[64], *path = address + 5;
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct stage *s;
    char bound[128], error[160];

    (void)state;
    name_socket(address);
    snprintf(file.sun_path, sizeof(file.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&file, sizeof(file)), 0);
    close(fd);
    s = stage_open(stage_settings(), address);
    stage_close(s);

    fd = open(path, O_CREAT | O_WRONLY, 0600); /* not a socket: not ours to remove */
    close(fd);
    s = stage_open(stage_settings(), "[::1]:0");
    assert_true(!strncmp(s->bound, "[::1]:", 6));
    assert_false(server_listen(s->server, address, bound, error));
    assert_false(server_listen(s->server, "nonsense", bound, error));
    assert_non_null(strstr(error, "'nonsense' is no address; write 127.0.0.1:8080"));
    assert_false(server_listen(s->server, "127.0.0.1:99999", bound, error));
    assert_true(server_listen(s->server, "127.0.0.1:0", bound, error));
    assert_true(server_listen(s->server, bound, bound, error)); /* SO_REUSEPORT */
    stage_close(s);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_reader_is_full_and_drains),
        cmocka_unit_test(reader_of_nothing_is_gone),
        cmocka_unit_test(newcomer_at_the_cap_is_told),
        cmocka_unit_test(lack_of_descriptors_closes_nobody_silently),
        cmocka_unit_test(drain_lets_the_busy_finish),
        cmocka_unit_test(cut_tells_the_caller),
        cmocka_unit_test(listens_on_a_unix_socket),
        cmocka_unit_test(replaces_a_stale_unix_socket_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

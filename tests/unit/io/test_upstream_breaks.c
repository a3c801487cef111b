/* How calls end early: breaks, deadlines, sockets and names that do not work. */
#include "test_upstream_peer.h"

#include "io/uv_loop.h"

#define HEAD_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void serve_reset_in_body(struct peer *peer, int fd, int number)
{
    (void)number;
    if (peer_take(peer, fd)) {
        peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello");
        sleep_ms(50);
        peer_reset(fd);
    }
}

static void serve_reset_before_answer(struct peer *peer, int fd, int number)
{
    (void)number;
    peer_take(peer, fd);
    peer_reset(fd);
}

static void resets(void **state)
{
    struct stage stage = {0};

    (void)state;
    stage_open(&stage, serve_reset_in_body);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_CUT, 200, "hello");
    stage_close(&stage);
    stage_open(&stage, serve_reset_before_answer);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_LOST, 0, "");
    assert_int_equal(stage.peer->requests, 1);
    stage_close(&stage);
}

static void deadlines(void **state)
{
    struct stage stage = {0};
    struct upstream_ask ask = ask_of("POST", "/", "{}");
    uint64_t start_ms;

    (void)state;
    stage_open(&stage, serve_and_stall);
    stage.peer->script = "";
    ask.head_ms = 100;
    start_ms = loop_now_ms(stage.bench.loop);
    probe_ask(&stage.bench, &stage.probe, &ask);
    assert_true(bench_run(&stage.bench, 5000));
    assert_in_range(loop_now_ms(stage.bench.loop) - start_ms, 90, 600);
    probe_expect(&stage.probe, UPSTREAM_LATE_HEAD, 0, "");
    stage_close(&stage);

    stage_open(&stage, serve_and_stall);
    stage.peer->script = HEAD_CHUNKED "5\r\nhello\r\n";
    ask.idle_ms = 100;
    probe_ask(&stage.bench, &stage.probe, &ask);
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_STALLED, 200, "hello");
    stage_close(&stage);
}

/* Each piece within its time, all of them together far longer. */
static void serve_slowly(struct peer *peer, int fd, int number)
{
    (void)number;
    peer_take(peer, fd);
    peer_say(fd, HEAD_CHUNKED);
    for (int i = 0; i < 8; i++) {
        sleep_ms(60);
        peer_say(fd, "1\r\nx\r\n");
    }
    peer_say(fd, "0\r\n\r\n");
}

static void slow_streams_live(void **state)
{
    struct stage stage = {0};
    struct upstream_ask ask = ask_of("POST", "/", "{}");

    (void)state;
    stage_open(&stage, serve_slowly);
    ask.head_ms = ask.idle_ms = 250;
    probe_ask(&stage.bench, &stage.probe, &ask);
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "xxxxxxxx");
    stage_close(&stage);
}

/* TLS that is never answered: the connection is there, nothing of the request has left. */
static void connect_clock(void **state)
{
    struct stage stage = {.peer = peer_open(serve_nothing)};
    struct upstream_settings settings;
    char origin[64];

    (void)state;
    snprintf(origin, sizeof(origin), "https://127.0.0.1:%d", stage.peer->port);
    settings = usual_settings(origin);
    settings.connect_ms = 150;
    bench_open(&stage.bench, &settings);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 2000));
    probe_expect(&stage.probe, UPSTREAM_UNREACHED, 0, "");
    stage_close(&stage);
}

/* An answer that comes before the request was taken: delivered, and the connection is not used
 * again. */
static void serve_early(struct peer *peer, int fd, int number)
{
    (void)number;
    sleep_ms(30);
    peer_say(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    serve_nothing(peer, fd, number);
}

static void an_early_answer_arrives(void **state)
{
    struct stage stage = {0};
    char *body = malloc(20000001);

    (void)state;
    memset(body, 'b', 20000000);
    body[20000000] = '\0';
    stage_open(&stage, serve_early);
    probe_start(&stage.bench, &stage.probe, "POST", "/", body);
    assert_true(bench_run(&stage.bench, 3000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 413, "no");
    assert_int_equal(upstream_stats(stage.bench.upstream).connections_open, 0);
    stage_close(&stage);
    free(body);
}

/* Somebody closed a descriptor behind libuv's back and libcurl gets the number: a failed call, not
 * a stop. */
static void free_poll(uv_handle_t *handle)
{
    free(handle);
}
static void ignore_poll(uv_poll_t *poll, int status, int events)
{
    uv_poll_stop(poll);
    (void)status;
    (void)events;
}

static void a_socket_that_cannot_be_watched(void **state)
{
    struct stage stage = {0};
    uv_poll_t *stale = malloc(sizeof(*stale));
    int fds[2];

    (void)state;
    stage_open(&stage, serve_and_stall);
    stage.peer->script = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(uv_poll_init(loop_uv(stage.bench.loop), stale, fds[0]), 0);
    uv_poll_start(stale, UV_PRIORITIZED, ignore_poll);
    bench_rest(&stage.bench, 5);
    close(fds[0]);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_UNREACHED, 0, "");
    close(fds[1]);
    uv_close((uv_handle_t *)stale, free_poll);
    bench_rest(&stage.bench, 10);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "ok");
    stage_close(&stage);
}

static void a_dead_name_does_not_stop_the_loop(void **state)
{
    struct upstream_settings settings = usual_settings("http://keyturn-test.invalid:1");
    struct bench bench;
    struct probe probes[10];

    (void)state;
    settings.connect_ms = 400;
    bench_open(&bench, &settings);
    loop_take_lag(bench.loop);
    for (int i = 0; i < 10; i++)
        probe_start(&bench, &probes[i], "POST", "/", "{}");
    assert_true(bench_run(&bench, 2000));
    for (int i = 0; i < 10; i++)
        probe_expect(&probes[i], UPSTREAM_UNREACHED, 0, "");
    assert_true(loop_take_lag(bench.loop).worst_us < 200000);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(slow_streams_live),
        cmocka_unit_test(connect_clock),
        cmocka_unit_test(an_early_answer_arrives),
        cmocka_unit_test(a_socket_that_cannot_be_watched),
        cmocka_unit_test(a_dead_name_does_not_stop_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

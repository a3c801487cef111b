/* Holding back and letting go: pauses, and cancelling in every place a call can be. */
#include "test_upstream_peer.h"

#define HEAD_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

#define PAUSED_BYTES 3000000

static void serve_pattern(struct peer *peer, int fd, int number)
{
    char *body = malloc(PAUSED_BYTES + 1);

    (void)number;
    for (int i = 0; i < PAUSED_BYTES; i++)
        body[i] = (char)('a' + i % 23);
    body[PAUSED_BYTES] = '\0';
    while (peer_take(peer, fd)) {
        peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
        peer_say(fd, body);
    }
    free(body);
}

static void pauses_lose_and_repeat_nothing(void **state)
{
    struct stage stage = {0};
    int resumed = 0;

    (void)state;
    stage_open(&stage, serve_pattern);
    probe_start(&stage.bench, &stage.probe, "GET", "/", NULL);
    stage.probe.pause_each = true;
    while (!stage.probe.ends) {
        bench_run(&stage.bench, 1);
        stage.probe.full = false;
        upstream_resume(&stage.probe.call);
        upstream_resume(&stage.probe.call); /* twice is once */
        resumed++;
    }
    assert_true(resumed > 20);
    assert_int_equal(stage.probe.pieces_while_full, 0);
    assert_int_equal(stage.probe.end, UPSTREAM_DONE);
    assert_int_equal(buffer_size(&stage.probe.body), PAUSED_BYTES);
    for (size_t i = 0; i < PAUSED_BYTES; i++)
        assert_int_equal(buffer_view(&stage.probe.body).at[i], 'a' + i % 23);
    stage_close(&stage);
}

static void a_pause_holds_and_is_not_idle(void **state)
{
    struct stage stage = {0};
    struct upstream_ask ask = ask_of("GET", "/", NULL);

    (void)state;
    stage_open(&stage, serve_pattern);
    ask.idle_ms = 100;
    probe_ask(&stage.bench, &stage.probe, &ask);
    stage.probe.pause_each = true;
    bench_rest(&stage.bench, 400);
    assert_int_equal(stage.probe.ends, 0);
    assert_int_equal(stage.probe.pieces, 1);
    loop_take_lag(stage.bench.loop);
    bench_rest(&stage.bench, 200);
    assert_true(loop_take_lag(stage.bench.loop).ticks < 20); /* nothing spins */
    stage.probe.pause_each = stage.probe.full = false;
    upstream_resume(&stage.probe.call);
    assert_true(bench_run(&stage.bench, 5000));
    assert_int_equal(stage.probe.end, UPSTREAM_DONE);
    assert_int_equal(buffer_size(&stage.probe.body), PAUSED_BYTES);
    stage_close(&stage);
}

/* Cancels: no event may follow, the borrowed body may go, the connection is closed. */
static void cancel_and_check(struct stage *stage, char *body, int connections)
{
    int heads = stage->probe.heads, pieces = stage->probe.pieces;

    upstream_cancel(&stage->probe.call);
    upstream_cancel(&stage->probe.call);
    upstream_resume(&stage->probe.call);
    stage->bench.open--;
    if (body)
        memset(body, 'X', strlen(body));
    free(body);
    assert_false(upstream_call_is_open(&stage->probe.call));
    bench_rest(&stage->bench, 60);
    assert_int_equal(stage->probe.ends, 0);
    assert_int_equal(stage->probe.heads, heads);
    assert_int_equal(stage->probe.pieces, pieces);
    assert_int_equal(upstream_stats(stage->bench.upstream).connections_open, 0);
    assert_int_equal(upstream_stats(stage->bench.upstream).calls_open, 0);
    assert_int_equal(stage->peer->connections, connections);
}

static void cancelled_anywhere(void **state)
{
    struct stage stage = {0};

    (void)state;
    stage_open(&stage, serve_nothing); /* at once: nothing has happened */
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    cancel_and_check(&stage, NULL, 0);
    stage_close(&stage);

    stage_open(&stage, serve_and_stall); /* waiting for the head */
    stage.peer->script = "";
    char *body = strdup("some body");
    probe_start(&stage.bench, &stage.probe, "POST", "/", body);
    bench_rest(&stage.bench, 50);
    cancel_and_check(&stage, body, 1);
    assert_int_equal(stage.peer->step, 1);
    stage_close(&stage);

    stage_open(&stage, serve_nothing); /* sending what nobody takes */
    body = malloc(20000001);
    memset(body, 'b', 20000000);
    body[20000000] = '\0';
    probe_start(&stage.bench, &stage.probe, "POST", "/", body);
    bench_rest(&stage.bench, 50);
    cancel_and_check(&stage, body, 1);
    stage_close(&stage);

    stage_open(&stage, serve_and_stall); /* receiving */
    stage.peer->script = HEAD_CHUNKED "5\r\nhello\r\n";
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    bench_rest(&stage.bench, 50);
    assert_int_equal(stage.probe.pieces, 1);
    cancel_and_check(&stage, NULL, 1);
    stage_close(&stage);

    stage_open(&stage, serve_pattern); /* paused, with a piece in hand, and about to be resumed */
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    stage.probe.pause_each = true;
    bench_rest(&stage.bench, 50);
    assert_int_equal(stage.probe.pieces, 1);
    upstream_resume(&stage.probe.call);
    cancel_and_check(&stage, NULL, 1);
    stage_close(&stage);
}

static void cancelled_while_connecting(void **state)
{
    struct stage stage = {.peer = peer_open(serve_nothing)};
    struct upstream_settings settings;
    char origin[64];

    (void)state;
    snprintf(origin, sizeof(origin), "https://127.0.0.1:%d", stage.peer->port);
    settings = usual_settings(origin);
    bench_open(&stage.bench, &settings);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    bench_rest(&stage.bench, 30);
    assert_int_equal(upstream_stats(stage.bench.upstream).connections_open, 1);
    cancel_and_check(&stage, NULL, 1);
    stage_close(&stage);
}

static void a_waiting_call_takes_the_free_slot(void **state)
{
    struct stage stage = {.peer = peer_open(serve_and_stall)};
    struct upstream_settings settings = usual_settings(stage.peer->origin);
    struct probe second, third;

    (void)state;
    stage.peer->script = HEAD_CHUNKED "5\r\nhello\r\n0\r\n\r\n";
    settings.calls_max = 1;
    bench_open(&stage.bench, &settings);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    probe_start(&stage.bench, &second, "POST", "/", "{}");
    probe_start(&stage.bench, &third, "POST", "/", "{}");
    upstream_cancel(&second.call); /* while it waits */
    upstream_cancel(&stage.probe.call);
    stage.bench.open -= 2;
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&third, UPSTREAM_DONE, 200, "hello");
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_lose_and_repeat_nothing),
        cmocka_unit_test(a_pause_holds_and_is_not_idle),
        cmocka_unit_test(cancelled_anywhere),
        cmocka_unit_test(cancelled_while_connecting),
        cmocka_unit_test(a_waiting_call_takes_the_free_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

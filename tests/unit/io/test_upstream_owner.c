/* Whose connection it is: between two owners it rests, and an answer that comes too soon is nobody's. */
#include "test_upstream_peer.h"

#include "io/upstream/pool.h"

#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define POISON "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
#define LARGE (16 * 1024 * 1024)

static void serve_script(struct peer *peer, int fd, int number)
{
    (void)number;
    while (peer_take(peer, fd) && peer_say(fd, peer->script))
        ;
}

static void ask_as(struct bench *bench, struct probe *probe, uint64_t owner, const char *body)
{
    struct upstream_ask ask = ask_of("POST", "/", body);

    ask.owner = owner;
    probe_ask(bench, probe, &ask);
}

static void call_as(struct stage *stage, uint64_t owner)
{
    ask_as(&stage->bench, &stage->probe, owner, "{}");
    assert_true(bench_run(&stage->bench, 5000));
    probe_expect(&stage->probe, UPSTREAM_DONE, 200, "hello");
}

static void an_owner_has_his_own_at_once(void **state)
{
    struct stage stage = {0};

    (void)state;
    stage_open(&stage, serve_script);
    stage.peer->script = OK_5;
    for (int i = 0; i < 20; i++)
        call_as(&stage, 7);
    assert_int_equal(stage.peer->connections, 1);
    stage_close(&stage);
}

/* Asked for in the very turn in which the other one's answer was whole. */
struct relay {
    struct upstream_call call;
    struct stage *stage;
    struct turn next;
    uint64_t owner;
};

static void on_next(struct turn *turn)
{
    struct relay *relay = container_of(turn, struct relay, next);

    ask_as(&relay->stage->bench, &relay->stage->probe, relay->owner, "{}");
}

static void relay_on_head(struct upstream_call *call, const struct upstream_head *head)
{
    (void)call;
    (void)head;
}

static bool relay_on_body(struct upstream_call *call, struct span bytes)
{
    (void)call;
    (void)bytes;
    return true;
}

static void relay_on_end(struct upstream_call *call, enum upstream_end end)
{
    struct relay *relay = container_of(call, struct relay, call);

    assert_int_equal(end, UPSTREAM_DONE);
    loop_post(relay->stage->bench.loop, &relay->next);
}

static int connections_of_two_calls(uint64_t first, uint64_t second)
{
    static const struct upstream_events events = {relay_on_head, relay_on_body, relay_on_end};
    struct stage stage = {0};
    struct relay relay = {.stage = &stage, .owner = second};
    struct upstream_ask ask = ask_of("POST", "/", "{}");
    int connections;

    stage_open(&stage, serve_script);
    stage.peer->script = OK_5;
    turn_init(&relay.next, on_next);
    ask.owner = first;
    upstream_start(stage.bench.upstream, &relay.call, &events, &ask);
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "hello");
    connections = stage.peer->connections;
    stage_close(&stage);
    return connections;
}

static void another_owner_has_to_wait_for_its_rest(void **state)
{
    (void)state;
    assert_int_equal(connections_of_two_calls(1, 1), 1);
    assert_int_equal(connections_of_two_calls(1, 2), 2);
}

static void after_its_rest_it_is_anybodys(void **state)
{
    struct stage stage = {0};

    (void)state;
    stage_open(&stage, serve_script);
    stage.peer->script = OK_5;
    for (uint64_t owner = 1; owner < 10; owner++) {
        call_as(&stage, owner);
        bench_rest(&stage.bench, UPSTREAM_REST_MS + 1);
    }
    assert_int_equal(stage.peer->connections, 1);
    assert_int_equal(upstream_stats(stage.bench.upstream).connections_reused, 8);
    stage_close(&stage);
}

/* What rests makes room for those who may not have it: never more connections than calls. */
static void resting_connections_do_not_add_up(void **state)
{
    struct stage stage = {.peer = peer_open(serve_script)};
    struct upstream_settings settings = usual_settings(stage.peer->origin);

    (void)state;
    stage.peer->script = OK_5;
    settings.calls_max = 3;
    bench_open(&stage.bench, &settings);
    for (uint64_t owner = 1; owner < 40; owner++) {
        call_as(&stage, owner);
        assert_in_range(upstream_stats(stage.bench.upstream).connections_open, 1, 3);
    }
    stage_close(&stage);
}

/* Answers the first request; of the second it takes a little and says what comes too soon. */
static void serve_too_soon(struct peer *peer, int fd, int number)
{
    char some[1000];

    if (number > 0) {
        serve_script(peer, fd, number);
        return;
    }
    if (!peer_take(peer, fd) || !peer_say(fd, OK_5) || recv(fd, some, sizeof(some), 0) <= 0)
        return;
    peer_say(fd, peer->script);
    serve_nothing(peer, fd, number);
}

/* The second call's request is too large to be in the peer's hands when the answer comes. */
static void too_soon(const char *script, enum upstream_end end, int status, const char *body)
{
    struct stage stage = {0};
    char *large = malloc(LARGE + 1);

    memset(large, 'b', LARGE);
    large[LARGE] = '\0';
    stage_open(&stage, serve_too_soon);
    stage.peer->script = OK_5;
    call_as(&stage, 1);
    stage.peer->script = script;
    ask_as(&stage.bench, &stage.probe, 1, large);
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, end, status, body);
    assert_int_equal(upstream_stats(stage.bench.upstream).connections_open, 0);
    assert_int_equal(stage.peer->connections, 1);
    stage_close(&stage);
    free(large);
}

static void an_answer_before_the_request_was_read_is_nobodys(void **state)
{
    (void)state;
    too_soon(POISON, UPSTREAM_LOST, 0, "");
    too_soon("HTTP/1.1 400 Bad\r\nContent-Length: 6\r\n\r\npoison", UPSTREAM_LOST, 0, "");
    too_soon("HTTP/1.1 100 Continue\r\n\r\n" POISON, UPSTREAM_LOST, 0, "");
}

static void a_last_word_is_heard(void **state)
{
    (void)state;
    too_soon("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
             UPSTREAM_DONE, 413, "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_owner_has_his_own_at_once),
        cmocka_unit_test(another_owner_has_to_wait_for_its_rest),
        cmocka_unit_test(after_its_rest_it_is_anybodys),
        cmocka_unit_test(resting_connections_do_not_add_up),
        cmocka_unit_test(an_answer_before_the_request_was_read_is_nobodys),
        cmocka_unit_test(a_last_word_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

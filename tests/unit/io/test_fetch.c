/* Whole answers over real sockets: what is gathered, how it ends, and that none is asked twice. */
#include "test_upstream_peer.h"

#include "io/fetch.h"

struct desk {
    struct peer *peer;
    struct loop *loop;
    struct fetcher *fetcher;
    struct deadline_class waits;
    struct deadline wait;
    struct turn tired, wake;
    bool is_tired;
};

static void on_tired(struct turn *turn)
{
    struct desk *desk = container_of(turn, struct desk, tired);

    desk->is_tired = true;
    loop_stop(desk->loop);
}

static void on_wake(struct turn *turn)
{
    loop_stop(container_of(turn, struct desk, wake)->loop);
}

static void desk_open(struct desk *desk, void (*serve)(struct peer *, int, int), const char *script)
{
    struct fetch_settings settings = {.parallel_max = 4, .body_max_bytes = 1000, .connect_ms = 300};
    char origin[128];

    *desk = (struct desk){.peer = peer_open(serve), .loop = loop_open(NULL)};
    desk->peer->script = script;
    snprintf(origin, sizeof(origin), "%s/api/v1",
             desk->peer->origin); /* a base path does not matter here */
    settings.origin = origin;
    desk->fetcher = fetcher_open(desk->loop, NULL, &settings);
    assert_non_null(desk->fetcher);
    turn_init(&desk->tired, on_tired);
    turn_init(&desk->wake, on_wake);
    deadline_class_open(&desk->waits, desk->loop, 0);
    deadline_init(&desk->wait, &desk->tired);
}

/* False when nobody woke us for so long. */
static bool desk_run(struct desk *desk, uint64_t most_ms)
{
    desk->is_tired = false;
    deadline_join_in(&desk->waits, &desk->wait, most_ms);
    loop_run(desk->loop);
    deadline_leave(&desk->wait);
    return !desk->is_tired;
}

static void desk_close(struct desk *desk)
{
    fetcher_close(desk->fetcher);
    while (!fetcher_is_closed(desk->fetcher))
        desk_run(desk, 1);
    fetcher_free(desk->fetcher);
    deadline_class_close(&desk->waits);
    loop_close(desk->loop);
    peer_close(desk->peer);
}

static void desk_ask(struct desk *desk, struct fetch_call *call, const char *method,
                     const char *body, uint64_t total_ms)
{
    struct secret bearer = {0};
    char *copy = body ? strdup(body) : NULL;

    secret_set(&bearer, SPAN("sk-or-v1-test"));
    fetch_start(desk->fetcher, call, method, SPAN("/api/v1/keys?offset=0"), &bearer, span_of(copy),
                total_ms, &desk->wake);
    secret_done(&bearer);
    free(copy); /* copied */
}

static void serve_script(struct peer *peer, int fd, int number)
{
    (void)number;
    while (peer_take(peer, fd) && peer_say(fd, peer->script))
        ;
}

static void serve_once(struct peer *peer, int fd, int number)
{
    (void)number;
    if (peer_take(peer, fd))
        peer_say(fd, peer->script);
}

static void answered(void **state)
{
    struct desk desk;
    struct fetch_call call;

    (void)state;
    desk_open(&desk, serve_script,
              "HTTP/1.1 201 Created\r\nContent-Length: 11\r\n\r\n{\"key\":\"x\"}");
    for (int i = 0; i < 3; i++) {
        desk_ask(&desk, &call, "POST", "{\"name\":\"n\"}", 2000);
        assert_true(desk_run(&desk, 3000));
        assert_int_equal(call.end, FETCH_ANSWERED);
        assert_int_equal(call.status, 201);
        assert_int_equal(call.retry_after_s, -1);
        assert_null(call.flight);
        assert_true(span_equal(buffer_view(&call.body), SPAN("{\"key\":\"x\"}")));
        fetch_done(&call);
        fetch_done(&call);
        assert_non_null(strstr(desk.peer->last, "POST /api/v1/keys?offset=0 HTTP/1.1\r\n"));
        assert_non_null(strstr(desk.peer->last, "Authorization: Bearer sk-or-v1-test\r\n"));
        assert_non_null(strstr(desk.peer->last, "Content-Type: application/json\r\n"));
        assert_non_null(strstr(desk.peer->last, "\r\n\r\n{\"name\":\"n\"}"));
    }
    desk_ask(&desk, &call, "GET", NULL, 2000);
    assert_true(desk_run(&desk, 3000));
    assert_null(strstr(desk.peer->last, "Content-"));
    fetch_done(&call);
    assert_int_equal(desk.peer->connections, 1);
    desk_close(&desk);
}

static int64_t retry_after_of(const char *value)
{
    struct desk desk;
    struct fetch_call call;
    char script[256];
    int64_t seconds;

    snprintf(script, sizeof(script),
             "HTTP/1.1 429 Too Many\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", value);
    desk_open(&desk, serve_script, script);
    desk_ask(&desk, &call, "GET", NULL, 2000);
    assert_true(desk_run(&desk, 3000));
    assert_int_equal(call.status, 429);
    seconds = call.retry_after_s;
    fetch_done(&call);
    desk_close(&desk);
    return seconds;
}

static void retry_after(void **state)
{
    time_t soon = time(NULL) + 30;
    struct tm parts;
    char date[64];

    (void)state;
    gmtime_r(&soon, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    assert_int_equal(retry_after_of("7"), 7);
    assert_int_equal(retry_after_of("0"), 0);
    assert_int_equal(retry_after_of("-5"), -1);
    assert_int_equal(retry_after_of("soon"), -1);
    assert_in_range(retry_after_of(date), 28, 30);
    assert_int_equal(retry_after_of("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(retry_after_of("99999999999"), 365 * 24 * 60 * 60);
}

static void expect_end(void (*serve)(struct peer *, int, int), const char *script,
                       uint64_t total_ms, enum fetch_end end)
{
    struct desk desk;
    struct fetch_call call;

    desk_open(&desk, serve, script);
    desk_ask(&desk, &call, "POST", "{}", total_ms);
    assert_true(desk_run(&desk, 3000));
    assert_int_equal(call.end, end);
    assert_int_equal(call.status, 0);
    assert_int_equal(buffer_size(&call.body), 0);
    fetch_done(&call);
    desk_close(&desk);
}

static void unknown(void **state)
{
    char large[2000];
    int size = snprintf(large, sizeof(large), "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");

    (void)state;
    memset(large + size, 'x', 1001);
    large[size + 1001] = '\0';
    expect_end(serve_script, large, 2000, FETCH_UNKNOWN); /* larger than the cap */
    expect_end(serve_script, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200, FETCH_UNKNOWN);
    expect_end(serve_once, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 2000, FETCH_UNKNOWN);
    expect_end(serve_script, "", 200, FETCH_UNKNOWN);
    expect_end(serve_once, "", 2000, FETCH_UNKNOWN);
}

static void unreached(void **state)
{
    struct fetch_settings settings = {
        .origin = "http://127.0.0.1:1", .parallel_max = 4, .body_max_bytes = 9, .connect_ms = 300};
    struct desk desk;
    struct fetch_call call;

    (void)state;
    desk_open(&desk, serve_script, "");
    fetcher_close(desk.fetcher);
    while (!fetcher_is_closed(desk.fetcher))
        desk_run(&desk, 1);
    fetcher_free(desk.fetcher);
    desk.fetcher = fetcher_open(desk.loop, NULL, &settings);
    desk_ask(&desk, &call, "POST", "{}", 2000);
    assert_true(desk_run(&desk, 3000));
    assert_int_equal(call.end, FETCH_UNREACHED);
    fetch_done(&call);
    desk_close(&desk);
    settings.origin = "https://no host";
    desk.loop = loop_open(NULL);
    assert_null(fetcher_open(desk.loop, NULL, &settings));
    loop_close(desk.loop);
}

/* The second request on a kept connection is read, never answered, and must not be repeated. */
static void serve_one_answer(struct peer *peer, int fd, int number)
{
    (void)number;
    if (peer_take(peer, fd) && peer_say(fd, peer->script))
        peer_take(peer, fd);
}

static void nothing_is_asked_twice(void **state)
{
    static const char *const methods[] = {"POST", "PATCH", "DELETE", "GET"};

    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        struct desk desk;
        struct fetch_call call;
        desk_open(&desk, serve_one_answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        desk_ask(&desk, &call, "GET", NULL, 2000);
        assert_true(desk_run(&desk, 3000));
        fetch_done(&call);
        desk_ask(&desk, &call, methods[i], methods[i][0] == 'P' ? "{}" : NULL, 2000);
        assert_true(desk_run(&desk, 3000));
        assert_int_equal(call.end, FETCH_UNKNOWN);
        fetch_done(&call);
        assert_false(desk_run(&desk, 30));
        assert_int_equal(desk.peer->requests, 2);
        desk_close(&desk);
    }
}

static void many_at_once(void **state)
{
    struct desk desk;
    struct fetch_call calls[50];
    int open = 50;

    (void)state;
    desk_open(&desk, serve_script, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    for (int i = 0; i < 50; i++)
        desk_ask(&desk, &calls[i], "GET", NULL, 3000);
    while (open) {
        assert_true(desk_run(&desk, 3000));
        open = 0;
        for (int i = 0; i < 50; i++)
            open += calls[i].flight != NULL;
    }
    for (int i = 0; i < 50; i++) {
        assert_int_equal(calls[i].end, FETCH_ANSWERED);
        fetch_done(&calls[i]);
    }
    assert_true(desk.peer->connections <= 4);
    desk_close(&desk);
}

static void waiting_counts_as_time(void **state)
{
    struct desk desk;
    struct fetch_call calls[5];

    (void)state;
    desk_open(&desk, serve_script, "");
    for (int i = 0; i < 5; i++)
        desk_ask(&desk, &calls[i], "POST", "{}", i == 4 ? 100 : 1000);
    assert_true(desk_run(&desk, 500));
    assert_null(calls[4].flight);
    assert_int_equal(calls[4].end, FETCH_UNREACHED); /* four others held the slots: it never left */
    for (int i = 0; i < 5; i++) {
        fetch_cancel(&calls[i]);
        fetch_cancel(&calls[i]);
        fetch_done(&calls[i]);
    }
    assert_false(desk_run(&desk, 50)); /* nobody is woken for what was cancelled */
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answered),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(unknown),
        cmocka_unit_test(unreached),
        cmocka_unit_test(nothing_is_asked_twice),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(waiting_counts_as_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

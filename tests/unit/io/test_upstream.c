/* The plain course: what leaves, what comes back, what is reused, how a call ends. */
#include "test_upstream_peer.h"

static void serve_script(struct peer *peer, int fd, int number)
{
    (void)number;
    while (peer_take(peer, fd) && peer_say(fd, peer->script))
        ;
}

/* The whole script once, then the connection is closed. */
static void serve_once(struct peer *peer, int fd, int number)
{
    (void)number;
    if (peer_take(peer, fd))
        peer_say(fd, peer->script);
}

static void run_one(const char *script, void (*serve)(struct peer *, int, int), const char *method,
                    enum upstream_end end, int status, const char *body)
{
    struct peer *peer = peer_open(serve);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct bench bench;
    struct probe probe;

    peer->script = script;
    bench_open(&bench, &settings);
    probe_start(&bench, &probe, method, "/v1/x", NULL);
    assert_true(bench_run(&bench, 10000));
    assert_int_equal(probe.heads, end == UPSTREAM_DONE || end == UPSTREAM_CUT);
    probe_expect(&probe, end, status, body);
    bench_close(&bench);
    peer_close(peer);
}

static void get_with_length(void **state)
{
    (void)state;
    run_one("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", serve_script, "GET", UPSTREAM_DONE,
            200, "hello");
    run_one("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", serve_script, "GET",
            UPSTREAM_DONE, 404, "");
    run_one("HTTP/1.1 204 No Content\r\n\r\n", serve_script, "DELETE", UPSTREAM_DONE, 204, "");
    run_one("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", serve_script, "HEAD", UPSTREAM_DONE,
            200, "");
}

static void get_with_chunks(void **state)
{
    (void)state;
    run_one("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
            "chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
            serve_script, "GET", UPSTREAM_DONE, 200, "hello");
}

static void get_until_close(void **state)
{
    (void)state;
    run_one("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello", serve_once, "GET",
            UPSTREAM_DONE, 200, "hello");
}

static void interim_heads_are_skipped(void **state)
{
    (void)state;
    run_one("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            serve_script, "GET", UPSTREAM_DONE, 200, "ok");
}

static void broken_answers(void **state)
{
    static const char *const lost[] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "nonsense\r\n\r\n",
        "HTTP/1.1 2 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/2 200 \r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nSpace : x\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\nok",
        "HTTP/1.1 200 x\r\r\r\n\r\n\n\nok",
        "HTTP/1.1 200 OK\n\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++)
        run_one(lost[i], serve_once, "GET", UPSTREAM_LOST, 0, "");
    run_one("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", serve_once, "GET", UPSTREAM_CUT, 200,
            "hel");
    run_one("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", serve_once, "GET",
            UPSTREAM_CUT, 200, "hel");
    run_one("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nzz\r\n", serve_script,
            "GET", UPSTREAM_CUT, 200, "hel");
}

static void huge_head_is_refused(void **state)
{
    char *head = malloc(80000);
    int size = snprintf(head, 80000, "HTTP/1.1 200 OK\r\n");

    (void)state;
    while (size < 70000)
        size += snprintf(head + size, (size_t)(80000 - size), "X-Filler: %0900d\r\n", 7);
    snprintf(head + size, (size_t)(80000 - size), "Content-Length: 2\r\n\r\nok");
    run_one(head, serve_once, "GET", UPSTREAM_LOST, 0, "");
    free(head);
}

static void request_is_ours_alone(void **state)
{
    static const struct header rows[] = {{{"X-Title", 7}, {"a title", 7}},
                                         {{"X-Empty", 7}, {"", 0}}};
    struct peer *peer = peer_open(serve_script);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct secret bearer = {0};
    struct upstream_ask ask = ask_of("POST", "/api/v1/chat?x=%20y", "{\"model\":\"m\"}");
    struct bench bench;
    struct probe probe;
    char expected[512], version[16] = "";

    (void)state;
    peer->script =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\nok";
    secret_set(&bearer, SPAN("sk-or-1"));
    ask.headers = (struct headers){rows, 2};
    ask.bearer = &bearer;
    bench_open(&bench, &settings);
    probe_ask(&bench, &probe, &ask);
    secret_done(&bearer); /* copied */
    assert_true(bench_run(&bench, 10000));
    assert_string_equal(probe.type, "application/json");
    assert_int_equal(probe.told_size, 2);
    probe_expect(&probe, UPSTREAM_DONE, 200, "ok");
    assert_non_null(strstr(peer->last, "keyturn/"));
    sscanf(strstr(peer->last, "keyturn/"), "keyturn/%15[0-9.]", version);
    snprintf(
        expected, sizeof(expected),
        "POST /api/v1/chat?x=%%20y HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: "
        "keyturn/%s\r\nX-Title: a title\r\n"
        "X-Empty:\r\nAuthorization: Bearer sk-or-1\r\nContent-Length: 13\r\n\r\n{\"model\":\"m\"}",
        peer->port, version);
    assert_string_equal(peer->last, expected);
    bench_close(&bench);
    peer_close(peer);
}

/* The handle is used again; nothing of the request before may show. */
static void nothing_is_left_of_the_request_before(void **state)
{
    static const char *const methods[] = {"POST", "GET",  "DELETE", "HEAD", "PATCH",
                                          "GET",  "POST", "PUT",    "GET"};
    struct peer *peer = peer_open(serve_script);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct secret bearer = {0};
    struct bench bench;

    (void)state;
    peer->script = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    bench_open(&bench, &settings);
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        bool has_body = methods[i][0] == 'P', has_bearer = i % 2 == 0;
        struct upstream_ask ask =
            ask_of(methods[i], i % 3 ? "/short" : "/a/longer/path", has_body ? "body" : NULL);
        struct probe probe;
        char line[64];
        if (has_bearer)
            secret_set(&bearer, SPAN("sk-1"));
        ask.bearer = has_bearer ? &bearer : NULL;
        probe_ask(&bench, &probe, &ask);
        assert_true(bench_run(&bench, 10000));
        probe_expect(&probe, UPSTREAM_DONE, 200, "");
        snprintf(line, sizeof(line), "%s %s HTTP/1.1\r\n", methods[i],
                 i % 3 ? "/short" : "/a/longer/path");
        assert_memory_equal(peer->last, line, strlen(line));
        assert_int_equal(!!strstr(peer->last, "Content-Length: 4"), has_body);
        assert_int_equal(!!strstr(peer->last, "body"), has_body);
        assert_int_equal(!!strstr(peer->last, "sk-1"), has_bearer);
    }
    assert_int_equal(upstream_stats(bench.upstream).connections_made, 1);
    assert_int_equal(upstream_stats(bench.upstream).connections_reused, 8);
    secret_done(&bearer);
    bench_close(&bench);
    peer_close(peer);
}

static void odd_asks_are_not_sent(void **state)
{
    static const struct header rows[] = {{{"A", 1}, {"b\r\nC: d", 7}}};
    struct peer *peer = peer_open(serve_script);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct upstream_ask asks[] = {ask_of("GET", "/a b", NULL), ask_of("GET", "http://other/", NULL),
                                  ask_of("GE T", "/", NULL), ask_of("GET", "/", NULL)};
    struct bench bench;

    (void)state;
    asks[3].headers = (struct headers){rows, 1};
    bench_open(&bench, &settings);
    for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++) {
        struct probe probe;
        probe_ask(&bench, &probe, &asks[i]);
        assert_true(bench_run(&bench, 1000));
        probe_expect(&probe, UPSTREAM_UNREACHED, 0, "");
    }
    assert_int_equal(peer->connections, 0);
    bench_close(&bench);
    peer_close(peer);
}

static void large_bodies_both_ways(void **state)
{
    struct peer *peer = peer_open(serve_script);
    struct upstream_settings settings = usual_settings(peer->origin);
    char *body = malloc(200001), *answer = malloc(1200000);
    struct bench bench;
    struct probe probe;

    (void)state;
    memset(body, 'b', 200000);
    body[200000] = '\0';
    int size = snprintf(answer, 1200000, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    memset(answer + size, 'a', 1000000);
    answer[size + 1000000] = '\0';
    peer->script = answer;
    bench_open(&bench, &settings);
    probe_start(&bench, &probe, "POST", "/", body);
    assert_true(bench_run(&bench, 10000));
    assert_string_equal(strstr(peer->last, "\r\n\r\n") + 4, body);
    probe_expect(&probe, UPSTREAM_DONE, 200, answer + size);
    bench_close(&bench);
    peer_close(peer);
    free(body);
    free(answer);
}

static void refused(void **state)
{
    struct peer *peer = peer_open(serve_script);
    struct upstream_settings settings = usual_settings("http://127.0.0.1:1");
    struct bench bench;
    struct probe probe;

    (void)state;
    bench_open(&bench, &settings);
    probe_start(&bench, &probe, "POST", "/", "x");
    assert_true(bench_run(&bench, 10000));
    probe_expect(&probe, UPSTREAM_UNREACHED, 0, "");
    bench_close(&bench);
    peer_close(peer);
}

static void bad_origins(void **state)
{
    struct loop *loop = loop_open(NULL);
    struct upstream_settings settings = usual_settings("ftp://example.org");

    (void)state;
    assert_null(upstream_open(loop, NULL, &settings));
    loop_close(loop);
}

static void two_thousand_at_once(void **state)
{
    enum { CALLS = 2000 };
    struct peer *peer = peer_open(serve_script);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct probe *probes = calloc(CALLS, sizeof(*probes));
    struct bench bench;

    (void)state;
    settings.calls_max = 100;
    peer->script = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    bench_open(&bench, &settings);
    for (int i = 0; i < CALLS; i++)
        probe_start(&bench, &probes[i], "POST", "/v1/chat/completions", "{\"a\":1}");
    assert_int_equal(upstream_stats(bench.upstream).calls_waiting, CALLS);
    assert_true(bench_run(&bench, 60000));
    for (int i = 0; i < CALLS; i++)
        probe_expect(&probes[i], UPSTREAM_DONE, 200, "hello");
    assert_int_equal(peer->requests, CALLS);
    assert_true(peer->connections <= 100);
    assert_int_equal(upstream_stats(bench.upstream).connections_reused, CALLS - peer->connections);
    assert_int_equal(upstream_stats(bench.upstream).calls_open, 0);
    bench_close(&bench);
    peer_close(peer);
    free(probes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_with_length),
        cmocka_unit_test(get_with_chunks),
        cmocka_unit_test(get_until_close),
        cmocka_unit_test(interim_heads_are_skipped),
        cmocka_unit_test(broken_answers),
        cmocka_unit_test(huge_head_is_refused),
        cmocka_unit_test(request_is_ours_alone),
        cmocka_unit_test(nothing_is_left_of_the_request_before),
        cmocka_unit_test(odd_asks_are_not_sent),
        cmocka_unit_test(large_bodies_both_ways),
        cmocka_unit_test(refused),
        cmocka_unit_test(bad_origins),
        cmocka_unit_test(two_thousand_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

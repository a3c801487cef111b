/* What a kept connection must never do: hand bytes of one call to the next, or send a request
 * twice. */
#include "test_upstream_peer.h"

#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define POISON "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

/* Answers each request and pushes a second answer nobody asked for, peer->number ms later (0: in
 * one write). */
static void serve_poison(struct peer *peer, int fd, int number)
{
    (void)number;
    while (peer_take(peer, fd)) {
        if (!peer_say(fd, peer->number ? OK_5 : OK_5 POISON))
            return;
        if (peer->number) {
            sleep_ms(peer->number);
            peer_say(fd, POISON);
        }
        atomic_fetch_add(&peer->step, 1); /* the poison is out */
    }
}

static void poison_after(int ms)
{
    struct peer *peer = peer_open(serve_poison);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct bench bench;
    struct probe probe;

    peer->number = ms;
    bench_open(&bench, &settings);
    for (int i = 0; i < 10; i++) {
        probe_start(&bench, &probe, "POST", "/", "{}");
        assert_true(bench_run(&bench, 5000));
        probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
        while (atomic_load(&peer->step) <= i)
            bench_rest(&bench, 1);
        bench_rest(&bench, 20); /* and has arrived, also on a busy machine */
    }
    assert_int_equal(peer->connections, 10); /* not one of them was used again */
    bench_close(&bench);
    peer_close(peer);
}

static void late_bytes_go_to_nobody(void **state)
{
    (void)state;
    poison_after(0);
    poison_after(1);
    poison_after(50);
    poison_after(200);
}

/* Nothing was told by the poll yet: only looking at the connection finds the poison, or the end. */
static void serve_once(struct peer *peer, int fd, int number);

static void a_connection_is_looked_at_before_it_is_used(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct peer *peer = peer_open(way ? serve_once : serve_poison);
        struct upstream_settings settings = usual_settings(peer->origin);
        struct bench bench;
        struct probe probe;

        peer->number = 5;
        bench_open(&bench, &settings);
        for (int i = 0; i < 3; i++) {
            probe_start(&bench, &probe, "POST", "/", "{}");
            assert_true(bench_run(&bench, 5000));
            probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
            while (way == 0 && atomic_load(&peer->step) <= i)
                sleep_ms(1); /* the loop stands still */
            sleep_ms(20);
        }
        assert_int_equal(peer->connections, 3);
        bench_close(&bench);
        peer_close(peer);
    }
}

/* The poison may come between our look at the connection and our request: as close together
 * as can be, the answers that fit the request are the only ones allowed. */
static void serve_numbered(struct peer *peer, int fd, int number)
{
    char answer[256];

    (void)number;
    while (peer_take(peer, fd)) {
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n%.6s",
                 strstr(peer->last, "/") + 1);
        peer_say(fd, answer);
    }
}

static void answers_fit_their_requests(void **state)
{
    struct peer *peer = peer_open(serve_numbered);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct bench bench;
    struct probe probe;
    char path[16];

    (void)state;
    bench_open(&bench, &settings);
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof(path), "/%06d", i);
        probe_start(&bench, &probe, "GET", path, NULL);
        assert_true(bench_run(&bench, 5000));
        probe_expect(&probe, UPSTREAM_DONE, 200, path + 1);
    }
    assert_int_equal(peer->connections, 1);
    bench_close(&bench);
    peer_close(peer);
}

/* Bodies where none may be: the surplus is not the next answer. */
static void serve_surplus(struct peer *peer, int fd, int number)
{
    (void)number;
    while (peer_take(peer, fd) && peer_say(fd, peer->script))
        ;
}

static void surplus_bodies_go_to_nobody(void **state)
{
    static const struct {
        const char *script, *method;
        int status;
    } rows[] = {
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 39\r\n\r\n" POISON, "GET", 304},
        {"HTTP/1.1 204 No Content\r\n\r\n" POISON, "GET", 204},
        {"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n" POISON, "HEAD", 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" POISON, "GET", 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" POISON, "GET", 200},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct peer *peer = peer_open(serve_surplus);
        struct upstream_settings settings = usual_settings(peer->origin);
        struct bench bench;
        peer->script = rows[i].script;
        bench_open(&bench, &settings);
        for (int round = 0; round < 5;
             round++) { /* the surplus is in the same packet: the connection goes with it */
            struct probe probe;
            probe_start(&bench, &probe, rows[i].method, "/", NULL);
            assert_true(bench_run(&bench, 5000));
            probe_expect(&probe, UPSTREAM_DONE, rows[i].status, "");
        }
        assert_int_equal(peer->requests, 5);
        assert_int_equal(peer->connections, 5);
        bench_close(&bench);
        peer_close(peer);
    }
}

/* The first request of a connection is answered; the second is read whole and the connection
 * closed. */
static void serve_then_close(struct peer *peer, int fd, int number)
{
    (void)number;
    if (peer_take(peer, fd) && peer_say(fd, OK_5))
        peer_take(peer, fd);
}

static void serve_then_reset(struct peer *peer, int fd, int number)
{
    serve_then_close(peer, fd, number);
    peer_reset(fd);
}

static void nothing_is_sent_twice(void **state)
{
    static const char *const methods[] = {"POST", "GET", "DELETE", "PATCH", "HEAD"};

    (void)state;
    for (int way = 0; way < 2; way++)
        for (size_t i = 0; i < 2 * sizeof(methods) / sizeof(*methods); i++) {
            struct peer *peer = peer_open(way ? serve_then_reset : serve_then_close);
            struct upstream_settings settings = usual_settings(peer->origin);
            struct bench bench;
            struct probe probe;
            bench_open(&bench, &settings);
            probe_start(&bench, &probe, "GET", "/first", NULL);
            assert_true(bench_run(&bench, 5000));
            probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
            probe_start(&bench, &probe, methods[i / 2], "/second", i % 2 ? "body" : NULL);
            assert_true(bench_run(&bench, 5000));
            probe_expect(&probe, UPSTREAM_LOST, 0, "");
            bench_rest(&bench, 20);
            assert_int_equal(peer->requests, 2);
            bench_close(&bench);
            peer_close(peer);
        }
}

/* One connection dies under a call; the others answer whatever they are asked. */
static void serve_but_one(struct peer *peer, int fd, int number)
{
    if (number > 0)
        serve_surplus(peer, fd, number);
    else if (peer->number)
        serve_then_reset(peer, fd, number);
    else
        serve_then_close(peer, fd, number);
}

/* What is kept of a call whose body was still owed must not meet the next one. */
static void a_lost_answer_is_lost_alone(void **state)
{
    static const char *const methods[] = {"POST", "PATCH", "DELETE", "GET"};

    (void)state;
    for (int way = 0; way < 2; way++)
        for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
            struct peer *peer = peer_open(serve_but_one);
            struct upstream_settings settings = usual_settings(peer->origin);
            struct bench bench;
            struct probe probe;
            peer->number = way;
            peer->script = OK_5;
            bench_open(&bench, &settings);
            probe_start(&bench, &probe, "POST", "/first", "body");
            assert_true(bench_run(&bench, 5000));
            probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
            probe_start(&bench, &probe, methods[i], "/second", "body");
            assert_true(bench_run(&bench, 5000));
            probe_expect(&probe, UPSTREAM_LOST, 0, "");
            for (int next = 0; next < 5; next++) {
                probe_start(&bench, &probe, "POST", "/next", next % 2 ? "body" : NULL);
                assert_true(bench_run(&bench, 5000));
                probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
            }
            assert_int_equal(peer->requests, 7);
            assert_int_equal(peer->connections, 2);
            bench_close(&bench);
            peer_close(peer);
        }
}

/* A connection that died at rest is not used; the call goes over a new one and is sent once. */
static void serve_once(struct peer *peer, int fd, int number)
{
    (void)number;
    if (peer_take(peer, fd))
        peer_say(fd, OK_5);
}

static void dead_connections_are_replaced(void **state)
{
    struct peer *peer = peer_open(serve_once);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct bench bench;
    struct probe probe;

    (void)state;
    bench_open(&bench, &settings);
    for (int i = 0; i < 5; i++) {
        probe_start(&bench, &probe, "POST", "/", "{}");
        assert_true(bench_run(&bench, 5000));
        probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
        bench_rest(&bench, 20);
    }
    assert_int_equal(peer->requests, 5);
    assert_int_equal(peer->connections, 5);
    bench_close(&bench);
    peer_close(peer);
}

static void old_connections_are_not_used(void **state)
{
    struct peer *peer = peer_open(serve_surplus);
    struct upstream_settings settings = usual_settings(peer->origin);
    struct bench bench;
    struct probe probe;

    (void)state;
    peer->script = OK_5;
    settings.idle_connection_ms = 1000;
    bench_open(&bench, &settings);
    for (int i = 0; i < 3; i++) {
        probe_start(&bench, &probe, "GET", "/", NULL);
        assert_true(bench_run(&bench, 5000));
        probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
        if (i == 1)
            bench_rest(&bench, 2100);
    }
    assert_int_equal(peer->connections, 2);
    bench_close(&bench);
    peer_close(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_bytes_go_to_nobody),
        cmocka_unit_test(a_connection_is_looked_at_before_it_is_used),
        cmocka_unit_test(answers_fit_their_requests),
        cmocka_unit_test(surplus_bodies_go_to_nobody),
        cmocka_unit_test(nothing_is_sent_twice),
        cmocka_unit_test(a_lost_answer_is_lost_alone),
        cmocka_unit_test(dead_connections_are_replaced),
        cmocka_unit_test(old_connections_are_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

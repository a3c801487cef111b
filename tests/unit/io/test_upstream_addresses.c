/* A host with two addresses: which one is connected to, and what becomes of what is connected. getaddrinfo is this
 * program's own; the peer is at 127.0.0.1. */
#include "test_upstream_peer.h"

#include <netdb.h>

#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static _Atomic(const char *) service_answer; /* comma-separated addresses */

int getaddrinfo(const char *restrict name, const char *restrict port,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret_list)
{
    char text[64], *rest = text, *piece;
    struct addrinfo **end = ret_list;

    (void)name;
    (void)port;
    (void)hints;
    snprintf(text, sizeof(text), "%s", service_answer);
    *ret_list = NULL;
    while ((piece = strsep(&rest, ","))) {
        struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)(info + 1);
        v4->sin_family = AF_INET;
        inet_pton(AF_INET, piece, &v4->sin_addr);
        info->ai_family = AF_INET;
        info->ai_addr = (struct sockaddr *)v4;
        info->ai_addrlen = sizeof(*v4);
        *end = info;
        end = &info->ai_next;
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

static void stage_open_at(struct stage *stage, void (*serve)(struct peer *, int, int),
                          const char *answer, uint64_t connect_ms)
{
    struct upstream_settings settings;
    char origin[64];

    service_answer = answer;
    stage->peer = peer_open(serve);
    snprintf(origin, sizeof(origin), "http://x.test:%d", stage->peer->port);
    settings = usual_settings(origin);
    settings.connect_ms = connect_ms;
    bench_open(&stage->bench, &settings);
}

/* Each request is answered when the test says so. */
static void serve_when_told(struct peer *peer, int fd, int number)
{
    (void)number;
    for (int i = 1; peer_take(peer, fd); i++) {
        while (atomic_load(&peer->step) < i)
            sleep_ms(1);
        peer_say(fd, OK_5);
    }
}

static void a_failed_connect_costs_no_connection(void **state)
{
    struct stage stage = {0};
    struct probe second;

    (void)state;
    stage_open_at(&stage, serve_when_told, "127.0.0.1,127.0.0.2", 3000);
    stage.peer->step = 1;
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "hello");
    bench_rest(&stage.bench, 20);
    shutdown(stage.peer->listener, SHUT_RDWR); /* from now on every connect is refused */
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}"); /* over the kept connection */
    for (int i = 0; i < 5; i++) {
        probe_start(&stage.bench, &second, "POST", "/", "{}");
        while (!second.ends)
            bench_rest(&stage.bench, 5);
        probe_expect(&second, UPSTREAM_UNREACHED, 0, "");
    }
    stage.peer->step = 2;
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "hello");
    bench_rest(&stage.bench, 20);
    stage.peer->step = 3;
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "hello");
    assert_int_equal(stage.peer->connections, 1);
    stage_close(&stage);
}

static void serve_script(struct peer *peer, int fd, int number)
{
    (void)number;
    while (peer_take(peer, fd) && peer_say(fd, peer->script))
        ;
}

static void the_second_try_goes_elsewhere(void **state)
{
    struct stage stage = {0};

    (void)state;
    stage_open_at(&stage, serve_script, "127.0.0.2,127.0.0.1", 3000);
    stage.peer->script = OK_5;
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_UNREACHED, 0, "");
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 5000));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "hello");
    stage_close(&stage);
}

/* Takes no connection: its queue is full, and what comes then is not answered. */
struct swallower {
    int listener, fillers[3];
};

static void swallower_open(struct swallower *swallower, const char *at, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, at, &address.sin_addr);
    swallower->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(swallower->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(swallower->listener, 0), 0);
    for (size_t i = 0; i < sizeof(swallower->fillers) / sizeof(*swallower->fillers); i++) {
        swallower->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(swallower->fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
}

static void swallower_close(struct swallower *swallower)
{
    for (size_t i = 0; i < sizeof(swallower->fillers) / sizeof(*swallower->fillers); i++)
        close(swallower->fillers[i]);
    close(swallower->listener);
}

static void ask_two_and_leave(struct stage *stage, uint64_t after_ms)
{
    struct probe probes[2];

    for (int i = 0; i < 2; i++)
        probe_start(&stage->bench, &probes[i], "POST", "/", "{}");
    bench_rest(&stage->bench, after_ms);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(probes[i].ends, 0);
        upstream_cancel(&probes[i].call);
        stage->bench.open--;
    }
}

/* Nobody waits for the end of a connect; the address that hangs is left nevertheless. */
static void who_leaves_has_seen_it_hang(void **state)
{
    struct stage stage = {0};
    struct swallower swallower;

    (void)state;
    stage_open_at(&stage, serve_script, "127.0.0.2,127.0.0.1", 2000);
    stage.peer->script = OK_5;
    swallower_open(&swallower, "127.0.0.2", stage.peer->port);
    ask_two_and_leave(&stage, 20); /* so early that nothing can be said of the address */
    ask_two_and_leave(&stage, 700);
    assert_int_equal(stage.peer->connections, 0);
    probe_start(&stage.bench, &stage.probe, "POST", "/", "{}");
    assert_true(bench_run(&stage.bench, 1500));
    probe_expect(&stage.probe, UPSTREAM_DONE, 200, "hello");
    swallower_close(&swallower);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_connect_costs_no_connection),
        cmocka_unit_test(the_second_try_goes_elsewhere),
        cmocka_unit_test(who_leaves_has_seen_it_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

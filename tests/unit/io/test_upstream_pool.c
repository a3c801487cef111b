/* Many connections that end at once: they are dropped a few at a time, so that no tick is long. The clock of the loop is
 * moved by hand where it must not look at its sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/upstream/pool.h"
#include "io/uv_loop.h"

enum { MANY = 5 * UPSTREAM_DROPS_MAX, IDLE_MS = 60 };

struct pond {
    struct loop *loop;
    struct upstream_pool pool;
    char room[UPSTREAM_ROOM_BYTES];
    int far[MANY]; /* the upstream's ends; -1: closed */
};

static void pond_open(struct pond *pond, uint64_t idle_ms)
{
    pond->loop = loop_open(NULL);
    upstream_pool_open(&pond->pool, pond->loop, idle_ms, pond->room);
    for (int i = 0; i < MANY; i++) {
        int pair[2];
        struct upstream_connection *connection;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        pond->far[i] = pair[1];
        connection =
            upstream_pool_adopt(&pond->pool, &(struct upstream_connected){.fd = pair[0]}, 1);
        assert_non_null(connection);
        upstream_pool_keep(connection, 7);
    }
}

static void pond_close(struct pond *pond)
{
    upstream_pool_close(&pond->pool);
    for (int i = 0; i < MANY; i++)
        if (pond->far[i] >= 0)
            close(pond->far[i]);
    loop_close(pond->loop);
    assert_true(upstream_pool_is_closed(&pond->pool));
}

static void all_die(struct pond *pond)
{
    for (int i = 0; i < MANY; i++) {
        close(pond->far[i]);
        pond->far[i] = -1;
    }
}

static void let_pass(struct pond *pond, int ms)
{
    poll(NULL, 0, ms);
    uv_update_time(loop_uv(pond->loop));
}

/* A tick has a clock before its poll and one behind. */
static void expect_few_at_a_time(struct pond *pond)
{
    while (pond->pool.kept) {
        size_t before = pond->pool.kept;
        loop_turn(pond->loop);
        assert_in_range(before - pond->pool.kept, 0, 2 * UPSTREAM_DROPS_MAX);
    }
}

static void dead_ones_are_dropped_a_few_at_a_time(void **state)
{
    static struct pond pond;

    (void)state;
    pond_open(&pond, 30000);
    all_die(&pond);
    expect_few_at_a_time(&pond);
    pond_close(&pond);
}

static void a_take_looks_at_a_few(void **state)
{
    static struct pond pond;

    (void)state;
    pond_open(&pond, 30000);
    all_die(&pond);
    let_pass(&pond, 2 * UPSTREAM_REST_MS);
    for (int i = 0; i < 3; i++) /* at one time, however many ask */
        assert_null(upstream_pool_take(&pond.pool, 8, 1));
    assert_int_equal(pond.pool.kept, MANY - UPSTREAM_DROPS_MAX);
    let_pass(&pond, 2);
    assert_null(upstream_pool_take(&pond.pool, 8, 1));
    assert_int_equal(pond.pool.kept, MANY - 2 * UPSTREAM_DROPS_MAX);
    pond_close(&pond);
}

static void a_sweep_drops_a_few_at_a_time(void **state)
{
    static struct pond pond;

    (void)state;
    pond_open(&pond, IDLE_MS);
    let_pass(&pond, 2 * IDLE_MS);
    expect_few_at_a_time(&pond);
    pond_close(&pond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_ones_are_dropped_a_few_at_a_time),
        cmocka_unit_test(a_take_looks_at_a_few),
        cmocka_unit_test(a_sweep_drops_a_few_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

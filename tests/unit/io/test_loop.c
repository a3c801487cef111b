/* The order of a tick: what has come is looked at before a deadline that became due meanwhile is judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/deadline.h"
#include "io/uv_loop.h"

enum { WAIT_MS = 30, GAP_MS = 100 };

/* Somebody who waits for a byte, but not for ever. */
struct waiter {
    struct loop *loop;
    uv_poll_t socket;
    int near, far;
    struct deadline_class waits;
    struct deadline wait;
    struct turn got, late;
    bool has_got, was_late;
};

static void on_byte(uv_poll_t *socket, int status, int events)
{
    struct waiter *waiter = container_of(socket, struct waiter, socket);

    (void)status;
    (void)events;
    uv_poll_stop(socket);
    loop_post(waiter->loop, &waiter->got);
}

static void on_got(struct turn *turn)
{
    struct waiter *waiter = container_of(turn, struct waiter, got);

    waiter->has_got = true;
    deadline_leave(&waiter->wait);
    loop_stop(waiter->loop);
}

static void on_late(struct turn *turn)
{
    struct waiter *waiter = container_of(turn, struct waiter, late);

    waiter->was_late = waiter->wait.passed;
    loop_stop(waiter->loop);
}

static void waiter_open(struct waiter *waiter, uint64_t wait_ms)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    *waiter = (struct waiter){.loop = loop_open(NULL), .near = pair[0], .far = pair[1]};
    uv_poll_init(loop_uv(waiter->loop), &waiter->socket, waiter->near);
    uv_poll_start(&waiter->socket, UV_READABLE, on_byte);
    turn_init(&waiter->got, on_got);
    turn_init(&waiter->late, on_late);
    deadline_init(&waiter->wait, &waiter->late);
    deadline_class_open(&waiter->waits, waiter->loop, wait_ms);
    deadline_join(&waiter->waits, &waiter->wait);
}

static void waiter_close(struct waiter *waiter)
{
    deadline_class_close(&waiter->waits);
    uv_close((uv_handle_t *)&waiter->socket, NULL);
    turn_cancel(&waiter->late);
    loop_close(waiter->loop);
    close(waiter->near);
    close(waiter->far);
}

static void who_gets_nothing_is_late(void **state)
{
    struct waiter waiter;
    uint64_t start_ms;

    (void)state;
    waiter_open(&waiter, WAIT_MS);
    start_ms = loop_now_ms(waiter.loop);
    loop_run(waiter.loop);
    assert_true(waiter.was_late);
    assert_false(waiter.has_got);
    assert_true(loop_now_ms(waiter.loop) - start_ms >= WAIT_MS);
    waiter_close(&waiter);
}

/* A callback that does not come back for long; in the meantime the byte comes, and the deadline passes. */
static void on_long_work(uv_async_t *async)
{
    struct waiter *waiter = async->data;

    assert_int_equal(write(waiter->far, "x", 1), 1);
    poll(NULL, 0, GAP_MS);
    uv_close((uv_handle_t *)async, NULL);
}

static void what_came_during_a_long_tick_is_in_time(void **state)
{
    struct waiter waiter;
    uv_async_t work;

    (void)state;
    waiter_open(&waiter, WAIT_MS);
    uv_async_init(loop_uv(waiter.loop), &work, on_long_work);
    work.data = &waiter;
    uv_async_send(&work);
    loop_run(waiter.loop);
    assert_true(waiter.has_got);
    assert_false(waiter.was_late);
    waiter_close(&waiter);
}

/* Another process stops this one while it sleeps, and lets the byte come in the meantime. */
static pid_t stop_for_a_while(struct waiter *waiter)
{
    pid_t parent = getpid(), child = fork();

    if (child)
        return child;
    poll(NULL, 0, WAIT_MS);
    kill(parent, SIGSTOP);
    poll(NULL, 0, WAIT_MS);
    if (write(waiter->far, "x", 1) != 1)
        _exit(1);
    poll(NULL, 0, 10 * WAIT_MS);
    kill(parent, SIGCONT);
    _exit(0);
}

static void what_came_while_stopped_is_in_time(void **state)
{
    struct waiter waiter;
    pid_t child;
    int status;

    (void)state;
    waiter_open(&waiter, 8 * WAIT_MS);
    child = stop_for_a_while(&waiter);
    assert_true(child > 0);
    loop_run(waiter.loop);
    assert_true(waiter.has_got);
    assert_false(waiter.was_late);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    waiter_close(&waiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_gets_nothing_is_late),
        cmocka_unit_test(what_came_during_a_long_tick_is_in_time),
        cmocka_unit_test(what_came_while_stopped_is_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The order of a tick: alarm, turns (before sleeping), poll, close callbacks.
 *
 *     uv timers ── alarm: the coming poll does not sleep
 *     prepare ──── turns run, at most TURNS_PER_TICK; then due deadlines post theirs, if a poll came after the alarm;
 *                  the log is flushed
 *     poll ─────── sockets: callbacks record and post
 *     check ────── the tick's length is the lag a newcomer would have met
 */
#include "io/loop.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/deadline.h"
#include "io/uv_loop.h"

#include <assert.h>

enum { TURNS_PER_TICK = 1024, SIGNALS_MAX = 8 };

struct signal_watch {
    uv_signal_t handle;
    struct turn *turn; /* borrowed */
};

/* What came while we slept too long, or were stopped, is looked at before it is judged to be missing. */
enum alarm_state {
    ALARM_QUIET,
    ALARM_RANG,  /* the sockets are looked at once more */
    ALARM_POLLED /* they were; their turns run, then the deadlines are judged */
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t busy; /* runs while turns are left over or the alarm rang: the poll does not sleep */
    uv_timer_t alarm;
    uint64_t alarm_ms; /* when the alarm rings or rang; UINT64_MAX: not set */
    enum alarm_state alarm_state;
    struct list turns;
    struct list deadline_classes;
    struct log *log; /* borrowed */
    struct signal_watch signals[SIGNALS_MAX];
    unsigned signal_count;
    uint64_t awake_since_us;
    struct loop_lag lag;
    bool stopping;
};

static void on_prepare(uv_prepare_t *handle);
static void on_check(uv_check_t *handle);
static void on_idle(uv_idle_t *handle);
static void on_alarm(uv_timer_t *handle);
static void on_signal(uv_signal_t *handle, int number);
static void run_turns(struct loop *loop);
static void judge_deadlines(struct loop *loop);
static void sleep_or_not(struct loop *loop);
static void set_alarm(struct loop *loop);

struct loop *loop_open(struct log *log)
{
    struct loop *loop = must_alloc(sizeof(*loop));
    int failed = uv_loop_init(&loop->uv);

    assert(!failed);
    loop->log = log;
    loop->alarm_ms = UINT64_MAX;
    list_init(&loop->turns);
    list_init(&loop->deadline_classes);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->busy);
    uv_timer_init(&loop->uv, &loop->alarm);
    loop->prepare.data = loop->check.data = loop->busy.data = loop->alarm.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    loop->awake_since_us = loop_now_us(loop);
    return loop;
}

void loop_run(struct loop *loop)
{
    loop->stopping = false;
    while (!loop->stopping)
        uv_run(&loop->uv, UV_RUN_ONCE);
    log_flush(loop->log);
}

void loop_turn(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_ONCE);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
    uv_stop(&loop->uv); /* a turn that stops the loop must not be followed by a poll that sleeps */
}

void loop_close(struct loop *loop)
{
    int busy;

    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    for (unsigned i = 0; i < loop->signal_count; i++)
        uv_close((uv_handle_t *)&loop->signals[i].handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    busy = uv_loop_close(&loop->uv);
    assert(!busy); /* somebody's handle was not closed */
    must_free(loop);
}

void loop_post(struct loop *loop, struct turn *turn)
{
    if (!list_is_linked(&turn->link))
        list_append(&loop->turns, &turn->link);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}
uint64_t loop_now_us(const struct loop *loop)
{
    (void)loop;
    return clock_monotonic_ns() / 1000;
}
int64_t loop_wall_ms(const struct loop *loop)
{
    (void)loop;
    return clock_wall_ms();
}

struct loop_lag loop_take_lag(struct loop *loop)
{
    struct loop_lag lag = loop->lag;

    loop->lag = (struct loop_lag){0};
    return lag;
}

void loop_on_signal(struct loop *loop, int number, struct turn *turn)
{
    struct signal_watch *watch = &loop->signals[loop->signal_count];

    assert(loop->signal_count < SIGNALS_MAX);
    loop->signal_count++;
    watch->turn = turn;
    watch->handle.data = loop;
    uv_signal_init(&loop->uv, &watch->handle);
    uv_signal_start(&watch->handle, on_signal, number);
    uv_unref((uv_handle_t *)&watch->handle);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}
struct list *loop_deadline_classes(struct loop *loop)
{
    return &loop->deadline_classes;
}

void loop_alarm_moved(struct loop *loop, uint64_t due_ms)
{
    if (due_ms < loop->alarm_ms)
        set_alarm(loop);
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;
    uint64_t tick_us;

    run_turns(loop);
    if (loop->alarm_state == ALARM_POLLED)
        judge_deadlines(loop);
    sleep_or_not(loop);
    log_flush(loop->log);
    tick_us = loop_now_us(loop) - loop->awake_since_us;
    loop->lag.ticks++;
    if (tick_us > loop->lag.worst_us)
        loop->lag.worst_us = tick_us;
}

static void on_check(uv_check_t *handle)
{
    struct loop *loop = handle->data;

    loop->awake_since_us = loop_now_us(loop);
    if (loop->alarm_state == ALARM_RANG)
        loop->alarm_state = ALARM_POLLED;
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle;
}

static void on_alarm(uv_timer_t *handle)
{
    struct loop *loop = handle->data;

    loop->alarm_state = ALARM_RANG;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct signal_watch *watch = container_of(handle, struct signal_watch, handle);

    (void)number;
    loop_post(handle->data, watch->turn);
}

static void run_turns(struct loop *loop)
{
    struct list *node;

    for (int count = 0; count < TURNS_PER_TICK && (node = list_first(&loop->turns)); count++) {
        struct turn *turn = container_of(node, struct turn, link);
        list_remove(node);
        turn->run(turn);
    }
}

static void judge_deadlines(struct loop *loop)
{
    loop->alarm_state = ALARM_QUIET;
    loop->alarm_ms = UINT64_MAX;
    deadline_expire(&loop->deadline_classes, uv_now(&loop->uv));
    set_alarm(loop);
}

static void sleep_or_not(struct loop *loop)
{
    if (!list_is_empty(&loop->turns) || loop->alarm_state != ALARM_QUIET)
        uv_idle_start(&loop->busy, on_idle);
    else
        uv_idle_stop(&loop->busy);
}

static void set_alarm(struct loop *loop)
{
    uint64_t due_ms = deadline_next_ms(&loop->deadline_classes), now_ms = uv_now(&loop->uv);

    if (due_ms == loop->alarm_ms)
        return;
    loop->alarm_ms = due_ms;
    if (due_ms == UINT64_MAX)
        uv_timer_stop(&loop->alarm);
    else
        uv_timer_start(&loop->alarm, on_alarm, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

#include "fake/fake_loop.h"

#include "base/alloc.h"
#include "io/deadline.h"

#include <assert.h>

enum { SIGNALS_MAX = 8 };

struct loop {
    uint64_t now_ms;
    int64_t wall_ms;
    struct list turns;
    struct list deadline_classes;
    struct log *log; /* borrowed */
    struct {
        int number;
        struct turn *turn; /* borrowed */
    } signals[SIGNALS_MAX];
    unsigned signal_count;
    bool stopped;
};

static void move_to(struct loop *loop, uint64_t now_ms);

struct loop *loop_open(struct log *log)
{
    struct loop *loop = must_alloc(sizeof(*loop));

    loop->now_ms = FAKE_NOW_MS;
    loop->wall_ms = FAKE_WALL_MS;
    loop->log = log;
    list_init(&loop->turns);
    list_init(&loop->deadline_classes);
    return loop;
}

void loop_run(struct loop *loop)
{
    fake_loop_run(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

void loop_close(struct loop *loop)
{
    assert(list_is_empty(&loop->turns));
    assert(list_is_empty(&loop->deadline_classes)); /* a class outlived by the loop */
    must_free(loop);
}

void loop_post(struct loop *loop, struct turn *turn)
{
    if (!list_is_linked(&turn->link))
        list_append(&loop->turns, &turn->link);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_ms * 1000;
}

int64_t loop_wall_ms(const struct loop *loop)
{
    return loop->wall_ms;
}

struct loop_lag loop_take_lag(struct loop *loop)
{
    (void)loop;
    return (struct loop_lag){0};
}

void loop_on_signal(struct loop *loop, int number, struct turn *turn)
{
    assert(loop->signal_count < SIGNALS_MAX);
    loop->signals[loop->signal_count].number = number;
    loop->signals[loop->signal_count].turn = turn;
    loop->signal_count++;
}

struct list *loop_deadline_classes(struct loop *loop)
{
    return &loop->deadline_classes;
}

void loop_alarm_moved(struct loop *loop, uint64_t due_ms)
{
    (void)loop;
    (void)due_ms;
}

unsigned fake_loop_run(struct loop *loop)
{
    struct list *node;
    unsigned count = 0;

    while ((node = list_first(&loop->turns))) {
        struct turn *turn = container_of(node, struct turn, link);
        list_remove(node);
        assert(count < FAKE_TURNS_MAX); /* turns post each other without end */
        count++;
        turn->run(turn);
    }
    log_flush(loop->log);
    return count;
}

void fake_loop_pass(struct loop *loop, uint64_t ms)
{
    uint64_t until_ms = loop->now_ms + ms, due_ms;
    unsigned stuck = 0;

    fake_loop_run(loop);
    while ((due_ms = fake_loop_next_due(loop)) <= until_ms) {
        stuck = due_ms <= loop->now_ms ? stuck + 1 : 0;
        assert(stuck < FAKE_TURNS_MAX); /* a deadline of no duration sets itself again */
        move_to(loop, due_ms);
        deadline_expire(&loop->deadline_classes, loop->now_ms);
        fake_loop_run(loop);
    }
    move_to(loop, until_ms);
}

uint64_t fake_loop_next_due(struct loop *loop)
{
    return deadline_next_ms(&loop->deadline_classes);
}

bool fake_loop_pass_next(struct loop *loop)
{
    uint64_t due_ms;

    fake_loop_run(loop);
    due_ms = fake_loop_next_due(loop);
    if (due_ms == UINT64_MAX)
        return false;
    fake_loop_pass(loop, due_ms > loop->now_ms ? due_ms - loop->now_ms : 0);
    return true;
}

void fake_loop_wall_jump(struct loop *loop, int64_t ms)
{
    loop->wall_ms += ms;
}

void fake_loop_signal(struct loop *loop, int number)
{
    for (unsigned i = 0; i < loop->signal_count; i++)
        if (loop->signals[i].number == number)
            loop_post(loop, loop->signals[i].turn);
}

bool fake_loop_is_stopped(const struct loop *loop)
{
    return loop->stopped;
}

static void move_to(struct loop *loop, uint64_t now_ms)
{
    if (now_ms <= loop->now_ms)
        return;
    loop->wall_ms += (int64_t)(now_ms - loop->now_ms);
    loop->now_ms = now_ms;
}

/* loop.h: the one loop of the process: turns, the clock of a tick, signals, lag.
 *
 * A turn is a piece of work that somebody posted; posting it twice before it runs is one run. Turns run before the
 * loop sleeps, never inside a library's callback. A turn may post turns: a bounded number runs per tick, the rest
 * after the next poll, so sockets are never starved.
 *
 * Owns      the uv loop and nothing that is registered on it.
 * Units     loop_now_ms and loop_now_us are monotonic and stand still within a tick; loop_wall_ms is unix time.
 * Runs on   itself; nothing here may be called from another thread.
 * Ends      loop_stop makes loop_run return after the tick; loop_close asserts that every handle was closed.
 */
#ifndef KEYTURN_IO_LOOP_H
#define KEYTURN_IO_LOOP_H

#include "base/list.h"
#include "base/log.h"

struct loop;

struct turn {
    struct list link; /* in the loop's queue while posted */
    void (*run)(struct turn *turn);
};

struct loop_lag {
    uint64_t worst_us; /* longest tick since the last reading */
    uint64_t ticks;
};

/* The log is flushed once per tick; it may be NULL. */
struct loop *loop_open(struct log *log);
void loop_run(struct loop *loop);
void loop_turn(struct loop *loop); /* one tick, waiting for something to happen */
void loop_stop(struct loop *loop);
void loop_close(struct loop *loop);

static inline void turn_init(struct turn *turn, void (*run)(struct turn *turn))
{
    list_init(&turn->link);
    turn->run = run;
}
void loop_post(struct loop *loop, struct turn *turn);
static inline void turn_cancel(struct turn *turn)
{
    list_remove(&turn->link);
}

uint64_t loop_now_ms(const struct loop *loop);
uint64_t loop_now_us(
    const struct loop *loop); /* reads the clock: for measuring, not for deciding */
int64_t loop_wall_ms(const struct loop *loop);
struct loop_lag loop_take_lag(struct loop *loop);

/* Posts the turn each time the signal arrives. At most 8 watched signals; they end with the loop. */
void loop_on_signal(struct loop *loop, int signal, struct turn *turn);

#endif

/* fake_loop.h: io/loop.h with a clock moved by hand. Nothing happens by itself.
 *
 * Units     loop_now_ms starts at FAKE_NOW_MS, loop_wall_ms at FAKE_WALL_MS; both move together.
 * Runs on   the scene: turns run in fake_loop_run and fake_loop_pass, first posted first.
 * Fails     a scene whose turns post each other without end stops.
 */
#ifndef KEYTURN_TESTS_FAKE_LOOP_H
#define KEYTURN_TESTS_FAKE_LOOP_H

#include "io/loop.h"

enum { FAKE_NOW_MS = 1000000, FAKE_TURNS_MAX = 10000 };
#define FAKE_WALL_MS INT64_C(1800000000000) /* 2027-01-15T08:00:00Z */

/* Turns until none is posted; how many ran. loop_run is the same. */
unsigned fake_loop_run(struct loop *loop);
/* Turns, then each deadline due within ms in its order, each followed by turns; the clock ends ms later. */
void fake_loop_pass(struct loop *loop, uint64_t ms);
/* When the earliest deadline is due, by loop_now_ms; UINT64_MAX: there is none. */
uint64_t fake_loop_next_due(struct loop *loop);
/* Passes to the earliest deadline; false when there is none. */
bool fake_loop_pass_next(struct loop *loop);
/* Somebody set the wall clock; deadlines do not feel it. */
void fake_loop_wall_jump(struct loop *loop, int64_t ms);
/* The signal arrives: its turn is posted. */
void fake_loop_signal(struct loop *loop, int signal);
bool fake_loop_is_stopped(const struct loop *loop);

#endif

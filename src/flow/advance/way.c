/* One user's holds ahead: taken, kept, given back. */
#include "flow/advance/way.h"

#include "base/alloc.h"
#include "flow/flow.h"

#include <assert.h>

enum { PAUSE_FIRST_MS = 100, PAUSE_LAST_MS = 3000 };

static void look_idle(struct advance *advance);
static void give_back(struct advance *advance);
static void got_given_back(struct advance *advance);
static void advance_free(struct advance *advance);

void advance_on_turn(struct turn *turn)
{
    struct advance *advance = container_of(turn, struct advance, turn);

    if (advance->asked_count && !store_call_is_open(&advance->take.call))
        advance_got_taken(advance);
    if (advance->returned_count && !store_call_is_open(&advance->back.call))
        got_given_back(advance);
    if (advance->leaves)
        advance_carry_on_leaving(advance);
    else if (advance->due.passed)
        look_idle(advance);
}

void advance_leave(struct advance *advance)
{
    struct advances *advances = advance->advances;

    if (advance->leaves)
        return;
    advance->leaves = true;
    advance_want_no_more(advance);
    advance_wake_waiting(advance);
    map_remove(&advances->by_user, &advance->by_user);
    list_append(&advances->leaving, &advance->link);
    deadline_leave(&advance->due);
    loop_post(advances->flow->loop, &advance->turn);
}

/* While more is being asked for, too: what is given back now is in nobody's way. */
void advance_carry_on_leaving(struct advance *advance)
{
    const struct advances *advances = advance->advances;
    bool rests = advance->asked_count == 0 && advance->returned_count == 0;
    bool is_left =
        advances->flow->cutting || (advances->stopped && !store_is_up(advances->flow->store));

    if (rests && (advance->count == 0 || is_left))
        advance_free(advance);
    else if (advance->count && !advance->returned_count && !deadline_is_set(&advance->due))
        give_back(advance);
}

static void look_idle(struct advance *advance)
{
    struct advances *advances = advance->advances;

    deadline_leave(&advance->due);
    if (loop_now_ms(advances->flow->loop) - advance->used_ms >= ADVANCE_IDLE_MS &&
        list_is_empty(&advance->waiting))
        advance_leave(advance);
    else
        deadline_join(&advances->idles, &advance->due);
}

static void give_back(struct advance *advance)
{
    struct span ids[AHEAD_MAX];

    deadline_leave(&advance->due);
    for (size_t i = 0; i < advance->count; i++)
        ids[i] = span_of(advance->holds[i].id);
    advance->returned_count = advance->count;
    quota_give_back(advance->advances->flow->store, &advance->back, span_of(advance->user), ids,
                    advance->count, &advance->turn);
}

/* Behind them may be some that came meanwhile. */
static void got_given_back(struct advance *advance)
{
    struct flow *flow = advance->advances->flow;

    if (advance->back.call.end == STORE_OK) {
        metric_add(flow->metrics, MEASURE_HOLDS_AHEAD, AHEAD_GIVEN_BACK, 0,
                   (int64_t)advance->returned_count);
        advance->count -= advance->returned_count;
        memmove(advance->holds, advance->holds + advance->returned_count,
                advance->count * sizeof(*advance->holds));
    } else
        deadline_join_in(
            &flow->pauses, &advance->due,
            backoff_ms(advance->tries++, PAUSE_FIRST_MS, PAUSE_LAST_MS, flow->random()));
    advance->returned_count = 0;
}

static void advance_free(struct advance *advance)
{
    deadline_leave(&advance->due);
    turn_cancel(&advance->turn);
    list_remove(&advance->link);
    advance->advances->count--;
    must_free(advance);
}

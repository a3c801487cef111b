/* One user's holds ahead: taken, kept, given back. */
#include "flow/advance_way.h"

#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/reaper.h"

#include <assert.h>

enum {
    LEAST_AHEAD = 2, /* holds for the next requests */
    AHEAD_PART = 2,  /* or for that part of what came within about a second */
    LEASE_PART = 6,  /* and for that part of a lease */
    PAUSE_FIRST_MS = 100,
    PAUSE_LAST_MS = 3000
};

static struct admit_ask compose_ask(const struct advance *advance);
static void got_taken(struct advance *advance);
static int64_t good_until(const struct advance *advance);
static void keep(struct advance *advance, size_t count, int64_t until_ms);
static void look_idle(struct advance *advance);
static void give_back(struct advance *advance);
static void got_given_back(struct advance *advance);
static void advance_free(struct advance *advance);

void advance_take_more(struct advance *advance, unsigned lately)
{
    struct flow *flow = advance->advances->flow;
    size_t most = flow->settings->holds_ahead, wanted = lately / AHEAD_PART;
    struct admit_ask ask = compose_ask(advance);
    struct span ids[AHEAD_MAX];

    wanted = wanted < LEAST_AHEAD ? LEAST_AHEAD : wanted;
    wanted = wanted < most ? wanted : most;
    if (advance->asked_count || advance->poor || advance->count > wanted / 2 ||
        settlements_are_behind(&flow->settlements))
        return;
    advance->asked_count = wanted - advance->count;
    for (size_t i = 0; i < advance->asked_count; i++)
        ids[i] = request_id_next(flow->request_ids, advance->asked[i]);
    settlements_hurry(&flow->settlements, span_of(advance->user));
    advance->since_asked = (struct quota_change){0};
    reaper_note(flow, span_of(advance->user)); /* before the holds: should we die, they are found */
    quota_take_ahead(flow->store, &advance->take, &ask, ids, advance->asked_count, &advance->turn);
}

void advance_on_turn(struct turn *turn)
{
    struct advance *advance = container_of(turn, struct advance, turn);

    if (advance->asked_count && !store_call_is_open(&advance->take.call))
        got_taken(advance);
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

static struct admit_ask compose_ask(const struct advance *advance)
{
    const struct flow *flow = advance->advances->flow;

    return (struct admit_ask){.user = span_of(advance->user),
                              .holder = span_of(flow->instance),
                              .tier = advance->tier,
                              .is_message = advance->is_message,
                              .wall_ms = flow_store_ms(flow),
                              .hold_nano_usd = advance->amount_nano_usd,
                              .least_nano_usd = advance->amount_nano_usd,
                              .lease_ms = (int64_t)flow->settings->hold_lease_ms,
                              .model = span_of(advance->model)};
}

/* An answer that is lost may have taken them all. */
static void got_taken(struct advance *advance)
{
    struct flow *flow = advance->advances->flow;
    struct quota_ahead *take = &advance->take;
    bool fine = take->call.end == STORE_OK, is_same_day;

    if (!fine) {
        keep(advance, take->call.end == STORE_DOWN ? 0 : advance->asked_count, 0);
        advance_leave(advance);
        return;
    }
    flow->store_ahead_ms = take->now_ms - loop_wall_ms(flow->loop);
    metric_add(flow->metrics, MEASURE_HOLDS_AHEAD, AHEAD_TAKEN, 0, (int64_t)take->taken);
    is_same_day = advance->count == 0 || strcmp(advance->day.name, take->day.name) == 0;
    advance->view = take->view;
    advance->budget = take->budget;
    advance->day = take->day;
    advance->since_view = advance->since_asked;
    advance->poor = take->taken == 0;
    keep(advance, take->taken, good_until(advance));
    if (!is_same_day)
        advance_leave(advance);
}

/* While it counts in the windows it was counted in. */
static int64_t good_until(const struct advance *advance)
{
    int64_t now_ms = advance->take.now_ms;
    int64_t until_ms =
        now_ms + (int64_t)advance->advances->flow->settings->hold_lease_ms / LEASE_PART;

    if (advance->view.requests_limit >= 0 && until_ms > advance->view.minute_resets_ms)
        until_ms = advance->view.minute_resets_ms;
    return until_ms < advance->day.ends_ms ? until_ms : advance->day.ends_ms;
}

static void keep(struct advance *advance, size_t count, int64_t until_ms)
{
    assert(count <= advance->asked_count && advance->count + count <= AHEAD_MAX);
    for (size_t i = 0; i < count; i++) {
        struct ahead_hold *hold = &advance->holds[advance->count++];
        memcpy(hold->id, advance->asked[i], sizeof(hold->id));
        hold->until_ms = until_ms;
    }
    advance->asked_count = 0;
}

static void look_idle(struct advance *advance)
{
    struct advances *advances = advance->advances;

    deadline_leave(&advance->due);
    if (loop_now_ms(advances->flow->loop) - advance->used_ms >= ADVANCE_IDLE_MS)
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

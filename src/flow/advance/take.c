/* How holds ahead are taken: for one user after the other, for who has hardly any left at once, and for nobody while settlements
 * are behind. */
#include "base/alloc.h"
#include "flow/advance/way.h"
#include "flow/flow.h"
#include "flow/reaper.h"

#include <assert.h>

enum {
    LEAST_AHEAD = 2, /* holds for the next requests */
    AHEAD_PART = 2,  /* or for that part of what came within about a second */
    LEASE_PART = 6,  /* good for that part of a lease */
    URGENT_PART = 8, /* of what is wanted: with fewer left nobody waits for a round */
    ROOM_LEAST = 16 * FULL_CALL_WEIGHT, /* requests wait for them: never fewer */
    ROOM_MOST = 4 * ROOM_LEAST,
    TAKE_ROUND_MS = 1,
    TAKE_ROUND_PART = 128 /* a round is of one user, and of one more for so many who want some */
};

static bool may_take(const struct advances *advances);
static bool may_take_now(const struct advances *advances);
static size_t wanted_for(const struct advance *advance, unsigned lately);
static void take(struct advance *advance, size_t wanted);
static void arm(struct advances *advances);
static void on_round_turn(struct turn *turn);
static struct admit_ask compose_ask(const struct advance *advance);
static int64_t good_until(const struct advance *advance);
static void keep(struct advance *advance, size_t count, int64_t until_ms);

void advance_round_open(struct advances *advances)
{
    struct advance_round *round = &advances->round;

    list_init(&round->wanting);
    turn_init(&round->turn, on_round_turn);
    deadline_class_open(&round->rounds, advances->flow->loop, TAKE_ROUND_MS);
    deadline_init(&round->due, &round->turn);
    congestion_init(&round->taking, ROOM_LEAST, ROOM_MOST);
}

void advance_round_close(struct advances *advances)
{
    deadline_leave(&advances->round.due);
    deadline_class_close(&advances->round.rounds);
    turn_cancel(&advances->round.turn);
}

void advance_take_more(struct advance *advance, unsigned lately)
{
    struct advances *advances = advance->advances;
    size_t wanted = wanted_for(advance, lately);

    if (advance->asked_count || advance->poor || advance->count > wanted / 2)
        return;
    if (advance->count <= wanted / URGENT_PART && may_take_now(advances)) {
        take(advance, wanted);
        return;
    }
    if (list_is_linked(&advance->wants))
        return;
    list_append(&advances->round.wanting, &advance->wants);
    advances->round.count++;
    arm(advances);
}

void advance_want_no_more(struct advance *advance)
{
    if (!list_is_linked(&advance->wants))
        return;
    list_remove(&advance->wants);
    advance->advances->round.count--;
}

bool advance_await(struct advances *advances, const struct admit_ask *ask,
                   struct advance_wait *wait, struct turn *wake)
{
    struct advance *advance = advance_find(advances, ask->user);
    bool some_come = advance && (advance->asked_count > 0 || list_is_linked(&advance->wants));

    if (!some_come || advance->count > 0 || !advance_is_for(advance, ask) ||
        settlements_are_troubled(&advances->flow->settlements) ||
        !store_is_up(advances->flow->store) || ask->hold_nano_usd > advance->amount_nano_usd ||
        ask->hold_nano_usd < advance->amount_nano_usd / 2)
        return false;
    advance->used_ms = loop_now_ms(advances->flow->loop);
    wait->wake = wake;
    deadline_init(&wait->due, wake);
    deadline_join(&advances->waits, &wait->due);
    list_append(&advance->waiting, &wait->link);
    return true;
}

void advance_wake_waiting(struct advance *advance)
{
    LIST_EACH (node, &advance->waiting) {
        struct advance_wait *wait = container_of(node, struct advance_wait, link);
        list_remove(&wait->link);
        loop_post(advance->advances->flow->loop, wait->wake);
    }
}

/* An answer that is lost may have taken them all. */
void advance_got_taken(struct advance *advance)
{
    struct flow *flow = advance->advances->flow;
    struct quota_ahead *taken = &advance->take;
    bool is_same_day;

    congestion_answered(&advance->advances->round.taking, &advance->take_call,
                        taken->call.end == STORE_OK, loop_now_us(flow->loop),
                        settlements_due_count(&flow->settlements));
    advance_wake_waiting(advance);
    if (taken->call.end != STORE_OK) {
        keep(advance, taken->call.end == STORE_DOWN ? 0 : advance->asked_count, 0);
        advance_leave(advance);
        return;
    }
    flow->store_ahead_ms = taken->now_ms - loop_wall_ms(flow->loop);
    metric_add(flow->metrics, MEASURE_HOLDS_AHEAD, AHEAD_TAKEN, 0, (int64_t)taken->taken);
    is_same_day = advance->count == 0 || strcmp(advance->day.name, taken->day.name) == 0;
    advance->view = taken->view;
    advance->budget = taken->budget;
    advance->day = taken->day;
    advance->since_view = advance->since_asked;
    advance->poor = taken->taken == 0;
    keep(advance, taken->taken, good_until(advance));
    if (!is_same_day)
        advance_leave(advance);
}

static bool may_take(const struct advances *advances)
{
    return congestion_has_room(&advances->round.taking) &&
           !settlements_are_behind(&advances->flow->settlements);
}

/* Before its turn: half of the room is theirs who wait for it. */
static bool may_take_now(const struct advances *advances)
{
    return congestion_has_half(&advances->round.taking) && may_take(advances);
}

static size_t wanted_for(const struct advance *advance, unsigned lately)
{
    size_t most = advance->advances->flow->settings->holds_ahead, wanted = lately / AHEAD_PART;

    wanted = wanted < LEAST_AHEAD ? LEAST_AHEAD : wanted;
    return wanted < most ? wanted : most;
}

static void take(struct advance *advance, size_t wanted)
{
    struct flow *flow = advance->advances->flow;
    struct admit_ask ask = compose_ask(advance);
    struct span ids[AHEAD_MAX];

    advance_want_no_more(advance);
    if (wanted <= advance->count)
        return;
    advance->asked_count = wanted - advance->count;
    congestion_asked(&advance->advances->round.taking, &advance->take_call, advance->asked_count,
                     loop_now_us(flow->loop));
    for (size_t i = 0; i < advance->asked_count; i++)
        ids[i] = request_id_next(flow->request_ids, advance->asked[i]);
    settlements_hurry(&flow->settlements, span_of(advance->user));
    advance->since_asked = (struct quota_change){0};
    reaper_note(flow, span_of(advance->user)); /* before the holds: should we die, they are found */
    quota_take_ahead(flow->store, &advance->take, &ask, ids, advance->asked_count, &advance->turn);
}

static void arm(struct advances *advances)
{
    struct advance_round *round = &advances->round;

    if (round->count > 0 && !deadline_is_set(&round->due) && !round->due.passed)
        deadline_join(&round->rounds, &round->due);
}

static void on_round_turn(struct turn *turn)
{
    struct advance_round *round = container_of(turn, struct advance_round, turn);
    struct advances *advances = container_of(round, struct advances, round);
    struct flow *flow = advances->flow;

    deadline_leave(&round->due);
    while (round->count > 0 && settlements_are_behind(&flow->settlements) &&
           settlements_are_troubled(&flow->settlements))
        advance_leave(container_of(list_first(&round->wanting), struct advance, wants));
    for (size_t n = 1 + round->count / TAKE_ROUND_PART;
         n > 0 && round->count > 0 && may_take(advances); n--) {
        struct advance *first = container_of(list_first(&round->wanting), struct advance, wants);
        take(first, wanted_for(first, user_memory_count(&flow->user_memory, span_of(first->user),
                                                        loop_now_ms(flow->loop))));
    }
    arm(advances);
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

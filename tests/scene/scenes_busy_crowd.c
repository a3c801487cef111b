/* Scenes of users who send more at once than they have holds ahead, and of a Redis that is behind. */
#include "flow/advance/way.h"
#include "scene/busy.h"
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

enum { AHEAD = UNTIL_BUSY / 2, AT_ONCE = 2 * AHEAD, IDLE_MS = 1500 };

static void all_sent(struct world *w, const struct person *person, struct asker *askers[AT_ONCE]);
static void no_room_for(struct congestion *kinds, size_t count);
static void there_is_room(struct congestion *kinds, size_t count);
static void all_answered(struct world *w, struct asker *const *askers, unsigned count);

/* The first take what is there, the next wait for what is on its way: one question for all of them. */
void busy_user_sends_many_at_once(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct asker *askers[AT_ONCE];

    PLAINLY(w) EXPECT(w, held_ahead(w, ada) < AT_ONCE);
    all_sent(w, ada, askers);
    everything_runs(w, 5);
    PLAINLY(w) EXPECT_NUMBER(w, used_ahead(w), AT_ONCE);
    everything_runs(w, IDLE_MS);
    all_answered(w, askers, AT_ONCE);
    PLAINLY(w) EXPECT_NUMBER(w, held_ahead(w, ada), 0);
}

void busy_user_leaves_while_waiting(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct settlements *settlements = &w->instances[0].flow.settlements;
    size_t usual = settlements->behind_count;
    struct asker *askers[AT_ONCE];

    settlements->behind_count = 0;
    all_sent(w, ada, askers);
    everything_runs(w, 5);
    client_leaves(w, askers[AT_ONCE - 1]);
    everything_runs(w, 5);
    PLAINLY(w) EXPECT_NUMBER(w, w->instances[0].flow.exchange_count, AT_ONCE - 1 - used_ahead(w));
    settlements->behind_count = usual;
    everything_runs(w, IDLE_MS);
    all_answered(w, askers, AT_ONCE - 1);
    PLAINLY(w) EXPECT_NUMBER(w, held_ahead(w, ada), 0);
}

/* Nobody takes holds until what is due is settled; those who wait for some cost Redis nothing meanwhile. */
void busy_while_redis_is_behind(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct settlements *settlements = &w->instances[0].flow.settlements;
    size_t usual = settlements->behind_count;
    struct asker *askers[AT_ONCE];
    int64_t had;

    settlements->behind_count = 0;
    all_sent(w, ada, askers);
    everything_runs(w, IDLE_MS / 10);
    had = used_ahead(w);
    PLAINLY(w)
    {
        EXPECT(w, had > 0 && had < AT_ONCE);
        EXPECT_NUMBER(w, w->instances[0].flow.exchange_count, AT_ONCE - had);
    }
    settlements->behind_count = usual;
    everything_runs(w, 5);
    PLAINLY(w) EXPECT_NUMBER(w, used_ahead(w), AT_ONCE);
    everything_runs(w, IDLE_MS);
    all_answered(w, askers, AT_ONCE);
    PLAINLY(w) EXPECT_NUMBER(w, held_ahead(w, ada), 0);
}

/* Late answers leave no room for more questions: who needs holds waits in turn, what is settled is asked afterwards. */
void busy_while_redis_is_late(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct flow *flow = &w->instances[0].flow;
    struct settlement_round *settling = &flow->settlements.round;
    struct asker *askers[AT_ONCE];
    size_t unsettled = flow->settlements.count;

    no_room_for(settling->congestion, SETTLEMENT_AT_COUNT);
    no_room_for(&flow->advances.round.taking, 1);
    all_sent(w, ada, askers);
    everything_runs(w, IDLE_MS / 2);
    PLAINLY(w)
    {
        EXPECT(w, used_ahead(w) > 0 && used_ahead(w) < AT_ONCE);
        EXPECT_NUMBER(w, flow->exchange_count, AT_ONCE - used_ahead(w));
        EXPECT_NUMBER(w, flow->settlements.count, unsettled + used_ahead(w));
    }
    there_is_room(settling->congestion, SETTLEMENT_AT_COUNT);
    there_is_room(&flow->advances.round.taking, 1);
    everything_runs(w, IDLE_MS);
    all_answered(w, askers, AT_ONCE);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, held_ahead(w, ada), 0);
        EXPECT_NUMBER(w, flow->settlements.count, 0);
    }
}

/* Holds that never come are not waited for: Redis is asked for each. */
void busy_and_no_holds_come(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct congestion *taking = &w->instances[0].flow.advances.round.taking;
    struct asker *askers[AT_ONCE];

    no_room_for(taking, 1);
    all_sent(w, ada, askers);
    everything_runs(w, IDLE_MS);
    PLAINLY(w) EXPECT(w, w->instances[0].flow.exchange_count > 0);
    everything_runs(w, ADVANCE_WAIT_MS);
    all_answered(w, askers, AT_ONCE);
    there_is_room(taking, 1);
    everything_runs(w, IDLE_MS);
    PLAINLY(w) EXPECT_NUMBER(w, held_ahead(w, ada), 0);
}

/* What is still due when the time is up outlives the instance. */
void busy_instance_gives_up(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct flow *flow = &w->instances[0].flow;
    struct asker *asker;

    no_room_for(flow->settlements.round.congestion, SETTLEMENT_AT_COUNT);
    asker = sends_one(w, ada, 0);
    instance_drains(w, 0);
    everything_runs(w, IDLE_MS);
    PLAINLY(w)
    {
        EXPECT(w, flow->settlements.count > 0 && !flow_is_idle(flow));
        flow_give_up(flow);
        EXPECT(w, flow_is_idle(flow));
        EXPECT_NUMBER(w, fake_journal_lines(w->journal), flow->settlements.count);
    }
    there_is_room(flow->settlements.round.congestion, SETTLEMENT_AT_COUNT);
    everything_runs(w, IDLE_MS);
    is_booked_as(w, asker, COST_FROM_USAGE);
    PLAINLY(w) EXPECT_NUMBER(w, fake_journal_lines(w->journal), 0);
}

/* What would have waited for company leaves at once. */
void busy_instance_drains(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");

    sends_one(w, ada, 0);
    PLAINLY(w) EXPECT(w, !flow_is_idle(&w->instances[0].flow));
    instance_drains(w, 0);
    everything_runs(w, LATER_MS / 5);
    PLAINLY(w)
    {
        EXPECT(w, flow_is_idle(&w->instances[0].flow));
        EXPECT_NUMBER(w, held_ahead(w, ada), 0);
    }
}

static void no_room_for(struct congestion *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kinds[i].room = 0;
}

static void there_is_room(struct congestion *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kinds[i].room = kinds[i].least;
}

static void all_sent(struct world *w, const struct person *person, struct asker *askers[AT_ONCE])
{
    for (unsigned i = 0; i < AT_ONCE; i++)
        askers[i] = client_sends(w, (struct asking){.token = person->token});
}

static void all_answered(struct world *w, struct asker *const *askers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        PLAINLY(w) EXPECT_NUMBER(w, status_of(askers[i]), 200);
    for (unsigned i = 0; i < count; i++)
        is_booked_as(w, askers[i], COST_FROM_USAGE);
}

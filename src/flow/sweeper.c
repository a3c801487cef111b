#include "flow/sweeper.h"

#include "flow/flow.h"
#include "flow/reaper.h"

enum { SWEEPER_LEASE_ROUNDS = 3, NEXT_PAGE_MS = 50 };

static void on_sweeper_turn(struct turn *turn);
static void read_renewals(struct sweeper *sweeper);
static void read_holders(struct sweeper *sweeper);
static void rest(struct sweeper *sweeper);

void sweeper_open(struct sweeper *sweeper, struct flow *flow)
{
    sweeper->flow = flow;
    sweeper->stopped = false;
    turn_init(&sweeper->turn, on_sweeper_turn);
    deadline_class_open(&sweeper->every, flow->loop, flow->settings->sweep_every_ms);
    deadline_init(&sweeper->due, &sweeper->turn);
    rest(sweeper);
}

void sweeper_stop(struct sweeper *sweeper)
{
    sweeper->stopped = true;
    deadline_leave(&sweeper->due);
}

bool sweeper_is_idle(const struct sweeper *sweeper)
{
    return sweeper->at == SWEEPER_RESTS;
}

void sweeper_close(struct sweeper *sweeper)
{
    sweeper_stop(sweeper);
    turn_cancel(&sweeper->turn);
    deadline_class_close(&sweeper->every);
}

/* rest → claim the broom → read what is old → start mending each → rest */
static void on_sweeper_turn(struct turn *turn)
{
    struct sweeper *sweeper = container_of(turn, struct sweeper, turn);
    struct flow *flow = sweeper->flow;
    int64_t lease_ms = (int64_t)flow->settings->sweep_every_ms * SWEEPER_LEASE_ROUNDS;

    switch (sweeper->at) {
    case SWEEPER_RESTS:
        if (sweeper->stopped) {
            rest(sweeper);
            return;
        }
        sweeper->at = SWEEPER_CLAIMS;
        sweeper_claim(flow->store, &sweeper->claim, span_of(flow->instance), lease_ms, turn);
        return;
    case SWEEPER_CLAIMS:
        if (sweeper->claim.call.end != STORE_OK || !sweeper->claim.granted) {
            rest(sweeper);
            return;
        }
        if (sweeper->from.due_ms && !sweeper->offset)
            read_holders(sweeper); /* this round's renewals are seen to */
        else
            read_renewals(sweeper);
        return;
    case SWEEPER_READS:
        if (sweeper->old.call.end == STORE_OK && !sweeper->stopped)
            for (size_t i = 0; i < sweeper->old.count; i++)
                renewal_mend(&flow->renewals, span_of(sweeper->old.members[i]));
        read_holders(sweeper);
        return;
    case SWEEPER_READS_HOLDERS:
        if (sweeper->holders.call.end == STORE_OK)
            for (size_t i = 0; i < sweeper->holders.count; i++)
                reap_user(flow, span_of(sweeper->holders.users[i]));
        rest(sweeper);
        return;
    }
}

static void read_renewals(struct sweeper *sweeper)
{
    struct flow *flow = sweeper->flow;

    sweeper->at = SWEEPER_READS;
    renewal_index_old(flow->store, &sweeper->old, (int64_t)flow->settings->sweep_age_ms,
                      sweeper->offset, &sweeper->turn);
}

static void read_holders(struct sweeper *sweeper)
{
    if (sweeper->at != SWEEPER_READS)
        sweeper->old.count = 0;
    sweeper->at = SWEEPER_READS_HOLDERS;
    holders_due(sweeper->flow->store, &sweeper->holders, sweeper->from, &sweeper->turn);
}

/* Behind a full page there may be another: it comes soon, so that nobody waits behind what cannot be mended. */
static void rest(struct sweeper *sweeper)
{
    bool has_read = sweeper->at == SWEEPER_READS_HOLDERS;
    bool more_old =
        has_read && sweeper->old.call.end == STORE_OK && sweeper->old.count == RENEWALS_PAGE;
    bool more_holders =
        has_read && sweeper->holders.call.end == STORE_OK && sweeper->holders.count == HOLDERS_PAGE;
    bool more = more_old || more_holders;

    sweeper->at = SWEEPER_RESTS;
    sweeper->offset = more_old ? sweeper->offset + RENEWALS_PAGE : 0;
    sweeper->from = more_holders ? sweeper->holders.next : (struct holders_place){0};
    if (sweeper->stopped)
        return;
    if (more)
        deadline_join_in(&sweeper->every, &sweeper->due, NEXT_PAGE_MS);
    else
        deadline_join(&sweeper->every, &sweeper->due);
}

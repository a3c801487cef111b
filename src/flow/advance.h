/* advance.h: holds taken ahead, for users who send many requests a second: such a request does not wait for Redis.
 *
 *     granted by Redis, one of many lately   some holds are taken ahead in one call (quota_take_ahead)
 *     the next request                       has one at once, and its id, if it is of the same model and about as dear
 *     half of them are used                  more are taken, behind the user's charges in the same write: a user every
 *                                            millisecond, and more the more users want some
 *     all of them are used                   the next requests wait for those that come
 *     there is no room for more questions    who wants more waits, in turn (flow/congestion.h)
 *     settlements are behind                 nobody takes more: who is admitted without Redis waits for it at last
 *     idle for IDLE_MS, the user changed, the link to Redis moved, a hold's time is over, we stop: the rest is given back
 *
 * A hold taken ahead is one like any other in the user's account, so what is true of holds stays true: a cap is a cap on any
 * number of instances, and what a dead one leaves is found by its lease. It is good for the windows it was counted in,
 * and for a sixth of its lease. Holds ahead are at most an eighth of what is left on any axis (lua/admit.lua), and only taken
 * where the audit of the user's own key shows that one nobody used cost nothing. A change to a user is felt as one to a
 * key is: by the watch (docs/decisions/005).
 *
 * Owns      what each of these users has ahead, at most AHEAD_MAX holds, and its questions.
 * Units     milliseconds of Redis' clock for holds, of the loop for idling; nano-USD.
 * Runs on   the loop.
 * Fails     a question that fails takes the rest away; giving back is tried until Redis took it, or we end: then the holds
 *           are left to their lease.
 * Ends      advances_stop; then count becomes 0.
 * Source    docs/decisions/020
 */
#ifndef KEYTURN_FLOW_ADVANCE_H
#define KEYTURN_FLOW_ADVANCE_H

#include "base/map.h"
#include "flow/congestion.h"
#include "io/deadline.h"
#include "store/quota.h"

struct flow;

struct advances {
    struct flow *flow; /* borrowed */
    struct map by_user;
    struct list leaving; /* no request finds them any more */
    size_t count;        /* those that leave included */
    struct deadline_class idles, waits;
    struct turn link;
    bool blind, stopped;
    struct advance_round { /* who wants more asks one after the other */
        struct list wanting;
        size_t count;
        struct congestion taking;
        struct deadline_class rounds;
        struct deadline due;
        struct turn turn;
    } round;
};

void advances_open(struct advances *advances, struct flow *flow, const uint64_t map_seed[2]);
void advances_stop(struct advances *advances);
void advances_cut(struct advances *advances); /* what waits to be given back is left to its lease */
void advances_close(struct advances *advances);
void advances_set_blind(struct advances *advances, bool blind);

/* The request has a hold: the admission is what Redis would have answered, ret_id the hold's and so the request's. False: Redis
 * has to be asked. */
bool advance_use(struct advances *advances, const struct admit_ask *ask,
                 struct admission *ret_admission, char ret_id[REQUEST_ID_MAX + 1]);
/* It has none now, but some are on their way for the same user: wake is posted when they are there, will not come, or have not
 * come for ADVANCE_WAIT_MS. Then it should leave and ask again, and not wait once more. */
struct advance_wait {
    struct list link;
    struct turn *wake; /* borrowed */
    struct deadline due;
};
bool advance_await(struct advances *advances, const struct admit_ask *ask,
                   struct advance_wait *wait, struct turn *wake);
static inline bool advance_is_awaited(const struct advance_wait *wait)
{
    return list_is_linked(&wait->link) && !wait->due.passed;
}
static inline void advance_wait_leave(struct advance_wait *wait)
{
    list_remove(&wait->link);
    deadline_leave(&wait->due);
}
/* Redis granted it. What is held ahead is not counted in its view. */
void advance_granted(struct advances *advances, const struct admit_ask *ask,
                     struct admission *admission);
/* A request of the user is over: the change it made to the quota. */
void advance_over(struct advances *advances, struct span user, const struct quota_change *change);
bool advance_is_there(const struct advances *advances, struct span user);
/* Redis refused a request for want of room. True: what is held ahead here was in its way, and is given back before anything that
 * is asked next, or soon. */
bool advance_make_room(struct advances *advances, struct span user);
/* Somebody wants to know what is left: given back before anything that is asked next. */
void advance_end(struct advances *advances, struct span user);
/* The user changed, or the user's key: no request uses what was taken before. For callbacks: it is given back in a turn. */
void advance_forget(struct advances *advances, struct span user);

#endif

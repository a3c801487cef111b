/* reaper.h: holds that nobody settled, because their instance died or could not find out what they cost.
 *
 * A hold whose lease ran out counts as spent until then ("unconfirmed"). Where the request's generation id is known its
 * cost is asked for. What that does not tell, and what had none, is found by what the user's key cost in all
 * (flow/key_audit.h); on the shared key the hold's amount, an upper bound, is booked as an estimate.
 *
 * Owns      one job per user, which frees itself. Only the instance that sweeps starts them.
 * Units     a user is looked after one lease and one note's interval after its last hold was taken or extended, which is
 *           when the lease has run out; then again every half a lease, at most every quarter of a minute, until nothing
 *           is left.
 * Ends      flow_cut: at once, the next sweeper goes on.
 * Source    design 5.1 ("corrected once from GET /generation"); reliability D19; docs/decisions/015
 */
#ifndef KEYTURN_FLOW_REAPER_H
#define KEYTURN_FLOW_REAPER_H

#include "base/span.h"

struct flow;

void reap_user(struct flow *flow, struct span user);
/* The user has a hold: somebody is to look after it should this process not. At most one write per user and ten seconds
 * (a third of the lease, where that is shorter). */
void reaper_note(struct flow *flow, struct span user);

#endif

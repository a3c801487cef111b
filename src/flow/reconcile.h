/* reconcile.h: finds out what a request cost whose answer did not say it.
 *
 * Asks GET /generation with the key the request used, for up to a quarter of a minute (the record is written late). What
 * that does not tell depends on the key: of a request on the user's own key the hold is left to its lease, for the key
 * itself will tell (flow/key_audit.h); of one on the shared key the record's cost is booked, an estimate that is never
 * below what the request can have cost, and that is said.
 *
 * Owns      one job per request, which frees itself.
 * Runs on   the loop.
 * Ends      flow_cut: at once, the hold is left to whoever sweeps.
 * Source    openrouter-api 10.39 to 10.42; design 5.1; docs/decisions/015
 */
#ifndef KEYTURN_FLOW_RECONCILE_H
#define KEYTURN_FLOW_RECONCILE_H

#include "base/list.h"
#include "base/secret.h"
#include "io/loop.h"
#include "store/quota.h"

struct flow;

/* What each job begins with that looks a cost up; flow_cut wakes them all. */
struct cost_job {
    struct list link; /* flow->cost_jobs */
    struct turn turn;
    struct flow *flow; /* borrowed */
};
void cost_job_begin(struct cost_job *job, struct flow *flow, void (*run)(struct turn *turn));
void cost_job_end(struct cost_job *job);

/* record->generation_id may be empty: there is nothing to ask. record->cost_nano_usd is the estimate. The key's bytes are
 * copied; NULL: the user's own is looked up, or else the shared one is used. */
void reconcile_begin(struct flow *flow, const struct settlement_record *record,
                     const struct secret *key);

/* The reaper's. Several at once; wake is posted when the last has ended: it is settled, or, where `audited`, nothing was
 * told and nothing is done. */
struct reconcile_party {
    struct turn *wake; /* borrowed */
    size_t open;
};
void reconcile_join(struct flow *flow, const struct settlement_record *record,
                    const struct secret *key, struct reconcile_party *party, bool audited);

/* Books the record's cost as the estimate it is, and says so. */
void reconcile_estimate(struct flow *flow, const struct settlement_record *record);

#endif

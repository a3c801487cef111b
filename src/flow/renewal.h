/* renewal.h: making a user's key, once for everybody who waits; or raising its limit.
 *
 * One renewal per user in this process; one per user over all instances by a lease in Redis whose fence, not the lease,
 * carries correctness. Nothing is created before the old key was verified with the management key and what earlier
 * attempts may have left behind was deleted. A healthy key whose limit refused what the ledger lets through stays and
 * gets a higher limit, if domain/key_limit.h says so. Its way is a table like the exchange's.
 *
 * Owns      the renewals under way; waiters are embedded in their exchanges.
 * Runs on   the loop; waiters' turns are posted when the outcome is there. A renewal outlives its waiters.
 * Fails     by outcome; each outcome knows the fault a waiting request answers with.
 * Source    design 5.1 to 5.3; openrouter-api 5.3 (the table of verification), 10.1 to 10.19; reliability D22 to D25
 */
#ifndef KEYTURN_FLOW_RENEWAL_H
#define KEYTURN_FLOW_RENEWAL_H

#include "base/fault.h"
#include "base/map.h"
#include "domain/key_limit.h"
#include "domain/pace.h"
#include "domain/tier.h"
#include "io/deadline.h"
#include "store/keys.h"

struct flow;

/* outcome, its word, the fault of a request that waited for it (NONE: it goes on) */
#define RENEWAL_OUTCOMES(ROW) \
    ROW(RENEWED, "renewed", FAULT_NONE) \
    ROW(PROVISIONED, "provisioned", FAULT_NONE) \
    ROW(NEWER, "newer_key_found", FAULT_NONE) \
    ROW(HEALTHY, "key_is_healthy", FAULT_UPSTREAM_DOWN) \
    ROW(MENDED, "mended", FAULT_NONE) \
    ROW(LIMIT_RAISED, "limit_raised", FAULT_NONE) \
    ROW(LIMIT_NEWER, "higher_limit_found", FAULT_NONE) \
    ROW(LIMIT_STANDS, "limit_stands", FAULT_QUOTA_SPENT) \
    ROW(DISABLED, "disabled", FAULT_KEY_DISABLED) \
    ROW(PACED, "paced", FAULT_RENEWAL_FAILED) \
    ROW(BREAKER_OPEN, "breaker_open", FAULT_UPSTREAM_DOWN) \
    ROW(NO_MANAGEMENT_KEY, "no_management_key", FAULT_NO_MANAGEMENT_KEY) \
    ROW(MANAGEMENT_REFUSED, "management_key_refused", FAULT_MANAGEMENT_REFUSED) \
    ROW(REFUSED, "create_refused", FAULT_RENEWAL_FAILED) \
    ROW(DELAYED, "management_unavailable", FAULT_RENEWAL_DELAYED) \
    ROW(STORE_DOWN, "store_unavailable", FAULT_STORE_DOWN) \
    ROW(TOO_LONG, "too_long", FAULT_RENEWAL_RUNNING)

enum renewal_outcome {
    RENEWAL_UNDER_WAY,
#define ROW(name, text, fault) RENEWAL_##name,
    RENEWAL_OUTCOMES(ROW)
#undef ROW
        RENEWAL_OUTCOME_COUNT
};

enum fault renewal_fault(enum renewal_outcome outcome);
const char *renewal_outcome_name(enum renewal_outcome outcome);
/* About the limit of a key that was found healthy. */
static inline bool renewal_outcome_is_of_limit(enum renewal_outcome outcome)
{
    return outcome == RENEWAL_LIMIT_RAISED || outcome == RENEWAL_LIMIT_NEWER ||
           outcome == RENEWAL_LIMIT_STANDS;
}

/* The way of one renewal, top to bottom. An ask waits; the got below it reads the answer. */
#define RENEWAL_WAY(ROW) \
    ROW(ask_claim, \
        "the lease, the fence and the intent, in one script; a trace for the sweeper before it") \
    ROW(got_claim, "granted, or somebody else's result, or wait and ask again") \
    ROW(ask_verify, "GET /keys/{hash}: what is wrong with the old key, if there is one") \
    ROW(got_verify, "gone or expired: go on; healthy: an outage, create nothing; disabled: tell") \
    ROW(ask_raise, \
        "PATCH /keys/{hash}: a healthy key whose limit refused what the ledger lets through") \
    ROW(got_raise, "raised; nothing to be raised: OpenRouter's limit stands") \
    ROW(ask_note, "the record learns the new limit") \
    ROW(got_note, "noted or not, the key has it") \
    ROW(ask_sanity, "many dead keys at once: does the management API still know itself?") \
    ROW(got_sanity, "only then is 'gone' believed") \
    ROW(ask_leftovers, "what earlier attempts may have created: find by name, delete") \
    ROW(got_leftovers, "page by page, newest first, then each delete") \
    ROW(ask_create, "POST /keys, once, under the intent's name") \
    ROW(got_create, "a key, a refusal, or nobody knows (then it is a leftover)") \
    ROW(ask_commit, "sealed key and hash by compare-and-set") \
    ROW(got_commit, "ours, or fenced: then the key just made must go") \
    ROW(ask_undo, "DELETE the key nobody will use") \
    ROW(got_undo, "and look at what the other one made") \
    ROW(ask_release, "the lease goes back, with what we found out") \
    ROW(got_release, "try again after a pause, or be done") \
    ROW(tell, "wake everybody who waits") \
    ROW(ask_untrace, "nothing left to look after: the sweeper need not come") \
    ROW(got_untrace, "done")

struct renewals {
    struct flow *flow; /* borrowed */
    struct map by_user;
    size_t count;
    struct breaker breaker;
    struct token_bucket creations; /* over all users of this instance */
    uint64_t gone_ms[8];           /* when keys were last found gone: suspicion */
    unsigned gone_at;
    uint64_t sane_until_ms;               /* the management API has just proved itself */
    uint64_t management_refused_until_ms; /* no calls before this */
};

struct renewal_ask {
    struct span user;
    enum claim_reason reason;
    int64_t seen_version;
    const struct tier *tier;  /* what a new key may spend */
    struct key_budget budget; /* of CLAIM_RAISE: what the one there may */
};

/* Embedded in the exchange; it leaves by renewal_leave or when the outcome is there. */
struct renewal_wait {
    struct list link;
    struct turn *wake; /* borrowed */
    struct deadline deadline;
    enum renewal_outcome outcome;
};

void renewals_open(struct renewals *renewals, struct flow *flow, const uint64_t map_seed[2]);
void renewals_close(struct renewals *renewals);
/* Joins the user's renewal or starts it. wait may be NULL: nobody waits (ahead of expiry, mending). One that is under way
 * for another reason looks at the limit too if it can: whoever asked for that and is told something else asks again. */
void renewal_join(struct renewals *renewals, struct renewal_wait *wait,
                  const struct renewal_ask *ask, struct turn *wake);
void renewal_leave(struct renewal_wait *wait);
void renewals_hurry(struct renewals *renewals);        /* shutting down: pauses end now */
void renewals_show_breaker(struct renewals *renewals); /* brings the gauge up to date */
/* An inference call was accepted: once the breaker wants a probe, this was one. */
void renewals_key_accepted(struct renewals *renewals);
/* The sweeper's: looks after what a member of the index may have left behind, and removes it when nothing is left. */
void renewal_mend(struct renewals *renewals, struct span member);

#endif

/* key_audit.h: settles a user's holds that nobody could settle, by what OpenRouter billed to the user's key in all.
 *
 *     the key's record ─► what is settled of it ─► GET /keys/{hash} ─► the same once more
 *     ─► settle one after the other
 *
 * While no hold of the user is live and nothing is settled meanwhile, what the key has cost (credits and BYOK) less
 * what is settled of it is what these holds cost together. Each gets at most its amount, the last one all that is
 * left: who of them cost how much is a guess, their sum is not. A hold taken ahead for which nothing is left counts
 * as never used. Two audits at once come to the same figures, and of two figures for one request the first stands.
 *
 *     nobody ever had the key         it never left: nothing
 *     a key that was replaced or is gone, or whose cost OpenRouter does not tell: the hold's amount, an estimate
 *     it is too early, the user is busy, trouble: nothing is done, the next look tries again; after PATIENCE_LEASES
 *                                     leases the estimate
 *
 * Owns      its questions; embedded in the reaper's job.
 * Units     milliseconds of Redis' clock, nano-USD.
 * Runs on   the loop.
 * Ends      `over`: the turn given is posted, except by key_audit_cut; what is begun to be settled goes on by itself.
 * Source    openrouter-api 1.3 (usage, byok_usage); docs/decisions/015
 */
#ifndef KEYTURN_FLOW_KEY_AUDIT_H
#define KEYTURN_FLOW_KEY_AUDIT_H

#include "flow/settlement.h"
#include "io/fetch.h"
#include "store/keys.h"

struct flow;

struct audited_hold {
    struct settlement_record record; /* its cost: the hold's amount */
    int64_t taken_ms, age_ms;        /* age: since its lease ran out */
    bool certain;                    /* it ran on that key or on none */
    bool ahead;                      /* perhaps no request used it */
};

struct key_audit {
    struct turn turn;
    struct flow *flow; /* borrowed */
    struct turn *wake; /* borrowed */
    enum {
        AUDIT_OVER,
        AUDIT_LOADS,
        AUDIT_READS,
        AUDIT_ASKS,
        AUDIT_READS_AGAIN,
        AUDIT_SETTLES,
        AUDIT_CHECKS
    } at;
    struct key_load load;
    struct quota_billed billed;
    struct fetch_call fetch;
    struct settlement_wait settled;
    int64_t settled_nano_usd, rest_nano_usd; /* of the key: settled so far; billed beyond it */
    size_t count, next;
    bool more; /* there are more such holds than these */
    struct audited_hold holds[EXPIRED_PAGE];
    char user[USER_ID_MAX + 1];
};

void key_audit_init(struct key_audit *audit, struct flow *flow, struct span user,
                    struct turn *wake);
/* All of the user's that ran out and may have run on a key of the user's own. record->key_version as the hold has it. */
void key_audit_add(struct key_audit *audit, const struct settlement_record *record,
                   const struct expired_hold *hold, int64_t now_ms);
void key_audit_begin(struct key_audit *audit, bool more);
static inline bool key_audit_is_over(const struct key_audit *audit)
{
    return audit->at == AUDIT_OVER;
}
/* Shutting down. False: an answer is still to come, and ends it. */
bool key_audit_cut(struct key_audit *audit);

#endif

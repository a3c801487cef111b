/* key_limit.h: what limit a user's key should have at OpenRouter, where it is the second wall behind our admission.
 *
 * When the ledger lets a request through and the key's own limit refuses it, either that limit is out of date (a higher
 * tier, an override, a boost, a new period after a renewal that carried little) or our counters are. OpenRouter's figures
 * tell: what the user may have in all is what the key has used and what the ledger says is left, and never more than one
 * period's full amount. So counters that were lost raise nothing above what the configuration says.
 *
 * Units     nano-USD; a limit of -1 is none.
 * Fails     never: what OpenRouter does not tell leaves the limit where it is.
 * Source    design 5.1 (second wall), 5.3; openrouter-api 1.3, 1.5, 5.4, 10.9
 */
#ifndef KEYTURN_DOMAIN_KEY_LIMIT_H
#define KEYTURN_DOMAIN_KEY_LIMIT_H

#include "domain/key_api.h"

/* What the ledger says about the user of a request that the key's limit refused. */
struct key_budget {
    int64_t full_nano_usd;  /* for one period: the tier, an override, a boost; -1: unlimited */
    int64_t spent_nano_usd; /* of it in the current period */
    int64_t need_nano_usd;  /* what the request may cost */
    enum limit_reset reset; /* what period that is */
};

enum key_limit_verdict {
    KEY_LIMIT_RAISE,
    KEY_LIMIT_LEAVES_ROOM, /* for this request: it was raised since the refusal */
    KEY_LIMIT_STANDS
};
/* facts: of a healthy key. ret_limit is set when it is to be raised; its limit_reset is then the budget's. */
enum key_limit_verdict key_limit_judge(const struct key_budget *budget,
                                       const struct key_facts *facts, int64_t *ret_limit_nano_usd);

/* The limit of a key that replaces `old`: what is left of the old one's where OpenRouter told, and at most the tier's;
 * without a limit where the tier has none. */
int64_t key_limit_carried(const struct key_record *old, const struct key_facts *facts,
                          int64_t tier_limit_nano_usd);

#endif

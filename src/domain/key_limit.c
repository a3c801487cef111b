#include "domain/key_limit.h"

static int64_t wanted_limit(const struct key_budget *budget, int64_t used);

enum key_limit_verdict key_limit_judge(const struct key_budget *budget,
                                       const struct key_facts *facts, int64_t *ret_limit_nano_usd)
{
    int64_t used = facts->usage_nano_usd[budget->reset], wanted, room;
    if (!facts->has_limit)
        return KEY_LIMIT_LEAVES_ROOM;
    if (budget->full_nano_usd < 0) {
        *ret_limit_nano_usd = -1;
        return KEY_LIMIT_RAISE;
    }
    if (used < 0)
        return KEY_LIMIT_STANDS;
    wanted = wanted_limit(budget, used);
    if (facts->limit_reset == budget->reset && wanted <= facts->limit_nano_usd) {
        room = facts->limit_nano_usd > used ? facts->limit_nano_usd - used : 0;
        return room > 0 && room >= budget->need_nano_usd ? KEY_LIMIT_LEAVES_ROOM : KEY_LIMIT_STANDS;
    }
    if (wanted <= used) /* nothing would be won */
        return KEY_LIMIT_STANDS;
    *ret_limit_nano_usd = wanted;
    return KEY_LIMIT_RAISE;
}

int64_t key_limit_carried(const struct key_record *old, const struct key_facts *facts,
                          int64_t tier_limit_nano_usd)
{
    int64_t left = facts->has_remaining ? facts->remaining_nano_usd : old->limit_nano_usd;
    if (old->version == 0 || left < 0 || tier_limit_nano_usd < left)
        return tier_limit_nano_usd; /* unlimited, too: there is no quota to refill */
    return left;
}

/* What is used and what is left, at most the full amount. */
static int64_t wanted_limit(const struct key_budget *budget, int64_t used)
{
    int64_t full = budget->full_nano_usd, spent = budget->spent_nano_usd;
    int64_t left = full > spent ? full - spent : 0;
    return used < full - left ? used + left : full;
}

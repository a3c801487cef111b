/* tier.h: what a tier allows, and which models it reaches.
 *
 * Owns      struct tiers owns its rows and patterns; rows are read-only after tiers_seal.
 * Units     nano-USD, counts, milliseconds; -1 means unlimited.
 * Fails     tiers_seal: a sentence naming the tier and the fault (unknown include, a circle, no tier at all, twice).
 * Source    design 4.5; model names: openrouter-api 4
 */
#ifndef KEYTURN_DOMAIN_TIER_H
#define KEYTURN_DOMAIN_TIER_H

#include "domain/key_record.h"

enum { TIER_NAME_MAX = 64, TIER_FAULT_SIZE = 200, UNLIMITED = -1 };

enum tier_key { TIER_KEY_PROVISIONED, TIER_KEY_SHARED, TIER_KEY_OWN };

struct tier {
    char name[TIER_NAME_MAX + 1];
    int64_t limit_nano_usd;
    enum limit_reset limit_reset; /* daily, weekly, monthly; never none */
    int64_t messages_per_day, requests_per_minute, max_concurrent;
    int64_t max_output_tokens;
    int64_t unknown_model_hold_nano_usd; /* held for a model without a known price */
    int64_t expires_after_ms;            /* of its keys; 0: never */
    enum tier_key key;
    bool shared_on_failure; /* while no key can be made, run on the shared one */
    bool overage_allowed;   /* the budget is counted, not enforced */
    char **includes;        /* names of tiers whose models it has too */
    size_t include_count;
    char **models; /* patterns, its own; after tiers_seal those of the included tiers as well */
    size_t model_count, own_model_count; /* its own ones come first */
};

struct tiers {
    struct tier
        *rows; /* in the order of the file: the next one is the upgrade that errors suggest */
    size_t count;
};

/* What its keys may spend at OpenRouter in a period: a budget that is only counted bounds no key. */
static inline int64_t tier_key_limit(const struct tier *tier)
{
    return tier->overage_allowed ? -1 : tier->limit_nano_usd;
}

void tiers_init(struct tiers *tiers);
void tiers_done(struct tiers *tiers);
/* With every limit unlimited, monthly, provisioned; stays where it is until the next one is added. */
struct tier *tiers_add(struct tiers *tiers, struct span name);
void tier_add_model(struct tier *tier, struct span pattern);
void tier_add_include(struct tier *tier, struct span name);
bool tiers_seal(struct tiers *tiers, char ret_fault[TIER_FAULT_SIZE]);
const struct tier *tiers_find(const struct tiers *tiers,
                              struct span name); /* exact, NULL if there is none */
const struct tier *tiers_next(const struct tiers *tiers,
                              const struct tier *tier); /* the upgrade; NULL at the top */

/* A pattern is a model name in which * stands for any run of characters; "plugin:<id>" and "tool:<name>" are names too.
 * The routing suffixes :nitro, :floor and :exacto do not change which model it is; every other suffix does.
 * Extras, ~aliases, @presets (author/slug@preset/... too) and openrouter/ routers stand for more than they say: only a
 * pattern that begins like them (has an @ too) or the pattern * reaches them. */
bool tier_reaches(const struct tier *tier, struct span model_name);
bool tier_reaches_everything(const struct tier *tier);
/* Takes one such suffix (:online too, if told so) off the name's end; false when there is none. */
bool model_name_cut(struct span *name, bool online_too);

#endif

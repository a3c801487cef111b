/* config_tiers.h: the section `tiers` of the file: a map from a tier's name to its fields, in the order of upgrades.
 * Without it the built-in tiers hold, which are a text of the same form.
 *
 * Fails     faults go to the configuration's reader, each with its place.
 * Source    design 4.5
 */
#ifndef KEYTURN_APP_CONFIG_TIERS_H
#define KEYTURN_APP_CONFIG_TIERS_H

#include "app/config_yaml.h"
#include "domain/tier.h"

/* clang-format off */
/*  field                     type      default        min    max          -1     text */
#define TIER_FIELDS(ROW)                                                                                              \
    ROW(limit_usd,               USD,      "-1",          "0",   "1000000",    true,  "Budget of each user in one window.") \
    ROW(limit_reset,             CHOICE,   "monthly",     "daily|weekly|monthly", "", false, "When a new window starts, UTC; weeks on Monday.") \
    ROW(messages_per_day,        COUNT,    "-1",          "0",   "1000000000", true,  "Requests that got an answer, UTC day.") \
    ROW(requests_per_minute,     COUNT,    "-1",          "1",   "1000000",    true,  "Requests of each user, answered or not.") \
    ROW(max_concurrent,          COUNT,    "-1",          "1",   "1000000",    true,  "Requests of each user at once.") \
    ROW(max_output_tokens,       COUNT,    "-1",          "1",   "100000000",  true,  "Cap of an answer; asked for more, it is lowered.") \
    ROW(key,                     CHOICE,   "provisioned", "provisioned|shared|own", "", false, "A sub-key for each user, OPENROUTER_API_KEY, or the user's own key.") \
    ROW(expires_after,           DURATION, "90d",         "0ms", "3650d",      false, "Life of a sub-key; 0: it never expires.") \
    ROW(on_provisioning_failure, CHOICE,   "refuse",      "refuse|shared", "", false, "While no sub-key can be made: 503, or OPENROUTER_API_KEY.") \
    ROW(overage,                 CHOICE,   "refuse",      "refuse|allow", "",  false, "Whether requests beyond the budget are let through and only counted.") \
    ROW(unknown_model_hold_usd,  USD,      "1",           "0",   "1000000",    false, "Held for a model, a server tool or a plugin whose price is not known.")
/* clang-format on */

/* The section's value begins here; key is its name. */
void config_tiers_read(struct yaml_reader *reader, const struct yaml_key *key);
/* The built-in tiers, as they stand in keyturn.example.yaml. */
struct span config_tiers_preset(void);
/* The tier a name may be a slip of, or NULL. */
const char *config_tiers_near(const struct tiers *tiers, struct span name);
/* "Free, Standard, Pro" */
void config_tiers_list(const struct tiers *tiers, char *ret_list, size_t size);

struct tier_field {
    const char *name;
    enum config_type type;
    const char *preset, *min, *max; /* of a CHOICE, min holds the words */
    bool may_be_unlimited;
    const char *text;
};
enum {
#define ROW(name, type, preset, min, max, unlimited, text) TIER_FIELD_##name,
    TIER_FIELDS(ROW)
#undef ROW
        TIER_FIELD_COUNT
};
enum { TIER_WANTED_SIZE = 128 };
const struct tier_field *config_tier_fields(void);
/* False leaves the tier as it is; wanted then says what the text must be. */
bool config_tier_set(struct tier *tier, size_t field, struct span text,
                     char ret_wanted[TIER_WANTED_SIZE]);

#endif

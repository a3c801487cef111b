#include "scene/tariff.h"

#include <assert.h>

#define UNKNOWN_HOLD INT64_C(5000000)
#define KEYS_LIVE_MS (INT64_C(90) * 24 * 3600 * 1000)

static const struct tariff_row {
    const char *name, *models;
    int64_t limit_nano_usd, messages_per_day;
    enum tier_key key;
    bool shared_on_failure;
} rows[] = {
    {"Free", "*:free", 0, 2, TIER_KEY_SHARED, false},
    {"Small", "openai/gpt-4o-mini", TARIFF_SMALL, UNLIMITED, TIER_KEY_PROVISIONED, false},
    {"Standard", "*", TARIFF_STANDARD, 500, TIER_KEY_PROVISIONED, false},
    {"Lenient", "*", TARIFF_STANDARD, 500, TIER_KEY_PROVISIONED, true},
    {"Own", "*", TARIFF_STANDARD, 500, TIER_KEY_OWN, false},
};

void tariff_open(struct tiers *tiers)
{
    char fault[TIER_FAULT_SIZE];
    bool sealed;

    tiers_init(tiers);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct tier *tier = tiers_add(tiers, span_of(rows[i].name));
        tier_add_model(tier, span_of(rows[i].models));
        tier->limit_nano_usd = rows[i].limit_nano_usd;
        tier->messages_per_day = rows[i].messages_per_day;
        tier->key = rows[i].key;
        tier->shared_on_failure = rows[i].shared_on_failure;
        tier->unknown_model_hold_nano_usd = UNKNOWN_HOLD;
        tier->expires_after_ms = KEYS_LIVE_MS;
    }
    sealed = tiers_seal(tiers, fault);
    assert(sealed);
}

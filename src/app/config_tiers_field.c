/* The fields of a tier that are single values. */
#include <stdio.h>

#include "app/config_tiers.h"
#include "app/config_value.h"

static bool set_number(struct tier *tier, size_t number, struct span text);
static bool set_choice(struct tier *tier, size_t number, struct span text);
static void tell_wanted(const struct tier_field *field, char ret_wanted[TIER_WANTED_SIZE]);

static const struct tier_field fields[] = {
#define ROW(name, type, preset, min, max, unlimited, text) \
    {#name, CONFIG_##type, preset, min, max, unlimited, text},
    TIER_FIELDS(ROW)
#undef ROW
};

static const size_t offsets[] = {
    [TIER_FIELD_limit_usd] = offsetof(struct tier, limit_nano_usd),
    [TIER_FIELD_messages_per_day] = offsetof(struct tier, messages_per_day),
    [TIER_FIELD_requests_per_minute] = offsetof(struct tier, requests_per_minute),
    [TIER_FIELD_max_concurrent] = offsetof(struct tier, max_concurrent),
    [TIER_FIELD_max_output_tokens] = offsetof(struct tier, max_output_tokens),
    [TIER_FIELD_expires_after] = offsetof(struct tier, expires_after_ms),
    [TIER_FIELD_unknown_model_hold_usd] = offsetof(struct tier, unknown_model_hold_nano_usd),
};

const struct tier_field *config_tier_fields(void)
{
    return fields;
}

bool config_tier_set(struct tier *tier, size_t number, struct span text,
                     char ret_wanted[TIER_WANTED_SIZE])
{
    bool fine = fields[number].type == CONFIG_CHOICE ? set_choice(tier, number, text)
                                                     : set_number(tier, number, text);

    if (!fine)
        tell_wanted(&fields[number], ret_wanted);
    return fine;
}

static bool set_number(struct tier *tier, size_t number, struct span text)
{
    const struct tier_field *field = &fields[number];
    int64_t value = UNLIMITED, min = 0, max = 0;

    config_value_parse(field->type, span_of(field->min), &min);
    config_value_parse(field->type, span_of(field->max), &max);
    if (!(field->may_be_unlimited && span_equal(text, SPAN("-1"))) &&
        (!config_value_parse(field->type, text, &value) || value < min || value > max))
        return false;
    memcpy((char *)tier + offsets[number], &value, sizeof(value));
    return true;
}

static bool set_choice(struct tier *tier, size_t number, struct span text)
{
    struct span words = span_of(fields[number].min), word;
    unsigned at = 0;

    for (; span_split(&words, '|', &word) && !span_equal(word, text); at++)
        if (!words.at)
            return false;
    if (number == TIER_FIELD_limit_reset)
        return limit_reset_parse(text, &tier->limit_reset);
    if (number == TIER_FIELD_key)
        tier->key = (enum tier_key)at; /* the words stand in its order */
    else if (number == TIER_FIELD_on_provisioning_failure)
        tier->shared_on_failure = at == 1;
    else
        tier->overage_allowed = at == 1;
    return true;
}

static void tell_wanted(const struct tier_field *field, char ret_wanted[TIER_WANTED_SIZE])
{
    struct span words = span_of(field->min), word;
    size_t used;

    if (field->type != CONFIG_CHOICE) {
        snprintf(ret_wanted, TIER_WANTED_SIZE, "%s, from %s to %s%s",
                 config_value_kind(field->type), field->min, field->max,
                 field->may_be_unlimited ? ", or -1 for no limit" : "");
        return;
    }
    used = (size_t)snprintf(ret_wanted, TIER_WANTED_SIZE, "one of ");
    while (span_split(&words, '|', &word))
        used += (size_t)snprintf(ret_wanted + used, TIER_WANTED_SIZE - used, "%.*s%s",
                                 SPAN_PRINT(word), words.at ? ", " : "");
}

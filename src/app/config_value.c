#include "app/config_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "domain/nano_usd.h"

struct unit {
    const char *suffix;
    int64_t factor;
};

/* clang-format off */
static const struct unit durations[] = { /* the smallest first */
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000}, {NULL, 0}};
static const struct unit sizes[] = {
    {"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static const struct kind {
    const char *text;
    const struct unit *units; /* NULL: not a number with a unit */
} kinds[] = {
    [CONFIG_TEXT]     = {"one line of text", NULL},
    [CONFIG_COUNT]    = {"a number", counts},
    [CONFIG_BYTES]    = {"a size in bytes such as 512, 64KiB or 20MiB", sizes},
    [CONFIG_DURATION] = {"a duration such as 250ms, 10s, 5m, 24h or 90d", durations},
    [CONFIG_USD]      = {"an amount in USD such as 10 or 0.5", NULL},
    [CONFIG_CHOICE]   = {"one of the words", NULL},
};
/* clang-format on */

static bool parse_with_unit(const struct unit *units, struct span text, int64_t *ret_value);

bool config_value_parse(enum config_type type, struct span text, int64_t *ret_value)
{
    if (type == CONFIG_USD)
        return nano_usd_parse(text, ret_value);
    if (type == CONFIG_DURATION && span_equal(text, SPAN("0")))
        text = SPAN("0ms");
    if (type == CONFIG_COUNT && span_equal(text, SPAN("-1"))) {
        *ret_value = -1;
        return true;
    }
    assert(kinds[type].units);
    return parse_with_unit(kinds[type].units, text, ret_value);
}

void config_value_text(enum config_type type, int64_t value, char ret_text[CONFIG_VALUE_TEXT_SIZE])
{
    const struct unit *units = kinds[type].units, *best = units;

    static_assert((int)NANO_USD_TEXT_SIZE <= (int)CONFIG_VALUE_TEXT_SIZE, "an amount fits");
    if (type == CONFIG_USD) {
        nano_usd_text(value, ret_text);
        return;
    }
    assert(units);
    for (const struct unit *unit = units; value != 0 && unit->suffix; unit++)
        if (value % unit->factor == 0)
            best = unit;
    snprintf(ret_text, CONFIG_VALUE_TEXT_SIZE, "%" PRId64 "%s", value / best->factor, best->suffix);
}

const char *config_value_kind(enum config_type type)
{
    return kinds[type].text;
}

static bool parse_with_unit(const struct unit *units, struct span text, int64_t *ret_value)
{
    size_t digits = 0;
    uint64_t number = 0;

    while (digits < text.size && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    if (!span_u64(span_first(text, digits), &number))
        return false;
    for (; units->suffix; units++) {
        if (!span_equal(span_from(text, digits), span_of(units->suffix)))
            continue;
        if (number > (uint64_t)(INT64_MAX / units->factor))
            return false;
        *ret_value = (int64_t)number * units->factor;
        return true;
    }
    return false;
}

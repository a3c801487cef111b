/* What was settled and is not booked yet, as lua/settle.lua leaves it in the account. */
#include "store/quota_parts.h"

#include <assert.h>

static const char *const sources[] = {
    [COST_FROM_USAGE] = "usage",          [COST_FROM_GENERATION] = "generation",
    [COST_FROM_KEY] = "key_usage",        [COST_FROM_ESTIMATE] = "estimate",
    [COST_NOTHING_SENT] = "nothing_sent",
};

#define SOURCES (sizeof(sources) / sizeof(*sources))

static bool take_text(struct span *rest, char *ret_text, size_t capacity);
static bool take_number(struct span *rest, int64_t *ret_number);
static bool take_source(struct span *rest, enum cost_source *ret_source);

const char *cost_source_name(enum cost_source source)
{
    assert(source < SOURCES);
    return sources[source];
}

bool quota_unbooked_read(struct span text, struct settlement_record *record)
{
    int64_t settled_ms, delivered = 0;
    struct settlement_record got = *record;
    struct span rest = text, state;

    if (!span_split(&rest, '\n', &state) || !span_equal(state, SPAN("S")) ||
        !take_number(&rest, &settled_ms) ||
        !take_text(&rest, got.budget_period, sizeof(got.budget_period)) ||
        !take_text(&rest, got.day, sizeof(got.day)) ||
        !take_text(&rest, got.model, sizeof(got.model)) ||
        !take_number(&rest, &got.cost_nano_usd) || !take_number(&rest, &delivered) ||
        !take_number(&rest, &got.prompt_tokens) || !take_number(&rest, &got.cached_tokens) ||
        !take_number(&rest, &got.completion_tokens) || !take_number(&rest, &got.reasoning_tokens) ||
        !take_number(&rest, &got.key_version) || !take_text(&rest, got.tier, sizeof(got.tier)) ||
        !take_number(&rest, &got.finished_ms) || !take_source(&rest, &got.source))
        return false;
    got.delivered = delivered == 1;
    if (rest.at)
        return false;
    *record = got;
    return true;
}

static bool take_text(struct span *rest, char *ret_text, size_t capacity)
{
    struct span line;

    return span_split(rest, '\n', &line) && span_text(line, ret_text, capacity);
}

static bool take_number(struct span *rest, int64_t *ret_number)
{
    struct span line;

    return span_split(rest, '\n', &line) && span_i64(line, ret_number);
}

static bool take_source(struct span *rest, enum cost_source *ret_source)
{
    struct span line;

    if (!span_split(rest, '\n', &line))
        return false;
    for (size_t i = 0; i < SOURCES; i++)
        if (span_equal(line, span_of(sources[i]))) {
            *ret_source = (enum cost_source)i;
            return true;
        }
    return false;
}

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
    struct span rest = text, state;

    if (!span_split(&rest, '\n', &state) || !span_equal(state, SPAN("S")) ||
        !take_number(&rest, &settled_ms) ||
        !take_text(&rest, record->budget_period, sizeof(record->budget_period)) ||
        !take_text(&rest, record->day, sizeof(record->day)) ||
        !take_text(&rest, record->model, sizeof(record->model)) ||
        !take_number(&rest, &record->cost_nano_usd) || !take_number(&rest, &delivered) ||
        !take_number(&rest, &record->prompt_tokens) ||
        !take_number(&rest, &record->cached_tokens) ||
        !take_number(&rest, &record->completion_tokens) ||
        !take_number(&rest, &record->reasoning_tokens) ||
        !take_number(&rest, &record->key_version) ||
        !take_text(&rest, record->tier, sizeof(record->tier)) ||
        !take_number(&rest, &record->finished_ms) || !take_source(&rest, &record->source))
        return false;
    record->delivered = delivered == 1;
    return !rest.at;
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

/* What is settled and not booked yet, as it stands in the account: in front of these lines lua/settle.lua puts "S", when, the
 * budget window and the day. */
#include "store/quota_parts.h"

#include "base/number.h"

#include <assert.h>

static const char *const sources[] = {
    [COST_FROM_USAGE] = "usage",          [COST_FROM_GENERATION] = "generation",
    [COST_FROM_KEY] = "key_usage",        [COST_FROM_ESTIMATE] = "estimate",
    [COST_NOTHING_SENT] = "nothing_sent",
};

#define SOURCES (sizeof(sources) / sizeof(*sources))

static char *put_text(char *at, struct span text);
static char *put_number(char *at, int64_t number);
static bool take_text(struct span *rest, char *ret_text, size_t capacity);
static bool take_number(struct span *rest, int64_t *ret_number);
static bool take_source(struct span *rest, enum cost_source *ret_source);

const char *cost_source_name(enum cost_source source)
{
    assert(source < SOURCES);
    return sources[source];
}

struct span quota_unbooked_write(const struct settlement_record *record, struct span model,
                                 char ret_lines[QUOTA_UNBOOKED_SIZE])
{
    const int64_t numbers[] = {quota_amount(record->cost_nano_usd),
                               record->delivered,
                               record->prompt_tokens,
                               record->cached_tokens,
                               record->completion_tokens,
                               record->reasoning_tokens,
                               record->key_version};
    char *at = put_text(ret_lines, model);

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        at = put_number(at, numbers[i]);
    at = put_text(at, span_of(record->tier));
    at = put_number(at, record->finished_ms);
    at = put_text(at, span_of(cost_source_name(record->source)));
    return (struct span){ret_lines, (size_t)(at - 1 - ret_lines)};
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

static char *put_text(char *at, struct span text)
{
    memcpy(at, text.at, text.size);
    at[text.size] = '\n';
    return at + text.size + 1;
}

static char *put_number(char *at, int64_t number)
{
    at += number_text(number, at).size;
    *at = '\n'; /* where its NUL is */
    return at + 1;
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

#include "store/settled_text.h"

#include <assert.h>

static const char *const sources[] = {
    [COST_FROM_USAGE] = "usage",          [COST_FROM_GENERATION] = "generation",
    [COST_FROM_KEY] = "key_usage",        [COST_FROM_ESTIMATE] = "estimate",
    [COST_NOTHING_SENT] = "nothing_sent",
};

#define SOURCES (sizeof(sources) / sizeof(*sources))

static char *put_text(char *at, struct span text);
static bool take_source(struct span *rest, enum cost_source *ret_source);

const char *cost_source_name(enum cost_source source)
{
    assert(source < SOURCES);
    return sources[source];
}

struct span store_line(struct span text, char ret_line[METER_TEXT_MAX])
{
    struct span line = span_first(text, METER_TEXT_MAX);

    for (size_t i = 0; i < line.size; i++)
        ret_line[i] = (unsigned char)line.at[i] < ' ' || line.at[i] == 0x7f ? ' ' : line.at[i];
    return (struct span){ret_line, line.size};
}

struct span settled_text_write(const struct settlement_record *record, struct span model,
                               char ret_text[SETTLED_TEXT_SIZE])
{
    const int64_t numbers[] = {quota_amount(record->cost_nano_usd),
                               record->delivered,
                               record->prompt_tokens,
                               record->cached_tokens,
                               record->completion_tokens,
                               record->reasoning_tokens,
                               record->key_version};
    char *at = put_text(ret_text, model);

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        at = number_put(at, numbers[i], '\n');
    at = put_text(at, span_of(record->tier));
    at = number_put(at, record->finished_ms, '\n');
    at = put_text(at, span_of(cost_source_name(record->source)));
    return (struct span){ret_text, (size_t)(at - 1 - ret_text)};
}

struct span settled_entry_write(const struct settlement_record *record,
                                char ret_entry[SETTLED_ENTRY_SIZE])
{
    char model[METER_TEXT_MAX], *at = put_text(ret_entry, span_of(record->user));
    struct span settled;

    at = put_text(at, span_of(record->day));
    settled = settled_text_write(record, store_line(span_of(record->model), model), at);
    return (struct span){ret_entry, (size_t)(settled.at + settled.size - ret_entry)};
}

bool settled_text_read(struct span text, struct settlement_record *record)
{
    int64_t settled_ms, delivered = 0;
    struct settlement_record got = *record;
    struct span rest = text, state;

    if (!span_split(&rest, '\n', &state) || !span_equal(state, SPAN("S")) ||
        !span_split_i64(&rest, '\n', &settled_ms) ||
        !span_split_text(&rest, '\n', got.budget_period, sizeof(got.budget_period)) ||
        !span_split_text(&rest, '\n', got.day, sizeof(got.day)) ||
        !span_split_text(&rest, '\n', got.model, sizeof(got.model)) ||
        !span_split_i64(&rest, '\n', &got.cost_nano_usd) ||
        !span_split_i64(&rest, '\n', &delivered) ||
        !span_split_i64(&rest, '\n', &got.prompt_tokens) ||
        !span_split_i64(&rest, '\n', &got.cached_tokens) ||
        !span_split_i64(&rest, '\n', &got.completion_tokens) ||
        !span_split_i64(&rest, '\n', &got.reasoning_tokens) ||
        !span_split_i64(&rest, '\n', &got.key_version) ||
        !span_split_text(&rest, '\n', got.tier, sizeof(got.tier)) ||
        !span_split_i64(&rest, '\n', &got.finished_ms) || !take_source(&rest, &got.source))
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

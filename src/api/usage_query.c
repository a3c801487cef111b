#include "api/usage_query.h"

#include "api/target.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

enum { VALUE_SIZE = 64 };

static const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;

static const char *const group_names[] = {[SUMS_BY_USER] = "user",
                                          [SUMS_BY_TIER] = "tier",
                                          [SUMS_BY_MODEL] = "model",
                                          [SUMS_BY_DAY] = "day"};
static const char *const format_names[] = {[USAGE_JSON] = "json", [USAGE_CSV] = "csv"};

static bool set_first(struct usage_query *query, struct span value);
static bool set_last(struct usage_query *query, struct span value);
static bool set_group(struct usage_query *query, struct span value);
static bool set_format(struct usage_query *query, struct span value);

static const struct parameter {
    const char *name, *wanted;
    bool (*set)(struct usage_query *query, struct span value);
} parameters[] = {
    {"from", "a day like 2026-11-20", set_first},
    {"to", "a day like 2026-11-20", set_last},
    {"group_by", "user, tier, model or day", set_group},
    {"format", "json or csv", set_format},
};
enum { GIVEN_FIRST = 1 << 0, GIVEN_LAST = 1 << 1 }; /* as in the table */

static bool refuse(char ret_error[USAGE_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool word_index(struct span word, const char *const *words, size_t count, size_t *ret_index);
static bool period_parse(struct span text, const char *rest, enum limit_reset reset,
                         struct period *ret_period);

bool usage_query_set(struct usage_query *query, struct span name, struct span value,
                     char ret_error[USAGE_ERROR_SIZE])
{
    for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++) {
        const struct parameter *parameter = &parameters[i];
        if (!span_equal(name, span_of(parameter->name)))
            continue;
        if (query->given & 1u << i)
            return refuse(ret_error, "'%s' is given twice.", parameter->name);
        if (!parameter->set(query, value))
            return refuse(ret_error, "'%s' must be %s.", parameter->name, parameter->wanted);
        query->given |= 1u << i;
        return true;
    }
    return refuse(ret_error, "There is no such parameter; there are from, to, group_by, format.");
}

bool usage_query_seal(struct usage_query *query, int64_t now_ms, char ret_error[USAGE_ERROR_SIZE])
{
    struct period month;

    if (!(query->given & GIVEN_LAST))
        query->last = period_of(LIMIT_RESET_DAILY, now_ms);
    month = period_of(LIMIT_RESET_MONTHLY, query->last.starts_ms);
    if (!(query->given & GIVEN_FIRST))
        query->first = period_of(LIMIT_RESET_DAILY, month.starts_ms);
    if (query->first.starts_ms > query->last.starts_ms)
        return refuse(ret_error, "'from' (%s) is after 'to' (%s).", query->first.name,
                      query->last.name);
    if ((query->last.ends_ms - query->first.starts_ms) / day_ms > USAGE_DAYS_MAX)
        return refuse(ret_error, "At most %d days can be asked for at once.", USAGE_DAYS_MAX);
    return true;
}

bool usage_query_read(struct usage_query *ret_query, struct span text, int64_t now_ms,
                      char ret_error[USAGE_ERROR_SIZE])
{
    struct span name, value;
    char decoded[VALUE_SIZE];

    *ret_query = (struct usage_query){.group = SUMS_BY_USER, .format = USAGE_JSON};
    while (query_next(&text, &name, &value)) {
        if (!percent_decode(value, decoded, sizeof(decoded)))
            decoded[0] = '\0';
        if (!usage_query_set(ret_query, name, span_of(decoded), ret_error))
            return false;
    }
    return usage_query_seal(ret_query, now_ms, ret_error);
}

bool usage_month_read(struct period *ret_month, struct span text, int64_t now_ms,
                      char ret_error[USAGE_ERROR_SIZE])
{
    struct span name, value;
    char decoded[VALUE_SIZE];
    bool given = false;

    *ret_month = period_of(LIMIT_RESET_MONTHLY, now_ms);
    while (query_next(&text, &name, &value)) {
        if (!span_equal(name, SPAN("month")))
            return refuse(ret_error, "There is no such parameter; there is month.");
        if (given)
            return refuse(ret_error, "'month' is given twice.");
        if (!percent_decode(value, decoded, sizeof(decoded)) ||
            !month_parse(span_of(decoded), ret_month))
            return refuse(ret_error, "'month' must be a month like 2026-11.");
        given = true;
    }
    return true;
}

const char *usage_group_name(enum sums_group group)
{
    return group_names[group];
}

bool day_parse(struct span text, struct period *ret_day)
{
    return period_parse(text, "T00:00:00Z", LIMIT_RESET_DAILY, ret_day);
}

bool month_parse(struct span text, struct period *ret_month)
{
    return period_parse(text, "-01T00:00:00Z", LIMIT_RESET_MONTHLY, ret_month);
}

struct period usage_window(const struct usage_query *query, int64_t at_ms)
{
    struct period month = period_of(LIMIT_RESET_MONTHLY, at_ms);
    bool whole = at_ms == month.starts_ms && month.ends_ms <= query->last.ends_ms;

    return whole || query->group == SUMS_BY_DAY ? month : period_of(LIMIT_RESET_DAILY, at_ms);
}

bool usage_query_covers(const struct usage_query *query, struct span date)
{
    struct period day;

    return day_parse(date, &day) && day.starts_ms >= query->first.starts_ms &&
           day.starts_ms <= query->last.starts_ms;
}

static bool set_first(struct usage_query *query, struct span value)
{
    return day_parse(value, &query->first);
}

static bool set_last(struct usage_query *query, struct span value)
{
    return day_parse(value, &query->last);
}

static bool set_group(struct usage_query *query, struct span value)
{
    size_t index;
    bool known = word_index(value, group_names, sizeof(group_names) / sizeof(*group_names), &index);

    if (known)
        query->group = (enum sums_group)index;
    return known;
}

static bool set_format(struct usage_query *query, struct span value)
{
    size_t index;
    bool known =
        word_index(value, format_names, sizeof(format_names) / sizeof(*format_names), &index);

    if (known)
        query->format = (enum usage_format)index;
    return known;
}

static bool word_index(struct span word, const char *const *words, size_t count, size_t *ret_index)
{
    for (*ret_index = 0; *ret_index < count; ++*ret_index)
        if (span_equal(word, span_of(words[*ret_index])))
            return true;
    return false;
}

/* Its first instant must be a time, and be of the period that has this name: no 2026-02-30, no other spelling. */
static bool period_parse(struct span text, const char *rest, enum limit_reset reset,
                         struct period *ret_period)
{
    char time[CLOCK_TEXT_SIZE];
    struct period period;
    int64_t starts_ms;

    if (text.size >= PERIOD_NAME_SIZE)
        return false;
    snprintf(time, sizeof(time), "%.*s%s", SPAN_PRINT(text), rest);
    if (!clock_parse(span_of(time), &starts_ms))
        return false;
    period = period_of(reset, starts_ms);
    if (!span_equal(text, span_of(period.name)))
        return false;
    *ret_period = period;
    return true;
}

static bool refuse(char ret_error[USAGE_ERROR_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(ret_error, USAGE_ERROR_SIZE, format, args);
    va_end(args);
    return false;
}

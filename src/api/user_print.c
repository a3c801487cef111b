/* The printed forms of user_view.h: JSON for the admin API and machines, lines for people. */
#include "api/json_parts.h"
#include "api/quota_print.h"
#include "api/user_view.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static const char no_such_tier[] =
    "the tier is not in the configuration, so every request fails: add it, or give the user "
    "another one";

static void put_overrides(struct json *j, const struct user_record *record);
static void put_own(struct json *j, const char *name, const struct user_record *record,
                    enum user_own own);
static void put_boost(struct json *j, const struct user_view *view);
static bool boost_lasts(const struct user_view *view);
static const char *tier_name(const struct user_view *view);
static bool line_time(struct buffer *out, const char *before, int64_t wall_ms);
static bool line_budget(struct buffer *out, const struct user_view *view);
static bool line_count(struct buffer *out, const char *name, int64_t used, int64_t limit,
                       const char *after);
static bool line_own(struct buffer *out, const struct user_record *record);
static bool line_key(struct buffer *out, const struct user_view *view);

bool user_print_json(const struct user_view *view, struct buffer *out)
{
    const struct user_record *record = &view->set.record;
    struct json j = json_into(out);

    json_open(&j, '{');
    json_string(&j, "user", span_of(view->user));
    json_string(&j, "status", record->disabled ? SPAN("disabled") : SPAN("active"));
    json_string(&j, "tier", span_of(tier_name(view)));
    json_time(&j, "created_at", record->created_at_ms);
    put_overrides(&j, record);
    put_boost(&j, view);
    if (view->tier) {
        quota_print_budget(&j, &view->look.view, view->tier);
        quota_print_counts(&j, &view->look.view);
    } else {
        json_string(&j, "problem", SPAN(no_such_tier));
    }
    quota_print_key(&j, &view->key.record, view->tier);
    json_close(&j, '}');
    return json_ok(&j) && buffer_append(out, SPAN("\n"));
}

bool user_print_text(const struct user_view *view, struct buffer *out)
{
    const struct user_record *record = &view->set.record;
    const struct quota_view *quota = &view->look.view;
    char amount[QUOTA_TEXT_SIZE];
    bool fits = buffer_format(out, "user        %s\nstatus      %s\ntier        %s\n", view->user,
                              record->disabled ? "disabled" : "active", tier_name(view)) &&
                line_time(out, "made        ", record->created_at_ms) &&
                buffer_append(out, SPAN("\n"));

    if (!view->tier)
        fits = fits && buffer_format(out, "problem     %s\n", no_such_tier);
    else
        fits = fits && line_budget(out, view) &&
               line_count(out, "messages", quota->messages_used, quota->messages_limit, "today") &&
               line_count(out, "requests", quota->requests_used, quota->requests_limit,
                          "this minute") &&
               line_count(out, "at once", quota->active, quota->active_limit, "running");
    if (boost_lasts(view))
        fits = fits &&
               buffer_format(out, "boost       %s USD, ",
                             quota_usd_text(record->boost_nano_usd, amount)) &&
               line_time(out, "until ", record->boost_until_ms) && buffer_append(out, SPAN("\n"));
    return fits && line_own(out, record) && line_key(out, view);
}

static void put_overrides(struct json *j, const struct user_record *record)
{
    json_name(j, "overrides");
    json_open(j, '{');
    if (record->own[USER_OWN_LIMIT].set) {
        json_amount(j, "limit", record->own[USER_OWN_LIMIT].value);
    } else {
        json_name(j, "limit_nano_usd");
        json_null(j);
        json_name(j, "limit_usd");
        json_null(j);
    }
    put_own(j, "messages_per_day", record, USER_OWN_MESSAGES);
    put_own(j, "requests_per_minute", record, USER_OWN_REQUESTS);
    put_own(j, "max_concurrent", record, USER_OWN_CONCURRENT);
    json_close(j, '}');
}

static void put_own(struct json *j, const char *name, const struct user_record *record,
                    enum user_own own)
{
    json_name(j, name);
    if (record->own[own].set)
        json_int(j, record->own[own].value);
    else
        json_null(j);
}

static void put_boost(struct json *j, const struct user_view *view)
{
    json_name(j, "boost");
    if (!boost_lasts(view)) {
        json_null(j);
        return;
    }
    json_open(j, '{');
    json_amount(j, "limit", view->set.record.boost_nano_usd);
    json_time(j, "until", view->set.record.boost_until_ms);
    json_close(j, '}');
}

static bool boost_lasts(const struct user_view *view)
{
    return view->set.record.boost_until_ms > view->now_ms;
}

static const char *tier_name(const struct user_view *view)
{
    return view->tier ? view->tier->name : view->set.record.tier;
}

static bool line_time(struct buffer *out, const char *before, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_text(wall_ms, text);
    return buffer_format(out, "%s%s", before, text);
}

static bool line_budget(struct buffer *out, const struct user_view *view)
{
    const struct quota_view *quota = &view->look.view;
    char limit[QUOTA_TEXT_SIZE], spent[QUOTA_TEXT_SIZE], held[QUOTA_TEXT_SIZE],
        left[QUOTA_TEXT_SIZE];
    bool fits = buffer_format(
        out, "budget      %s USD %s: %s spent, %s held",
        quota_usd_text(quota->limit_nano_usd, limit), limit_reset_name(view->tier->limit_reset),
        quota_usd_text(quota->spent_nano_usd, spent), quota_usd_text(quota->held_nano_usd, held));

    if (quota->limit_nano_usd >= 0)
        fits = fits &&
               buffer_format(out, ", %s left", quota_usd_text(quota->remaining_nano_usd, left));
    if (quota->debt_nano_usd > 0)
        fits = fits && buffer_format(out, ", %s debt", quota_usd_text(quota->debt_nano_usd, left));
    return fits && line_time(out, "; new window ", quota->budget_resets_ms) &&
           buffer_append(out, SPAN("\n"));
}

static bool line_count(struct buffer *out, const char *name, int64_t used, int64_t limit,
                       const char *after)
{
    char text[QUOTA_TEXT_SIZE];

    return buffer_format(out, "%-12s%" PRId64 " of %s %s\n", name, used,
                         quota_count_text(limit, text), after);
}

/* Only those the user has. */
static bool line_own(struct buffer *out, const struct user_record *record)
{
    static const char *const names[] = {[USER_OWN_LIMIT] = "limit_usd",
                                        [USER_OWN_MESSAGES] = "messages_per_day",
                                        [USER_OWN_REQUESTS] = "requests_per_minute",
                                        [USER_OWN_CONCURRENT] = "max_concurrent"};
    char text[QUOTA_TEXT_SIZE];
    bool fits = true, any = false;

    for (size_t i = 0; i < USER_OWN_COUNT; i++) {
        int64_t value = record->own[i].value;
        if (!record->own[i].set)
            continue;
        fits = fits && buffer_format(out, "%s%s %s", any ? ", " : "own limits  ", names[i],
                                     i == USER_OWN_LIMIT ? quota_usd_text(value, text)
                                                         : quota_count_text(value, text));
        any = true;
    }
    return fits && (!any || buffer_append(out, SPAN("\n")));
}

static bool line_key(struct buffer *out, const struct user_view *view)
{
    const struct key_record *record = &view->key.record;
    bool fits = buffer_format(out, "key         %s, %s",
                              view->tier ? tier_key_name(view->tier->key) : "unknown",
                              key_state_name(record->state));

    if (record->version > 0)
        fits = fits && buffer_format(out, ", version %" PRId64, record->version) &&
               line_time(out, ", made ", record->created_at_ms);
    if (record->expires_at_ms > 0)
        fits = fits && line_time(out, ", expires ", record->expires_at_ms);
    return fits && buffer_append(out, SPAN("\n"));
}

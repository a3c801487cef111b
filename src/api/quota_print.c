#include "api/quota_print.h"

#include "api/json_parts.h"
#include "domain/nano_usd.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static int64_t rest_of(int64_t limit, int64_t used);

void quota_print_budget(struct json *j, const struct quota_view *view, const struct tier *tier)
{
    json_amount(j, "limit", view->limit_nano_usd);
    json_amount(j, "spent", view->spent_nano_usd);
    json_amount(j, "held", view->held_nano_usd);
    json_amount(j, "debt", view->debt_nano_usd);
    json_amount(j, "remaining", view->remaining_nano_usd);
    json_string(j, "limit_reset", span_of(limit_reset_name(tier->limit_reset)));
    json_time(j, "reset_at", view->budget_resets_ms);
}

void quota_print_counts(struct json *j, const struct quota_view *view)
{
    json_count(j, "messages_limit", view->messages_limit);
    json_count(j, "messages_used", view->messages_used);
    json_count(j, "messages_remaining", rest_of(view->messages_limit, view->messages_used));
    json_time(j, "messages_reset_at", view->day_resets_ms);
    json_count(j, "requests_per_minute", view->requests_limit);
    json_count(j, "requests_used", view->requests_used);
    json_time(j, "requests_reset_at", view->minute_resets_ms);
    json_count(j, "max_concurrent", view->active_limit);
    json_count(j, "active", view->active);
}

void quota_print_key(struct json *j, const struct key_record *record, const struct tier *tier)
{
    json_name(j, "key");
    json_open(j, '{');
    json_string(j, "kind", span_of(tier ? tier_key_name(tier->key) : NULL));
    json_string(j, "state", span_of(key_state_name(record->state)));
    json_count(j, "version", record->version);
    json_time(j, "created_at", record->created_at_ms);
    json_time(j, "expires_at", record->expires_at_ms);
    json_close(j, '}');
}

const char *tier_key_name(enum tier_key key)
{
    static const char *const names[] = {[TIER_KEY_PROVISIONED] = "provisioned",
                                        [TIER_KEY_SHARED] = "shared",
                                        [TIER_KEY_OWN] = "own"};

    return names[key];
}

const char *quota_usd_text(int64_t nano_usd, char ret_text[QUOTA_TEXT_SIZE])
{
    static_assert((int)NANO_USD_TEXT_SIZE <= (int)QUOTA_TEXT_SIZE, "an amount fits");
    if (nano_usd < 0)
        return "unlimited";
    nano_usd_text(nano_usd, ret_text);
    return ret_text;
}

const char *quota_count_text(int64_t count, char ret_text[QUOTA_TEXT_SIZE])
{
    if (count < 0)
        return "unlimited";
    snprintf(ret_text, QUOTA_TEXT_SIZE, "%" PRId64, count);
    return ret_text;
}

static int64_t rest_of(int64_t limit, int64_t used)
{
    return limit < 0 ? UNLIMITED : limit > used ? limit - used : 0;
}

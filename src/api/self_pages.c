/* The pages of self_service.h but for the models, which the catalogue prints itself. */
#include "api/json_parts.h"
#include "api/quota_print.h"
#include "api/self_way.h"

#include <stdio.h>

enum { LABEL_SIZE = 48 };

static void put_label(struct json *j, const struct self_service *self);
static void put_usage(struct json *j, const struct self_service *self);
static int64_t spent_since(const struct self_service *self, int64_t since_ms);

/* OpenRouter's shape. Its usage is all-time; ours is that of the window the limit is for, so that limit, usage and
 * limit_remaining belong together. */
bool self_print_key(const struct self_service *self, struct buffer *out)
{
    const struct quota_view *view = &self->look.view;
    struct json j = json_into(out);

    json_open(&j, '{');
    json_name(&j, "data");
    json_open(&j, '{');
    put_label(&j, self);
    json_usd(&j, "limit", view->limit_nano_usd);
    json_usd(&j, "limit_remaining", view->remaining_nano_usd);
    json_string(&j, "limit_reset",
                view->limit_nano_usd < 0 ? SPAN_NONE
                                         : span_of(limit_reset_name(self->tier->limit_reset)));
    json_time(&j, "limit_reset_at", view->limit_nano_usd < 0 ? 0 : view->budget_resets_ms);
    put_usage(&j, self);
    json_name(&j, "is_free_tier");
    json_bool(&j, self->tier->key == TIER_KEY_SHARED);
    json_name(&j, "is_management_key");
    json_bool(&j, false);
    json_name(&j, "rate_limit");
    json_open(&j, '{');
    json_count(&j, "requests", view->requests_limit);
    json_string(&j, "interval", SPAN("1m"));
    json_close(&j, '}');
    json_close(&j, '}');
    json_close(&j, '}');
    return json_ok(&j);
}

bool self_print_me(const struct self_service *self, struct buffer *out)
{
    struct json j = json_into(out);

    json_open(&j, '{');
    json_string(&j, "user", span_of(self->user));
    json_string(&j, "tier", span_of(self->tier->name));
    quota_print_budget(&j, &self->look.view, self->tier);
    quota_print_counts(&j, &self->look.view);
    quota_print_key(&j, &self->key.record, self->tier);
    json_close(&j, '}');
    return json_ok(&j);
}

bool self_print_usage(const struct self_service *self, struct buffer *out)
{
    struct json j = json_into(out);

    json_open(&j, '{');
    json_string(&j, "user", span_of(self->user));
    json_string(&j, "tier", span_of(self->tier->name));
    json_name(&j, "months");
    json_open(&j, '[');
    for (size_t i = 0; i < self->months_wanted; i++) {
        json_open(&j, '{');
        usage_print_month(&self->months[i].sheet, &self->months[i].period, &j);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    return json_ok(&j);
}

/* The caller's key is its token; the id in it is public, the rest is not shown. */
static void put_label(struct json *j, const struct self_service *self)
{
    char label[LABEL_SIZE];

    snprintf(label, sizeof(label), "kt_%s_***************", self->token_id);
    json_string(j, "label", self->token_id[0] ? span_of(label) : span_of(self->user));
}

static void put_usage(struct json *j, const struct self_service *self)
{
    static const struct {
        const char *name;
        enum limit_reset reset;
    } windows[] = {{"usage_daily", LIMIT_RESET_DAILY},
                   {"usage_weekly", LIMIT_RESET_WEEKLY},
                   {"usage_monthly", LIMIT_RESET_MONTHLY}};

    json_usd(j, "usage", self->look.view.spent_nano_usd);
    for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++)
        json_usd(j, windows[i].name,
                 spent_since(self, period_of(windows[i].reset, self->look.now_ms).starts_ms));
}

static int64_t spent_since(const struct self_service *self, int64_t since_ms)
{
    struct usage_query query = {.first = period_of(LIMIT_RESET_DAILY, since_ms),
                                .last = period_of(LIMIT_RESET_DAILY, self->look.now_ms)};
    int64_t sum = 0;

    for (size_t i = 0; i < self->months_wanted; i++)
        sum += usage_sheet_cost(&self->months[i].sheet, &query);
    return sum;
}

/* What a reply says about the quota: header fields, the sentence of a refusal, an error's members. */
#include "base/clock.h"
#include "base/number.h"
#include "domain/nano_usd.h"
#include "flow/exchange/way.h"

static struct span budget_members(struct exchange *x);
static struct span count_members(struct exchange *x, int64_t limit, int64_t resets_ms);
static struct span number_kept(struct exchange *x, int64_t number);

size_t exchange_quota_headers(struct exchange *x, struct header *rows, size_t capacity)
{
    const struct quota_view *view = &x->admission.view;
    bool by_day = view->messages_limit >= 0;
    int64_t limit = by_day ? view->messages_limit : view->requests_limit;
    int64_t used = by_day ? view->messages_used : view->requests_used;
    int64_t resets_ms = by_day ? view->day_resets_ms : view->minute_resets_ms;
    char usd[32], text[NUMBER_TEXT_SIZE];
    size_t count = 0;

    if (!x->admission.now_ms || capacity < 4)
        return 0;
    if (limit >= 0) {
        int64_t seconds = (resets_ms - x->admission.now_ms + 999) / 1000;
        rows[count++] = (struct header){SPAN("x-ratelimit-limit-requests"), number_kept(x, limit)};
        rows[count++] = (struct header){SPAN("x-ratelimit-remaining-requests"),
                                        number_kept(x, limit > used ? limit - used : 0)};
        rows[count++] = (struct header){
            SPAN("x-ratelimit-reset-requests"),
            arena_join(&x->memory, number_text(seconds > 0 ? seconds : 0, text), SPAN("s"))};
    }
    if (view->limit_nano_usd >= 0) {
        nano_usd_text(view->remaining_nano_usd, usd);
        rows[count++] = (struct header){SPAN("x-keyturn-budget-remaining-usd"),
                                        arena_copy(&x->memory, span_of(usd))};
    }
    return count;
}

/* The sentence of a spent limit, with the tier that would help. */
struct span exchange_quota_sentence(struct exchange *x, enum fault fault)
{
    const struct tier *next = tiers_next(x->flow->settings->tiers, x->tier);
    const struct quota_view *view = &x->admission.view;
    char usd[32], left[32];

    nano_usd_text(view->limit_nano_usd, usd);
    nano_usd_text(view->remaining_nano_usd, left);
    if (fault == FAULT_QUOTA_SPENT && view->remaining_nano_usd > 0)
        return arena_format(&x->memory,
                            "Of the budget of $%s of the tier %s $%s is left, and this request may "
                            "cost more: make it smaller, or name a cheaper model.%s%s%s",
                            usd, x->tier->name, left, next ? " The tier " : "",
                            next ? next->name : "", next ? " has more." : "");
    if (fault == FAULT_QUOTA_SPENT)
        return arena_format(&x->memory, "The budget of $%s of the tier %s is spent.%s%s%s", usd,
                            x->tier->name,
                            next ? " The tier " : " It comes back with the next period.",
                            next ? next->name : "", next ? " has more." : "");
    if (fault == FAULT_MESSAGES_SPENT)
        return arena_format(&x->memory, "All %lld messages of today are used.%s%s%s",
                            (long long)view->messages_limit,
                            next ? " The tier " : " They come back at 00:00 UTC.",
                            next ? next->name : "", next ? " has more." : "");
    return SPAN_NONE;
}

struct span exchange_quota_members(struct exchange *x)
{
    const struct quota_view *view = &x->admission.view;

    if (!x->admission.now_ms)
        return SPAN_NONE;
    if (x->fault == FAULT_QUOTA_SPENT || x->fault == FAULT_BUDGET_HELD)
        return budget_members(x);
    if (x->fault == FAULT_MESSAGES_SPENT)
        return count_members(x, view->messages_limit, view->day_resets_ms);
    if (x->fault == FAULT_TOO_FAST)
        return count_members(x, view->requests_limit, view->minute_resets_ms);
    if (x->fault == FAULT_TOO_MANY)
        return count_members(x, view->active_limit, 0);
    if (x->fault == FAULT_FREE_MODELS_MINUTE || x->fault == FAULT_FREE_MODELS_DAY)
        return exchange_free_members(x);
    return SPAN_NONE;
}

uint64_t exchange_quota_retry_s(const struct exchange *x)
{
    int64_t left_ms = x->admission.view.minute_resets_ms - x->admission.now_ms;

    if (x->fault == FAULT_FREE_MODELS_MINUTE)
        return exchange_free_retry_s(x);
    return x->fault == FAULT_TOO_FAST && left_ms > 0 ? (uint64_t)(left_ms + 999) / 1000 : 0;
}

static struct span budget_members(struct exchange *x)
{
    const struct quota_view *view = &x->admission.view;
    char limit[32], remaining[32], resets[CLOCK_TEXT_SIZE];

    if (view->limit_nano_usd < 0) /* it was OpenRouter's */
        return SPAN_NONE;
    nano_usd_text(view->limit_nano_usd, limit);
    nano_usd_text(view->remaining_nano_usd, remaining);
    clock_text(view->budget_resets_ms, resets);
    return arena_format(&x->memory,
                        "\"limit\":%s,\"remaining\":%s,\"reset_at\":\"%s\",\"limit_usd\":%s,"
                        "\"limit_nano_usd\":%lld,"
                        "\"remaining_usd\":%s,\"remaining_nano_usd\":%lld",
                        limit, remaining, resets, limit, (long long)view->limit_nano_usd, remaining,
                        (long long)view->remaining_nano_usd);
}

static struct span count_members(struct exchange *x, int64_t limit, int64_t resets_ms)
{
    char resets[CLOCK_TEXT_SIZE];

    if (!resets_ms)
        return arena_format(&x->memory, "\"limit\":%lld,\"remaining\":0", (long long)limit);
    clock_text(resets_ms, resets);
    return arena_format(&x->memory, "\"limit\":%lld,\"remaining\":0,\"reset_at\":\"%s\"",
                        (long long)limit, resets);
}

static struct span number_kept(struct exchange *x, int64_t number)
{
    char text[NUMBER_TEXT_SIZE];

    return arena_copy(&x->memory, number_text(number, text));
}

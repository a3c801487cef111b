/* Rows of the exchange: free models, which OpenRouter limits for the whole account. */
#include "base/clock.h"
#include "flow/exchange/way.h"

static enum verdict close_window(struct exchange *x);
static enum verdict closed(struct exchange *x);
static enum verdict refused(struct exchange *x);
static struct span reason(struct exchange *x);
static struct span way_out(struct exchange *x);
static int64_t limit_of(const struct exchange *x, enum free_window window);
static const char *window_name(enum free_window window);

enum verdict exchange_ask_free(struct exchange *x)
{
    const struct flow_settings *settings = x->flow->settings;
    struct free_ask ask = {span_of(x->user), span_of(x->request_id), settings->free_per_minute,
                           settings->free_per_day};

    if (exchange_error(x)->free_window != FREE_WINDOW_NONE)
        return close_window(x);
    if (!exchange_is_free(x))
        return exchange_go(x, EXCHANGE_AT_ask_key);
    x->at = EXCHANGE_AT_got_free;
    free_take(x->flow->store, &x->free_take, &ask, &x->turn);
    return WAIT;
}

enum verdict exchange_got_free(struct exchange *x)
{
    struct free_take *take = &x->free_take;

    if (store_call_is_open(&take->call) || store_call_is_open(&x->free_close.call))
        return WAIT;
    if (exchange_error(x)->free_window != FREE_WINDOW_NONE)
        return closed(x);
    if (take->call.end != STORE_OK)
        return exchange_fail(x, FAULT_STORE_DOWN);
    if (take->verdict != FREE_GRANTED)
        return refused(x);
    metric_add(x->flow->metrics, MEASURE_FREE_MODELS, FREE_GRANTED, take->window, 1);
    return exchange_go(x, exchange_client_left(x) ? EXCHANGE_AT_settle : EXCHANGE_AT_ask_key);
}

bool exchange_is_free(const struct exchange *x)
{
    return x->names && model_names_have_free(x->names);
}

struct span exchange_free_members(struct exchange *x)
{
    const struct free_take *take = &x->free_take;
    char resets[CLOCK_TEXT_SIZE];
    struct span limit = SPAN("");

    if (take->limit >= 0)
        limit = arena_format(&x->memory, "\"limit\":%lld,", (long long)take->limit);
    if (take->limit >= 0 && take->verdict != FREE_CLOSED)
        limit = arena_format(&x->memory, "%.*s\"share\":%lld,", SPAN_PRINT(limit),
                             (long long)take->share);
    clock_text(take->resets_ms, resets);
    return arena_format(&x->memory, "%.*s\"remaining\":0,\"reset_at\":\"%s\"", SPAN_PRINT(limit),
                        resets);
}

uint64_t exchange_free_retry_s(const struct exchange *x)
{
    int64_t left_ms = x->free_take.resets_ms - x->free_take.now_ms;

    return left_ms > 0 ? (uint64_t)(left_ms + 999) / 1000 : 0;
}

/* OpenRouter counts what we cannot see, too: what it says holds for all instances. */
static enum verdict close_window(struct exchange *x)
{
    enum free_window window = exchange_error(x)->free_window;

    log_warn(x->flow->log,
             "OpenRouter says that the account's requests to free models are used up: none is sent "
             "until they come back; where that happens often, lower the setting",
             log_text("setting", window == FREE_WINDOW_DAY ? "free_models.requests_per_day"
                                                           : "free_models.requests_per_minute"),
             log_int("is", limit_of(x, window)), log_text("request_id", x->request_id));
    x->at = EXCHANGE_AT_got_free;
    free_close(x->flow->store, &x->free_close, window,
               upstream_error_reset_ms(exchange_error(x), flow_store_ms(x->flow)), &x->turn);
    return WAIT;
}

/* Whether the others could be told or not: this request was refused. */
static enum verdict closed(struct exchange *x)
{
    int64_t now_ms = flow_store_ms(x->flow);

    x->free_take.verdict = FREE_CLOSED;
    x->free_take.window = exchange_error(x)->free_window;
    x->free_take.limit = limit_of(x, exchange_error(x)->free_window);
    x->free_take.now_ms = now_ms;
    x->free_take.resets_ms = upstream_error_reset_ms(exchange_error(x), now_ms);
    if (x->free_close.call.end == STORE_OK) {
        x->free_take.now_ms = x->free_close.now_ms;
        x->free_take.resets_ms = x->free_close.until_ms;
    }
    if (x->free_take.resets_ms < x->free_take.now_ms)
        x->free_take.resets_ms = x->free_take.now_ms;
    return refused(x);
}

static enum verdict refused(struct exchange *x)
{
    const struct free_take *take = &x->free_take;
    struct span why = reason(x), out = way_out(x);
    char resets[CLOCK_TEXT_SIZE];
    struct span detail;

    clock_text(take->resets_ms, resets);
    detail = arena_format(&x->memory, "%.*s It comes back at %s.%.*s", SPAN_PRINT(why), resets,
                          SPAN_PRINT(out));
    metric_add(x->flow->metrics, MEASURE_FREE_MODELS, take->verdict, take->window, 1);
    return exchange_fail_because(
        x, take->window == FREE_WINDOW_DAY ? FAULT_FREE_MODELS_DAY : FAULT_FREE_MODELS_MINUTE,
        detail, SPAN_NONE);
}

static struct span reason(struct exchange *x)
{
    const struct free_take *take = &x->free_take;
    const char *per = window_name(take->window);
    long long limit = (long long)take->limit, share = (long long)take->share;

    if (take->verdict == FREE_SPENT)
        return arena_format(&x->memory,
                            "The free models' limit of the whole account (%lld requests per %s) is "
                            "used up; your share is %lld.",
                            limit, per, share);
    if (take->verdict == FREE_SHARE_SPENT)
        return arena_format(&x->memory,
                            "The free models' limit of the whole account (%lld requests per %s) is "
                            "shared by all who ask, and your share of %lld is used up.",
                            limit, per, share);
    return arena_format(
        &x->memory,
        "OpenRouter says that the free models' limit of the whole account (requests "
        "per %s) is used up.",
        per);
}

/* Models that are not free have no such limit. */
static struct span way_out(struct exchange *x)
{
    const struct tier *tier = x->tier;

    if (tier_has_paid_models(tier))
        return SPAN(" Models that are not free have no such limit.");
    while (tier && !tier_has_paid_models(tier))
        tier = tiers_next(x->flow->settings->tiers, tier);
    return tier
               ? arena_format(&x->memory, " The tier %s has models without that limit.", tier->name)
               : SPAN("");
}

static int64_t limit_of(const struct exchange *x, enum free_window window)
{
    return window == FREE_WINDOW_DAY ? x->flow->settings->free_per_day
                                     : x->flow->settings->free_per_minute;
}

static const char *window_name(enum free_window window)
{
    return window == FREE_WINDOW_DAY ? "day" : "minute";
}

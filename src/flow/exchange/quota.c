/* Rows of the exchange: what tier, which models, and the hold: the promise that money is there. */
#include "domain/media.h"
#include "flow/exchange/way.h"
#include "flow/reaper.h"

enum { QUOTA_TRIES_MAX = 4, LEAST_OUTPUT_TOKENS = 16 };

static enum verdict tier_is(struct exchange *x, struct span name);
static enum verdict confirm_tier(struct exchange *x);
static enum verdict model_is_refused(struct exchange *x, const char *model);
static struct admit_ask compose_ask(struct exchange *x);
static bool is_for_want_of_room(enum admit_verdict verdict);
static enum verdict granted_by_store(struct exchange *x);
static enum verdict granted(struct exchange *x);
static void on_extend_turn(struct turn *turn);
static enum fault fault_of(enum admit_verdict verdict);

enum verdict exchange_ask_tier(struct exchange *x)
{
    struct flow *flow = x->flow;

    x->tier = x->tier_confirmed ? x->tier : user_memory_find(&flow->user_memory, span_of(x->user));
    if (x->tier)
        return exchange_go(x, EXCHANGE_AT_ask_quota);
    x->at = EXCHANGE_AT_got_tier;
    quota_look(flow->store, &x->look, span_of(x->user),
               flow->settings->default_tier ? flow->settings->default_tier
                                            : &flow->settings->tiers->rows[0],
               flow_store_ms(flow), &x->turn);
    return WAIT;
}

enum verdict exchange_got_tier(struct exchange *x)
{
    struct flow *flow = x->flow;
    const struct tier *preset = flow->settings->default_tier;

    if (store_call_is_open(&x->look.call))
        return WAIT;
    if (x->look.call.end != STORE_OK)
        return exchange_fail(x, FAULT_STORE_DOWN);
    if (x->look.disabled)
        return exchange_fail(x, FAULT_USER_DISABLED);
    if (!x->look.found && !preset)
        return exchange_fail(x, FAULT_BAD_CREDENTIAL);
    flow->store_ahead_ms = x->look.now_ms - loop_wall_ms(flow->loop);
    x->tier_confirmed = true;
    return tier_is(x, x->look.found && x->look.tier[0] ? span_of(x->look.tier)
                                                       : span_of(preset ? preset->name : ""));
}

enum verdict exchange_ask_quota(struct exchange *x)
{
    const char *refused = model_names_refused(x->names, x->tier);

    if (refused)
        return model_is_refused(x, refused);
    if (x->tier->key == TIER_KEY_OWN)
        return x->tier_confirmed ? exchange_fail(x, FAULT_NO_OWN_KEY) : confirm_tier(x);
    x->ask = compose_ask(x);
    if (advance_use(&x->flow->advances, &x->ask, &x->admission, x->request_id))
        return granted(x);
    if (!x->has_waited && advance_await(&x->flow->advances, &x->ask, &x->ahead, &x->turn)) {
        x->has_waited = true;
        x->at = EXCHANGE_AT_got_ahead;
        return WAIT;
    }
    x->at = EXCHANGE_AT_got_quota;
    settlements_hurry(&x->flow->settlements, span_of(x->user));
    reaper_note(x->flow, span_of(x->user)); /* before the hold: should we die next, it is found */
    quota_admit(x->flow->store, &x->admission, &x->ask, &x->turn);
    return WAIT;
}

enum verdict exchange_got_ahead(struct exchange *x)
{
    bool is_over = exchange_client_left(x) || x->flow->cutting;

    if (advance_is_awaited(&x->ahead) && !is_over)
        return WAIT;
    advance_wait_leave(&x->ahead);
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    return x->flow->cutting ? exchange_fail(x, FAULT_DRAINING)
                            : exchange_go(x, EXCHANGE_AT_ask_quota);
}

enum verdict exchange_got_quota(struct exchange *x)
{
    struct flow *flow = x->flow;
    struct admission *admission = &x->admission;

    if (store_call_is_open(&admission->call))
        return WAIT;
    if (admission->call.end == STORE_UNKNOWN || admission->call.end == STORE_BROKEN)
        x->hold_taken = true; /* perhaps; settling it with nothing is right in both cases */
    if (admission->call.end != STORE_OK)
        return exchange_fail(x, FAULT_STORE_DOWN);
    flow->store_ahead_ms = admission->now_ms - loop_wall_ms(flow->loop);
    if (is_for_want_of_room(admission->verdict) && x->quota_tries < QUOTA_TRIES_MAX &&
        advance_make_room(&flow->advances, span_of(x->user))) {
        x->quota_tries++;
        return exchange_go(x, EXCHANGE_AT_ask_quota);
    }
    if (admission->verdict != ADMIT_GRANTED)
        metric_add(flow->metrics, MEASURE_ADMISSIONS, admission->verdict, 0, 1);
    switch (admission->verdict) {
    case ADMIT_GRANTED:
        return granted_by_store(x);
    case ADMIT_OTHER_TIER:
        if (++x->quota_tries >= QUOTA_TRIES_MAX)
            return exchange_fail(x, FAULT_STORE_DOWN);
        x->tier_confirmed = true;
        return tier_is(x, span_of(admission->tier));
    case ADMIT_OTHER_PERIOD:
        if (++x->quota_tries >= QUOTA_TRIES_MAX)
            return exchange_fail(x, FAULT_STORE_DOWN);
        return exchange_go(x, EXCHANGE_AT_ask_quota);
    case ADMIT_NO_USER:
    case ADMIT_USER_DISABLED:
    case ADMIT_BUDGET_SPENT:
    case ADMIT_BUDGET_HELD:
    case ADMIT_MESSAGES_SPENT:
    case ADMIT_TOO_FAST:
    case ADMIT_TOO_MANY:
    case ADMIT_OVER:
        break;
    }
    return exchange_fail_because(x, fault_of(admission->verdict),
                                 exchange_quota_sentence(x, fault_of(admission->verdict)),
                                 SPAN_NONE);
}

bool exchange_may_share_key(const struct exchange *x, enum renewal_outcome outcome)
{
    bool passing = outcome == RENEWAL_DELAYED || outcome == RENEWAL_NO_MANAGEMENT_KEY ||
                   outcome == RENEWAL_MANAGEMENT_REFUSED || outcome == RENEWAL_TOO_LONG;

    return passing && x->tier->shared_on_failure && x->flow->shared_key;
}

struct span exchange_model(const struct exchange *x)
{
    if (!x->names)
        return x->billed_model;
    for (size_t i = 0; i < x->names->count; i++)
        if (x->names->billed[i])
            return span_of(x->names->names[i]);
    return SPAN_NONE;
}

void exchange_extend_hold(struct exchange *x)
{
    struct flow *flow = x->flow;

    deadline_join(&flow->extends, &x->extend_due);
    if (store_call_is_open(&x->extend.call))
        return;
    reaper_note(flow, span_of(x->user));
    quota_extend(flow->store, &x->extend, span_of(x->user), span_of(x->request_id),
                 (int64_t)flow->settings->hold_lease_ms, x->up.generation_id,
                 x->shared_key ? 0 : x->key_version, &x->turn);
}

static enum verdict tier_is(struct exchange *x, struct span name)
{
    x->tier = tiers_find(x->flow->settings->tiers, name);
    if (!x->tier) {
        log_error(x->flow->log,
                  "a user's tier is not in the configuration: add it, or give the user another one",
                  log_text("user", x->user), log_span("tier", name));
        return exchange_fail(x, FAULT_INTERNAL);
    }
    user_memory_set(&x->flow->user_memory, span_of(x->user), x->tier);
    return exchange_go(x, EXCHANGE_AT_ask_quota);
}

/* A remembered tier may be out of date: before refusing, the store is asked. */
static enum verdict confirm_tier(struct exchange *x)
{
    x->at = EXCHANGE_AT_got_tier;
    quota_look(x->flow->store, &x->look, span_of(x->user), x->tier, flow_store_ms(x->flow),
               &x->turn);
    return WAIT;
}

static enum verdict model_is_refused(struct exchange *x, const char *model)
{
    const struct tier *next = tiers_next(x->flow->settings->tiers, x->tier);
    struct span detail;

    if (!x->tier_confirmed)
        return confirm_tier(x);
    while (next && model_names_refused(x->names, next))
        next = tiers_next(x->flow->settings->tiers, next);
    detail = arena_format(
        &x->memory, "The tier %s does not include %s. It includes: %s%s%s%s%s", x->tier->name,
        model, x->tier->model_count ? x->tier->models[0] : "nothing",
        x->tier->model_count > 1 ? ", " : "", x->tier->model_count > 1 ? x->tier->models[1] : "",
        x->tier->model_count > 2 ? ", ..." : "", ".");
    if (next)
        detail = arena_format(&x->memory, "%.*s The tier %s does.", SPAN_PRINT(detail), next->name);
    return exchange_fail_because(x, FAULT_MODEL_NOT_ALLOWED, detail, SPAN("model"));
}

/* The hold is an upper bound of the cost; near the end of a budget the output is what shrinks. */
static struct admit_ask compose_ask(struct exchange *x)
{
    struct flow *flow = x->flow;
    struct span body = exchange_body(x);
    int64_t least_tokens;
    struct admit_ask ask = {
        .user = span_of(x->user),
        .request_id = span_of(x->request_id),
        .holder = span_of(flow->instance),
        .tier = x->tier,
        .make_user = flow->settings->default_tier == x->tier,
        .is_message = x->dialect != DIALECT_EMBEDDINGS,
        .wall_ms = flow_store_ms(flow),
        .lease_ms = (int64_t)flow->settings->hold_lease_ms,
        .model = exchange_model(x),
    };

    x->bound = (struct cost_bound){.base_nano_usd = -1};
    if (flow->models.catalogue)
        x->bound = catalogue_bound(flow->models.catalogue, x->names, body.size, media_count(body),
                                   inference_body_asked(&x->parsed), x->tier);
    if (x->bound.base_nano_usd < 0) {
        ask.hold_nano_usd = ask.least_nano_usd = x->tier->unknown_model_hold_nano_usd;
        return ask;
    }
    least_tokens =
        x->bound.output_tokens < LEAST_OUTPUT_TOKENS ? x->bound.output_tokens : LEAST_OUTPUT_TOKENS;
    ask.hold_nano_usd = ask.least_nano_usd = cost_bound_total(&x->bound);
    if (dialect_row(x->dialect)->cap != CAP_COUNT) {
        struct cost_bound least = x->bound;
        least.output_tokens = least_tokens;
        ask.least_nano_usd = cost_bound_total(&least);
    }
    return ask;
}

/* What is held ahead for the same user may be all that is in the way. */
static bool is_for_want_of_room(enum admit_verdict verdict)
{
    return verdict == ADMIT_BUDGET_HELD || verdict == ADMIT_MESSAGES_SPENT ||
           verdict == ADMIT_TOO_FAST || verdict == ADMIT_TOO_MANY;
}

static enum verdict granted_by_store(struct exchange *x)
{
    advance_granted(&x->flow->advances, &x->ask, &x->admission);
    return granted(x);
}

static enum verdict granted(struct exchange *x)
{
    struct flow *flow = x->flow;

    metric_add(flow->metrics, MEASURE_ADMISSIONS, ADMIT_GRANTED, 0, 1);
    x->hold_taken = true;
    turn_init(&x->extend_turn, on_extend_turn);
    deadline_init(&x->extend_due, &x->extend_turn);
    deadline_join(&flow->extends, &x->extend_due);
    if (x->bound.base_nano_usd >= 0 && x->bound.output_pico > 0)
        x->bound.output_tokens =
            cost_bound_tokens(&x->bound, x->admission.granted_nano_usd) < x->bound.output_tokens
                ? cost_bound_tokens(&x->bound, x->admission.granted_nano_usd)
                : x->bound.output_tokens;
    x->shared_key = x->tier->key == TIER_KEY_SHARED;
    if (x->shared_key && !flow->shared_key) {
        log_error(flow->log, "a tier runs on the shared key and OPENROUTER_API_KEY is not set",
                  log_text("tier", x->tier->name));
        return exchange_fail(x, FAULT_UPSTREAM_REFUSED);
    }
    return exchange_go(x, exchange_client_left(x) ? EXCHANGE_AT_settle : EXCHANGE_AT_ask_free);
}

static void on_extend_turn(struct turn *turn)
{
    struct exchange *x = container_of(turn, struct exchange, extend_turn);

    if (x->extend_due.passed)
        exchange_extend_hold(x);
}

static enum fault fault_of(enum admit_verdict verdict)
{
    static const enum fault faults[] = {
        [ADMIT_NO_USER] = FAULT_BAD_CREDENTIAL,
        [ADMIT_USER_DISABLED] = FAULT_USER_DISABLED,
        [ADMIT_BUDGET_SPENT] = FAULT_QUOTA_SPENT,
        [ADMIT_BUDGET_HELD] = FAULT_BUDGET_HELD,
        [ADMIT_MESSAGES_SPENT] = FAULT_MESSAGES_SPENT,
        [ADMIT_TOO_FAST] = FAULT_TOO_FAST,
        [ADMIT_TOO_MANY] = FAULT_TOO_MANY,
        [ADMIT_OVER] = FAULT_INTERNAL,
    };

    return faults[verdict];
}

/* What a request cost, from the best that is known: its own usage, the upstream's record, what its key cost in all, or the
 * bound it was held for. */
#include "flow/exchange/way.h"
#include "flow/reconcile.h"

enum { NEAR_HOLDS = 16 };

static struct settlement_record compose(struct exchange *x);
static void make_line(char *text);
static enum settle_when when_to_settle(const struct exchange *x);
static void settle(struct exchange *x, const struct settlement_record *record);

void exchange_settle_hold(struct exchange *x)
{
    struct flow *flow = x->flow;
    const struct open_key *key = keyring_find(&flow->keyring, span_of(x->user));
    struct settlement_record record = compose(x);
    int64_t bill = usage_bill(&x->meter.usage);
    bool answered = x->up.is_answer;
    bool nothing_came = x->meter.usage.failed && !x->meter.usage.delivered && answered;

    if (!x->sent) {
        record.source = COST_NOTHING_SENT;
        settle(x, &record);
    } else if (answered && bill >= 0) {
        record.cost_nano_usd = bill;
        record.source = COST_FROM_USAGE;
        settle(x, &record);
    } else {
        record.source = COST_FROM_ESTIMATE;
        record.cost_nano_usd = nothing_came ? 0 : x->admission.granted_nano_usd;
        reconcile_begin(flow, &record,
                        x->shared_key ? flow->shared_key
                        : key         ? &key->secret
                                      : NULL);
    }
    x->hold_taken = false;
}

static void settle(struct exchange *x, const struct settlement_record *record)
{
    struct flow *flow = x->flow;
    const struct quota_change over = {.spent_nano_usd = record->cost_nano_usd,
                                      .held_nano_usd = -x->admission.granted_nano_usd,
                                      .messages = x->ask.is_message ? record->delivered - 1 : 0,
                                      .active = -1};

    settlement_begin(&flow->settlements, record, when_to_settle(x));
    advance_over(&flow->advances, span_of(x->user), &over);
}

/* Until it is settled the hold is in the way of the user's other requests, perhaps on another instance. Who has holds ahead
 * is far from every limit, and has more to settle soon. */
static enum settle_when when_to_settle(const struct exchange *x)
{
    const struct quota_view *view = &x->admission.view;
    bool few_slots = view->active_limit >= 0 && 2 * view->active >= view->active_limit;
    bool few_messages =
        view->messages_limit >= 0 && view->messages_limit - view->messages_used < NEAR_HOLDS;
    bool little_money = view->remaining_nano_usd >= 0 &&
                        view->remaining_nano_usd / NEAR_HOLDS < x->admission.granted_nano_usd;

    if (few_slots || few_messages || little_money)
        return SETTLE_NOW;
    return advance_is_there(&x->flow->advances, span_of(x->user)) ? SETTLE_LATER : SETTLE_SOON;
}

static struct settlement_record compose(struct exchange *x)
{
    const struct usage *usage = &x->meter.usage;
    bool known = x->up.is_answer;
    struct settlement_record record = {
        .prompt_tokens = known ? usage->prompt_tokens : -1,
        .cached_tokens = known ? usage->cached_tokens : -1,
        .completion_tokens = known ? usage->completion_tokens : -1,
        .reasoning_tokens = known ? usage->reasoning_tokens : -1,
        .key_version = x->sent && !x->shared_key ? x->key_version : 0,
        .finished_ms = flow_store_ms(x->flow),
        .delivered = known && x->content_down,
    };
    struct span id = x->up.generation_id.at ? x->up.generation_id : span_of(usage->id);
    struct span model = usage->model[0] ? span_of(usage->model) : exchange_model(x);

    span_text(span_of(x->user), record.user, sizeof(record.user));
    span_text(span_of(x->request_id), record.request_id, sizeof(record.request_id));
    span_text(span_of(x->tier ? x->tier->name : ""), record.tier, sizeof(record.tier));
    span_text(model.at ? span_first(model, METER_TEXT_MAX) : SPAN(""), record.model,
              sizeof(record.model));
    make_line(record.model);
    span_text(span_first(id, METER_TEXT_MAX), record.generation_id, sizeof(record.generation_id));
    memcpy(record.budget_period, x->admission.budget.name, sizeof(record.budget_period));
    memcpy(record.day, x->admission.day.name, sizeof(record.day));
    return record;
}

/* A name that somebody else chose: the quotas and the books are to have it alike. */
static void make_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
}

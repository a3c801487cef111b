/* Rows of the renewal: the key is healthy, and its limit refused what the ledger lets through. */
#include "flow/renewal/way.h"

enum { BODY_MAX = 128 };

static void log_raised(const struct renewal *r);
static void log_stands(const struct renewal *r);

enum verdict renewal_ask_raise(struct renewal *r)
{
    struct flow *flow = r->flow;
    struct buffer body;

    switch (key_limit_judge(&r->budget, &r->facts, &r->limit_nano_usd)) {
    case KEY_LIMIT_STANDS:
        log_stands(r);
        return renewal_give_up(r, RENEWAL_LIMIT_STANDS, OUTCOME_LIMIT_STANDS);
    case KEY_LIMIT_LEAVES_ROOM:
        return renewal_give_up(r, RENEWAL_LIMIT_NEWER, OUTCOME_LIMIT_RAISED);
    case KEY_LIMIT_RAISE:
        break;
    }
    if (loop_now_ms(flow->loop) + flow->settings->control_ms > r->lease_until_ms)
        return renewal_once_more(r, 0, RENEWAL_DELAYED); /* the key may be replaced meanwhile */
    buffer_init(&body, BODY_MAX);
    key_api_compose_limit(r->limit_nano_usd, r->budget.reset, &body);
    r->at = RENEWAL_AT_got_raise;
    renewal_fetch(r, "PATCH", buffer_view(&body), "/keys/%s", r->claim.record.hash);
    buffer_done(&body);
    return WAIT;
}

/* Asking again is safe: it says what the limit is to be, not by how much more. */
enum verdict renewal_got_raise(struct renewal *r)
{
    int status = r->fetch.end == FETCH_ANSWERED ? r->fetch.status : 0;
    int64_t hint_s = r->fetch.retry_after_s;

    fetch_done(&r->fetch);
    if (key_api_done(status)) {
        log_raised(r);
        return renewal_go(r, RENEWAL_AT_ask_note);
    }
    if (key_api_refused(status)) {
        renewal_management_refused(r, status);
        return renewal_give_up(r, RENEWAL_MANAGEMENT_REFUSED, OUTCOME_MANAGEMENT_REFUSED);
    }
    if (key_api_missing(status)) /* since it was verified: that is done anew */
        return renewal_once_more(r, renewal_backoff_ms(r), RENEWAL_DELAYED);
    if (status / 100 == 4 && !key_api_paced(status)) {
        log_error(r->flow->log,
                  "[Key-Limit] OpenRouter refused to raise a key's limit; check the tier's limit "
                  "against the account's rules",
                  log_text("user", r->user), log_int("status", status));
        return renewal_give_up(r, RENEWAL_LIMIT_STANDS, OUTCOME_LIMIT_STANDS);
    }
    if (renewal_may_try_again(r))
        return renewal_pause(r, renewal_hinted_ms(r, hint_s), RENEWAL_AT_ask_raise);
    return renewal_give_up(r, RENEWAL_DELAYED, OUTCOME_UNKNOWN_HEALTH);
}

enum verdict renewal_ask_note(struct renewal *r)
{
    bool limited = r->limit_nano_usd >= 0;

    r->at = RENEWAL_AT_got_note;
    key_raised(r->flow->store, &r->raised, span_of(r->user), r->claim.record.version,
               r->limit_nano_usd, limited ? r->budget.reset : LIMIT_RESET_NONE, &r->turn);
    return WAIT;
}

/* What is lost here is only what a later key starts with should this one be gone. */
enum verdict renewal_got_note(struct renewal *r)
{
    if (store_call_is_open(&r->raised.call))
        return WAIT;
    return renewal_give_up(r, RENEWAL_LIMIT_RAISED, OUTCOME_LIMIT_RAISED);
}

static void log_raised(const struct renewal *r)
{
    log_info(r->flow->log, "[Key-Limit] Limit of a key raised", log_text("user", r->user),
             log_int("from_nano_usd", r->facts.limit_nano_usd),
             log_int("to_nano_usd", r->limit_nano_usd));
}

static void log_stands(const struct renewal *r)
{
    log_warn(r->flow->log,
             "[Key-Limit] A key met its limit at OpenRouter, which is as high as it may be, before "
             "our counters did: were some lost?",
             log_text("user", r->user), log_int("limit_nano_usd", r->facts.limit_nano_usd),
             log_int("used_nano_usd", r->facts.usage_nano_usd[r->budget.reset]),
             log_int("counted_nano_usd", r->budget.spent_nano_usd));
}

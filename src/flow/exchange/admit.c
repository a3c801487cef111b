/* Rows of the exchange: who is it, what do they ask, may they, with what key. */
#include "flow/exchange/way.h"

enum {
    AHEAD_EVERY_MS = 30000,
    OUTAGE_PAUSE_MS = 500,
    BODY_AT_ONCE_MAX = 256 * 1024,
    BODY_UNTOLD_BYTES = 2048
};

static int64_t ahead_ms(const struct exchange *x);
static bool wants_higher_limit(const struct exchange *x);
static struct renewal_ask compose_renewal(const struct exchange *x, enum claim_reason reason);
static enum verdict limit_was_judged(struct exchange *x, enum renewal_outcome outcome);
static void make_first_room(struct exchange *x);
static size_t size_at_once(const struct exchange *x);
static enum verdict name_end_user(struct exchange *x);
static enum verdict caller_is_refused(struct exchange *x);

enum verdict exchange_ask_identity(struct exchange *x)
{
    x->at = EXCHANGE_AT_got_identity;
    caller_ask(x->flow, &x->caller, &x->turn);
    return GO_ON;
}

enum verdict exchange_got_identity(struct exchange *x)
{
    switch (caller_got(&x->caller, x->user)) {
    case CALLER_WAITING:
        return WAIT;
    case CALLER_REFUSED:
        return caller_is_refused(x);
    case CALLER_USER:
    case CALLER_SERVICE: /* the body names the end user */
        break;
    }
    return exchange_go(x, EXCHANGE_AT_ask_body);
}

enum verdict exchange_ask_body(struct exchange *x)
{
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    make_first_room(x);
    buffer_grew(&x->body, sizeof(struct body_room));
    x->at = EXCHANGE_AT_got_body;
    client_want_body(x->client);
    return GO_ON;
}

enum verdict exchange_got_body(struct exchange *x)
{
    struct model_names_reader names;
    struct body_fault wrong;

    if (x->body_fault != FAULT_NONE)
        return exchange_fail(x, x->body_fault);
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    if (!x->body_complete)
        return x->flow->cutting ? exchange_fail(x, FAULT_DRAINING) : WAIT;
    x->body_us = loop_now_us(x->flow->loop);
    x->names = &((struct body_room *)(void *)x->body.memory)->names;
    model_names_begin(&names, x->names);
    wrong = inference_body_read_with(exchange_body(x), &x->parsed, model_names_member, &names);
    if (wrong.detail)
        return exchange_fail_because(x, FAULT_BAD_REQUEST, span_of(wrong.detail),
                                     span_of(wrong.param));
    if (model_names_end(&names) != NAMES_FINE)
        return exchange_fail_because(
            x, FAULT_BAD_REQUEST,
            SPAN("A field that names a model is not well-formed, or too many models are named."),
            SPAN("model"));
    if (!x->user[0])
        return name_end_user(x);
    return exchange_go(x, EXCHANGE_AT_ask_tier);
}

enum verdict exchange_ask_key(struct exchange *x)
{
    if (x->shared_key)
        return exchange_go(x, EXCHANGE_AT_ask_upstream);
    x->at = EXCHANGE_AT_got_key;
    key_ask(&x->flow->keyring, &x->key, span_of(x->user), &x->turn);
    return GO_ON;
}

enum verdict exchange_got_key(struct exchange *x)
{
    struct flow *flow = x->flow;
    struct open_key *key = keyring_find(&flow->keyring, span_of(x->user));
    int64_t left_ms;

    switch (x->key.verdict) {
    case KEY_ASK_WAITING:
        return WAIT;
    case KEY_ASK_ABSENT:
        x->key_version = 0;
        return exchange_go(x, EXCHANGE_AT_ask_renewal);
    case KEY_ASK_DISABLED:
        return exchange_fail(x, FAULT_KEY_DISABLED);
    case KEY_ASK_STORE_DOWN:
        return exchange_fail(x, FAULT_STORE_DOWN);
    case KEY_ASK_UNREADABLE:
        log_error(flow->log,
                  "a stored key cannot be opened with the roots in KEYTURN_ENCRYPTION_SECRET; add "
                  "the root it "
                  "was sealed with",
                  log_text("user", x->user));
        return exchange_fail(x, FAULT_INTERNAL);
    case KEY_ASK_READY:
        break;
    }
    if (!key) /* it was invalidated between the answer and this turn */
        return exchange_go(x, EXCHANGE_AT_ask_key);
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    x->key_version = key->version;
    left_ms = key->expires_at_ms ? key->expires_at_ms - loop_wall_ms(flow->loop) : INT64_MAX;
    if (left_ms <= 0 && !x->renewed && !x->outage)
        return exchange_go(x, EXCHANGE_AT_ask_renewal);
    if (left_ms < ahead_ms(x) && !flow->draining && !x->outage &&
        loop_now_ms(flow->loop) >= key->ahead_after_ms) {
        struct renewal_ask ask = compose_renewal(x, CLAIM_AHEAD);
        key->ahead_after_ms = loop_now_ms(flow->loop) + AHEAD_EVERY_MS;
        renewal_join(&flow->renewals, NULL, &ask, NULL);
    }
    return exchange_go(x, EXCHANGE_AT_ask_upstream);
}

enum verdict exchange_ask_renewal(struct exchange *x)
{
    const struct open_key *key = keyring_find(&x->flow->keyring, span_of(x->user));
    struct renewal_ask ask = compose_renewal(x, wants_higher_limit(x) ? CLAIM_RAISE
                                                : x->key_version      ? CLAIM_RENEW
                                                                      : CLAIM_PROVISION);

    if (key && key->version > x->key_version) { /* renewed since: just use it */
        x->renewed = true;
        x->limit_met = false; /* that was another key's */
        return exchange_go(x, EXCHANGE_AT_ask_key);
    }
    x->at = EXCHANGE_AT_got_renewal;
    renewal_join(&x->flow->renewals, &x->renewal, &ask, &x->turn);
    return GO_ON;
}

enum verdict exchange_got_renewal(struct exchange *x)
{
    enum renewal_outcome outcome = x->renewal.outcome;

    if (outcome == RENEWAL_UNDER_WAY && x->renewal.deadline.passed)
        outcome = RENEWAL_TOO_LONG;
    else if (outcome == RENEWAL_UNDER_WAY && !exchange_client_left(x) && !x->flow->cutting)
        return WAIT;
    renewal_leave(&x->renewal);
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    if (wants_higher_limit(x))
        return limit_was_judged(x, outcome);
    if (renewal_outcome_is_of_limit(outcome)) /* somebody else's question, asked of a healthy key */
        outcome = RENEWAL_HEALTHY;
    if (outcome == RENEWAL_HEALTHY &&
        exchange_may_retry(x)) { /* an outage: the same key once more, after a pause */
        x->outage = true;
        return exchange_pause(x, OUTAGE_PAUSE_MS / 2 + x->flow->random() % OUTAGE_PAUSE_MS);
    }
    if (x->flow->cutting)
        return exchange_fail(x, FAULT_DRAINING);
    if (renewal_fault(outcome) != FAULT_NONE && exchange_may_share_key(x, outcome)) {
        x->shared_key = true;
        return exchange_go(x, EXCHANGE_AT_ask_upstream);
    }
    if (renewal_fault(outcome) != FAULT_NONE)
        return exchange_fail(x, renewal_fault(outcome));
    x->renewed = outcome != RENEWAL_MENDED;
    return exchange_go(x, EXCHANGE_AT_ask_key);
}

/* Since its last answer: a key that is refused for another reason after that is renewed like any other. */
static bool wants_higher_limit(const struct exchange *x)
{
    return x->limit_met && exchange_error(x)->class == UPSTREAM_ERROR_KEY_LIMIT;
}

static struct renewal_ask compose_renewal(const struct exchange *x, enum claim_reason reason)
{
    const struct admission *admission = &x->admission;
    int64_t full = x->tier->overage_allowed ? -1 : admission->view.limit_nano_usd;

    return (struct renewal_ask){.user = span_of(x->user),
                                .reason = reason,
                                .seen_version = x->key_version,
                                .tier = x->tier,
                                .budget = {.full_nano_usd = full,
                                           .spent_nano_usd = admission->view.spent_nano_usd,
                                           .need_nano_usd = admission->granted_nano_usd,
                                           .reset = x->tier->limit_reset}};
}

/* Without falling back on the shared key: whether the limit stands would stay unknown. */
static enum verdict limit_was_judged(struct exchange *x, enum renewal_outcome outcome)
{
    if (x->flow->cutting)
        return exchange_fail(x, FAULT_DRAINING);
    if (outcome == RENEWAL_HEALTHY || outcome == RENEWAL_MENDED ||
        outcome == RENEWAL_PACED) /* of one for another reason */
        return exchange_go(x, EXCHANGE_AT_ask_renewal);
    if (renewal_fault(outcome) != FAULT_NONE)
        return exchange_fail(x, renewal_fault(outcome));
    if (!renewal_outcome_is_of_limit(outcome)) { /* another key, which may carry too little, too */
        x->renewed = true;
        x->limit_met = false;
    }
    return exchange_go(x, EXCHANGE_AT_ask_key);
}

/* A large body's whole room, if it is there already. */
static void make_first_room(struct exchange *x)
{
    size_t announced = x->body_size < 0 ? 0 : (size_t)x->body_size;

    if (!bodies_lend(&x->flow->bodies, &x->body, sizeof(struct body_room) + announced))
        buffer_room(&x->body, sizeof(struct body_room) + size_at_once(x));
}

/* What is of usual size: growing copies it again and again. */
static size_t size_at_once(const struct exchange *x)
{
    size_t most = x->flow->settings->body_max_bytes, size = BODY_UNTOLD_BYTES;

    if (most > BODY_AT_ONCE_MAX)
        most = BODY_AT_ONCE_MAX;
    if (x->body_size >= 0)
        size = (size_t)x->body_size;
    return size < most ? size : most;
}

/* Never more than a quarter of a key's life. */
static int64_t ahead_ms(const struct exchange *x)
{
    int64_t quarter_ms = x->tier->expires_after_ms / 4,
            wanted_ms = x->flow->settings->key_renew_ahead_ms;

    return wanted_ms < quarter_ms ? wanted_ms : quarter_ms;
}

/* A service token without X-Keyturn-User: the body's `user` names the end user. */
static enum verdict name_end_user(struct exchange *x)
{
    if (!x->parsed.user.at)
        return exchange_fail_because(x, FAULT_NO_END_USER, SPAN_NONE, SPAN("user"));
    if (!caller_take_user(&x->caller, x->parsed.user, x->user))
        return caller_is_refused(x);
    return exchange_go(x, EXCHANGE_AT_ask_tier);
}

static enum verdict caller_is_refused(struct exchange *x)
{
    return exchange_fail_because(x, x->caller.fault, x->caller.detail, x->caller.param);
}

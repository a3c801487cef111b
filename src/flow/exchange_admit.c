/* Rows of the exchange: who is it, what do they ask, may they, with what key. */
#include "flow/exchange_way.h"

enum { AHEAD_EVERY_MS = 30000, OUTAGE_PAUSE_MS = 500 };

static enum verdict name_end_user(struct exchange *x);
static enum verdict user_known(struct exchange *x, struct span user, enum exchange_at next);

enum verdict exchange_ask_identity(struct exchange *x)
{
    struct flow *flow = x->flow;

    switch (x->credential.kind) {
    case CREDENTIAL_NONE:
        return flow->settings->user_dev ? user_known(x, SPAN("dev"), EXCHANGE_AT_ask_body)
                                        : exchange_fail(x, FAULT_NO_CREDENTIAL);
    case CREDENTIAL_UNKNOWN:
        return exchange_fail(x, FAULT_BAD_CREDENTIAL);
    case CREDENTIAL_TWO:
        return exchange_fail(x, FAULT_TWO_CREDENTIALS);
    case CREDENTIAL_TOKEN:
        break;
    }
    x->at = EXCHANGE_AT_got_identity;
    identity_ask(&flow->identities, &x->identity, x->credential.id, x->credential.secret, &x->turn);
    x->credential = (struct credential){0};
    return GO_ON;
}

enum verdict exchange_got_identity(struct exchange *x)
{
    switch (x->identity.verdict) {
    case IDENTITY_WAITING:
        return WAIT;
    case IDENTITY_UNKNOWN:
        return exchange_fail(x, FAULT_BAD_CREDENTIAL);
    case IDENTITY_STORE_DOWN:
        return exchange_fail(x, FAULT_STORE_DOWN);
    case IDENTITY_USER:
        return user_known(x, span_of(x->identity.user), EXCHANGE_AT_ask_body);
    case IDENTITY_SERVICE:
        break;
    }
    return x->end_user.at ? user_known(x, x->end_user, EXCHANGE_AT_ask_body)
                          : exchange_go(x, EXCHANGE_AT_ask_body);
}

enum verdict exchange_ask_body(struct exchange *x)
{
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    x->at = EXCHANGE_AT_got_body;
    client_want_body(x->client);
    return GO_ON;
}

enum verdict exchange_got_body(struct exchange *x)
{
    struct span body = buffer_view(&x->body);
    struct body_fault wrong;

    if (x->body_fault != FAULT_NONE)
        return exchange_fail(x, x->body_fault);
    if (exchange_client_left(x))
        return exchange_go(x, EXCHANGE_AT_settle);
    if (!x->body_complete)
        return x->flow->cutting ? exchange_fail(x, FAULT_DRAINING) : WAIT;
    x->body_us = loop_now_us(x->flow->loop);
    wrong = inference_body_read(body, &x->parsed);
    if (wrong.detail)
        return exchange_fail_because(x, FAULT_BAD_REQUEST, span_of(wrong.detail),
                                     span_of(wrong.param));
    if (!x->user[0])
        return name_end_user(x);
    return exchange_go(x, EXCHANGE_AT_ask_quota);
}

enum verdict exchange_ask_quota(struct exchange *x)
{
    x->at = EXCHANGE_AT_got_quota;
    user_admit(x->flow->store, &x->admission, span_of(x->user), x->flow->settings->default_tier,
               &x->turn);
    return WAIT;
}

enum verdict exchange_got_quota(struct exchange *x)
{
    if (store_call_is_open(&x->admission.call))
        return WAIT;
    if (x->admission.call.end != STORE_OK)
        return exchange_fail(x, FAULT_STORE_DOWN);
    if (x->admission.status == USER_UNKNOWN)
        return exchange_fail(x, FAULT_BAD_CREDENTIAL);
    if (x->admission.status == USER_DISABLED)
        return exchange_fail(x, FAULT_USER_DISABLED);
    span_text(span_of(x->admission.tier), x->tier, sizeof(x->tier));
    return exchange_go(x, exchange_client_left(x) ? EXCHANGE_AT_settle : EXCHANGE_AT_ask_key);
}

enum verdict exchange_ask_key(struct exchange *x)
{
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
    if (left_ms < flow->settings->key_renew_ahead_ms && !flow->draining && !x->outage &&
        loop_now_ms(flow->loop) >= key->ahead_after_ms) {
        key->ahead_after_ms = loop_now_ms(flow->loop) + AHEAD_EVERY_MS;
        renewal_join(&flow->renewals, NULL, span_of(x->user), CLAIM_AHEAD, key->version, NULL);
    }
    return exchange_go(x, EXCHANGE_AT_ask_upstream);
}

enum verdict exchange_ask_renewal(struct exchange *x)
{
    const struct open_key *key = keyring_find(&x->flow->keyring, span_of(x->user));
    enum claim_reason reason = x->key_version ? CLAIM_RENEW : CLAIM_PROVISION;

    if (key && key->version > x->key_version) { /* renewed since: just use it */
        x->renewed = true;
        return exchange_go(x, EXCHANGE_AT_ask_key);
    }
    x->at = EXCHANGE_AT_got_renewal;
    renewal_join(&x->flow->renewals, &x->renewal, span_of(x->user), reason, x->key_version,
                 &x->turn);
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
    if (outcome == RENEWAL_HEALTHY &&
        exchange_may_retry(x)) { /* an outage: the same key once more, after a pause */
        x->outage = true;
        return exchange_pause(x, OUTAGE_PAUSE_MS / 2 + x->flow->random() % OUTAGE_PAUSE_MS);
    }
    if (x->flow->cutting)
        return exchange_fail(x, FAULT_DRAINING);
    if (renewal_fault(outcome) != FAULT_NONE)
        return exchange_fail(x, renewal_fault(outcome));
    x->renewed = outcome != RENEWAL_MENDED;
    return exchange_go(x, EXCHANGE_AT_ask_key);
}

/* A service token without X-Keyturn-User: the body's `user` names the end user. */
static enum verdict name_end_user(struct exchange *x)
{
    if (!x->parsed.user.at)
        return exchange_fail_because(x, FAULT_NO_END_USER, SPAN_NONE, SPAN("user"));
    return user_known(x, x->parsed.user, EXCHANGE_AT_ask_quota);
}

static enum verdict user_known(struct exchange *x, struct span user, enum exchange_at next)
{
    if (!user_id_is_fine(user))
        return exchange_fail_because(x, FAULT_BAD_REQUEST,
                                     SPAN("The end user's id must be 1 to 128 characters of A-Z "
                                          "a-z 0-9 . _ @ : | + ~ = / -."),
                                     SPAN("user"));
    span_text(user, x->user, sizeof(x->user));
    return exchange_go(x, next);
}

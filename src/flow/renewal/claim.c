/* Rows of the renewal: may we make a key, and what is wrong with the old one? */
#include "flow/renewal/way.h"
#include "flow/retire.h"

#include <stdio.h>

enum { CLAIM_POLL_MS = 100, OUTCOME_HOLD_MS = 2000, SUSPICION_MS = 10000, SANE_MS = 2000 };

static enum verdict claim_granted(struct renewal *r);
static enum verdict claim_elsewhere(struct renewal *r);
static bool nothing_to_raise(const struct renewal *r);
static enum verdict old_key_is_dead(struct renewal *r);
static enum verdict old_key_is_healthy(struct renewal *r);
static void false_alarm(struct renewal *r);
static void log_old_key(struct renewal *r, const char *what);
static bool is_too_soon(const struct renewal *r);
static bool is_suspicious(struct renewal *r);

enum verdict renewal_ask_claim(struct renewal *r)
{
    struct flow *flow = r->flow;
    char pseudonym[PSEUDONYM_SIZE + 1], head[KEY_NAME_MAX + 1];
    struct key_claim_ask ask = {
        .user = span_of(r->user),
        .holder = span_of(flow->instance),
        .nonce = span_of(r->nonce),
        .reason = r->reason,
        .seen_version = r->seen_version,
        .lease_ms = (int64_t)flow->settings->renewal_lease_ms,
        .pace_ms = (int64_t)flow->settings->renewal_pace_ms,
        .outcome_hold_ms = OUTCOME_HOLD_MS,
    };

    if (!r->nonce[0])
        renewal_new_nonce(r, r->nonce);
    ask.nonce = span_of(r->nonce);
    flow_pseudonym(flow, span_of(r->user), pseudonym);
    snprintf(head, sizeof(head), "keyturn/%s/%s", flow->deployment, pseudonym);
    ask.name_head = span_of(head);
    r->at = RENEWAL_AT_got_claim;
    if (!r->traced) /* before the claim: a crash in between leaves a trace without a lease, never the reverse */
        renewal_index_add(flow->store, &r->index, span_of(r->user), span_of(r->trace), &r->turn);
    key_claim(flow->store, &r->claim, &ask, &r->turn);
    return WAIT;
}

enum verdict renewal_got_claim(struct renewal *r)
{
    if (store_call_is_open(&r->claim.call) || store_call_is_open(&r->index.call))
        return WAIT;
    r->traced = r->traced || r->index.call.end == STORE_OK;
    if ((r->claim.call.end == STORE_UNKNOWN || (r->claim.call.end == STORE_OK && !r->traced)) &&
        renewal_may_try_again(r))
        return renewal_pause(r, renewal_backoff_ms(r),
                             RENEWAL_AT_ask_claim); /* the same nonce: the same grant */
    if (r->claim.call.end != STORE_OK || !r->traced) {
        r->keep_trace = true;
        return renewal_end(r, RENEWAL_STORE_DOWN);
    }
    return r->claim.verdict == CLAIM_GRANTED ? claim_granted(r) : claim_elsewhere(r);
}

enum verdict renewal_ask_verify(struct renewal *r)
{
    r->at = RENEWAL_AT_got_verify;
    renewal_fetch(r, "GET", SPAN_NONE, "/keys/%s", r->claim.record.hash);
    return WAIT;
}

enum verdict renewal_got_verify(struct renewal *r)
{
    int status = r->fetch.end == FETCH_ANSWERED ? r->fetch.status : 0;

    r->health = key_api_health(status, buffer_view(&r->fetch.body), r->claim.now_ms, &r->facts);
    fetch_done(&r->fetch);
    if (r->health != KEY_UNKNOWN && r->health != KEY_MANAGEMENT_REFUSED)
        metric_set(r->flow->metrics, MEASURE_MANAGEMENT_REFUSED, 0);
    switch (r->health) {
    case KEY_GONE:
        log_old_key(r, "gone");
        return old_key_is_dead(r);
    case KEY_EXPIRED:
        log_old_key(r, "expired");
        return old_key_is_dead(r);
    case KEY_SWITCHED_OFF:
        log_old_key(r, "disabled at OpenRouter, not renewed");
        return renewal_give_up(r, RENEWAL_DISABLED, OUTCOME_SWITCHED_OFF);
    case KEY_HEALTHY:
        return old_key_is_healthy(r);
    case KEY_UNKNOWN:
        if (renewal_may_try_again(r))
            return renewal_pause(r, renewal_backoff_ms(r), RENEWAL_AT_ask_verify);
        log_warn(r->flow->log,
                 "[Auto-Renewal] OpenRouter's management API does not answer; nothing is created",
                 log_text("user", r->user), log_int("status", status));
        if (r->reason != CLAIM_RAISE) /* whose key was not refused */
            false_alarm(r);
        return renewal_give_up(r, RENEWAL_DELAYED, OUTCOME_UNKNOWN_HEALTH);
    case KEY_MANAGEMENT_REFUSED:
        renewal_management_refused(r, status);
        return renewal_give_up(r, RENEWAL_MANAGEMENT_REFUSED, OUTCOME_MANAGEMENT_REFUSED);
    }
    return END;
}

/* Many users' keys gone within seconds may be an outage that also fools GET /keys/{hash}. Before believing it the
 * management API must recognise the management key itself. */
enum verdict renewal_ask_sanity(struct renewal *r)
{
    if (!is_suspicious(r))
        return renewal_go(r, RENEWAL_AT_ask_leftovers);
    r->at = RENEWAL_AT_got_sanity;
    renewal_fetch(r, "GET", SPAN_NONE, "/key");
    return WAIT;
}

enum verdict renewal_got_sanity(struct renewal *r)
{
    int status = r->fetch.end == FETCH_ANSWERED ? r->fetch.status : 0;
    bool is_management = false;
    bool told = key_api_done(status) &&
                key_api_read_is_management(buffer_view(&r->fetch.body), &is_management);

    fetch_done(&r->fetch);
    if (told && is_management) {
        r->flow->renewals.sane_until_ms = loop_now_ms(r->flow->loop) + SANE_MS;
        return renewal_go(r, RENEWAL_AT_ask_leftovers);
    }
    if (key_api_refused(status) || told) {
        renewal_management_refused(r, status);
        return renewal_give_up(r, RENEWAL_MANAGEMENT_REFUSED, OUTCOME_MANAGEMENT_REFUSED);
    }
    if (renewal_may_try_again(r))
        return renewal_pause(r, renewal_backoff_ms(r), RENEWAL_AT_ask_sanity);
    return renewal_give_up(r, RENEWAL_DELAYED, OUTCOME_UNKNOWN_HEALTH);
}

static enum verdict claim_granted(struct renewal *r)
{
    const struct key_record *record = &r->claim.record;

    r->lease_until_ms = loop_now_ms(r->flow->loop) + r->flow->settings->renewal_lease_ms;
    r->kept = r->claim.leftovers; /* until somebody looks for them */
    if (r->reason == CLAIM_MEND) {
        bool proven_or_old = record->proven || r->claim.now_ms - record->updated_at_ms > 40000;
        r->keep_trace = r->claim.leftovers.count > 0 || r->claim.doomed.count > 0;
        if (r->claim.doomed.count && proven_or_old)
            retire_hashes(r->flow, span_of(r->user), &r->claim.doomed);
        return renewal_go(r, RENEWAL_AT_ask_leftovers);
    }
    r->keep_trace = r->keep_trace || r->kept.count > 0;
    if (nothing_to_raise(r)) {
        keyring_forget(&r->flow->keyring, span_of(r->user));
        return renewal_give_up(r, RENEWAL_LIMIT_STANDS, OUTCOME_NONE);
    }
    if (record->state == KEY_ACTIVE && record->hash[0])
        return renewal_go(r, RENEWAL_AT_ask_verify);
    return renewal_go(r, RENEWAL_AT_ask_leftovers);
}

/* No lease: somebody else has it, has just had it, or the record says there is nothing to do. */
static enum verdict claim_elsewhere(struct renewal *r)
{
    static const enum renewal_outcome learnt[] = {
        [OUTCOME_HEALTHY] = RENEWAL_HEALTHY,
        [OUTCOME_UNKNOWN_HEALTH] = RENEWAL_DELAYED,
        [OUTCOME_SWITCHED_OFF] = RENEWAL_DISABLED,
        [OUTCOME_MANAGEMENT_REFUSED] = RENEWAL_MANAGEMENT_REFUSED,
        [OUTCOME_CREATE_FAILED] = RENEWAL_DELAYED,
        [OUTCOME_MENDED] = RENEWAL_DELAYED,
        [OUTCOME_LIMIT_RAISED] = RENEWAL_LIMIT_NEWER,
        [OUTCOME_LIMIT_STANDS] = RENEWAL_LIMIT_STANDS,
    };
    struct flow *flow = r->flow;

    switch (r->claim.verdict) {
    case CLAIM_BUSY:
        if (r->reason == CLAIM_MEND || list_is_empty(&r->waiters)) {
            r->keep_trace = r->keep_trace || r->reason == CLAIM_MEND;
            /* whoever joined a mend looks again, and waits for the one who has the lease */
            return renewal_end(r, list_is_empty(&r->waiters) ? RENEWAL_TOO_LONG : RENEWAL_MENDED);
        }
        return renewal_pause(r, CLAIM_POLL_MS / 2 + flow->random() % CLAIM_POLL_MS,
                             RENEWAL_AT_ask_claim);
    case CLAIM_NEWER:
        keyring_forget(&flow->keyring, span_of(r->user));
        return renewal_end(r, RENEWAL_NEWER);
    case CLAIM_DISABLED:
        return renewal_end(r, RENEWAL_DISABLED);
    case CLAIM_PACED:
        log_warn(
            flow->log,
            "[Auto-Renewal] A key renewed less than a minute ago was refused; not renewed again",
            log_text("user", r->user));
        return renewal_end(r, RENEWAL_PACED);
    case CLAIM_OUTCOME:
        if (r->claim.outcome == OUTCOME_HEALTHY)
            false_alarm(r);
        return renewal_end(r, learnt[r->claim.outcome]);
    case CLAIM_GRANTED:
        break;
    }
    return END;
}

/* The store lost the record of the key that met its limit: that must not make another one. */
static bool nothing_to_raise(const struct renewal *r)
{
    return r->reason == CLAIM_RAISE && r->claim.record.version != r->seen_version;
}

static enum verdict old_key_is_dead(struct renewal *r)
{
    struct renewals *renewals = &r->flow->renewals;
    unsigned slots = sizeof(renewals->gone_ms) / sizeof(*renewals->gone_ms);

    if (r->reason == CLAIM_RAISE && is_too_soon(r))
        return renewal_give_up(r, RENEWAL_DELAYED, OUTCOME_NONE);
    if (r->reason == CLAIM_RAISE)
        r->reason = CLAIM_RENEW; /* as if it had been refused for that */
    breaker_true_alarm(&renewals->breaker);
    renewals_show_breaker(renewals);
    if (r->health == KEY_GONE)
        renewals->gone_ms[renewals->gone_at++ % slots] = loop_now_ms(r->flow->loop);
    return renewal_go(r, RENEWAL_AT_ask_sanity);
}

static enum verdict old_key_is_healthy(struct renewal *r)
{
    if (r->reason == CLAIM_AHEAD)
        return renewal_go(r, RENEWAL_AT_ask_leftovers);
    if (r->reason != CLAIM_RAISE) {
        log_old_key(r, "refused but healthy, nothing is created");
        false_alarm(r);
    }
    if (r->raises)
        return renewal_go(r, RENEWAL_AT_ask_raise);
    return renewal_give_up(r, RENEWAL_HEALTHY, OUTCOME_HEALTHY);
}

static void false_alarm(struct renewal *r)
{
    struct renewals *renewals = &r->flow->renewals;

    if (breaker_false_alarm(&renewals->breaker, r->by_user.hash, loop_now_ms(r->flow->loop)))
        log_error(r->flow->log,
                  "[Auto-Renewal] OpenRouter refuses keys that its management API calls healthy, "
                  "or does not answer: an "
                  "outage. No key is verified or created until a probe succeeds; requests get 503",
                  log_bool("breaker_open", true));
    renewals_show_breaker(renewals);
}

static void log_old_key(struct renewal *r, const char *what)
{
    const struct key_record *record = &r->claim.record;
    struct seal_context context = {span_of(r->user), SPAN("sub-key"), record->version};
    struct secret key = {0};
    char mask[SECRET_MASK_SIZE] = "unreadable", message[160];

    if (vault_unseal(r->flow->vault, &context, span_of(record->sealed), &key) == SEAL_OPENED)
        secret_mask(&key, mask);
    secret_done(&key);
    snprintf(message, sizeof(message), "[Auto-Renewal] Old key %s: %s", what, mask);
    log_info(r->flow->log, message, log_text("user", r->user), log_int("version", record->version),
             log_text("health", key_health_name(r->health)));
}

/* The claim let it pass: raising a limit has no pace. */
static bool is_too_soon(const struct renewal *r)
{
    int64_t renewed_ms = r->claim.record.last_renewal_at_ms;

    return renewed_ms && r->claim.now_ms - renewed_ms < (int64_t)r->flow->settings->renewal_pace_ms;
}

static bool is_suspicious(struct renewal *r)
{
    struct renewals *renewals = &r->flow->renewals;
    unsigned slots = sizeof(renewals->gone_ms) / sizeof(*renewals->gone_ms), recent = 0;
    uint64_t now_ms = loop_now_ms(r->flow->loop);

    for (unsigned i = 0; i < slots; i++)
        recent += renewals->gone_ms[i] && now_ms - renewals->gone_ms[i] < SUSPICION_MS;
    return recent >= slots / 2 && now_ms >= renewals->sane_until_ms;
}

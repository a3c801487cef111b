#include "flow/key_audit.h"

#include "domain/key_api.h"
#include "flow/flow.h"
#include "flow/reconcile.h"

#include <stdio.h>

/* QUIET: what is settled just now OpenRouter may not have added up yet. UP: what Redis forgot when it died, and what could
 * not be settled meanwhile, all instances settle again as soon as their links are back. */
enum { PATIENCE_LEASES = 20, QUIET_MAX_MS = 5000, QUIET_SHARE = 3, UP_MS = 10000 };
enum { PATH_MAX_SIZE = 512 };

static void on_audit_turn(struct turn *turn);
static void got_record(struct key_audit *audit);
static bool finds_its_key(struct key_audit *audit, struct audited_hold *hold);
static void begin_audit(struct key_audit *audit);
static void put_certain_first(struct key_audit *audit);
static void ask_billed(struct key_audit *audit);
static void got_billed(struct key_audit *audit);
static bool is_quiet(const struct key_audit *audit);
static void ask_key(struct key_audit *audit);
static void got_key(struct key_audit *audit);
static void got_billed_again(struct key_audit *audit);
static void settle_next(struct key_audit *audit);
static void got_settled(struct key_audit *audit);
static void got_check(struct key_audit *audit);
static void later(struct key_audit *audit);
static void estimate_rest(struct key_audit *audit, int64_t older_than_ms);
static void over(struct key_audit *audit);

void key_audit_init(struct key_audit *audit, struct flow *flow, struct span user, struct turn *wake)
{
    audit->flow = flow;
    audit->wake = wake;
    audit->at = AUDIT_OVER;
    audit->count = audit->next = 0;
    turn_init(&audit->turn, on_audit_turn);
    span_text(user, audit->user, sizeof(audit->user));
}

void key_audit_add(struct key_audit *audit, const struct settlement_record *record,
                   const struct expired_hold *hold, int64_t now_ms)
{
    audit->holds[audit->count++] = (struct audited_hold){.record = *record,
                                                         .taken_ms = hold->taken_ms,
                                                         .age_ms = now_ms - hold->expired_ms,
                                                         .ahead = hold->ahead};
}

void key_audit_begin(struct key_audit *audit, bool more)
{
    audit->more = more;
    if (audit->count == 0) {
        over(audit);
        return;
    }
    audit->at = AUDIT_LOADS;
    key_load(audit->flow->store, &audit->load, span_of(audit->user), &audit->turn);
}

bool key_audit_cut(struct key_audit *audit)
{
    settlement_leave(&audit->settled);
    fetch_cancel(&audit->fetch);
    fetch_done(&audit->fetch);
    if (store_call_is_open(&audit->load.call) || store_call_is_open(&audit->billed.call))
        return false;
    turn_cancel(&audit->turn);
    audit->at = AUDIT_OVER;
    return true;
}

static void on_audit_turn(struct turn *turn)
{
    static void (*const got[])(struct key_audit *) = {
        [AUDIT_LOADS] = got_record,    [AUDIT_READS] = got_billed,
        [AUDIT_ASKS] = got_key,        [AUDIT_READS_AGAIN] = got_billed_again,
        [AUDIT_SETTLES] = got_settled, [AUDIT_CHECKS] = got_check,
    };
    struct key_audit *audit = container_of(turn, struct key_audit, turn);

    if (audit->flow->cutting)
        over(audit);
    else
        got[audit->at](audit);
}

static void got_record(struct key_audit *audit)
{
    size_t kept = 0;

    if (audit->load.call.end != STORE_OK) {
        over(audit);
        return;
    }
    for (size_t i = 0; i < audit->count; i++)
        if (finds_its_key(audit, &audit->holds[i]))
            audit->holds[kept++] = audit->holds[i];
    audit->count = kept;
    begin_audit(audit);
}

/* False: it ran on none that can be asked, and is settled. A key was used by nobody before it was recorded; which of two
 * it was is uncertain where one was made while the request ran, or where the tier falls back on the shared one. */
static bool finds_its_key(struct key_audit *audit, struct audited_hold *hold)
{
    struct flow *flow = audit->flow;
    const struct key_record *key = &audit->load.record;
    struct settlement_record *record = &hold->record;
    const struct tier *tier = tiers_find(flow->settings->tiers, span_of(record->tier));
    bool may_share = !tier || tier->shared_on_failure;
    bool was_there = key->version == 1 || key->last_renewal_at_ms < hold->taken_ms;

    if (key->version == 0 && record->key_version == 0 && !may_share) {
        record->cost_nano_usd = 0;
        record->source = COST_NOTHING_SENT;
        settlement_begin(&flow->settlements, record, SETTLE_SOON);
        return false;
    }
    if (key->version == 0 || (record->key_version && record->key_version != key->version)) {
        reconcile_estimate(flow, record);
        return false;
    }
    hold->certain = record->key_version || (was_there && !may_share);
    record->key_version = key->version;
    return true;
}

/* Only of all together: what those cost that are not ripe would be given to the others. */
static void begin_audit(struct key_audit *audit)
{
    int64_t lease_ms = (int64_t)audit->flow->settings->hold_lease_ms;
    bool ripe = true;

    audit->next = 0;
    put_certain_first(audit);
    for (size_t i = 0; i < audit->count; i++)
        ripe = ripe && audit->holds[i].age_ms >= lease_ms;
    if (audit->count == 0 || !ripe) {
        later(audit);
        return;
    }
    audit->at = AUDIT_READS;
    ask_billed(audit);
}

static void put_certain_first(struct key_audit *audit)
{
    size_t first = 0;

    for (size_t i = 0; i < audit->count; i++)
        if (audit->holds[i].certain) {
            struct audited_hold hold = audit->holds[i];
            audit->holds[i] = audit->holds[first];
            audit->holds[first++] = hold;
        }
}

static void ask_billed(struct key_audit *audit)
{
    quota_billed(audit->flow->store, &audit->billed, span_of(audit->user),
                 audit->load.record.version, &audit->turn);
}

static void got_billed(struct key_audit *audit)
{
    const struct renewals *renewals = &audit->flow->renewals;

    if (!is_quiet(audit) ||
        loop_now_ms(audit->flow->loop) < renewals->management_refused_until_ms) {
        later(audit);
        return;
    }
    audit->settled_nano_usd = audit->billed.billed_nano_usd;
    ask_key(audit);
}

static bool is_quiet(const struct key_audit *audit)
{
    const struct quota_billed *billed = &audit->billed;
    int64_t quiet_ms = (int64_t)audit->flow->settings->hold_lease_ms / QUIET_SHARE;

    quiet_ms = quiet_ms < QUIET_MAX_MS ? quiet_ms : QUIET_MAX_MS;
    return billed->call.end == STORE_OK && billed->live == 0 &&
           billed->now_ms - billed->settled_ms >= quiet_ms &&
           settlements_up_for_ms(&audit->flow->settlements) >= UP_MS;
}

static void ask_key(struct key_audit *audit)
{
    struct flow *flow = audit->flow;
    char path[PATH_MAX_SIZE];

    audit->at = AUDIT_ASKS;
    snprintf(path, sizeof(path), "%.*s/keys/%s", SPAN_PRINT(flow->settings->base_path),
             audit->load.record.hash);
    fetch_start(flow->fetcher, &audit->fetch, "GET", span_of(path), flow->management_key, SPAN_NONE,
                flow->settings->control_ms, &audit->turn);
}

static void got_key(struct key_audit *audit)
{
    int status = audit->fetch.end == FETCH_ANSWERED ? audit->fetch.status : 0;
    struct key_facts facts;
    enum key_health health =
        key_api_health(status, buffer_view(&audit->fetch.body), audit->billed.now_ms, &facts);

    fetch_done(&audit->fetch);
    if (health == KEY_UNKNOWN || health == KEY_MANAGEMENT_REFUSED) {
        later(audit);
        return;
    }
    if (health == KEY_GONE || facts.billed_nano_usd < 0) {
        estimate_rest(audit, -1);
        over(audit);
        return;
    }
    audit->rest_nano_usd = facts.billed_nano_usd - audit->settled_nano_usd;
    audit->at = AUDIT_READS_AGAIN;
    ask_billed(audit);
}

static void got_billed_again(struct key_audit *audit)
{
    if (!is_quiet(audit) || audit->billed.billed_nano_usd != audit->settled_nano_usd) {
        later(audit);
        return;
    }
    if (audit->rest_nano_usd < 0) {
        log_warn(audit->flow->log,
                 "more is settled of a key than OpenRouter has billed to it: estimates, figures "
                 "that were rounded up, or its sum is behind",
                 log_text("user", audit->user), log_int("version", audit->load.record.version),
                 log_int("settled_nano_usd", audit->settled_nano_usd),
                 log_int("beyond_nano_usd", -audit->rest_nano_usd));
        audit->rest_nano_usd = 0;
    }
    settle_next(audit);
}

static void settle_next(struct key_audit *audit)
{
    struct audited_hold *hold = &audit->holds[audit->next];
    struct settlement_record *record = &hold->record;
    int64_t held_nano_usd = record->cost_nano_usd, rest_nano_usd = audit->rest_nano_usd;
    bool is_last = audit->next + 1 == audit->count && !audit->more;

    if (!hold->certain && rest_nano_usd == 0) {
        estimate_rest(audit, -1);
        over(audit);
        return;
    }
    if (is_last && rest_nano_usd > held_nano_usd)
        log_warn(audit->flow->log,
                 "a key cost more than its holds: the price was unknown, or the store has lost "
                 "settlements",
                 log_text("user", audit->user), log_int("held_nano_usd", held_nano_usd),
                 log_int("rest_nano_usd", rest_nano_usd));
    if (is_last || held_nano_usd > rest_nano_usd)
        record->cost_nano_usd = rest_nano_usd;
    record->source = hold->ahead && record->cost_nano_usd == 0 ? COST_NOTHING_SENT : COST_FROM_KEY;
    log_info(audit->flow->log, "a request nobody could settle is settled by what its key cost",
             log_text("user", audit->user), log_text("request_id", record->request_id),
             log_int("version", record->key_version),
             log_int("cost_nano_usd", record->cost_nano_usd));
    audit->at = AUDIT_SETTLES;
    settlement_begin_for(&audit->flow->settlements, record, &audit->settled, &audit->turn);
}

/* Where somebody else was first, nobody knows whether our first reading had it. */
static void got_settled(struct key_audit *audit)
{
    if (audit->settled.already) {
        over(audit);
        return;
    }
    audit->settled_nano_usd += audit->settled.cost_nano_usd;
    audit->rest_nano_usd -= audit->settled.cost_nano_usd;
    audit->rest_nano_usd = audit->rest_nano_usd > 0 ? audit->rest_nano_usd : 0;
    audit->next++;
    if (audit->next == audit->count) {
        over(audit);
        return;
    }
    audit->at = AUDIT_CHECKS;
    ask_billed(audit);
}

/* Who came since then is not in OpenRouter's figure and may be live; who settled one of these is in ours. */
static void got_check(struct key_audit *audit)
{
    if (audit->billed.call.end == STORE_OK &&
        audit->billed.billed_nano_usd == audit->settled_nano_usd)
        settle_next(audit);
    else
        over(audit);
}

static void later(struct key_audit *audit)
{
    estimate_rest(audit, PATIENCE_LEASES * (int64_t)audit->flow->settings->hold_lease_ms);
    over(audit);
}

/* The estimate of what may have run on another key is no part of this one's sum. A hold taken ahead, of which no request told,
 * was hardly used: should it have been, the key's next audit finds it. */
static void estimate_rest(struct key_audit *audit, int64_t older_than_ms)
{
    for (size_t i = audit->next; i < audit->count; i++) {
        struct audited_hold *hold = &audit->holds[i];
        if (hold->age_ms <= older_than_ms)
            continue;
        if (hold->ahead && hold->certain) {
            hold->record.cost_nano_usd = 0;
            hold->record.source = COST_NOTHING_SENT;
            settlement_begin(&audit->flow->settlements, &hold->record, SETTLE_SOON);
            continue;
        }
        if (!hold->certain)
            hold->record.key_version = 0;
        reconcile_estimate(audit->flow, &hold->record);
    }
}

static void over(struct key_audit *audit)
{
    audit->at = AUDIT_OVER;
    loop_post(audit->flow->loop, audit->wake);
}

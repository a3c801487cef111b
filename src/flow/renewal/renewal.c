/* The renewals of this process: joining, leaving, and running the way. The rows are in renewal/claim.c (may we, and what
 * is wrong with the old key), renewal/raise.c (a higher limit for it) and renewal/make.c (leftovers, create, commit,
 * release). */
#include "flow/renewal.h"

#include "base/alloc.h"
#include "base/fault_point.h"
#include "flow/renewal/way.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    BREAKER_USERS = 3,
    BREAKER_WINDOW_MS = 10000,
    BREAKER_PROBE_MS = 5000,
    MANAGEMENT_REFUSED_MS = 30000,
    OUTAGE_FORGOTTEN_MS = 10000,
    CREATIONS_BURST = 300,
    CREATIONS_PER_MINUTE = 600,
    HINT_MAX_S = 30
};

static const struct {
    const char *name;
    enum verdict (*run)(struct renewal *r);
} way[RENEWAL_AT_COUNT] = {
#define ROW(name, text) {#name, renewal_##name},
    RENEWAL_WAY(ROW)
#undef ROW
};

static const struct {
    const char *name;
    enum fault fault;
} outcomes[RENEWAL_OUTCOME_COUNT] = {{"under_way", FAULT_RENEWAL_RUNNING},
#define ROW(name, text, fault) {text, fault},
                                     RENEWAL_OUTCOMES(ROW)
#undef ROW
};

static struct renewal *renewal_new(struct renewals *renewals, const struct renewal_ask *ask);
static enum renewal_outcome refused_at_once(struct renewals *renewals, enum claim_reason reason);
static void on_renewal_turn(struct turn *turn);
static void hurry_one(struct map_entry *found, void *context);
static void renewal_free(struct renewal *r);

enum fault renewal_fault(enum renewal_outcome outcome)
{
    return outcomes[outcome].fault;
}
const char *renewal_outcome_name(enum renewal_outcome outcome)
{
    return outcomes[outcome].name;
}

void renewals_open(struct renewals *renewals, struct flow *flow, const uint64_t map_seed[2])
{
    uint64_t now_ms = loop_now_ms(flow->loop);

    renewals->flow = flow;
    map_init(&renewals->by_user, map_seed);
    breaker_init(&renewals->breaker, BREAKER_USERS, BREAKER_WINDOW_MS, BREAKER_PROBE_MS);
    token_bucket_init(&renewals->creations, CREATIONS_BURST, CREATIONS_PER_MINUTE, now_ms);
}

void renewals_close(struct renewals *renewals)
{
    assert(renewals->count == 0);
    map_done(&renewals->by_user);
}

void renewal_join(struct renewals *renewals, struct renewal_wait *wait,
                  const struct renewal_ask *ask, struct turn *wake)
{
    struct map_entry *found = map_find(&renewals->by_user, ask->user);
    enum renewal_outcome refused =
        found ? RENEWAL_UNDER_WAY : refused_at_once(renewals, ask->reason);
    struct renewal *r;

    if (wait) {
        list_init(&wait->link);
        wait->wake = wake;
        wait->outcome = refused;
        deadline_init(&wait->deadline, wake);
    }
    if (refused != RENEWAL_UNDER_WAY) {
        metric_add(renewals->flow->metrics, MEASURE_RENEWALS, refused - 1, 0, 1);
        return;
    }
    r = found ? container_of(found, struct renewal, by_user) : renewal_new(renewals, ask);
    if (ask->reason == CLAIM_RAISE && !r->raises) {
        r->raises = true;
        r->budget = ask->budget;
    }
    if (wait) {
        list_append(&r->waiters, &wait->link);
        deadline_join(&renewals->flow->renewal_waits, &wait->deadline);
    }
}

void renewals_show_breaker(struct renewals *renewals)
{
    metric_set(renewals->flow->metrics, MEASURE_BREAKER_OPEN,
               renewals->breaker.state != BREAKER_CLOSED);
}

void renewals_hurry(struct renewals *renewals)
{
    map_each(&renewals->by_user, hurry_one, NULL);
}

void renewals_key_accepted(struct renewals *renewals)
{
    struct flow *flow = renewals->flow;

    if (renewals->breaker.state == BREAKER_CLOSED ||
        !breaker_allows(&renewals->breaker, loop_now_ms(flow->loop)))
        return;
    breaker_success(&renewals->breaker);
    renewals_show_breaker(renewals);
    log_info(flow->log, "[Auto-Renewal] OpenRouter accepts keys again: renewals are possible again",
             log_bool("breaker_open", false));
}

void renewal_leave(struct renewal_wait *wait)
{
    list_remove(&wait->link);
    deadline_leave(&wait->deadline);
}

void renewal_mend(struct renewals *renewals, struct span member)
{
    struct span user;
    struct renewal *r;

    if (!renewals->flow->management_key ||
        loop_now_ms(renewals->flow->loop) < renewals->management_refused_until_ms)
        return;
    if (!span_split(&member, ' ', &user) || !user_id_is_fine(user) ||
        map_find(&renewals->by_user, user))
        return;
    r = renewal_new(renewals, &(struct renewal_ask){.user = user, .reason = CLAIM_MEND});
    r->traced = true;
    span_text(member, r->trace, sizeof(r->trace));
}

/* What needs no question to anybody. */
static enum renewal_outcome refused_at_once(struct renewals *renewals, enum claim_reason reason)
{
    struct flow *flow = renewals->flow;
    uint64_t now_ms = loop_now_ms(flow->loop);

    if (!flow->management_key)
        return RENEWAL_NO_MANAGEMENT_KEY;
    if (now_ms < renewals->management_refused_until_ms)
        return RENEWAL_MANAGEMENT_REFUSED;
    if (reason == CLAIM_RENEW && !breaker_allows(&renewals->breaker, now_ms))
        return RENEWAL_BREAKER_OPEN;
    if (reason == CLAIM_PROVISION && renewals->breaker.state != BREAKER_CLOSED &&
        now_ms - renewals->breaker.opened_at_ms < OUTAGE_FORGOTTEN_MS)
        return RENEWAL_BREAKER_OPEN; /* probes are for keys that are there; without any, an outage is forgotten */
    return RENEWAL_UNDER_WAY;
}

static struct renewal *renewal_new(struct renewals *renewals, const struct renewal_ask *ask)
{
    struct renewal *r = must_alloc(sizeof(*r));

    r->flow = renewals->flow;
    r->reason = ask->reason;
    r->seen_version = ask->seen_version;
    r->tier = ask->tier;
    r->at = RENEWAL_AT_ask_claim;
    list_init(&r->waiters);
    turn_init(&r->turn, on_renewal_turn);
    deadline_init(&r->pause, &r->turn);
    span_text(ask->user, r->user, sizeof(r->user));
    renewal_new_nonce(r, r->trace);
    map_insert(&renewals->by_user, &r->by_user, span_of(r->user));
    renewals->count++;
    loop_post(r->flow->loop, &r->turn);
    return r;
}

static void on_renewal_turn(struct turn *turn)
{
    struct renewal *r = container_of(turn, struct renewal, turn);
    enum verdict verdict;

    do {
        fault_point("renewal", way[r->at].name);
        log_debug(r->flow->log, "renewal step", log_text("step", way[r->at].name),
                  log_text("user", r->user));
        verdict = way[r->at].run(r);
    } while (verdict == GO_ON);
    if (verdict == END)
        renewal_free(r);
}

enum verdict renewal_tell(struct renewal *r)
{
    struct renewals *renewals = &r->flow->renewals;
    struct list *node;

    metric_add(r->flow->metrics, MEASURE_RENEWALS, r->outcome - 1, 0, 1);
    map_remove(&renewals->by_user, &r->by_user);
    while ((node = list_first(&r->waiters))) {
        struct renewal_wait *wait = container_of(node, struct renewal_wait, link);
        renewal_leave(wait);
        wait->outcome = r->outcome;
        loop_post(r->flow->loop, wait->wake);
    }
    return r->traced && !r->keep_trace ? renewal_go(r, RENEWAL_AT_ask_untrace) : END;
}

enum verdict renewal_ask_untrace(struct renewal *r)
{
    char member[RENEWAL_MEMBER_MAX + 1];

    snprintf(member, sizeof(member), "%s %s", r->user, r->trace);
    r->at = RENEWAL_AT_got_untrace;
    renewal_index_remove(r->flow->store, &r->index, span_of(member), &r->turn);
    return WAIT;
}

enum verdict renewal_got_untrace(struct renewal *r)
{
    (void)r; /* if it was lost, the sweeper comes once in vain */
    return END;
}

enum verdict renewal_go(struct renewal *r, enum renewal_at at)
{
    r->at = at;
    r->tries = 0;
    return GO_ON;
}

enum verdict renewal_pause(struct renewal *r, uint64_t after_ms, enum renewal_at at)
{
    r->at = at;
    deadline_join_in(&r->flow->pauses, &r->pause, after_ms);
    return WAIT;
}

enum verdict renewal_end(struct renewal *r, enum renewal_outcome outcome)
{
    r->outcome = outcome;
    return renewal_go(r, RENEWAL_AT_tell);
}

enum verdict renewal_give_up(struct renewal *r, enum renewal_outcome outcome,
                             enum claim_outcome told)
{
    r->outcome = outcome;
    r->told = told;
    r->again = false;
    return renewal_go(r, RENEWAL_AT_ask_release);
}

enum verdict renewal_once_more(struct renewal *r, uint64_t after_ms, enum renewal_outcome outcome)
{
    if (++r->attempt >= RENEWAL_ATTEMPTS_MAX || r->flow->draining)
        return renewal_give_up(r, outcome, OUTCOME_CREATE_FAILED);
    r->told = OUTCOME_NONE;
    r->again = true;
    r->again_after_ms = after_ms;
    return renewal_go(r, RENEWAL_AT_ask_release);
}

uint64_t renewal_backoff_ms(const struct renewal *r)
{
    return 50 + backoff_ms(r->attempt + r->tries, 100, 2000, r->flow->random());
}

uint64_t renewal_hinted_ms(const struct renewal *r, int64_t retry_after_s)
{
    if (retry_after_s <= 0)
        return renewal_backoff_ms(r);
    return (uint64_t)(retry_after_s < HINT_MAX_S ? retry_after_s : HINT_MAX_S) * 1000;
}

bool renewal_may_try_again(struct renewal *r)
{
    return ++r->tries < RENEWAL_TRIES_MAX;
}

void renewal_fetch(struct renewal *r, const char *method, struct span body, const char *format, ...)
{
    struct flow *flow = r->flow;
    size_t base = flow->settings->base_path.size;
    va_list args;

    assert(base < sizeof(r->path) / 2);
    memcpy(r->path, flow->settings->base_path.at, base);
    va_start(args, format);
    vsnprintf(r->path + base, sizeof(r->path) - base, format, args);
    va_end(args);
    fetch_start(flow->fetcher, &r->fetch, method, span_of(r->path), flow->management_key, body,
                flow->settings->control_ms, &r->turn);
}

void renewal_management_refused(struct renewal *r, int status)
{
    struct renewals *renewals = &r->flow->renewals;

    renewals->management_refused_until_ms = loop_now_ms(r->flow->loop) + MANAGEMENT_REFUSED_MS;
    metric_set(r->flow->metrics, MEASURE_MANAGEMENT_REFUSED, 1);
    log_error(r->flow->log,
              "OpenRouter refuses the provisioning key: no key can be made or renewed. Existing "
              "keys keep working. "
              "Replace OPENROUTER_PROVISIONING_KEY and restart",
              log_int("status", status));
}

void renewal_new_nonce(const struct renewal *r, char ret_nonce[NONCE_SIZE + 1])
{
    snprintf(ret_nonce, NONCE_SIZE + 1, "%016llx", (unsigned long long)r->flow->random());
}

bool key_list_has(const struct key_list *list, struct span item)
{
    for (size_t i = 0; i < list->count; i++)
        if (span_equal(span_of(list->items[i]), item))
            return true;
    return false;
}

void key_list_add(struct key_list *list, struct span item)
{
    if (list->count < KEY_LIST_MAX && !key_list_has(list, item))
        span_text(item, list->items[list->count++], sizeof(list->items[0]));
}

/* What it was pausing for is asked now; while draining it gives up rather than pause again. */
static void hurry_one(struct map_entry *found, void *context)
{
    struct renewal *r = container_of(found, struct renewal, by_user);

    (void)context;
    if (!deadline_is_set(&r->pause))
        return;
    deadline_leave(&r->pause);
    loop_post(r->flow->loop, &r->turn);
}

static void renewal_free(struct renewal *r)
{
    assert(list_is_empty(&r->waiters) && !deadline_is_set(&r->pause));
    fetch_done(&r->fetch);
    secret_done(&r->made_key);
    r->flow->renewals.count--;
    must_free(r);
}

#include "flow/reaper.h"

#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/key_audit.h"
#include "flow/reconcile.h"

enum { NOTE_MAX_MS = 10000, NOTE_SHARE = 3, LOOK_AGAIN_MAX_MS = 15000, LOOK_AGAIN_SHARE = 2 };
enum { NOTE_TRIES_MAX = 5, NOTE_PAUSE_MS = 25 };
enum { LOOK_EVERY_MS = 600000, UNBOOKED_MAX_MS = 47 * 3600 * 1000 };

struct reaping {
    struct cost_job base;
    enum { REAP_EXPIRES, REAP_WAITS_FOR_KEY, REAP_LOOKS_UP, REAP_AUDITS, REAP_NOTES } at;
    struct quota_expire expire;
    struct key_ask key;
    struct reconcile_party party;
    struct key_audit audit;
    struct holders holders;
    bool looked_up; /* /generation was asked for all in this look */
    char first_looked_up[REQUEST_ID_MAX + 1];
    char user[USER_ID_MAX + 1];
};

struct note {
    struct cost_job base;
    struct deadline pause;
    struct holders holders;
    unsigned tries;
    char user[USER_ID_MAX + 1];
};

static void ask_note(struct note *note);
static void on_note_turn(struct turn *turn);
static int64_t note_every_ms(const struct flow *flow);
static bool is_under_way(struct flow *flow, struct span user);
static void on_reaping_turn(struct turn *turn);
static void ask_expired(struct reaping *r);
static void got_expired(struct reaping *r);
static void book_unbooked(struct reaping *r);
static void tell_too_old(struct flow *flow, const struct settlement_record *record);
static bool wants_lookup(const struct reaping *r, const struct expired_hold *hold);
static bool is_audited(const struct flow *flow, const struct expired_hold *hold);
static bool runs_on_shared(const struct flow *flow, const struct expired_hold *hold);
static void look_up(struct reaping *r);
static bool all_are_looked_up(const struct reaping *r);
static void audit(struct reaping *r);
static struct settlement_record record_of(const struct reaping *r, const struct expired_hold *hold);
static void note_or_remove(struct reaping *r);
static void reaping_free(struct reaping *r);
static int64_t share_of_lease(const struct flow *flow, int64_t share, int64_t most_ms);

void reap_user(struct flow *flow, struct span user)
{
    struct reaping *r;

    if (is_under_way(flow, user))
        return;
    r = must_alloc(sizeof(*r));
    cost_job_begin(&r->base, flow, on_reaping_turn);
    span_text(user, r->user, sizeof(r->user));
    ask_expired(r);
}

void reaper_note(struct flow *flow, struct span user)
{
    uint64_t now_ms = loop_now_ms(flow->loop);
    struct note *note;

    if (!user_memory_note(&flow->user_memory, user, now_ms, (uint64_t)note_every_ms(flow)))
        return;
    if (user_memory_look(&flow->user_memory, user, now_ms, LOOK_EVERY_MS))
        reap_user(flow, user);
    note = must_alloc(sizeof(*note));
    cost_job_begin(&note->base, flow, on_note_turn);
    deadline_init(&note->pause, &note->base.turn);
    span_text(user, note->user, sizeof(note->user));
    ask_note(note);
}

static void ask_note(struct note *note)
{
    struct flow *flow = note->base.flow;

    holders_add(flow->store, &note->holders, span_of(note->user),
                (int64_t)flow->settings->hold_lease_ms + note_every_ms(flow), &note->base.turn);
}

/* The hold may be there all the same, and who took it may die before the next note. */
static void on_note_turn(struct turn *turn)
{
    struct note *note = container_of(turn, struct note, base.turn);
    struct flow *flow = note->base.flow;
    bool failed = note->holders.call.end != STORE_OK;

    if (store_call_is_open(&note->holders.call))
        return;
    if (note->pause.passed && !flow->cutting) {
        deadline_leave(&note->pause);
        ask_note(note);
        return;
    }
    if (failed && ++note->tries < NOTE_TRIES_MAX && !flow->cutting) {
        deadline_join_in(&flow->pauses, &note->pause, (uint64_t)NOTE_PAUSE_MS << note->tries);
        return;
    }
    if (failed)
        user_memory_note_failed(&flow->user_memory, span_of(note->user));
    deadline_leave(&note->pause);
    cost_job_end(&note->base);
    must_free(note);
}

static int64_t note_every_ms(const struct flow *flow)
{
    return share_of_lease(flow, NOTE_SHARE, NOTE_MAX_MS);
}

/* In this process: what it looks up may take longer than the next look is away. */
static bool is_under_way(struct flow *flow, struct span user)
{
    LIST_EACH (node, &flow->cost_jobs) {
        struct cost_job *job = container_of(node, struct cost_job, link);
        if (job->turn.run == on_reaping_turn &&
            span_equal(span_of(container_of(job, struct reaping, base)->user), user))
            return true;
    }
    return false;
}

/* expired holds → (/generation, and what is left then) → the audit → when to look again */
static void on_reaping_turn(struct turn *turn)
{
    struct reaping *r = container_of(turn, struct reaping, base.turn);

    switch (r->at) {
    case REAP_EXPIRES:
        if (!store_call_is_open(&r->expire.call))
            got_expired(r);
        return;
    case REAP_WAITS_FOR_KEY:
        if (r->key.verdict != KEY_ASK_WAITING)
            look_up(r);
        return;
    case REAP_LOOKS_UP:
        if (r->party.open == 0)
            ask_expired(r);
        return;
    case REAP_AUDITS:
        if (key_audit_is_over(&r->audit) || (r->base.flow->cutting && key_audit_cut(&r->audit)))
            note_or_remove(r);
        return;
    case REAP_NOTES:
        if (!store_call_is_open(&r->holders.call))
            reaping_free(r);
        return;
    }
}

static void ask_expired(struct reaping *r)
{
    r->at = REAP_EXPIRES;
    quota_expire(r->base.flow->store, &r->expire, span_of(r->user), &r->base.turn);
}

static void got_expired(struct reaping *r)
{
    struct flow *flow = r->base.flow;
    bool lookups = false;

    if (r->expire.call.end == STORE_OK)
        book_unbooked(r);
    if (r->expire.call.end != STORE_OK || r->expire.count == 0 || flow->cutting) {
        note_or_remove(r);
        return;
    }
    for (size_t i = 0; i < r->expire.count; i++)
        lookups = lookups || wants_lookup(r, &r->expire.holds[i]);
    if (!lookups) {
        audit(r);
        return;
    }
    r->at = REAP_WAITS_FOR_KEY;
    key_ask(&flow->keyring, &r->key, span_of(r->user), &r->base.turn);
    if (r->key.verdict != KEY_ASK_WAITING)
        loop_post(flow->loop, &r->base.turn);
}

/* Somebody charged it and did not live to book it. Those that we are booking ourselves do not come here unless the books
 * cannot be written, and then they are in the journal, or many are due. What is older than the books remember may be in them. */
static void book_unbooked(struct reaping *r)
{
    struct flow *flow = r->base.flow;

    if (flow->settlements.journalled || flow->settlements.round.failures ||
        flow->settlements.round.to_book_count > BOOK_BATCH_MAX)
        return;
    for (size_t i = 0; i < r->expire.unbooked_count; i++) {
        const struct settlement_record *record = &r->expire.unbooked[i];
        if (r->expire.now_ms - record->finished_ms > UNBOOKED_MAX_MS) {
            tell_too_old(flow, record);
            continue;
        }
        log_info(flow->log, "a settlement outlived its instance: it is booked",
                 log_text("user", record->user), log_text("request_id", record->request_id),
                 log_int("cost_nano_usd", record->cost_nano_usd));
        settlement_begin_charged(&flow->settlements, record);
    }
}

static void tell_too_old(struct flow *flow, const struct settlement_record *record)
{
    log_error(flow->log,
              "a settlement was not booked for days, and whether it was the books no longer know: "
              "look for it in the ledger, then delete its field in the user's account",
              log_text("user", record->user), log_text("request_id", record->request_id),
              log_int("cost_nano_usd", record->cost_nano_usd));
}

/* What is not audited is settled by its lookup, at worst as an estimate. */
static bool wants_lookup(const struct reaping *r, const struct expired_hold *hold)
{
    return !r->looked_up && (hold->generation_id[0] || !is_audited(r->base.flow, hold));
}

static bool is_audited(const struct flow *flow, const struct expired_hold *hold)
{
    return flow->management_key && !runs_on_shared(flow, hold);
}

static bool runs_on_shared(const struct flow *flow, const struct expired_hold *hold)
{
    const struct tier *tier = tiers_find(flow->settings->tiers, span_of(hold->tier));

    return tier && tier->key == TIER_KEY_SHARED;
}

static void look_up(struct reaping *r)
{
    struct flow *flow = r->base.flow;
    const struct open_key *key = keyring_find(&flow->keyring, span_of(r->user));

    r->at = REAP_LOOKS_UP;
    r->looked_up = all_are_looked_up(r);
    memcpy(r->first_looked_up, r->expire.holds[0].request_id, sizeof(r->first_looked_up));
    r->party.wake = &r->base.turn;
    for (size_t i = 0; i < r->expire.count; i++) {
        const struct expired_hold *hold = &r->expire.holds[i];
        const struct secret *secret = runs_on_shared(flow, hold) ? flow->shared_key
                                      : key                      ? &key->secret
                                                                 : NULL;
        struct settlement_record record = record_of(r, hold);
        if (!hold->generation_id[0] && is_audited(flow, hold))
            continue;
        log_warn(flow->log, "a hold outlived its instance: its cost is looked up",
                 log_text("user", r->user), log_text("request_id", hold->request_id),
                 log_int("held_nano_usd", hold->amount_nano_usd),
                 log_bool("generation_known", hold->generation_id[0] != '\0'));
        reconcile_join(flow, &record, secret, &r->party, is_audited(flow, hold));
    }
}

/* Those that can be looked up come first: behind a page full of them there may be more, whose costs would be taken for those
 * of others. Unless the first was asked for in vain. */
static bool all_are_looked_up(const struct reaping *r)
{
    const struct quota_expire *expire = &r->expire;

    return !expire->more || !expire->holds[expire->count - 1].generation_id[0] ||
           strcmp(expire->holds[0].request_id, r->first_looked_up) == 0;
}

static void audit(struct reaping *r)
{
    struct flow *flow = r->base.flow;

    r->at = REAP_AUDITS;
    key_audit_init(&r->audit, flow, span_of(r->user), &r->base.turn);
    for (size_t i = 0; i < r->expire.count; i++) {
        const struct expired_hold *hold = &r->expire.holds[i];
        struct settlement_record record = record_of(r, hold);
        if (is_audited(flow, hold))
            key_audit_add(&r->audit, &record, hold, r->expire.now_ms);
    }
    key_audit_begin(&r->audit, r->expire.more);
}

/* Content was delivered, as far as anybody can know, where a stream's head went out: then its generation is known. */
static struct settlement_record record_of(const struct reaping *r, const struct expired_hold *hold)
{
    struct settlement_record record = {
        .cost_nano_usd = hold->amount_nano_usd,
        .prompt_tokens = -1,
        .cached_tokens = -1,
        .completion_tokens = -1,
        .reasoning_tokens = -1,
        .key_version = runs_on_shared(r->base.flow, hold) ? 0 : hold->key_version,
        .finished_ms = hold->expired_ms,
        .source = COST_FROM_ESTIMATE,
        .delivered = hold->generation_id[0] != '\0'};

    memcpy(record.user, r->user, sizeof(record.user));
    memcpy(record.request_id, hold->request_id, sizeof(record.request_id));
    memcpy(record.tier, hold->tier, sizeof(record.tier));
    memcpy(record.model, hold->model, sizeof(record.model));
    memcpy(record.generation_id, hold->generation_id, sizeof(record.generation_id));
    memcpy(record.budget_period, hold->budget_period, sizeof(record.budget_period));
    memcpy(record.day, hold->day, sizeof(record.day));
    return record;
}

/* Looked after again while there is something to look after. */
static void note_or_remove(struct reaping *r)
{
    struct flow *flow = r->base.flow;

    r->at = REAP_NOTES;
    if (r->expire.call.end != STORE_OK || r->expire.busy || r->expire.count)
        holders_add(flow->store, &r->holders, span_of(r->user),
                    share_of_lease(flow, LOOK_AGAIN_SHARE, LOOK_AGAIN_MAX_MS), &r->base.turn);
    else
        holders_remove(flow->store, &r->holders, span_of(r->user), &r->base.turn);
}

static void reaping_free(struct reaping *r)
{
    cost_job_end(&r->base);
    must_free(r);
}

static int64_t share_of_lease(const struct flow *flow, int64_t share, int64_t most_ms)
{
    int64_t part_ms = (int64_t)flow->settings->hold_lease_ms / share;

    return part_ms < most_ms ? part_ms : most_ms;
}

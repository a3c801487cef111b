#include "flow/reconcile.h"

#include "base/alloc.h"
#include "domain/generation.h"
#include "domain/key_api.h"
#include "flow/flow.h"
#include "flow/reaper.h"

#include <stdio.h>

enum { TRIES_MAX = 7, FIRST_PAUSE_MS = 250, LAST_PAUSE_MS = 4000 };
enum { LEAVE_TRIES_MAX = 4, LEAVE_PAUSE_MS = 50 };

struct job {
    struct cost_job base;
    enum { JOB_WAITS_FOR_KEY, JOB_PAUSES, JOB_ASKS, JOB_SETTLES, JOB_LEAVES } at;
    struct deadline pause;
    struct settlement_record record;
    struct reconcile_party *party; /* borrowed; NULL: a live request's */
    bool audited;                  /* what /generation does not tell, the key will */
    struct key_ask key_ask;
    struct secret key;
    struct fetch_call fetch;
    struct settlement_wait settled;
    struct quota_extend extend;
    unsigned tries;
    char path[512];
};

static struct job *job_new(struct flow *flow, const struct settlement_record *record);
static void begin(struct job *job, const struct secret *key);
static void on_job_turn(struct turn *turn);
static void ask(struct job *job);
static void ask_for_key(struct job *job);
static void got_key(struct job *job);
static void got_answer(struct job *job);
static bool read_answer(struct job *job);
static void try_again(struct job *job);
static void nothing_told(struct job *job);
static void settle(struct job *job);
static void leave(struct job *job);
static void ask_leave(struct job *job);
static void got_left(struct job *job);
static void job_free(struct job *job);
static void tell_estimate(struct flow *flow, const struct settlement_record *record);

void cost_job_begin(struct cost_job *job, struct flow *flow, void (*run)(struct turn *turn))
{
    job->flow = flow;
    turn_init(&job->turn, run);
    list_append(&flow->cost_jobs, &job->link);
}

void cost_job_end(struct cost_job *job)
{
    turn_cancel(&job->turn);
    list_remove(&job->link);
}

void reconcile_begin(struct flow *flow, const struct settlement_record *record,
                     const struct secret *key)
{
    struct job *job = job_new(flow, record);

    job->audited = record->key_version && flow->management_key;
    begin(job, key);
}

void reconcile_join(struct flow *flow, const struct settlement_record *record,
                    const struct secret *key, struct reconcile_party *party, bool audited)
{
    struct job *job = job_new(flow, record);

    job->audited = audited;
    job->party = party;
    party->open++;
    begin(job, key);
}

void reconcile_estimate(struct flow *flow, const struct settlement_record *record)
{
    struct settlement_record estimate = *record;

    estimate.source = COST_FROM_ESTIMATE;
    tell_estimate(flow, &estimate);
    settlement_begin(&flow->settlements, &estimate, SETTLE_SOON);
}

static struct job *job_new(struct flow *flow, const struct settlement_record *record)
{
    struct job *job = must_alloc(sizeof(*job));

    cost_job_begin(&job->base, flow, on_job_turn);
    deadline_init(&job->pause, &job->base.turn);
    job->record = *record;
    return job;
}

static void begin(struct job *job, const struct secret *key)
{
    if (job->base.flow->cutting || !job->record.generation_id[0]) {
        nothing_told(job);
        return;
    }
    if (!key) { /* it was closed meanwhile */
        ask_for_key(job);
        return;
    }
    secret_set(&job->key, secret_reveal(key));
    job->at = JOB_PAUSES;
    deadline_join_in(&job->base.flow->pauses, &job->pause, FIRST_PAUSE_MS);
}

static void on_job_turn(struct turn *turn)
{
    struct job *job = container_of(turn, struct job, base.turn);
    bool cutting = job->base.flow->cutting;

    switch (job->at) {
    case JOB_WAITS_FOR_KEY:
        if (job->key_ask.verdict != KEY_ASK_WAITING)
            got_key(job);
        return;
    case JOB_PAUSES:
        if (cutting)
            nothing_told(job);
        else if (job->pause.passed && secret_is_set(&job->key))
            ask(job);
        else if (job->pause.passed)
            ask_for_key(job);
        return;
    case JOB_ASKS:
        if (cutting && job->fetch.flight)
            nothing_told(job);
        else if (!job->fetch.flight)
            got_answer(job);
        return;
    case JOB_SETTLES:
        if (cutting || !job->settled.settlement)
            job_free(job);
        return;
    case JOB_LEAVES:
        if (!store_call_is_open(&job->extend.call))
            got_left(job);
        return;
    }
}

static void ask_for_key(struct job *job)
{
    struct flow *flow = job->base.flow;

    deadline_leave(&job->pause);
    job->at = JOB_WAITS_FOR_KEY;
    key_ask(&flow->keyring, &job->key_ask, span_of(job->record.user), &job->base.turn);
    if (job->key_ask.verdict != KEY_ASK_WAITING)
        loop_post(flow->loop, &job->base.turn);
}

static void got_key(struct job *job)
{
    struct flow *flow = job->base.flow;
    const struct open_key *open = keyring_find(&flow->keyring, span_of(job->record.user));
    const struct secret *key = open ? &open->secret : flow->shared_key;

    if (key)
        begin(job, key);
    else if (job->key_ask.verdict == KEY_ASK_STORE_DOWN)
        try_again(job);
    else
        nothing_told(job);
}

static void ask(struct job *job)
{
    struct flow *flow = job->base.flow;

    deadline_leave(&job->pause);
    job->at = JOB_ASKS;
    snprintf(job->path, sizeof(job->path), "%.*s/generation?id=%s",
             SPAN_PRINT(flow->settings->base_path), job->record.generation_id);
    fetch_start(flow->fetcher, &job->fetch, "GET", span_of(job->path), &job->key, SPAN_NONE,
                flow->settings->control_ms, &job->base.turn);
}

static void got_answer(struct job *job)
{
    if (read_answer(job))
        settle(job);
    else
        try_again(job);
}

static bool read_answer(struct job *job)
{
    struct usage usage = {.prompt_tokens = -1,
                          .cached_tokens = -1,
                          .completion_tokens = -1,
                          .reasoning_tokens = -1,
                          .cost_nano_usd = -1,
                          .upstream_nano_usd = -1};
    bool told = job->fetch.end == FETCH_ANSWERED && key_api_done(job->fetch.status) &&
                generation_read(buffer_view(&job->fetch.body), &usage) && usage_bill(&usage) >= 0;

    fetch_done(&job->fetch);
    if (!told)
        return false;
    job->record.cost_nano_usd = usage_bill(&usage);
    job->record.prompt_tokens = usage.prompt_tokens;
    job->record.cached_tokens = usage.cached_tokens;
    job->record.completion_tokens = usage.completion_tokens;
    job->record.reasoning_tokens = usage.reasoning_tokens;
    job->record.source = COST_FROM_GENERATION;
    return true;
}

static void try_again(struct job *job)
{
    uint64_t pause_ms = (uint64_t)FIRST_PAUSE_MS << job->tries;

    if (++job->tries >= TRIES_MAX || job->base.flow->cutting) {
        nothing_told(job);
        return;
    }
    job->at = JOB_PAUSES;
    deadline_join_in(&job->base.flow->pauses, &job->pause,
                     pause_ms < LAST_PAUSE_MS ? pause_ms : LAST_PAUSE_MS);
}

static void nothing_told(struct job *job)
{
    bool cutting = job->base.flow->cutting;

    if (job->party && (job->audited || cutting)) {
        job_free(job);
        return;
    }
    if (job->audited || cutting) {
        leave(job);
        return;
    }
    job->record.source = COST_FROM_ESTIMATE;
    tell_estimate(job->base.flow, &job->record);
    settle(job);
}

static void settle(struct job *job)
{
    struct settlements *settlements = &job->base.flow->settlements;

    if (!job->party) {
        settlement_begin(settlements, &job->record, SETTLE_SOON);
        job_free(job);
        return;
    }
    job->at = JOB_SETTLES;
    settlement_begin_for(settlements, &job->record, &job->settled, &job->base.turn);
}

static void leave(struct job *job)
{
    struct flow *flow = job->base.flow;
    const struct settlement_record *record = &job->record;

    log_warn(flow->log,
             "OpenRouter has not told what a request cost; its hold is left to whoever sweeps",
             log_text("request_id", record->request_id), log_text("user", record->user),
             log_text("generation_id", record->generation_id));
    job->at = JOB_LEAVES;
    job->tries = 0;
    deadline_leave(&job->pause);
    fetch_cancel(&job->fetch);
    fetch_done(&job->fetch);
    reaper_note(flow, span_of(record->user));
    ask_leave(job);
}

static void ask_leave(struct job *job)
{
    struct flow *flow = job->base.flow;
    const struct settlement_record *record = &job->record;

    quota_leave(flow->store, &job->extend, span_of(record->user), span_of(record->request_id),
                span_of(record->generation_id), record->key_version, record->delivered,
                &job->base.turn);
}

/* Not for long: what cannot be told now is guessed by whoever settles it. */
static void got_left(struct job *job)
{
    bool waits = deadline_is_set(&job->pause);

    if (job->pause.passed) {
        deadline_leave(&job->pause);
        ask_leave(job);
    } else if (!waits && job->extend.call.end != STORE_OK && ++job->tries < LEAVE_TRIES_MAX)
        deadline_join_in(&job->base.flow->pauses, &job->pause,
                         (uint64_t)LEAVE_PAUSE_MS << job->tries);
    else if (!waits)
        job_free(job);
}

static void job_free(struct job *job)
{
    struct reconcile_party *party = job->party;

    settlement_leave(&job->settled);
    deadline_leave(&job->pause);
    fetch_cancel(&job->fetch);
    fetch_done(&job->fetch);
    secret_done(&job->key);
    if (party && --party->open == 0)
        loop_post(job->base.flow->loop, party->wake);
    cost_job_end(&job->base);
    must_free(job);
}

static void tell_estimate(struct flow *flow, const struct settlement_record *record)
{
    metric_add(flow->metrics, MEASURE_ESTIMATED, 0, 0, 1);
    log_warn(flow->log, "OpenRouter did not tell what a request cost; its upper bound is booked",
             log_text("request_id", record->request_id), log_text("user", record->user),
             log_int("cost_nano_usd", record->cost_nano_usd));
}

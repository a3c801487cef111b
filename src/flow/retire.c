/* One job: (ask the store what is doomed) → delete the first upstream → tell the store → the next → free. */
#include "flow/retire.h"

#include "base/alloc.h"
#include "domain/key_api.h"
#include "flow/flow.h"

#include <stdio.h>

struct job {
    struct turn turn;
    struct flow *flow; /* borrowed */
    enum { JOB_ASKS, JOB_DELETES, JOB_BURIES } at;
    struct key_proven proven;
    struct key_buried buried;
    struct fetch_call fetch;
    struct key_list doomed;
    size_t next;
    char user[USER_ID_MAX + 1];
};

static struct job *job_new(struct flow *flow, struct span user);
static void on_job_turn(struct turn *turn);
static void delete_next(struct job *job);
static void bury(struct job *job);

void retire_predecessors(struct flow *flow, struct span user, int64_t version)
{
    struct job *job = job_new(flow, user);

    job->at = JOB_ASKS;
    key_proven(flow->store, &job->proven, span_of(job->user), version, &job->turn);
}

void retire_hashes(struct flow *flow, struct span user, const struct key_list *doomed)
{
    struct job *job = job_new(flow, user);

    job->doomed = *doomed;
    delete_next(job);
}

static struct job *job_new(struct flow *flow, struct span user)
{
    struct job *job = must_alloc(sizeof(*job));

    job->flow = flow;
    turn_init(&job->turn, on_job_turn);
    span_text(user, job->user, sizeof(job->user));
    flow->renewals.count++;
    return job;
}

static void on_job_turn(struct turn *turn)
{
    struct job *job = container_of(turn, struct job, turn);

    switch (job->at) {
    case JOB_ASKS:
        if (job->proven.call.end == STORE_OK)
            job->doomed = job->proven.doomed;
        delete_next(job);
        return;
    case JOB_DELETES:
        bury(job);
        return;
    case JOB_BURIES:
        job->next++;
        delete_next(job);
        return;
    }
}

static void delete_next(struct job *job)
{
    char path[KEY_HASH_SIZE + 64 + 256];
    struct flow *flow = job->flow;

    if (job->next >= job->doomed.count || !flow->management_key) {
        flow->renewals.count--;
        must_free(job);
        return;
    }
    job->at = JOB_DELETES;
    snprintf(path, sizeof(path), "%.*s/keys/%s", SPAN_PRINT(flow->settings->base_path),
             job->doomed.items[job->next]);
    fetch_start(flow->fetcher, &job->fetch, "DELETE", span_of(path), flow->management_key,
                SPAN_NONE, flow->settings->control_ms, &job->turn);
}

/* 404 is as good as done. Anything else stays doomed in the store; the sweeper comes back to it. */
static void bury(struct job *job)
{
    bool gone = job->fetch.end == FETCH_ANSWERED &&
                (key_api_done(job->fetch.status) || key_api_missing(job->fetch.status));
    const char *hash = job->doomed.items[job->next];

    fetch_done(&job->fetch);
    if (!gone) {
        log_warn(
            job->flow->log,
            "a replaced key could not be deleted at OpenRouter; it is tried again within a minute",
            log_text("user", job->user), log_span("key_hash", span_first(span_of(hash), 12)));
        job->next++;
        delete_next(job);
        return;
    }
    metric_add(job->flow->metrics, MEASURE_KEYS_DELETED, 0, 0, 1);
    log_info(job->flow->log, "[Auto-Renewal] Old key deleted", log_text("user", job->user),
             log_span("key_hash", span_first(span_of(hash), 12)));
    job->at = JOB_BURIES;
    key_buried(job->flow->store, &job->buried, span_of(job->user), span_of(hash), &job->turn);
}

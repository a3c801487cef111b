/* Scenes of OpenRouter in trouble while keys are made. */
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <stdio.h>

enum { HOUR_MS = 3600 * 1000 };

void create_reply_is_lost(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker = client_sends(w, (struct asking){.token = ada->token});

    goes_wrong(w, "fetch POST /keys", BREAK_unknown_done);
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT_NUMBER(w, w->keys.creates, 2);
        EXPECT_NUMBER(w, w->keys.lists, 1);
        EXPECT_NUMBER(w, w->keys.deletes, 1);
        EXPECT(w, w->keys.keys[0].deleted_by_api);
        EXPECT_NUMBER(w, fake_keys_live(&w->keys), 1);
    }
}

/* Its answer never comes: the client waits 10 s and is told to come back; the renewal goes on without it. */
void create_is_slower_than_clients(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *first = client_sends(w, (struct asking){.token = ada->token}), *second;

    goes_wrong(w, "fetch POST /keys", BREAK_unknown_undone);
    goes_wrong(w, "fetch GET /keys?offset", BREAK_unknown_undone);
    everything_runs(w, 12000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(first), 503);
        EXPECT(w, reply_has(first, "\"renewal_in_progress\""));
    }
    everything_runs(w, 8000);
    second = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(second), 200);
        EXPECT_NUMBER(w, w->keys.creates, 1);
    }
}

/* 429 with an hour to wait: clients are told to come back, and an instance that drains does not wait for it. */
void create_is_put_off_for_an_hour(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    ada->afterwards = 0;
    w->stays_unfinished = true;
    retry_after_is(w, 3600);
    for (unsigned i = 0; i < 4; i++)
        goes_wrong(w, "fetch POST /keys", BREAK_status_429);
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 15000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 503);
        EXPECT_NUMBER(w, w->keys.creates, 0);
    }
}

/* The link breaks with the trace and the claim on it: the second claim must leave a trace again. */
void trace_is_lost(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker = client_sends(w, (struct asking){.token = ada->token});

    ada->afterwards = 0; /* who never comes back must not leave a key behind */
    goes_wrong(w, "redis renewal_add", BREAK_lost_unapplied);
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT_NUMBER(w, w->keys.creates, 1);
    }
}

/* Before so many are believed to be gone, the management API must know itself. */
void many_keys_are_gone(struct world *w)
{
    enum { USERS = 6 };
    struct person *people[USERS];
    struct asker *askers[USERS];
    char id[16];

    for (unsigned i = 0; i < USERS; i++) {
        snprintf(id, sizeof(id), "user-%u", i);
        people[i] = a_user(w, id);
        a_key(w, people[i], (struct key_story){0})->deleted = true;
    }
    for (unsigned i = 0; i < USERS; i++)
        askers[i] = client_sends(w, (struct asking){.token = people[i]->token});
    everything_runs(w, 2000);
    PLAINLY(w)
    {
        for (unsigned i = 0; i < USERS; i++)
            EXPECT_NUMBER(w, status_of(askers[i]), 200);
        EXPECT_NUMBER(w, w->keys.creates, USERS);
        EXPECT(w, w->keys.self_checks > 0);
    }
}

/* Healthy keys are refused: nothing is made; after three users nothing is even verified. */
void outage_opens_the_breaker(struct world *w)
{
    enum { USERS = 4 };
    struct person *people[USERS];
    struct asker *askers[USERS], *later;
    const struct breaker *breaker = &w->instances[0].flow.renewals.breaker;
    char id[16];

    for (unsigned i = 0; i < USERS; i++) {
        snprintf(id, sizeof(id), "user-%u", i);
        people[i] = a_user(w, id);
        a_key(w, people[i], (struct key_story){.expires_in_ms = 48 * HOUR_MS});
    }
    w->storm = true;
    for (unsigned i = 0; i < USERS; i++) {
        askers[i] = client_sends(w, (struct asking){.token = people[i]->token});
        everything_runs(w, 1000);
    }
    PLAINLY(w)
    {
        for (unsigned i = 0; i < USERS; i++) {
            EXPECT_NUMBER(w, status_of(askers[i]), 503);
            EXPECT(w, reply_has(askers[i], "\"upstream_unavailable\""));
        }
        EXPECT_NUMBER(w, w->keys.lookups, 3);
        EXPECT_NUMBER(w, breaker->state, BREAKER_OPEN);
        EXPECT_NUMBER(w, measured(w, MEASURE_BREAKER_OPEN, 0, 0), 1);
    }
    w->storm = false;
    later = client_sends(w, (struct asking){.token = people[0]->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(later), 200);
        EXPECT_NUMBER(w, measured(w, MEASURE_BREAKER_OPEN, 0, 0), breaker->state != BREAKER_CLOSED);
    }
    everything_runs(w, 6000);
    later = client_sends(w, (struct asking){.token = people[1]->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(later), 200);
        EXPECT_NUMBER(w, breaker->state, BREAKER_CLOSED);
        EXPECT_NUMBER(w, measured(w, MEASURE_BREAKER_OPEN, 0, 0), 0);
    }
}

void key_is_disabled_at_openrouter(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    ada->afterwards = 403;
    a_key(w, ada, (struct key_story){0})->disabled = true;
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 403);
        EXPECT(w, reply_has(asker, "\"key_disabled\""));
        EXPECT_NUMBER(w, w->keys.lookups, 1);
        EXPECT_NUMBER(w, w->asks.count, 1);
    }
    if (w->keys.creates > 0)
        world_fails(w, __FILE__, __LINE__, "a key was made for a user whose key is disabled");
}

/* All renewals stop for a while, existing keys keep working. */
void management_key_is_refused(struct world *w)
{
    struct person *ada = a_user(w, "ada"), *bob = a_user(w, "bob");
    struct asker *dead, *again, *fine, *mended;

    a_key(w, ada, (struct key_story){0})->deleted = true;
    a_key(w, bob, (struct key_story){0});
    w->keys.refuses_management = true;
    dead = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    again = client_sends(w, (struct asking){.token = ada->token});
    fine = client_sends(w, (struct asking){.token = bob->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(dead), 502);
        EXPECT(w, reply_has(dead, "\"auto_renewal_failed\""));
        EXPECT_NUMBER(w, status_of(again), 502);
        EXPECT_NUMBER(w, status_of(fine), 200);
        EXPECT_NUMBER(w, w->keys.refusals, 1);
        EXPECT_NUMBER(w, measured(w, MEASURE_MANAGEMENT_REFUSED, 0, 0), 1);
    }
    everything_runs(w, 30000);
    PLAINLY(w) EXPECT_NUMBER(w, w->keys.refusals, 1);
    w->keys.refuses_management = false;
    mended = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(mended), 200);
        EXPECT_NUMBER(w, measured(w, MEASURE_MANAGEMENT_REFUSED, 0, 0), 0);
    }
}

void arrange_no_management_key(struct world *w)
{
    secret_done(&w->management_key);
}

void no_management_key(struct world *w)
{
    struct person *ada = a_user(w, "ada"), *bob = a_user(w, "bob"), *eve = a_user(w, "eve");
    struct asker *none, *fine, *dead;

    ada->afterwards = eve->afterwards = 502;
    a_key(w, bob, (struct key_story){0});
    a_key(w, eve, (struct key_story){0})->deleted = true;
    none = client_sends(w, (struct asking){.token = ada->token});
    fine = client_sends(w, (struct asking){.token = bob->token});
    dead = client_sends(w, (struct asking){.token = eve->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(none), 502);
        EXPECT(w, reply_has(none, "OPENROUTER_PROVISIONING_KEY"));
        EXPECT(w, reply_has(none, "\"auto_renewal_failed\""));
        EXPECT_NUMBER(w, status_of(fine), 200);
        EXPECT_NUMBER(w, status_of(dead), 502);
    }
}

/* A is slow: before it creates, its lease has run out and B has made a key. A's own must go, and A must use B's. */
void lease_runs_out(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *slow, *quick, *later;

    w->keys.tolerates_races = true;
    a_key(w, ada, (struct key_story){0})->deleted = true;
    goes_wrong(w, "A fetch GET /keys/{hash}", BREAK_unknown_undone);
    goes_wrong(w, "A fetch GET /keys/{hash}", BREAK_unknown_undone);
    slow = client_sends(w, (struct asking){.token = ada->token, .instance = 0});
    everything_runs(w, 15500);
    quick = client_sends(w, (struct asking){.token = ada->token, .instance = 1});
    everything_runs(w, 500);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(slow), 503);
        EXPECT_NUMBER(w, status_of(quick), 200);
        EXPECT_NUMBER(w, w->keys.creates, 1);
    }
    everything_runs(w, 4000);
    later = client_sends(w, (struct asking){.token = ada->token, .instance = 0});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(later), 200);
        EXPECT_NUMBER(w, fake_keys_live(&w->keys), 1);
        EXPECT(w, !w->keys.keys[1].deleted);
        EXPECT_NUMBER(w, w->keys.creates, 1 + w->keys.deletes);
    }
}

/* Scenes of keys that are made and renewed. */
#include "scene/scenes.h"
#include "scene/vocabulary.h"

enum { HOUR_MS = 3600 * 1000 };

void cached_key(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *first, *second;

    a_key(w, ada, (struct key_story){0});
    first = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    second = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(first), 200);
        EXPECT_NUMBER(w, status_of(second), 200);
        EXPECT(w, reply_was(first, "x-keyturn-tier", "Standard"));
        EXPECT(w, !fake_client_header(first->client, SPAN("x-keyturn-renewed")).at);
        EXPECT(w, reply_was(second, "content-type", "text/event-stream"));
        EXPECT(w, reply_was(second, "x-accel-buffering", "no"));
        EXPECT(w, !fake_client_header(second->client, SPAN("set-cookie")).at);
        EXPECT_NUMBER(w, w->asks.count, 2);
        EXPECT_NUMBER(w, w->keys.creates + w->keys.lookups, 0);
        EXPECT(w, span_equal(span_of(w->asks.rows[0].path), SPAN("/api/v1/chat/completions")));
        EXPECT(w, !span_contains(buffer_view(&w->asks.rows[0].headers), SPAN("ookie")));
        EXPECT(w, span_contains(buffer_view(&w->asks.rows[0].body), span_of(ada->pseudonym)));
        EXPECT_NUMBER(w, keyring_count(&w->instances[0].flow.keyring), 1);
    }
}

void first_request_provisions(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker = client_sends(w, (struct asking){.token = ada->token});

    everything_runs(w, 1000);
    PLAINLY(w)
    {
        char text[1024];
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT(w, reply_was(asker, "x-keyturn-renewed", "true"));
        EXPECT_NUMBER(w, w->keys.creates, 1);
        EXPECT_NUMBER(w, w->keys.lookups + w->keys.lists + w->keys.deletes, 0);
        EXPECT_NUMBER(w, w->asks.count, 1);
        EXPECT(w, strcmp(record_field(w, ada, "version", text), "1") == 0);
        EXPECT(w, strcmp(record_field(w, ada, "proven", text), "1") == 0);
        EXPECT(w, strcmp(record_field(w, ada, "auto_renewed", text), "0") == 0);
        EXPECT(w, strcmp(record_field(w, ada, "hash", text), w->keys.keys[0].hash) == 0);
        EXPECT_NUMBER(w, w->keys.keys[0].limit_nano_usd, TARIFF_STANDARD);
        EXPECT_NUMBER(w, w->keys.keys[0].expires_ms / 1000,
                      (FAKE_WALL_MS + w->settings.default_tier->expires_after_ms) / 1000);
        EXPECT(w, strcmp(LOOK(w, text, "ZCARD", "kt:renewals"), "0") == 0);
    }
}

/* OpenRouter knows that it expired before we do: the record says so only in an hour. */
void expired_key_is_renewed(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct fake_key *old = a_key(w, ada, (struct key_story){.expires_in_ms = 48 * HOUR_MS});
    struct asker *asker;

    old->expires_ms = w->keys.now_ms - 1;
    old->limit_nano_usd = INT64_C(10000000000);
    was_used(w, ada, old, INT64_C(7500000000));
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        char text[1024];
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT(w, reply_was(asker, "x-keyturn-renewed", "true"));
        EXPECT_NUMBER(w, w->keys.creates, 1);
        EXPECT_NUMBER(w, w->keys.lookups, 1);
        EXPECT_NUMBER(w, w->keys.deletes, 1);
        EXPECT(w, old->deleted_by_api);
        EXPECT_NUMBER(w, w->asks.count, 2);
        EXPECT_NUMBER(w, w->keys.keys[1].limit_nano_usd, INT64_C(2500000000));
        EXPECT(w, strcmp(record_field(w, ada, "version", text), "2") == 0);
        EXPECT(w, strcmp(record_field(w, ada, "auto_renewed", text), "1") == 0);
        EXPECT_NUMBER(w, measured(w, MEASURE_KEYS_CREATED, 0, 0), 1);
        EXPECT_NUMBER(w, measured(w, MEASURE_KEYS_DELETED, 0, 0), 1);
        EXPECT_NUMBER(w, measured(w, MEASURE_RENEWALS, RENEWAL_RENEWED - 1, 0), 1);
    }
}

void deleted_key_is_renewed(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct fake_key *old = a_key(w, ada, (struct key_story){0});
    struct asker *asker;

    old->deleted = true;
    asker = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT(w, reply_was(asker, "x-keyturn-renewed", "true"));
        EXPECT_NUMBER(w, w->keys.creates, 1);
        EXPECT_NUMBER(w, w->keys.deletes, 0);
        EXPECT_NUMBER(w, w->asks.count, 2);
    }
}

void crowd_with_a_dead_key(struct world *w)
{
    enum { CROWD = 50 };
    struct person *ada = a_user(w, "ada");
    struct fake_key *old = a_key(w, ada, (struct key_story){.expires_in_ms = 48 * HOUR_MS});
    struct asker *crowd[CROWD];

    old->expires_ms = w->keys.now_ms - 1;
    for (unsigned i = 0; i < CROWD; i++)
        crowd[i] = client_sends(w, (struct asking){.token = ada->token, .instance = i % 2});
    everything_runs(w, 3000);
    PLAINLY(w)
    {
        for (unsigned i = 0; i < CROWD; i++) {
            EXPECT_NUMBER(w, status_of(crowd[i]), 200);
            EXPECT(w, reply_was(crowd[i], "x-keyturn-renewed", "true"));
        }
        EXPECT_NUMBER(w, w->keys.creates, 1);
        EXPECT_NUMBER(w, w->keys.lookups, 1);
        EXPECT_NUMBER(w, w->asks.count, 2 * CROWD);
        EXPECT(w, old->deleted_by_api);
    }
}

/* Nobody waits for it, and the next request has the new key. */
void renewal_ahead_of_expiry(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct fake_key *old = a_key(w, ada, (struct key_story){.expires_in_ms = 12 * HOUR_MS});
    struct asker *first = client_sends(w, (struct asking){.token = ada->token}), *second;

    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(first), 200);
        EXPECT(w, !fake_client_header(first->client, SPAN("x-keyturn-renewed")).at);
        EXPECT(w, strcmp(w->asks.rows[0].bearer, old->secret) == 0);
        EXPECT_NUMBER(w, w->keys.creates, 1);
        EXPECT(w, !old->deleted);
    }
    second = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(second), 200);
        EXPECT_NUMBER(w, w->asks.count, 2);
        EXPECT(w, strcmp(w->asks.rows[1].bearer, w->keys.keys[1].secret) == 0);
        EXPECT(w, old->deleted_by_api);
        EXPECT_NUMBER(w, w->keys.creates, 1);
    }
}

void two_refusals_within_a_minute(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *first, *second, *third;

    a_key(w, ada, (struct key_story){0})->deleted = true;
    first = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 10000);
    w->keys.keys[1].deleted = w->keys.count > 1;
    second = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 10000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(first), 200);
        EXPECT_NUMBER(w, status_of(second), 502);
        EXPECT(w, reply_has(second, "\"auto_renewal_failed\""));
        EXPECT_NUMBER(w, w->keys.creates, 1);
    }
    everything_runs(w, 50000);
    third = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 10000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(third), 200);
        EXPECT_NUMBER(w, w->keys.creates, 2);
    }
}

/* Clocks differ, or the operator did something: the management API knows better, and the key works. */
void record_expired_key_did_not(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){.record_expires_in_ms = -60000});
    asker = client_sends(w, (struct asking){.token = ada->token});
    everybody_is_answered(w, 5000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT_NUMBER(w, w->keys.creates, 0);
        EXPECT(w, w->keys.lookups <= 2);
    }
}

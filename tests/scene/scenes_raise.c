/* Scenes of keys whose own limit refuses what the ledger lets through. */
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define LIMIT_IS_MET \
    "{\"error\":{\"message\":\"Key limit exceeded (monthly limit). Manage it using " \
    "https://openrouter.ai/settings/keys\",\"code\":403}}"
#define TOO_DEAR_FOR_ITS_LIMIT \
    "{\"error\":{\"code\":402,\"message\":\"x\",\"metadata\":{\"limit_source\":" \
    "\"openrouter_key_limit\"}}}"
#define USER_NOT_FOUND "{\"error\":{\"message\":\"User not found.\",\"code\":401}}"

static struct fake_key *a_limited_key(struct world *w, struct person *person, int64_t limit,
                                      int64_t used);
static void nothing_is_above_the_tier(struct world *w);
static void was_let_through(struct world *w, const struct asker *asker);

void tier_is_raised(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Small");
    struct fake_key *key = a_limited_key(w, ada, TARIFF_SMALL, TARIFF_SMALL);
    struct asker *first, *second;
    char text[1024];

    tier_becomes(w, ada, "Standard");
    first = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        was_let_through(w, first);
        EXPECT_NUMBER(w, w->asks.count, 2);
        EXPECT_NUMBER(w, w->keys.lookups, 1);
        EXPECT_NUMBER(w, w->keys.raises, 1);
        EXPECT_NUMBER(w, key->limit_nano_usd, TARIFF_STANDARD);
        EXPECT(w, strcmp(record_field(w, ada, "limit_nano_usd", text), "10000000000") == 0);
        EXPECT(w, strcmp(record_field(w, ada, "limit_reset", text), "monthly") == 0);
        EXPECT(w, strcmp(record_field(w, ada, "version", text), "1") == 0);
        EXPECT(w, strcmp(LOOK(w, text, "ZCARD", "kt:renewals"), "0") == 0);
        EXPECT_NUMBER(w, measured(w, MEASURE_RENEWALS, RENEWAL_LIMIT_RAISED - 1, 0), 1);
        EXPECT_NUMBER(w, measured(w, MEASURE_RETRIES, 0, 0), 0);
        EXPECT_NUMBER(w, measured(w, MEASURE_BREAKER_OPEN, 0, 0), 0);
    }
    second = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        was_let_through(w, second);
        EXPECT_NUMBER(w, w->asks.count, 3);
        EXPECT_NUMBER(w, w->keys.raises + w->keys.lookups, 2);
    }
    nothing_is_above_the_tier(w);
}

/* It was made with what was left of the month before, and that was used up. */
void carried_limit_in_the_next_period(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct fake_key *key = a_limited_key(w, ada, 30000, 30000);
    struct asker *askers[3];

    key->created_ms -= 20 * DAY_MS;
    for (unsigned i = 0; i < 3; i++) {
        askers[i] = client_sends(w, (struct asking){.token = ada->token});
        everything_runs(w, 1000);
        PLAINLY(w)
        {
            was_let_through(w, askers[i]);
            EXPECT_NUMBER(w, w->keys.raises, i == 2);
        }
    }
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, key->limit_nano_usd, TARIFF_STANDARD);
    }
    nothing_is_above_the_tier(w);
}

void crowd_meets_a_limit(struct world *w)
{
    enum { CROWD = 12 };
    struct person *ada = a_user(w, "ada");
    struct asker *crowd[CROWD];

    a_limited_key(w, ada, TARIFF_SMALL, TARIFF_SMALL);
    for (unsigned i = 0; i < CROWD; i++)
        crowd[i] = client_sends(w, (struct asking){.token = ada->token, .instance = i % 2});
    everything_runs(w, 3000);
    UNBROKEN(w)
    {
        for (unsigned i = 0; i < CROWD; i++)
            was_let_through(w, crowd[i]);
        EXPECT_NUMBER(w, w->keys.raises, 1);
    }
    nothing_is_above_the_tier(w);
}

/* OpenRouter remembers what was spent, and bounds it: ada's key has all that she may have, bob's even used more. */
void counters_are_lost(struct world *w)
{
    struct person *ada = a_user(w, "ada"), *bob = a_user(w, "bob");
    const struct fake_key *key_of_bob;
    struct asker *first, *second, *third, *bobs;

    a_limited_key(w, ada, TARIFF_STANDARD, TARIFF_STANDARD);
    key_of_bob = a_limited_key(w, bob, TARIFF_STANDARD / 2, TARIFF_STANDARD + 1);
    ada->afterwards = bob->afterwards = 402;
    first = client_sends(w, (struct asking){.token = ada->token});
    bobs = client_sends(w, (struct asking){.token = bob->token, .stream = true});
    everything_runs(w, 500);
    second = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 500);
    PLAINLY(w)
    {
        was_refused(w, first, 402, "insufficient_quota");
        was_refused(w, second, 402, "insufficient_quota");
        was_refused(w, bobs, 402, "insufficient_quota");
        EXPECT_NUMBER(w, w->keys.lookups, 2); /* what was found out holds for a moment */
    }
    everything_runs(w, 3000);
    third = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 500);
    PLAINLY(w)
    {
        was_refused(w, third, 402, "insufficient_quota");
        EXPECT_NUMBER(w, w->keys.lookups, 3);
        EXPECT_NUMBER(w, w->asks.count, 4);
        EXPECT_NUMBER(w, measured(w, MEASURE_RENEWALS, RENEWAL_LIMIT_STANDS - 1, 0), 4);
    }
    EXPECT_NUMBER(w, w->keys.raises + w->keys.creates, 0);
    EXPECT_NUMBER(w, key_of_bob->limit_nano_usd, TARIFF_STANDARD / 2);
    nothing_is_above_the_tier(w);
}

/* One is refused for its key, which is healthy, the other for the key's limit: one renewal answers both. */
void limit_met_during_a_false_alarm(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *first, *second;

    a_limited_key(w, ada, TARIFF_SMALL, TARIFF_SMALL);
    upstream_answers(w, 401, USER_NOT_FOUND);
    first = client_sends(w, (struct asking){.token = ada->token});
    second = client_sends(w, (struct asking){.token = ada->token});
    everybody_is_answered(w, 5000);
    PLAINLY(w)
    {
        was_let_through(w, first);
        was_let_through(w, second);
        EXPECT_NUMBER(w, w->asks.count, 4);
        EXPECT_NUMBER(w, w->keys.lookups, 1);
        EXPECT_NUMBER(w, w->keys.raises, 1);
    }
    nothing_is_above_the_tier(w);
}

void limit_met_by_a_dying_key(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_limited_key(w, ada, TARIFF_SMALL, TARIFF_SMALL)->deleted = true;
    upstream_answers(w, 403, LIMIT_IS_MET);
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT(w, reply_was(asker, "x-keyturn-renewed", "true"));
        EXPECT_NUMBER(w, w->keys.creates, 1);
        EXPECT_NUMBER(w, w->keys.raises, 0);
    }
    nothing_is_above_the_tier(w);
}

/* By another instance, or by the operator. A request that is refused again is not asked a third time. */
void limit_was_raised_meanwhile(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *first, *second;

    a_limited_key(w, ada, TARIFF_STANDARD, TARIFF_SMALL);
    upstream_answers(w, 403, LIMIT_IS_MET);
    first = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    upstream_answers(w, 402, TOO_DEAR_FOR_ITS_LIMIT);
    upstream_answers(w, 402, TOO_DEAR_FOR_ITS_LIMIT);
    second = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        was_let_through(w, first);
        was_refused(w, second, 402, "insufficient_quota");
        EXPECT_NUMBER(w, w->asks.count, 4);
        EXPECT_NUMBER(w, w->keys.lookups, 2);
        EXPECT_NUMBER(w, w->keys.raises, 0);
    }
    nothing_is_above_the_tier(w);
}

/* Nor does the shared key stand in: behind it there is no second wall. */
void limit_cannot_be_raised_now(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Lenient");
    struct fake_key *key = a_limited_key(w, ada, TARIFF_SMALL, TARIFF_SMALL);
    struct asker *first, *second;

    for (unsigned i = 0; i < 3; i++)
        goes_wrong(w, "fetch PATCH", BREAK_status_500);
    first = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        was_refused(w, first, 503, "auto_renewal_failed");
        EXPECT(w, fake_client_header(first->client, SPAN("retry-after")).size > 0);
        EXPECT_NUMBER(w, key->limit_nano_usd, TARIFF_SMALL);
        EXPECT_NUMBER(w, w->asks.count, 1);
    }
    goes_wrong(w, "fetch PATCH", BREAK_unknown_done);
    second = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        was_let_through(w, second);
        EXPECT_NUMBER(w, key->limit_nano_usd, TARIFF_STANDARD);
        EXPECT_NUMBER(w, w->keys.raises, 2); /* the same, twice */
    }
    for (size_t i = 0; i < w->asks.count; i++)
        EXPECT(w, strcmp(w->asks.rows[i].bearer, w->keys.shared_key) != 0);
    nothing_is_above_the_tier(w);
}

/* What an attempt before may have made is not forgotten over it: the sweeper finds and deletes it. */
void limit_met_beside_a_leftover(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct fake_key *key = a_limited_key(w, ada, TARIFF_SMALL, TARIFF_SMALL), *orphan;
    struct key_name parts = {
        .deployment = SPAN("scene"), .nonce = SPAN("lost"), .version = 2, .fence = FAKE_WALL_MS};
    char name[KEY_NAME_MAX + 1], text[1024];
    struct asker *asker;

    parts.pseudonym = span_of(ada->pseudonym);
    EXPECT(w, key_name_compose(&parts, name));
    orphan = fake_keys_add(&w->keys, span_of(name), 0);
    LOOK(w, text, "HSET", "kt:{u:ada}:renewal", "leftover", name);
    LOOK(w, text, "ZADD", "kt:renewals", "1", "ada lost");
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        was_let_through(w, asker);
        EXPECT_NUMBER(w, key->limit_nano_usd, TARIFF_STANDARD);
        EXPECT(w, !orphan->deleted);
        EXPECT(w, strcmp(LOOK(w, text, "HGET", "kt:{u:ada}:renewal", "leftover"), name) == 0);
    }
    everything_runs(w, 60000);
    PLAINLY(w)
    {
        EXPECT(w, orphan->deleted_by_api);
        EXPECT(w, !key->deleted);
    }
}

/* As a renewal may have left it: used up in the month it was made in. */
static struct fake_key *a_limited_key(struct world *w, struct person *person, int64_t limit,
                                      int64_t used)
{
    struct fake_key *key = a_key(w, person, (struct key_story){0});

    key->limit_nano_usd = limit;
    key->limit_reset = LIMIT_RESET_MONTHLY;
    was_used(w, person, key, used);
    return key;
}

static void nothing_is_above_the_tier(struct world *w)
{
    for (size_t i = 0; i < w->keys.count; i++) {
        EXPECT(w, w->keys.keys[i].limit_nano_usd >= 0);
        EXPECT(w, w->keys.keys[i].limit_nano_usd <= TARIFF_STANDARD);
        EXPECT_NUMBER(w, w->keys.keys[i].limit_reset, LIMIT_RESET_MONTHLY);
    }
}

static void was_let_through(struct world *w, const struct asker *asker)
{
    EXPECT_NUMBER(w, status_of(asker), 200);
    EXPECT(w, !fake_client_header(asker->client, SPAN("x-keyturn-renewed")).at);
}

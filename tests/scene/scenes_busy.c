/* Scenes of users who send many requests a second, and of the holds that are taken ahead for them. */
#include "scene/busy.h"
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>

enum { MORE = 6, IDLE_MS = 1500, DAY_MS = 86400000, SLOTS = 16, FEW_TOKENS = 100 };

static struct person *busy_in_all_slots(struct world *w);
static void stays_busy(struct world *w, const struct person *person, unsigned instance);
static void ada_may_have(struct world *w, const char *field, const char *value);
static uint64_t until_midnight_ms(const struct world *w);

/* Each of the later ones has its hold before it comes; what nobody used is given back. */
void busy_user(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct asker *later[MORE];

    PLAINLY(w) EXPECT(w, held_ahead(w, ada) >= 2);
    for (unsigned i = 0; i < MORE; i++)
        later[i] = sends_one(w, ada, 0);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, used_ahead(w), MORE);
        for (unsigned i = 0; i < MORE; i++)
            EXPECT_NUMBER(w, status_of(later[i]), 200);
        EXPECT_NUMBER(w, measured(w, MEASURE_ADMISSIONS, ADMIT_GRANTED, 0), UNTIL_BUSY + MORE);
    }
    everything_runs(w, IDLE_MS);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, held_ahead(w, ada), 0);
        EXPECT_NUMBER(w, measured(w, MEASURE_HOLDS_AHEAD, AHEAD_TAKEN, 0),
                      MORE + measured(w, MEASURE_HOLDS_AHEAD, AHEAD_GIVEN_BACK, 0));
        for (unsigned i = 0; i < MORE; i++)
            is_booked_as(w, later[i], COST_FROM_USAGE);
    }
}

/* The figures of a reply are those of the requests before it, whoever asked for the hold and when. */
void busy_user_reads_what_is_left(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct asker *one, *other;
    char left[16];

    for (unsigned i = 0; i < MORE; i++) {
        one = sends_one(w, ada, 0);
        snprintf(left, sizeof(left), "%u", 500 - UNTIL_BUSY - i - 1);
        PLAINLY(w) EXPECT(w, reply_was(one, "x-ratelimit-remaining-requests", left));
    }
    other = client_sends(w, (struct asking){.token = ada->token, .model = "openai/gpt-4o"});
    everything_runs(w, 5);
    snprintf(left, sizeof(left), "%u", 500 - UNTIL_BUSY - MORE - 1);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, used_ahead(w), MORE);
        EXPECT(w, reply_was(other, "x-ratelimit-remaining-requests", left));
    }
}

/* Holds that were taken under the old tier or before she was disabled serve nobody. */
void busy_user_is_changed(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct asker *asker;
    char text[1024];

    sends_one(w, ada, 0);
    tier_becomes(w, ada, "Small");
    pump_changes(w);
    asker = sends_one(w, ada, 0);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, used_ahead(w), 1);
        EXPECT(w, reply_was(asker, "x-keyturn-tier", "Small"));
    }
    tier_becomes(w, ada, "Standard");
    for (unsigned i = 0; i < MORE; i++)
        sends_one(w, ada, 0);
    LOOK(w, text, "HSET", "kt:u:{u:ada}", "status", "disabled");
    pump_changes(w);
    asker = sends_one(w, ada, 0);
    ada->afterwards = 403;
    PLAINLY(w)
    {
        was_refused(w, asker, 403, "user_disabled");
        EXPECT_NUMBER(w, held_ahead(w, ada), 0);
    }
}

/* Nobody else knows of them: they run out with their lease, and her key says that nothing was spent on them. */
void busy_instance_dies(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct asker *asker;

    everything_runs(w, LATER_MS);
    instance_dies(w, 0);
    everything_runs(w, 150000);
    PLAINLY(w) EXPECT_NUMBER(w, held_ahead(w, ada), 0);
    asker = sends_one(w, ada, 1);
    PLAINLY(w) EXPECT(w, reply_was(asker, "x-ratelimit-remaining-requests", "491"));
}

/* The next day's requests are counted in the next day. */
void busy_at_midnight(struct world *w)
{
    struct person *ada;
    struct asker *asker;

    world_pass(w, until_midnight_ms(w) - 300);
    ada = busy(w, "ada", "Standard");
    PLAINLY(w) EXPECT(w, held_ahead(w, ada) >= 2);
    everything_runs(w, 400);
    asker = sends_one(w, ada, 0);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, used_ahead(w), 0);
        EXPECT(w, reply_was(asker, "x-ratelimit-remaining-requests", "499"));
    }
}

/* What is held ahead is never in the way of the user's own requests on the same instance, and never much on another. */
void busy_near_a_limit(struct world *w)
{
    enum { TOKENS = 100 };
    struct person *ada = a_user_of(w, "ada", "Small");
    unsigned fine = 0;

    ada->afterwards = 0;
    a_key(w, ada, (struct key_story){0});
    for (unsigned i = 0; i < 60; i++) {
        struct asker *asker = client_sends(
            w, (struct asking){.token = ada->token, .instance = i % 2, .max_tokens = TOKENS});
        everything_runs(w, 3);
        fine += status_of(asker) == 200;
    }
    PLAINLY(w) EXPECT_NUMBER(w, fine, 60);
}

/* Redis is away for longer than giving back is tried: holds that no request used cost nothing, however busy she stays. */
void busy_while_redis_is_away(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");

    PLAINLY(w) EXPECT(w, held_ahead(w, ada) >= 2);
    redis_is_there(w, false);
    everything_runs(w, 8000);
    redis_is_there(w, true);
    stays_busy(w, ada, 0);
}

/* The same where an instance dies and she goes on at another. */
void busy_elsewhere_when_an_instance_dies(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");

    PLAINLY(w) EXPECT(w, held_ahead(w, ada) >= 2);
    everything_runs(w, LATER_MS);
    instance_dies(w, 0);
    stays_busy(w, ada, 1);
}

/* Taken before her key was renewed, and used by nobody: the audit of the new key must not guess that they were. */
void busy_instance_dies_after_a_renewal(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Standard");
    struct fake_key *key = a_key(w, ada, (struct key_story){0});

    for (unsigned i = 0; i < UNTIL_BUSY; i++)
        sends_one(w, ada, 0);
    PLAINLY(w) EXPECT(w, held_ahead(w, ada) >= 2);
    key->deleted = true;
    sends_one(w, ada, 0);
    PLAINLY(w) EXPECT_NUMBER(w, w->keys.creates, 1);
    instance_dies(w, 0);
    everything_runs(w, 150000);
}

/* What her own instance has ahead for smaller requests is not in the way of a larger one. */
void busy_user_sends_a_larger_one(struct world *w)
{
    struct person *ada = busy_in_all_slots(w);
    struct asker *larger =
        client_sends(w, (struct asking){.token = ada->token, .max_tokens = 2 * FEW_TOKENS});

    everything_runs(w, 5);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(larger), 200);
}

/* Nor is it while more of it is being asked for. */
void busy_user_sends_another_meanwhile(struct world *w)
{
    struct person *ada = busy_in_all_slots(w);
    struct asker *other = client_sends(
        w, (struct asking){.token = ada->token, .model = "openai/gpt-4o", .stream = true});

    client_sends(w, (struct asking){.token = ada->token, .max_tokens = FEW_TOKENS});
    everything_runs(w, 5);
    PLAINLY(w) EXPECT(w, w->instances[0].flow.exchange_count <= SLOTS);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(other), 200);
}

/* Nor does it shorten an answer near the end of her budget. */
void busy_user_asks_for_what_is_left(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Standard");
    struct asker *larger;

    ada_may_have(w, "o_limit_nano_usd", "2700000");
    a_key(w, ada, (struct key_story){0});
    for (unsigned i = 0; i < UNTIL_BUSY; i++) {
        client_sends(w, (struct asking){.token = ada->token, .max_tokens = FEW_TOKENS});
        everything_runs(w, 5);
    }
    PLAINLY(w) EXPECT(w, held_ahead(w, ada) >= 2);
    larger = client_sends(w, (struct asking){.token = ada->token, .max_tokens = 4000});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(larger), 200);
        EXPECT(w, span_contains(buffer_view(&w->asks.rows[w->asks.count - 1].body),
                                SPAN("\"max_tokens\":4000")));
    }
}

/* A small request holds what it may cost, not what a large one before it might have cost. */
void busy_user_turns_to_smaller_ones(struct world *w)
{
    enum { STREAMS = 8 };
    struct person *ada = a_user_of(w, "ada", "Standard");
    struct asker *other;
    char text[1024];

    ada_may_have(w, "o_limit_nano_usd", "200000000");
    a_key(w, ada, (struct key_story){0});
    for (unsigned i = 0; i < UNTIL_BUSY; i++)
        sends_one(w, ada, 0);
    upstream_holds_after(w, 1);
    for (unsigned i = 0; i < STREAMS; i++) {
        client_sends(
            w, (struct asking){.token = ada->token, .max_tokens = FEW_TOKENS, .stream = true});
        everything_runs(w, 5);
    }
    everything_runs(w, IDLE_MS);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, held_ahead(w, ada), STREAMS);
        LOOK(w, text, "EVAL",
             "local sum, all = 0, redis.call('HGETALL', KEYS[1]) for i = 1, #all, 2 do "
             "if string.find(all[i], '^held|') then sum = sum + all[i + 1] end end "
             "return string.format('%d', sum)",
             "1", "kt:{u:ada}:account");
        EXPECT(w, strtoll(text, NULL, 10) < STREAMS * 200000);
        world_says(w, "held %s", text);
    }
    other = client_sends(
        w, (struct asking){.token = ada->token, .model = "openai/gpt-4o", .max_tokens = 15000});
    everything_runs(w, 5);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(other), 200);
        EXPECT(w, span_contains(buffer_view(&w->asks.rows[w->asks.count - 1].body),
                                SPAN("\"max_tokens\":15000")));
    }
}

/* ... and an estimate is no more than that. */
void busy_user_is_estimated(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct asker *smaller;

    w->asks.billing.tells_no_usage = true;
    w->asks.billing.keeps_no_records = true;
    smaller = client_sends(w, (struct asking){.token = ada->token, .max_tokens = FEW_TOKENS});
    everything_runs(w, 5);
    w->asks.billing.tells_no_usage = false;
    w->keys.refuses_management = w->management_stays_refused = true;
    everything_runs(w, 720000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, used_ahead(w), 0);
        is_booked_as(w, smaller, COST_FROM_ESTIMATE);
        EXPECT(w, booked(w, smaller).cost_nano_usd < 200000);
    }
}

/* Where no hold is ever granted ahead, a request is one admission, as it is for everybody. */
void busy_user_with_few_slots(struct world *w)
{
    enum { REQUESTS = 60 };
    struct person *ada = a_user_of(w, "ada", "Standard");
    unsigned admissions = 0;

    ada_may_have(w, "o_max_concurrent", "4");
    a_key(w, ada, (struct key_story){0});
    for (unsigned i = 0; i < REQUESTS; i++)
        sends_one(w, ada, 0);
    for (size_t i = 0; w->notes && i < w->wait_count; i++)
        admissions += strstr(w->notes[i].label, "redis admit") != NULL;
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, measured(w, MEASURE_HOLDS_AHEAD, AHEAD_TAKEN, 0), 0);
        EXPECT(w, admissions < REQUESTS + REQUESTS / 4);
    }
}

/* Nor do her settlements wait for company: she is near a limit, and has nothing ahead. */
void busy_user_with_few_slots_goes_elsewhere(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Standard");
    struct asker *last = NULL;

    ada_may_have(w, "o_max_concurrent", "3");
    a_key(w, ada, (struct key_story){0});
    for (unsigned i = 0; i < UNTIL_BUSY + MORE; i++)
        sends_one(w, ada, 0);
    upstream_holds_after(w, 1);
    for (unsigned i = 0; i < 3; i++)
        last = client_sends(w, (struct asking){.token = ada->token, .stream = true, .instance = 1});
    everything_runs(w, 5);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(last), 200);
}

/* An answer that was lost is no reason to leave the outbox of a dead instance for ever: nothing else ends here later. */
void outbox_of_the_dead_after_a_lost_answer(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Standard");
    struct asker *dead;

    ada->afterwards = 0;
    a_key(w, ada, (struct key_story){0});
    goes_wrong(w, "B redis book", BREAK_dies_undone);
    dead = sends_one(w, ada, 1);
    goes_wrong(w, "A redis HDEL", BREAK_lost_applied);
    sends_one(w, ada, 0);
    everything_runs(w, 180000);
    PLAINLY(w) EXPECT_NUMBER(w, booked(w, dead).times, 1);
}

/* Every slot is in use or held ahead, for requests of FEW_TOKENS. */
static struct person *busy_in_all_slots(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Standard");

    ada_may_have(w, "o_max_concurrent", "16");
    a_key(w, ada, (struct key_story){0});
    for (unsigned i = 0; i < UNTIL_BUSY; i++) {
        client_sends(w, (struct asking){.token = ada->token, .max_tokens = FEW_TOKENS});
        everything_runs(w, 5);
    }
    upstream_holds_after(w, 1);
    for (unsigned i = 0; i < SLOTS && held_ahead(w, ada) < SLOTS; i++) {
        client_sends(
            w, (struct asking){.token = ada->token, .model = "openai/gpt-4o", .stream = true});
        everything_runs(w, 5);
    }
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, held_ahead(w, ada), SLOTS);
        EXPECT(w, w->instances[0].flow.exchange_count < SLOTS);
    }
    return ada;
}

static void ada_may_have(struct world *w, const char *field, const char *value)
{
    char text[1024];

    LOOK(w, text, "HSET", "kt:u:{u:ada}", field, value);
    pump_changes(w);
}

static uint64_t until_midnight_ms(const struct world *w)
{
    return (uint64_t)(DAY_MS - loop_wall_ms(w->desk.loop) % DAY_MS);
}

/* Through so many that the next ones are expected. */
struct person *busy(struct world *w, const char *id, const char *tier)
{
    struct person *person = a_user_of(w, id, tier);

    a_key(w, person, (struct key_story){0});
    for (unsigned i = 0; i < UNTIL_BUSY; i++)
        sends_one(w, person, 0);
    return person;
}

struct asker *sends_one(struct world *w, const struct person *person, unsigned instance)
{
    struct asker *asker =
        client_sends(w, (struct asking){.token = person->token, .instance = instance});

    everything_runs(w, 5);
    return asker;
}

/* So often that the sweeper never looks after her, and not quiet when she is looked after each ten minutes: for longer
 * than what was left open may wait for its audit. */
static void stays_busy(struct world *w, const struct person *person, unsigned instance)
{
    enum {
        LOOKS_MS = 600000,
        NEAR_MS = 15000,
        RARELY_MS = 25000,
        OFTEN_MS = 2500,
        END_MS = 1240000
    };

    for (uint64_t begun_ms = world_now_ms(w), age_ms = 0; age_ms < END_MS;
         age_ms = world_now_ms(w) - begun_ms) {
        client_sends(w, (struct asking){.token = person->token, .instance = instance});
        everything_runs(w, age_ms > RARELY_MS && (age_ms + RARELY_MS + NEAR_MS) % LOOKS_MS <
                                                     RARELY_MS + 3 * NEAR_MS
                               ? OFTEN_MS
                               : RARELY_MS);
    }
}

/* Holds that no running request has: called while none runs. */
long long held_ahead(struct world *w, const struct person *person)
{
    char text[1024], key[STORE_KEY_MAX];

    snprintf(key, sizeof(key), "kt:{u:%s}:account", person->id);
    LOOK(w, text, "HGET", key, "live|");
    return strtoll(text, NULL, 10);
}

int64_t used_ahead(struct world *w)
{
    return measured(w, MEASURE_HOLDS_AHEAD, AHEAD_USED, 0);
}

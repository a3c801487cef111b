/* Scenes of users who send many requests a second, and of the holds that are taken ahead for them. */
#include "scene/busy.h"
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>

enum { MORE = 6, IDLE_MS = 1500, DAY_MS = 86400000, FEW_TOKENS = 100 };

static void stays_busy(struct world *w, const struct person *person, unsigned instance);
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

/* Of a conversation each request is dearer than the one before: one asks for itself, then what is ahead is large enough. */
void busy_user_grows(struct world *w)
{
    struct person *ada = busy(w, "ada", "Standard");
    struct asker *last = NULL;

    for (unsigned i = 0; i < 2 * MORE; i++) {
        last = client_sends(
            w, (struct asking){.token = ada->token, .max_tokens = 16384 + i, .stream = true});
        everything_runs(w, 5);
    }
    PLAINLY(w)
    {
        EXPECT(w, used_ahead(w) >= 2 * MORE - 3);
        EXPECT_NUMBER(w, status_of(last), 200);
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

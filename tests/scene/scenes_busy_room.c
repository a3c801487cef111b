/* Scenes of busy users who need the room that is held ahead for them. */
#include "scene/busy.h"
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>

enum { MORE = 6, IDLE_MS = 1500, SLOTS = 16, FEW_TOKENS = 100 };

static struct person *busy_in_all_slots(struct world *w);
static void ada_may_have(struct world *w, const char *field, const char *value);
static long long held_by(struct world *w, const struct person *person);

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

/* Into a budget fit as many requests of hers at once as if each had asked for itself, and not one more. */
void busy_user_fills_her_budget(struct world *w)
{
    enum { FIT = 30, CROWD = 50 };
    struct person *ada = a_user_of(w, "ada", "Standard");
    const struct asking one = {.token = ada->token, .stream = true, .max_tokens = 16};
    struct asker *crowd[CROWD];
    char limit[32];
    unsigned admitted = 0;

    a_key(w, ada, (struct key_story){0});
    upstream_holds_after(w, 1);
    crowd[0] = client_sends(w, one);
    everything_runs(w, 5);
    snprintf(limit, sizeof(limit), "%lld", held_by(w, ada) * (FIT + 1) - 1);
    ada_may_have(w, "o_limit_nano_usd", limit);
    for (unsigned i = 1; i < CROWD; i++) {
        crowd[i] = client_sends(w, one);
        everything_runs(w, 3);
    }
    PLAINLY(w) EXPECT(w, measured(w, MEASURE_HOLDS_AHEAD, AHEAD_TAKEN, 0) > 0);
    for (unsigned i = 0; i < CROWD; i++)
        admitted += bill_of(w, crowd[i]) != NULL;
    PLAINLY(w) EXPECT_NUMBER(w, admitted, FIT);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 1000);
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
        EXPECT(w, held_by(w, ada) < STREAMS * 200000);
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

/* In nano-USD, of all windows. */
static long long held_by(struct world *w, const struct person *person)
{
    char account[128], text[1024];

    snprintf(account, sizeof(account), "kt:{u:%s}:account", person->id);
    LOOK(w, text, "EVAL",
         "local sum, all = 0, redis.call('HGETALL', KEYS[1]) for i = 1, #all, 2 do "
         "if string.find(all[i], '^held|') then sum = sum + all[i + 1] end end "
         "return string.format('%d', sum)",
         "1", account);
    world_says(w, "held %s", text);
    return strtoll(text, NULL, 10);
}

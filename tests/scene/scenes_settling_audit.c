/* Scenes of holds that nobody could settle: what their user's key cost in all settles them. */
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>

enum { MINUTE_MS = 60000 };

#define ON_DISK \
    "for _, k in ipairs(redis.call('KEYS', 'kt:*')) do redis.call('COPY', k, 'disk:' .. k) end " \
    "return 'kept'"
#define AS_ON_DISK \
    "for _, k in ipairs(redis.call('KEYS', 'kt:*')) do redis.call('DEL', k) end " \
    "for _, k in ipairs(redis.call('KEYS', 'disk:*')) do " \
    "redis.call('RENAME', k, string.sub(k, 6)) end return 'forgot'"

#define OPEN_HOLDS \
    "local count = 0 " \
    "for _, record in ipairs(redis.call('HVALS', 'kt:{u:' .. ARGV[1] .. '}:account')) do " \
    "if string.find(record, '^[LX]\\n') then count = count + 1 end end return tostring(count)"

static size_t holds_of(struct world *w, const struct person *person);

/* Three requests die with their instance: one whose generation is known, one that was told nothing yet, one plain. */
void several_die_together(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *stream, *plain, *headless;

    a_key(w, ada, (struct key_story){0});
    upstream_holds_after(w, 2);
    stream = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    plain = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    goes_wrong(w, "upstream head", BREAK_late_head);
    headless = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 100);
    instance_dies(w, 0);
    everything_runs(w, 3 * MINUTE_MS);
    PLAINLY(w)
    {
        is_booked_as(w, stream, COST_FROM_GENERATION);
        is_booked_as(w, plain, COST_FROM_KEY);
        is_booked_as(w, headless, COST_FROM_KEY);
        EXPECT_NUMBER(w, measured(w, MEASURE_ESTIMATED, 0, 0), 0);
        EXPECT_NUMBER(w, holds_of(w, ada), 0);
    }
}

/* It died with its hold taken and nothing sent, and the user never had a key. */
void dies_before_there_is_a_key(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    ada->afterwards = 0;
    goes_wrong(w, "fetch POST /keys", BREAK_unknown_undone);
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    instance_dies(w, 0);
    everything_runs(w, 3 * MINUTE_MS);
    is_booked_as(w, asker, COST_NOTHING_SENT);
}

/* What a live request costs is in OpenRouter's figure too soon or too late: the audit waits until there is none. */
void audit_waits_for_quiet(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *dead, *live;

    a_key(w, ada, (struct key_story){0});
    upstream_holds_after(w, 1);
    dead = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    instance_dies(w, 0);
    live = client_sends(w, (struct asking){.token = ada->token, .stream = true, .instance = 1});
    everything_runs(w, 100);
    fake_client_stops_taking(live->client, 1);
    upstream_holds_after(w, 2);
    everything_runs(w, 3 * MINUTE_MS);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, booked(w, dead).times, 0);
        EXPECT_NUMBER(w, holds_of(w, ada), 2);
    }
    fake_client_takes(live->client);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, MINUTE_MS);
    PLAINLY(w)
    {
        is_booked_as(w, dead, COST_FROM_KEY);
        is_booked_as(w, live, COST_FROM_USAGE);
        EXPECT_NUMBER(w, booked(w, dead).cost_nano_usd, bill_of(w, dead)->cost_nano_usd);
    }
}

/* Twenty leases: then the user pays the upper bound. */
void audit_has_no_answer(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    goes_wrong(w, "upstream head", BREAK_late_head);
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    instance_dies(w, 0);
    w->keys.refuses_management = w->management_stays_refused = true;
    everything_runs(w, 10 * MINUTE_MS);
    PLAINLY(w) EXPECT_NUMBER(w, booked(w, asker).times, 0);
    everything_runs(w, 2 * MINUTE_MS);
    w->keys.refuses_management = false;
    is_booked_as(w, asker, COST_FROM_ESTIMATE);
    PLAINLY(w) EXPECT_NUMBER(w, measured(w, MEASURE_ESTIMATED, 0, 0), 1);
}

/* The key a request may have run on is gone, and with it what it cost. */
void key_is_gone_before_the_audit(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct fake_key *key = a_key(w, ada, (struct key_story){0});
    struct asker *asker;

    goes_wrong(w, "upstream head", BREAK_late_head);
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    instance_dies(w, 0);
    key->deleted = true;
    everything_runs(w, 3 * MINUTE_MS);
    is_booked_as(w, asker, COST_FROM_ESTIMATE);
}

/* Nobody told what it cost, and the process has to end: its hold is left, and another instance settles it. */
void cut_while_looking_up(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.tells_no_usage = true;
    w->asks.billing.record_late_ms = MINUTE_MS;
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    instance_drains(w, 0);
    instance_cuts(w, 0);
    everything_runs(w, 0);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT(w, flow_is_idle(&w->instances[0].flow));
        EXPECT_NUMBER(w, booked(w, asker).times, 0);
    }
    everything_runs(w, 3 * MINUTE_MS);
    PLAINLY(w) EXPECT_NUMBER(w, booked(w, asker).cost_nano_usd, bill_of(w, asker)->cost_nano_usd);
}

/* On the operator's key nobody can tell one user's cost from another's. */
void nobody_tells_on_the_shared_key(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Free");
    struct asker *asker;

    ada->afterwards = 0;
    w->asks.billing.tells_no_usage = true;
    w->asks.billing.keeps_no_records = true;
    asker = client_sends(
        w, (struct asking){.token = ada->token, .model = "meta-llama/llama-3.3-8b-instruct:free"});
    everything_runs(w, MINUTE_MS);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(asker), 200);
    is_booked_as(w, asker, COST_FROM_ESTIMATE);
    PLAINLY(w) EXPECT_NUMBER(w, measured(w, MEASURE_ESTIMATED, 0, 0), 1);
}

/* Redis has acknowledged it, died, and forgot: it is asked again when the link is back. */
void redis_forgets_its_last_second(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *early, *late;
    char text[1024];

    a_key(w, ada, (struct key_story){0});
    early = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 10000);
    PLAINLY(w) LOOK(w, text, "EVAL", ON_DISK, "0");
    late = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w) EXPECT_NUMBER(w, booked(w, late).times, 1);
    redis_is_there(w, false);
    everything_runs(w, 20000);
    PLAINLY(w)
    {
        LOOK(w, text, "EVAL", AS_ON_DISK, "0");
        EXPECT_NUMBER(w, booked(w, early).times, 1);
        EXPECT_NUMBER(w, booked(w, late).times, 0);
    }
    redis_is_there(w, true);
    everything_runs(w, 1000);
    is_booked_as(w, late, COST_FROM_USAGE);
}

/* Booked, so it only waits to be forgotten, and no question about it is open when the link goes. */
void redis_forgets_what_is_booked(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *late;
    char text[1024];

    a_key(w, ada, (struct key_story){0});
    client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 10000);
    PLAINLY(w) LOOK(w, text, "EVAL", ON_DISK, "0");
    late = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, LATER_MS / 2);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, booked(w, late).times, 1);
        EXPECT_NUMBER(w, w->instances[0].flow.settlements.count, 1);
    }
    redis_is_there(w, false);
    everything_runs(w, LATER_MS / 4);
    PLAINLY(w) LOOK(w, text, "EVAL", AS_ON_DISK, "0");
    redis_is_there(w, true);
    PLAINLY(w) settlements_hurry(&w->instances[0].flow.settlements, span_of(ada->id)); /* at once */
    everything_runs(w, 2000);
    is_booked_as(w, late, COST_FROM_USAGE);
    PLAINLY(w) EXPECT_NUMBER(w, w->instances[0].flow.settlements.count, 0);
}

static size_t holds_of(struct world *w, const struct person *person)
{
    char text[1024];

    return strtoul(LOOK(w, text, "EVAL", OPEN_HOLDS, "0", person->id), NULL, 10);
}

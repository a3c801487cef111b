/* Scenes of what a request cost, and how that is found out. */
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

static struct asker *streams_two_pieces(struct world *w, const struct person *person);
static void leaves_and_is_drained(struct world *w, struct asker *asker);

/* The provider stops when it is cancelled: what was told until then is charged. */
void cancelled_stream(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    asker = streams_two_pieces(w, ada);
    client_leaves(w, asker);
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, fake_upstream_open(w->instances[0].upstream), 0);
        EXPECT_NUMBER(w, bill_of(w, asker)->completion_tokens, FAKE_WORD_TOKENS);
    }
    everything_runs(w, 5000);
    is_booked_as(w, asker, COST_FROM_GENERATION);
}

/* It goes on, and so do we: its usage is the last thing it says. */
void drained_stream(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.provider = "Google";
    w->asks.billing.drains = true;
    asker = streams_two_pieces(w, ada);
    leaves_and_is_drained(w, asker);
}

/* The pause before the second try is over long before. */
void drained_after_a_retry(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.provider = "Google";
    w->asks.billing.drains = true;
    upstream_answers_after(w, 503, "{\"error\":{\"code\":503,\"message\":\"none\"}}", "1");
    asker = streams_two_pieces(w, ada);
    everything_runs(w, 3000);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(asker), 200);
    leaves_and_is_drained(w, asker);
}

/* Only a comment reached the client: the stream is closed, what was made until then is asked for and is no message. */
void left_before_content(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.provider = "Google";
    w->asks.billing.drains = true;
    upstream_holds_after(w, 1);
    asker = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 100);
    client_leaves(w, asker);
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, fake_upstream_open(w->instances[0].upstream), 0);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 5000);
    is_booked_as(w, asker, COST_FROM_GENERATION);
}

void usage_is_missing(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *stream, *plain, *cut;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.tells_no_usage = true;
    w->asks.billing.record_late_ms = 3000;
    stream = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    plain = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    goes_wrong(w, "upstream piece", BREAK_cut);
    cut = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 15000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(stream), 200);
        EXPECT_NUMBER(w, status_of(plain), 200);
        is_booked_as(w, stream, COST_FROM_GENERATION);
        is_booked_as(w, plain, COST_FROM_GENERATION);
        is_booked_as(w, cut, COST_FROM_GENERATION);
    }
}

void cost_is_never_told(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *stream, *lost;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.tells_no_usage = true;
    w->asks.billing.keeps_no_records = true;
    stream = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 100);
    goes_wrong(w, "upstream head", BREAK_lost);
    lost = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 30000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(stream), 200);
        EXPECT_NUMBER(w, status_of(lost), 502);
        EXPECT_NUMBER(w, booked(w, stream).times, 0);
        EXPECT_NUMBER(w, booked(w, lost).times, 0);
    }
    everything_runs(w, 120000);
    PLAINLY(w)
    {
        is_booked_as(w, stream, COST_FROM_KEY);
        is_booked_as(w, lost, COST_FROM_KEY);
        EXPECT_NUMBER(w, measured(w, MEASURE_ESTIMATED, 0, 0), 0);
        EXPECT_NUMBER(w, measured(w, MEASURE_SETTLED, COST_FROM_KEY, 0), 2);
    }
}

/* An error event after the first word, and nobody ever says what that word cost. */
void stream_fails_midway(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *known, *unknown;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.fails_midway = true;
    known = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 5000);
    w->asks.billing.keeps_no_records = true;
    unknown = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 120000);
    w->asks.billing = (struct fake_billing){0};
    is_booked_as(w, known, COST_FROM_GENERATION);
    is_booked_as(w, unknown, COST_FROM_KEY);
}

/* A key that is not asked for is closed after a minute; what it paid for can be asked for all the same. */
void stream_outlives_its_open_key(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.tells_no_usage = true;
    asker = streams_two_pieces(w, ada);
    fake_client_stops_taking(asker->client, 1);
    upstream_holds_after(w, 3);
    everything_runs(w, 90000);
    upstream_holds_after(w, SIZE_MAX);
    fake_client_takes(asker->client);
    everything_runs(w, 5000);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(asker), 200);
    is_booked_as(w, asker, COST_FROM_GENERATION);
}

/* Its hold knows the generation: whoever comes after asks what it cost. */
void dies_after_the_head(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    w->asks.billing.drains = true;
    asker = streams_two_pieces(w, ada);
    instance_dies(w, 0);
    everything_runs(w, 150000);
    is_booked_as(w, asker, COST_FROM_GENERATION);
}

/* Nobody knows whether it was worked on: her key does. */
void dies_before_the_head(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    goes_wrong(w, "upstream head", BREAK_late_head);
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    instance_dies(w, 0);
    everything_runs(w, 150000);
    is_booked_as(w, asker, COST_FROM_KEY);
}

/* A cannot reach Redis for so long that B settles what A will settle, too. */
void reaped_while_cut_off(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *stream, *plain;

    a_key(w, ada, (struct key_story){0});
    upstream_holds_after(w, 2);
    stream = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    plain = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    instance_sees_redis(w, 0, false);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 120000);
    instance_sees_redis(w, 0, true);
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(stream), 200);
        EXPECT_NUMBER(w, status_of(plain), 200);
        is_booked_as(w, stream, COST_FROM_GENERATION);
        is_booked_as(w, plain, COST_FROM_KEY);
    }
}

void arrange_journal(struct world *w)
{
    char error[160];

    w->journal = journal_open("", error);
}

/* Redis is away when a request ends, and the instance is gone before it is back. */
void journal_outlives_the_instance(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    asker = streams_two_pieces(w, ada);
    redis_is_there(w, false);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 3000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT_NUMBER(w, fake_journal_lines(w->journal), 1);
        EXPECT(w, flow_is_idle(&w->instances[0].flow));
    }
    instance_dies(w, 0);
    redis_is_there(w, true);
    everything_runs(w, 5000);
    is_booked_as(w, asker, COST_FROM_USAGE);
    PLAINLY(w) EXPECT_NUMBER(w, fake_journal_lines(w->journal), 0);
}

/* Many settlements wait: each is in the journal at once, and Redis is asked no more often than for one. */
void outage_is_asked_about_rarely(struct world *w)
{
    enum { PEOPLE = 6, OUTAGE_MS = 5000, FAILURES = 12 };
    struct asker *askers[PEOPLE];
    struct settlements *settlements = &w->instances[0].flow.settlements;
    char id[] = "ada0";

    upstream_holds_after(w, 2);
    for (unsigned i = 0; i < PEOPLE; i++, id[3]++) {
        struct person *person = a_user(w, id);
        a_key(w, person, (struct key_story){0});
        askers[i] = client_sends(w, (struct asking){.token = person->token, .stream = true});
    }
    everything_runs(w, 100);
    redis_is_there(w, false);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 200);
    PLAINLY(w) EXPECT_NUMBER(w, fake_journal_lines(w->journal), PEOPLE);
    everything_runs(w, OUTAGE_MS);
    PLAINLY(w)
    {
        EXPECT(w, settlements->round.failures > 0 && settlements->round.failures <= FAILURES);
        EXPECT(w, flow_is_idle(&w->instances[0].flow));
    }
    redis_is_there(w, true);
    everything_runs(w, 3000);
    for (unsigned i = 0; i < PEOPLE; i++)
        is_booked_as(w, askers[i], COST_FROM_USAGE);
    PLAINLY(w) EXPECT_NUMBER(w, fake_journal_lines(w->journal), 0);
}

static struct asker *streams_two_pieces(struct world *w, const struct person *person)
{
    struct asker *asker;

    upstream_holds_after(w, 2);
    asker = client_sends(w, (struct asking){.token = person->token, .stream = true});
    everything_runs(w, 100);
    return asker;
}

/* Nobody listens, and it is read to its last word all the same. */
static void leaves_and_is_drained(struct world *w, struct asker *asker)
{
    client_leaves(w, asker);
    everything_runs(w, 5000);
    PLAINLY(w) EXPECT_NUMBER(w, fake_upstream_open(w->instances[0].upstream), 1);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 100);
    is_booked_as(w, asker, COST_FROM_USAGE);
}

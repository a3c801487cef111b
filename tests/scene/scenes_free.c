/* Scenes of the requests to free models, which the whole account shares. */
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"
#include "store/free_models.h"

#include <stdio.h>
#include <stdlib.h>

#define FREE_MODEL "meta-llama/llama-3.3-8b-instruct:free"
#define RATE_BODY(text, reset) \
    "{\"error\":{\"message\":\"Rate limit exceeded: " text "\",\"code\":429,\"metadata\":{" \
    "\"headers\":{\"X-RateLimit-Limit\":\"20\",\"X-RateLimit-Remaining\":\"0\"," \
    "\"X-RateLimit-Reset\":\"" reset "\"}}}}"

enum { MINUTE_MS = 60000 };

static struct asker *free_request(struct world *w, const struct person *person, unsigned instance)
{
    return client_sends(
        w, (struct asking){.token = person->token, .model = FREE_MODEL, .instance = instance});
}

/* So many requests, one after the other. */
static unsigned answered(struct world *w, const struct person *person, unsigned count,
                         struct asker **ret_last)
{
    unsigned fine = 0;

    for (unsigned i = 0; i < count; i++) {
        *ret_last = free_request(w, person, 0);
        everything_runs(w, 100);
        fine += status_of(*ret_last) == 200;
    }
    return fine;
}

/* What OpenRouter worked on: whatever broke, never more than the limit within one minute of Redis' clock. */
static void expect_at_most(struct world *w, unsigned limit)
{
    unsigned free = 0;

    for (size_t i = 0; i < w->asks.count; i++)
        free +=
            w->asks.rows[i].bill.worked_on && strcmp(w->asks.rows[i].bill.model, FREE_MODEL) == 0;
    if (free > limit)
        world_fails(w, __FILE__, __LINE__, "%u free requests and not %u", free, limit);
}

static void at_the_minutes_beginning(struct world *w)
{
    everything_runs(w, (uint64_t)(MINUTE_MS - w->keys.now_ms % MINUTE_MS));
}

void arrange_few_free_requests(struct world *w)
{
    w->settings.free_per_minute = 4;
    w->settings.free_per_day = 6;
}

/* One takes all of a minute; who found nothing has a half of the next one, and of the day. */
void few_free_requests(struct world *w)
{
    struct person *ada = a_user(w, "ada"), *bob = a_user(w, "bob");
    struct asker *refused, *last, *paid;
    unsigned fine;

    a_key(w, ada, (struct key_story){0});
    a_key(w, bob, (struct key_story){0});
    at_the_minutes_beginning(w);
    fine = answered(w, ada, 5, &last);
    UNBROKEN(w) EXPECT_NUMBER(w, fine, 4);
    refused = free_request(w, bob, 0);
    paid = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    expect_at_most(w, 4);
    PLAINLY(w)
    {
        was_refused(w, last, 429, "rate_limit_exceeded");
        EXPECT(w, reply_has(last, "\"limit\":4,\"share\":4,\"remaining\":0,\"reset_at\":\"2"));
        EXPECT(w, reply_has(last, "(4 requests per minute) is used up; your share is 4. It"));
        EXPECT(w, reply_has(last, " Models that are not free have no such limit."));
        EXPECT(w, reply_was(last, "retry-after", "60"));
        EXPECT(w, !reply_was(last, "x-should-retry", "false"));
        was_refused(w, refused, 429, "rate_limit_exceeded");
        is_booked_as(w, refused, COST_NOTHING_SENT);
        EXPECT_NUMBER(w, status_of(paid), 200);
        EXPECT_NUMBER(w, measured(w, MEASURE_FREE_MODELS, FREE_SPENT, FREE_WINDOW_MINUTE), 2);
    }
    at_the_minutes_beginning(w);
    fine = answered(w, ada, 2, &last);
    UNBROKEN(w) EXPECT_NUMBER(w, fine, 0); /* she has more than her share of the day */
    fine = answered(w, bob, 3, &last);
    UNBROKEN(w) EXPECT_NUMBER(w, fine, 2);
    expect_at_most(w, 6);
    PLAINLY(w)
    {
        was_refused(w, last, 429, "rate_limit_exceeded");
        EXPECT(w, reply_has(last, "\"limit\":6,\"share\":3,\"remaining\":0,\"reset_at\":\"2"));
        EXPECT(w, reply_was(last, "x-should-retry", "false"));
        EXPECT(w, !fake_client_header(last->client, SPAN("retry-after")).at);
    }
}

/* A whole crowd at once over two instances, half of it of one user. */
void crowd_at_a_free_model(struct world *w)
{
    enum { CROWD = 8 };
    struct person *ada = a_user(w, "ada"), *bob = a_user(w, "bob"), *eve = a_user(w, "eve");
    struct person *const people[] = {ada, bob, ada, eve};
    struct asker *crowd[CROWD];
    unsigned fine = 0;

    for (unsigned i = 0; i < 4; i++)
        if (i != 2)
            a_key(w, people[i], (struct key_story){0});
    at_the_minutes_beginning(w);
    for (unsigned i = 0; i < CROWD; i++)
        crowd[i] = free_request(w, people[i % 4], i % 2);
    everything_runs(w, 1000);
    expect_at_most(w, 4);
    for (unsigned i = 0; i < CROWD; i++)
        fine += status_of(crowd[i]) == 200;
    UNBROKEN(w) EXPECT(w, fine >= 3 && fine <= 4);
    PLAINLY(w) EXPECT_NUMBER(w, fine, 4);
}

void arrange_crowd_at_a_free_model(struct world *w)
{
    w->settings.free_per_minute = 4;
}

/* OpenRouter counts what others do with the account, too: what it refuses to one is closed to all, and no longer. */
void free_minute_is_closed(struct world *w)
{
    struct person *ada = a_user(w, "ada"), *bob = a_user_of(w, "bob", "Free");
    struct asker *told, *other, *paid, *later;
    char body[512];

    bob->afterwards = 0;
    a_key(w, ada, (struct key_story){0});
    at_the_minutes_beginning(w);
    snprintf(body, sizeof(body), RATE_BODY("free-models-per-min.", "%lld"),
             (long long)w->keys.now_ms + 45000);
    upstream_answers(w, 429, body);
    told = free_request(w, ada, 0);
    everything_runs(w, 100);
    other = free_request(w, bob, 0);
    paid = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 400);
    PLAINLY(w)
    {
        was_refused(w, told, 429, "rate_limit_exceeded");
        EXPECT(w, reply_has(told, "OpenRouter says that the free models' limit"));
        EXPECT(w, reply_has(told, "\"limit\":20,\"remaining\":0,\"reset_at\":\""));
        EXPECT(w, reply_was(told, "retry-after", "45"));
        is_booked_as(w, told, COST_NOTHING_SENT);
        was_refused(w, other, 429, "rate_limit_exceeded");
        EXPECT(w, reply_has(other, "The tier Small has models without that limit."));
        EXPECT(w, reply_was(other, "retry-after", "45"));
        EXPECT_NUMBER(w, status_of(paid), 200);
        EXPECT_NUMBER(w, w->asks.count, 2);
        EXPECT_NUMBER(w, measured(w, MEASURE_FREE_MODELS, FREE_CLOSED, FREE_WINDOW_MINUTE), 2);
    }
    everything_runs(w, 44000);
    other = free_request(w, bob, 0);
    everything_runs(w, 400);
    PLAINLY(w) EXPECT(w, reply_was(other, "retry-after", "1"));
    everything_runs(w, 200);
    later = free_request(w, bob, 0);
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(later), 200);
}

/* The day likewise; without a time it is closed until midnight. */
void free_day_is_closed(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *told, *other;
    char text[1024];

    a_key(w, ada, (struct key_story){0});
    upstream_answers(w, 429,
                     RATE_BODY("free-models-per-day. Add 10 credits to unlock 1000 free model "
                               "requests per day",
                               ""));
    told = free_request(w, ada, 0);
    everything_runs(w, 100);
    other = free_request(w, ada, 1);
    everything_runs(w, 100);
    PLAINLY(w)
    {
        was_refused(w, told, 429, "rate_limit_exceeded");
        EXPECT(w, !reply_has(told, "credits"));
        EXPECT(w, reply_has(told, "T00:00:00Z\""));
        EXPECT(w, reply_was(told, "x-should-retry", "false"));
        was_refused(w, other, 429, "rate_limit_exceeded");
        EXPECT(w, reply_has(other, "T00:00:00Z\""));
        EXPECT_NUMBER(w, w->asks.count, 1);
        EXPECT_NUMBER(w, strtoll(LOOK(w, text, "HGET", "kt:{free}:day", "closed_until"), NULL, 10),
                      (w->keys.now_ms / 86400000 + 1) * 86400000);
    }
}

/* The provider's own limit closes nothing; and no second try is made, which would count for everybody. */
void free_model_is_busy(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *busy, *down, *later;

    a_key(w, ada, (struct key_story){0});
    upstream_answers_after(w, 429,
                           "{\"error\":{\"message\":\"Provider returned error\",\"code\":429,"
                           "\"metadata\":{\"limit_source\":\"upstream_provider_shared_pool\"}}}",
                           "1");
    busy = free_request(w, ada, 0);
    everything_runs(w, 5000);
    upstream_answers_after(w, 503, "{\"error\":{\"message\":\"Busy\",\"code\":503}}", "1");
    down = free_request(w, ada, 0);
    everything_runs(w, 5000);
    later = free_request(w, ada, 0);
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(busy), 429);
        EXPECT(w, reply_was(busy, "retry-after", "1"));
        EXPECT_NUMBER(w, status_of(down), 503);
        EXPECT(w, reply_was(down, "retry-after", "1"));
        EXPECT_NUMBER(w, status_of(later), 200);
        EXPECT_NUMBER(w, w->asks.count, 3);
        EXPECT_NUMBER(w, measured(w, MEASURE_FREE_MODELS, FREE_GRANTED, FREE_WINDOW_MINUTE), 3);
    }
}

/* Nothing is let through that was not counted; what is lost is not given back, and paid for by nobody. */
void free_place_is_lost(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *lost, *down, *told, *later;
    char text[1024];

    a_key(w, ada, (struct key_story){0});
    at_the_minutes_beginning(w);
    goes_wrong(w, "redis free_take", BREAK_lost_applied);
    lost = free_request(w, ada, 0);
    everything_runs(w, 1000);
    goes_wrong(w, "redis free_take", BREAK_refused);
    down = free_request(w, ada, 0);
    everything_runs(w, 1000);
    upstream_answers(w, 429, RATE_BODY("free-models-per-min.", "5"));
    goes_wrong(w, "redis free_close", BREAK_lost_unapplied);
    told = free_request(w, ada, 0);
    everything_runs(w, 1000);
    later = free_request(w, ada, 0); /* nobody could be told */
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        was_refused(w, lost, 503, "store_unavailable");
        is_booked_as(w, lost, COST_NOTHING_SENT);
        was_refused(w, down, 503, "store_unavailable");
        is_booked_as(w, down, COST_NOTHING_SENT);
        was_refused(w, told, 429, "rate_limit_exceeded");
        EXPECT(w, reply_was(told, "retry-after", "5"));
        EXPECT_NUMBER(w, status_of(later), 200);
        EXPECT_NUMBER(w, w->asks.count, 2);
        EXPECT_NUMBER(w, strtol(LOOK(w, text, "HGET", "kt:{free}:minute", "used"), NULL, 10), 3);
    }
}

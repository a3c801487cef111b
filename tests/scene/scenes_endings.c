/* Scenes of how answers end: what a stream tells of the quota, and failures that came as a success. */
#include "base/clock.h"
#include "domain/nano_usd.h"
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <assert.h>
#include <stdio.h>

#define GOOD_BODY \
    "{\"id\":\"gen-late\",\"choices\":[{\"message\":{\"content\":\"one " \
    "late\"}}],\"usage\":{\"cost\":0}}"
#define FAILED_BODY "{\"error\":{\"code\":502,\"message\":\"Provider died\"}}"

static void told_is_left(struct world *w, const struct asker *asker, int64_t spent, int messages);
static void upstream_says(struct world *w, const char *first, const char *second);

void arrange_quota_is_told(struct world *w)
{
    w->settings.quota_comment = true;
}

/* After each stream: the limit less what was spent until then; a plain answer has no room for it. */
void quota_is_told(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *first, *plain, *second, *unknown;

    a_key(w, ada, (struct key_story){0});
    first = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 1000);
    plain = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    second = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 1000);
    w->asks.billing.tells_no_usage = true;
    unknown = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        int64_t spent = bill_of(w, first)->cost_nano_usd;
        told_is_left(w, first, spent, 499);
        EXPECT(w, !reply_has(plain, "keyturn"));
        spent += bill_of(w, plain)->cost_nano_usd + bill_of(w, second)->cost_nano_usd;
        told_is_left(w, second, spent, 497);
        spent += bill_of(w, unknown)->prompt_tokens; /* more than that is held for it */
        EXPECT(w, reply_has(unknown, "\"messages_remaining\":496"));
        EXPECT(w, !reply_has(unknown, "\"remaining_nano_usd\":99999"));
        for (size_t i = 0; i < w->asks.count; i++)
            EXPECT(w, !span_contains(buffer_view(&w->asks.rows[i].headers), SPAN("keyturn")));
    }
}

/* The comment waits in the client's buffer like every other byte. */
void quota_is_told_to_the_slow(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;

    a_key(w, ada, (struct key_story){0});
    asker = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    fake_client_stops_taking(asker->client, 1);
    everything_runs(w, 20000);
    PLAINLY(w) EXPECT_NUMBER(w, fake_upstream_paused(w->instances[0].upstream), 1);
    for (unsigned i = 0; i < FAKE_STREAM_PIECES; i++) {
        fake_client_takes(asker->client);
        fake_client_stops_taking(asker->client, 1);
        everything_runs(w, 100);
    }
    PLAINLY(w)
    {
        EXPECT(w, fake_client_has_ended(asker->client));
        told_is_left(w, asker, bill_of(w, asker)->cost_nano_usd, 499);
    }
}

/* Nobody knows yet what they cost. The mark of the second never came whole, its first bytes did. */
void broken_streams_tell_no_quota(struct world *w)
{
    static const struct header stream[] = {{SPAN("content-type"), SPAN("text/event-stream")}};
    struct person *ada = a_user(w, "ada"), *eve = a_user(w, "eve");
    struct asker *cut, *half, *other_end;

    a_key(w, ada, (struct key_story){0});
    a_key(w, eve, (struct key_story){0});
    goes_wrong(w, "upstream end", BREAK_cut);
    upstream_says(w, "data: {\"x\":\"half\"}\n\nda", "ta: [DO");
    w->next_answers[0].fields[0] = stream[0];
    half = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 20000);
    goes_wrong(w, "upstream piece", BREAK_cut);
    cut = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    everything_runs(w, 20000);
    upstream_says(w, "event: message_stop\ndata: {\"type\":\"mess", "age_stop\"}\n\n");
    w->next_answers[1].fields[0] = stream[0];
    w->next_answers[1].tells_size = true; /* which is no longer the reply's */
    other_end = client_sends(w, (struct asking){.token = eve->token, .stream = true});
    everything_runs(w, 20000);
    PLAINLY(w)
    {
        EXPECT(w, reply_has(half, "\"half\"}\n\ndata: [DO\n\ndata: {"));
        EXPECT(w, reply_has(half, "\"error\"") && !reply_has(half, "keyturn"));
        EXPECT(w, reply_has(cut, "\"error\"") && !reply_has(cut, "keyturn"));
        EXPECT(w,
               reply_has(other_end, "{\"type\":\"message_stop\"}\n\n: keyturn {\"remaining_usd\""));
        EXPECT(w, span_ends(fake_client_body(other_end->client), SPAN("\"}\n\n")));
        EXPECT(w, reply_has(other_end, "\"messages_remaining\":500"));
    }
}

/* What OpenRouter says with status 200, and what the client is told: as if it had come with its own status. */
static const struct hidden_row {
    const char *first, *second, *retry_after;
    int told_status;
    const char *told_code;
    unsigned asks;
} hidden[] = {
    {FAILED_BODY, NULL, NULL, 502, "upstream_error", 1},
    {"{\"err", "or\":{\"code\":502,\"message\":\"Provider died\"}}", NULL, 502, "upstream_error",
     1},
    {"{", " \"error\" : { \"code\" : 400 , \"message\" : \"no\" } }", NULL, 400, "invalid_request",
     1},
    {"\n\n\n{\"error\":{\"code\":529", ",\"message\":\"overloaded\"}}", NULL, 529, "upstream_error",
     1},
    {"{\"error\":{\"code\":\"server_error\",\"message\":\"x\"}}", NULL, NULL, 502, "upstream_error",
     1},
    {"{\"error\":\"no object\"}", NULL, NULL, 502, "upstream_error", 1},
    {"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}", NULL, NULL, 502,
     "api_error", 1},
    {"{\"error\":{\"code\":503,\"message\":\"none\"}}", NULL, "1", 200, NULL, 2},
    {"{\"error\":{\"code\":503,\"message\":\"none\"}}", NULL, NULL, 503, "upstream_unavailable", 1},
    {"{\"error\":{\"code\":429,\"message\":\"slow down\"}}", NULL, "2", 200, NULL, 2},
    {"{\"error\":{\"code\":429,\"message\":\"slow down\"}}", NULL, "60", 429, "rate_limit_exceeded",
     1},
    {"{\"error\":{\"code\":402,\"message\":\"Insufficient credits. Add more\"}}", NULL, NULL, 503,
     "out_of_credits", 1},
    {"{\"error\":{\"code\":401,\"message\":\"No auth credentials found\"}}", NULL, NULL, 200, NULL,
     2},
    {"{\"error\":null,\"id\":\"gen-null\",\"choices\":[]}", NULL, NULL, 200, NULL, 1},
};

void hidden_errors(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    char code[64];

    a_key(w, ada, (struct key_story){0});
    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
        const struct hidden_row *row = &hidden[i];
        size_t asks = w->asks.count;
        struct asker *asker;

        upstream_says(w, row->first, row->second);
        if (row->retry_after)
            w->next_answers[i].fields[w->next_answers[i].field_count++] =
                (struct header){SPAN("Retry-After"), span_of(row->retry_after)};
        asker = client_sends(w, (struct asking){.token = ada->token});
        everything_runs(w, 4000);
        PLAINLY(w)
        {
            snprintf(code, sizeof(code), "\"code\":\"%s\"", row->told_code ? row->told_code : "");
            if (status_of(asker) != row->told_status ||
                (row->told_code && !reply_has(asker, code)) || w->asks.count - asks != row->asks)
                world_fails(w, __FILE__, __LINE__, "row %zu became %d after %zu tries: %.*s", i,
                            status_of(asker), w->asks.count - asks,
                            SPAN_PRINT(fake_client_body(asker->client)));
            if (row->told_status != 200)
                is_booked_as(w, asker, COST_NOTHING_SENT);
        }
    }
    PLAINLY(w) EXPECT_NUMBER(w, w->keys.creates + w->keys.lookups, 0);
}

/* While only blank lines come the client gets no head, for a quarter of a minute; then what comes is what it gets. */
void hidden_errors_behind_blank_lines(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *failed, *good, *late;

    a_key(w, ada, (struct key_story){0});
    upstream_holds_after(w, 1);
    upstream_says(w, "\n\n\n", FAILED_BODY);
    upstream_says(w, "\n\n\n", GOOD_BODY);
    upstream_says(w, "\n\n\n", FAILED_BODY);
    failed = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    good = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 10000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(failed), 0);
        EXPECT_NUMBER(w, status_of(good), 0);
    }
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 100);
    upstream_holds_after(w, 1);
    late = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 14000);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(late), 0);
    everything_runs(w, 1500);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(late), 200);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 20000);
    PLAINLY(w)
    {
        was_refused(w, failed, 502, "upstream_error");
        EXPECT_NUMBER(w, status_of(good), 200);
        EXPECT(w, span_equal(fake_client_body(good->client), SPAN("\n\n\n" GOOD_BODY)));
        EXPECT(w, span_equal(fake_client_body(late->client), SPAN("\n\n\n" FAILED_BODY)));
        is_booked_as(w, failed, COST_NOTHING_SENT);
        is_booked_as(w, good, COST_FROM_USAGE);
    }
}

/* No head went out, so it still says what happened; who left meanwhile is no reason to ask again. */
void hidden_errors_break_off(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *blank, *half, *gone;

    a_key(w, ada, (struct key_story){0});
    goes_wrong(w, "upstream end", BREAK_cut);
    upstream_says(w, "\n\n", NULL);
    blank = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 20000);
    goes_wrong(w, "upstream end", BREAK_stalled);
    upstream_says(w, "{\"error\":{\"code\":429,", NULL);
    half = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 80000);
    upstream_holds_after(w, 1);
    upstream_says(w, "\n\n", FAILED_BODY);
    gone = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    client_leaves(w, gone);
    everything_runs(w, 20000);
    PLAINLY(w) EXPECT_NUMBER(w, fake_upstream_open(w->instances[0].upstream), 1);
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 20000);
    PLAINLY(w)
    {
        was_refused(w, blank, 502, "upstream_error");
        was_refused(w, half, 502, "upstream_error");
        EXPECT_NUMBER(w, w->asks.count, 3);
        EXPECT_NUMBER(w, w->instances[0].flow.exchange_count, 0);
    }
}

/* It passes as it came, costs what it says, and is no message: the books look at that at the end, too. */
void answers_without_choices(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *plain, *untold;
    char used[1024];

    a_key(w, ada, (struct key_story){0});
    upstream_says(w, "{\"id\":\"gen-none\",\"choices\":[],\"usage\":{\"cost\":0}}", NULL);
    plain = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(plain), 200);
        EXPECT(w, reply_has(plain, "\"choices\":[]"));
        is_booked_as(w, plain, COST_FROM_USAGE);
        LOOK(w, used, "EVAL",
             "local sum = 0 for _, key in ipairs(redis.call('KEYS', '*:account')) do "
             "for _, field in ipairs(redis.call('HKEYS', key)) do "
             "if string.find(field, '^delivered|') then sum = sum + redis.call('HGET', key, "
             "field) end end end return tostring(sum)",
             "0");
        EXPECT(w, strcmp(used, "0") == 0);
    }
    upstream_says(w, "{\"id\":\"gen-none\",\"choices\":[]}", NULL);
    untold = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(untold), 200);
}

static void told_is_left(struct world *w, const struct asker *asker, int64_t spent, int messages)
{
    char whole[4096], text[4096], comment[256], want[256], usd[NANO_USD_TEXT_SIZE];
    char resets[CLOCK_TEXT_SIZE], place[512];
    const struct tier *tier = w->settings.default_tier;
    int64_t rest = tier->limit_nano_usd - spent;

    nano_usd_text(rest, usd);
    clock_text(period_of(tier->limit_reset, w->keys.now_ms).ends_ms, resets);
    snprintf(want, sizeof(want),
             ": keyturn {\"remaining_usd\":\"%s\",\"remaining_nano_usd\":%lld,"
             "\"messages_remaining\":%d,\"reset_at\":\"%s\"}",
             usd, (long long)rest, messages, resets);
    snprintf(place, sizeof(place), "\n\n%s\n\ndata: [DONE]\n\n", want);
    EXPECT(w, whole_answer(w, asker, whole));
    EXPECT(w, span_equal(told_without_comment(asker, text, comment), span_of(whole)));
    if (strcmp(comment, want) != 0 || !reply_has(asker, place))
        world_fails(w, __FILE__, __LINE__, "told '%s' and not '%s'", comment, want);
}

/* The next answer, with status 200, in one piece or two. */
static void upstream_says(struct world *w, const char *first, const char *second)
{
    struct fake_answer *answer = &w->next_answers[w->next_answer_count++];

    assert(w->next_answer_count <= NEXT_ANSWERS_MAX);
    *answer = (struct fake_answer){.status = 200,
                                   .fields = {{SPAN("Content-Type"), SPAN("application/json")}},
                                   .field_count = 1,
                                   .pieces = {first, second},
                                   .piece_count = second ? 2 : 1};
}

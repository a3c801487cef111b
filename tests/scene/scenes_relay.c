/* Scenes of answers on their way down, and of clients that do not wait for them. */
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <stdio.h>

void full_client(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *asker;
    char whole[4096];

    a_key(w, ada, (struct key_story){0});
    asker = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    fake_client_stops_taking(asker->client, 40);
    everything_runs(w, 20000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, fake_upstream_paused(w->instances[0].upstream), 1);
        EXPECT_NUMBER(w, fake_client_body(asker->client).size,
                      strlen(bill_of(w, asker)->texts[0]) + strlen(bill_of(w, asker)->texts[1]));
    }
    everything_runs(w, 100000);
    PLAINLY(w) EXPECT_NUMBER(w, fake_upstream_paused(w->instances[0].upstream), 1);
    fake_client_takes(asker->client);
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT(w, fake_client_has_ended(asker->client));
        EXPECT(w, whole_answer(w, asker, whole));
        EXPECT(w, span_equal(fake_client_body(asker->client), span_of(whole)));
    }
}

/* A stream is cancelled, as its provider stops then; a plain answer, billed whole anyway, is read to its end. */
void clients_leave_midway(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *stream, *plain, *early;

    a_key(w, ada, (struct key_story){0});
    upstream_holds_after(w, 2);
    stream = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    plain = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(stream), 200);
        EXPECT_NUMBER(w, status_of(plain), 200);
        EXPECT_NUMBER(w, fake_upstream_open(w->instances[0].upstream), 2);
    }
    client_leaves(w, stream);
    client_leaves(w, plain);
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, fake_upstream_open(w->instances[0].upstream), 1);
        EXPECT_NUMBER(w, w->instances[0].flow.exchange_count, 1);
    }
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, w->instances[0].flow.exchange_count, 0);
    early = client_sends(w, (struct asking){.token = ada->token});
    client_leaves(w, early);
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT(w, fake_client_is_gone(early->client));
        EXPECT_NUMBER(w, w->asks.count, 2);
        EXPECT_NUMBER(w, measured(w, MEASURE_CLIENT_GONE, DIALECT_CHAT, 0), 3);
    }
}

/* What OpenRouter says, and what the client is told: status, code, how often it was asked. A key's limit: scenes_raise.c */
static const struct error_row {
    int status;
    const char *body, *retry_after;
    int told_status;
    const char *told_code;
    unsigned asks;
} errors[] = {
    {400, "{\"error\":{\"code\":400,\"message\":\"x is not a valid model ID\"}}", NULL, 400,
     "invalid_request", 1},
    {401,
     "{\"error\":{\"code\":401,\"message\":\"Provider returned error\",\"metadata\":{"
     "\"provider_name\":\"Acme\"}}}",
     NULL, 502, "upstream_error", 1},
    {401, "{\"error\":{\"code\":401,\"message\":\"No auth credentials found\"}}", NULL, 200, NULL,
     2},
    {402,
     "{\"error\":{\"code\":402,\"message\":\"Insufficient credits. Add more using "
     "https://openrouter.ai/credits\"}}",
     NULL, 503, "out_of_credits", 1},
    {402,
     "{\"error\":{\"code\":402,\"message\":\"Retry\",\"metadata\":{\"limit_source\":"
     "\"openrouter_in_flight_budget\"}}}",
     "1", 200, NULL, 2},
    {403, "{\"error\":{\"code\":403,\"message\":\"Moderation\"}}", NULL, 403, "permission_denied",
     1},
    {404, "{\"error\":{\"code\":404,\"message\":\"No endpoints found\"}}", NULL, 404, "not_found",
     1},
    {429, "{\"error\":{\"code\":429,\"message\":\"slow down\"}}", "2", 200, NULL, 2},
    {429, "{\"error\":{\"code\":429,\"message\":\"slow down\"}}", "60", 429, "rate_limit_exceeded",
     1},
    {429, "{\"error\":{\"code\":429,\"message\":\"slow down\"}}", NULL, 429, "rate_limit_exceeded",
     1},
    {500, "<html>oops</html>", NULL, 500, "upstream_error", 1},
    {502, "{\"error\":{\"code\":502,\"message\":\"Provider failed\"}}", NULL, 502, "upstream_error",
     1},
    {503, "{\"error\":{\"code\":503,\"message\":\"none\"}}", "1", 200, NULL, 2},
    {503, "", NULL, 503, "upstream_unavailable", 1},
    {529, "{\"error\":{\"code\":529,\"message\":\"overloaded\"}}", NULL, 529, "upstream_error", 1},
    {302, "", NULL, 502, "upstream_error", 1},
};

void upstream_errors(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    char code[64];

    a_key(w, ada, (struct key_story){0});
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
        const struct error_row *row = &errors[i];
        size_t asks = w->asks.count;
        struct asker *asker;

        upstream_answers_after(w, row->status, row->body, row->retry_after);
        asker = client_sends(w, (struct asking){.token = ada->token});
        everything_runs(w, 4000);
        PLAINLY(w)
        {
            snprintf(code, sizeof(code), "\"code\":\"%s\"", row->told_code ? row->told_code : "");
            if (status_of(asker) != row->told_status ||
                (row->told_code && !reply_has(asker, code)) || w->asks.count - asks != row->asks)
                world_fails(w, __FILE__, __LINE__, "%d (row %zu) became %d after %zu tries: %.*s",
                            row->status, i, status_of(asker), w->asks.count - asks,
                            SPAN_PRINT(fake_client_body(asker->client)));
        }
    }
    if (w->keys.creates + w->keys.lookups > 0 && w->breaking.kind == BREAK_NONE)
        world_fails(w, __FILE__, __LINE__, "one of these errors made somebody doubt the key");
}

/* The grace is over for instance A: each client of it gets an end; instance B serves on. */
void drain_and_cut(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *finishes, *stream, *plain, *waits;

    a_key(w, ada, (struct key_story){0});
    finishes = client_sends(w, (struct asking){.token = ada->token});
    instance_drains(w, 0);
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(finishes), 200);
    if (w->instances[0].alive)
        w->instances[0].flow.draining = false; /* so that it takes three more */
    upstream_holds_after(w, 1);
    stream = client_sends(w, (struct asking){.token = ada->token, .stream = true});
    plain = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    goes_wrong(w, "upstream head", BREAK_late_head);
    waits = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(stream), 200);
        EXPECT_NUMBER(w, status_of(waits), 0);
    }
    instance_drains(w, 0);
    instance_cuts(w, 0);
    everything_runs(w, 1000); /* what they cost is asked for once */
    PLAINLY(w)
    {
        EXPECT(w, reply_has(stream, "shutting_down"));
        EXPECT(w, fake_client_has_ended(stream->client));
        EXPECT(w, fake_client_was_cut(plain->client));
        EXPECT_NUMBER(w, status_of(waits), 503);
        EXPECT(w, reply_has(waits, "\"shutting_down\""));
        EXPECT(w, flow_is_idle(&w->instances[0].flow));
    }
}

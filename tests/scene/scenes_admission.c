/* Scenes of who may ask at all. */
#include "scene/scenes.h"
#include "scene/vocabulary.h"

#include <stdio.h>

void service_tokens(struct world *w)
{
    struct person *backend = a_service(w, "backend"), *ada = a_user_of_a_service(w, "ada");
    struct person *bob = a_user_of_a_service(w, "bob");
    struct asker *by_header, *by_body, *neither, *bad;

    a_key(w, ada, (struct key_story){0});
    by_header = client_sends(w, (struct asking){.token = backend->token, .end_user = ada->id});
    by_body = client_sends(w, (struct asking){.token = backend->token, .body_user = bob->id});
    neither = client_sends(w, (struct asking){.token = backend->token});
    bad = client_sends(w, (struct asking){.token = backend->token, .end_user = "a b"});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(by_header), 200);
        EXPECT_NUMBER(w, status_of(by_body), 200);
        EXPECT_NUMBER(w, w->keys.creates, 1);
        EXPECT_NUMBER(w, w->asks.count, 2);
        was_refused(w, neither, 400, "invalid_request");
        EXPECT(w, reply_has(neither, "\"param\":\"user\""));
        was_refused(w, bad, 400, "invalid_request");
    }
    for (size_t i = 0; i < w->asks.count; i++) /* a user's own name never leaves */
        EXPECT(w, !span_contains(buffer_view(&w->asks.rows[i].body), SPAN("\"bob\"")));
}

void credentials_are_checked(struct world *w)
{
    struct person *ada = a_user(w, "ada"), *bob = a_user(w, "bob");
    char unknown[TOKEN_SIZE + 1], forged[TOKEN_SIZE + 1], key[64], text[1024];
    struct asker *askers[5], *revoked, *broken;

    ada->afterwards = 401;
    bob->afterwards = 403;
    a_key(w, ada, (struct key_story){0});
    snprintf(unknown, sizeof(unknown), "%s", ada->token);
    snprintf(forged, sizeof(forged), "%s", ada->token);
    memcpy(unknown + 3, "nobodynobody", TOKEN_ID_SIZE);
    forged[TOKEN_SIZE - 2] = forged[TOKEN_SIZE - 2] == 'A' ? 'B' : 'A';
    LOOK(w, text, "HSET", "kt:u:{u:bob}", "status", "disabled");
    askers[0] = client_sends(w, (struct asking){.token = unknown});
    askers[1] = client_sends(w, (struct asking){.token = forged});
    askers[2] = client_sends(w, (struct asking){.token = NULL});
    askers[3] = client_sends(w, (struct asking){.token = "sk-not-ours"});
    askers[4] = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        for (unsigned i = 0; i < 4; i++)
            was_refused(w, askers[i], 401, "invalid_api_key");
        EXPECT_NUMBER(w, status_of(askers[4]), 200);
    }
    snprintf(key, sizeof(key), "kt:t:%.*s", TOKEN_ID_SIZE, ada->token + 3);
    LOOK(w, text, "HSET", key, "status", "revoked");
    revoked = client_sends(w, (struct asking){.token = ada->token});
    broken = client_sends(w, (struct asking){.token = bob->token, .body = "{\"a\":1,\"a\":2}"});
    askers[0] = client_sends(w, (struct asking){.token = bob->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        was_refused(w, revoked, 401, "invalid_api_key");
        was_refused(w, broken, 400, "invalid_request");
        was_refused(w, askers[0], 403, "user_disabled");
        EXPECT_NUMBER(w, w->asks.count, 1);
        EXPECT_NUMBER(w, w->keys.creates, 0);
    }
}

/* Nothing paid is let through, also when token and key are known here. */
void store_is_down(struct world *w)
{
    struct person *ada = a_user(w, "ada"), *bob = a_user(w, "bob");
    struct asker *known, *unknown, *later;

    a_key(w, ada, (struct key_story){0});
    client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    redis_is_there(w, false);
    known = client_sends(w, (struct asking){.token = ada->token});
    unknown = client_sends(w, (struct asking){.token = bob->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        was_refused(w, known, 503, "store_unavailable");
        was_refused(w, unknown, 503, "store_unavailable");
        EXPECT_NUMBER(w, w->asks.count, 1);
    }
    redis_is_there(w, true);
    later = client_sends(w, (struct asking){.token = bob->token});
    everything_runs(w, 100);
    PLAINLY(w) EXPECT_NUMBER(w, status_of(later), 200);
}

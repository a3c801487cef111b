#include "scene/tidings.h"

#include "store/schema.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>

static void on_push(void *context, void *pushed);
static void ask(struct tidings *tidings, const char *line);

void tidings_open(struct tidings *tidings, const char *socket)
{
    const char *const *prefixes;
    char line[64];
    size_t count;

    tidings->count = 0;
    tidings->server = redisConnectUnix(socket);
    assert(tidings->server && !tidings->server->err);
    tidings->server->privdata = tidings;
    redisSetPushCallback(tidings->server, on_push);
    ask(tidings, "HELLO 3");
    prefixes = store_watch_prefixes(&count);
    for (size_t i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "CLIENT TRACKING ON BCAST PREFIX %s", prefixes[i]);
        ask(tidings, line);
    }
    tidings->count = 0;
}

/* What was written before stands before the answer. */
void tidings_gather(struct tidings *tidings)
{
    ask(tidings, "PING");
}

void tidings_close(struct tidings *tidings)
{
    redisFree(tidings->server);
}

static void on_push(void *context, void *pushed)
{
    struct tidings *tidings = context;
    redisReply *push = pushed, *keys;

    assert(push->elements == 2);
    keys = push->element[1];
    for (size_t i = 0; i < keys->elements; i++) {
        assert(tidings->count < TIDINGS_MAX);
        assert(span_text((struct span){keys->element[i]->str, keys->element[i]->len},
                         tidings->keys[tidings->count], TIDING_SIZE));
        tidings->count++;
    }
    freeReplyObject(push);
}

static void ask(struct tidings *tidings, const char *line)
{
    redisReply *reply = redisCommand(tidings->server, line);

    assert(reply && reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

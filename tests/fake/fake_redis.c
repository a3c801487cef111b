#include "fake/fake_redis.h"

#include "base/alloc.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>

enum { WORDS_MAX = REDIS_ARGS_MAX + 3 };

struct fake_call {
    struct list link;
    struct redis_call *call; /* borrowed */
    int count;
    const char **words; /* ours, and what they point to */
    size_t *sizes;      /* ours */
};

struct redis {
    redisContext *server;
    struct loop *loop; /* borrowed */
    struct list pending;
    size_t pending_count;
    bool up, closed;
    struct turn *link_turns[REDIS_LINK_TURNS_MAX]; /* borrowed */
    size_t link_turn_count;
    struct redis_watch *watch; /* borrowed, as its prefixes are */
    const char *const *prefixes;
    size_t prefix_count;
    void (*note)(void *context, uint64_t microseconds);
    void *note_context;
    struct redis_stats stats;
};

static const redisReply *of(const struct redis_reply *reply);
static const struct redis_reply *as_ours(const redisReply *reply);
static void keep(struct redis *redis, struct redis_call *call, const struct span *words,
                 size_t count);
static redisReply *apply(struct redis *redis, const struct fake_call *pending);
static void deliver(struct redis *redis, enum fake_delivery how);
static struct fake_call *take_oldest(struct redis *redis);
static void fake_call_free(struct fake_call *pending);

struct redis *redis_open(struct loop *loop, struct log *log, const struct redis_settings *settings,
                         const struct redis_script *const *scripts, size_t script_count)
{
    struct redis *redis = must_alloc(sizeof(*redis));

    (void)log;
    (void)scripts;
    (void)script_count;
    redis->loop = loop;
    redis->up = true;
    redis->server = redisConnectUnix(settings->path);
    assert(redis->server && !redis->server->err);
    list_init(&redis->pending);
    return redis;
}

void redis_watch(struct redis *redis, struct redis_watch *watch, const char *const *prefixes,
                 size_t count)
{
    assert(!redis->watch);
    redis->watch = watch;
    redis->prefixes = prefixes;
    redis->prefix_count = count;
}

void redis_on_link(struct redis *redis, struct turn *turn)
{
    assert(redis->link_turn_count < REDIS_LINK_TURNS_MAX);
    redis->link_turns[redis->link_turn_count++] = turn;
}

bool redis_is_up(const struct redis *redis)
{
    return redis->up;
}

struct redis_stats redis_stats(const struct redis *redis)
{
    struct redis_stats stats = redis->stats;

    stats.up = redis->up;
    stats.calls_open = redis->pending_count;
    return stats;
}

void redis_on_latency(struct redis *redis, void (*note)(void *context, uint64_t microseconds),
                      void *context)
{
    redis->note = note;
    redis->note_context = context;
}

void redis_close(struct redis *redis)
{
    redis->closed = true;
    while (redis->pending_count > 0)
        deliver(redis, FAKE_DOWN);
}

bool redis_is_closed(const struct redis *redis)
{
    return redis->closed;
}

void redis_free(struct redis *redis)
{
    assert(redis->closed && redis->pending_count == 0);
    redisFree(redis->server);
    must_free(redis);
}

void redis_command(struct redis *redis, struct redis_call *call, const struct span *args,
                   size_t count)
{
    call->script = NULL;
    keep(redis, call, args, count);
}

void redis_eval(struct redis *redis, struct redis_call *call, const struct redis_script *script,
                const struct span *keys, size_t key_count, const struct span *args,
                size_t arg_count)
{
    struct span words[WORDS_MAX];
    char number[24];

    assert(key_count + arg_count + 3 <= WORDS_MAX);
    snprintf(number, sizeof(number), "%zu", key_count);
    words[0] = SPAN("EVAL");
    words[1] = span_of(script->text);
    words[2] = span_of(number);
    memcpy(words + 3, keys, key_count * sizeof(*keys));
    memcpy(words + 3 + key_count, args, arg_count * sizeof(*args));
    call->script = script;
    keep(redis, call, words, 3 + key_count + arg_count);
}

size_t fake_redis_pending(const struct redis *redis)
{
    return redis->pending_count;
}

const char *fake_redis_oldest(const struct redis *redis)
{
    const struct fake_call *oldest;

    if (list_is_empty(&redis->pending))
        return NULL;
    oldest = container_of(redis->pending.next, struct fake_call, link);
    return oldest->call->script ? oldest->call->script->name : oldest->words[0];
}

void fake_redis_answer(struct redis *redis)
{
    fake_redis_deliver(redis, FAKE_ANSWER);
}

void fake_redis_answer_all(struct redis *redis)
{
    for (size_t left = redis->pending_count; left > 0; left--)
        fake_redis_answer(redis);
}

void fake_redis_deliver(struct redis *redis, enum fake_delivery how)
{
    deliver(redis, redis->up ? how : FAKE_DOWN);
}

void fake_redis_set_link(struct redis *redis, bool up)
{
    redis->up = up;
    for (size_t i = 0; i < redis->link_turn_count; i++)
        loop_post(redis->loop, redis->link_turns[i]);
}

void fake_redis_forget(struct redis *redis, bool applied)
{
    while (redis->pending_count > 0) {
        struct fake_call *oldest = take_oldest(redis);
        if (applied && redis->up)
            freeReplyObject(apply(redis, oldest));
        fake_call_free(oldest);
    }
}

void fake_redis_changed(struct redis *redis, struct span key)
{
    for (size_t i = 0; redis->watch && i < redis->prefix_count; i++) {
        if (span_starts(key, span_of(redis->prefixes[i]))) {
            redis->watch->on_changed(redis->watch, key);
            return;
        }
    }
}

void fake_redis_blind(struct redis *redis, bool blind)
{
    if (redis->watch)
        redis->watch->on_blind(redis->watch, blind);
}

struct span fake_redis_look(struct redis *redis, const char *const *words, size_t count,
                            char ret_text[1024])
{
    redisReply *reply = redisCommandArgv(redis->server, (int)count, (const char **)words, NULL);
    const redisReply *first = reply;

    assert(first && first->type != REDIS_REPLY_ERROR);
    while (first->elements > 0)
        first = first->element[0];
    if (first->type == REDIS_REPLY_INTEGER)
        snprintf(ret_text, 1024, "%lld", first->integer);
    else
        snprintf(ret_text, 1024, "%s", first->str ? first->str : "");
    freeReplyObject(reply);
    return span_of(ret_text);
}

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
    switch (of(reply)->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return REDIS_TEXT;
    case REDIS_REPLY_INTEGER:
        return REDIS_NUMBER;
    case REDIS_REPLY_ARRAY:
        return REDIS_LIST;
    case REDIS_REPLY_ERROR:
        return REDIS_ERROR;
    default:
        return REDIS_NIL;
    }
}

struct span redis_reply_text(const struct redis_reply *reply)
{
    enum redis_kind kind = redis_reply_kind(reply);

    if (kind != REDIS_TEXT && kind != REDIS_ERROR)
        return SPAN_NONE;
    return (struct span){of(reply)->str, of(reply)->len};
}

int64_t redis_reply_number(const struct redis_reply *reply)
{
    int64_t number = 0;

    if (redis_reply_kind(reply) == REDIS_NUMBER)
        return of(reply)->integer;
    return span_i64(redis_reply_text(reply), &number) ? number : 0;
}

size_t redis_reply_count(const struct redis_reply *reply)
{
    return redis_reply_kind(reply) == REDIS_LIST ? of(reply)->elements : 0;
}

const struct redis_reply *redis_reply_item(const struct redis_reply *reply, size_t index)
{
    return index < redis_reply_count(reply) ? as_ours(of(reply)->element[index]) : NULL;
}

const struct redis_reply *redis_reply_field(const struct redis_reply *reply, struct span name)
{
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2)
        if (span_equal(redis_reply_text(redis_reply_item(reply, i)), name))
            return redis_reply_item(reply, i + 1);
    return NULL;
}

static const redisReply *of(const struct redis_reply *reply)
{
    return (const void *)reply;
}

static const struct redis_reply *as_ours(const redisReply *reply)
{
    return (const void *)reply;
}

static void keep(struct redis *redis, struct redis_call *call, const struct span *words,
                 size_t count)
{
    struct fake_call *pending = must_alloc(sizeof(*pending));

    assert(!call->open && !redis->closed && count <= WORDS_MAX);
    call->open = true;
    call->redis = redis;
    call->asked_us = loop_now_us(redis->loop);
    pending->call = call;
    pending->count = (int)count;
    pending->words = must_alloc(count * sizeof(*pending->words));
    pending->sizes = must_alloc(count * sizeof(*pending->sizes));
    for (size_t i = 0; i < count; i++) {
        char *copy = must_alloc(words[i].size + 1);
        assert(words[i].at);
        memcpy(copy, words[i].at, words[i].size);
        pending->words[i] = copy;
        pending->sizes[i] = words[i].size;
    }
    list_append(&redis->pending, &pending->link);
    redis->pending_count++;
    redis->stats.commands++;
}

static redisReply *apply(struct redis *redis, const struct fake_call *pending)
{
    redisReply *reply = redisCommandArgv(redis->server, pending->count,
                                         (const char **)pending->words, pending->sizes);

    assert(reply);
    return reply;
}

static void deliver(struct redis *redis, enum fake_delivery how)
{
    static const enum redis_end ends[] = {
        [FAKE_ANSWER] = REDIS_ANSWERED,     [FAKE_LOST_APPLIED] = REDIS_LOST,
        [FAKE_LOST_UNAPPLIED] = REDIS_LOST, [FAKE_DOWN] = REDIS_DOWN,
        [FAKE_REFUSED] = REDIS_REFUSED,
    };
    struct fake_call *oldest = take_oldest(redis);
    struct redis_call *call = oldest->call;
    redisReply *reply = NULL;

    if (how == FAKE_ANSWER || how == FAKE_LOST_APPLIED)
        reply = apply(redis, oldest);
    if (how == FAKE_LOST_APPLIED || how == FAKE_LOST_UNAPPLIED)
        redis->stats.commands_lost++;
    fake_call_free(oldest);
    call->open = false;
    call->end = ends[how];
    call->on_reply(call, how == FAKE_ANSWER ? as_ours(reply) : NULL);
    if (how == FAKE_ANSWER && redis->note)
        redis->note(redis->note_context, loop_now_us(redis->loop) - call->asked_us);
    freeReplyObject(reply);
}

static struct fake_call *take_oldest(struct redis *redis)
{
    struct list *first = list_first(&redis->pending);

    assert(first); /* nothing is pending */
    list_remove(first);
    redis->pending_count--;
    return container_of(first, struct fake_call, link);
}

static void fake_call_free(struct fake_call *pending)
{
    for (int i = 0; i < pending->count; i++)
        must_free((char *)pending->words[i]);
    must_free(pending->words);
    must_free(pending->sizes);
    must_free(pending);
}

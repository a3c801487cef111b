#include "io/redis.h"

#include "base/alloc.h"
#include "base/number.h"
#include "base/unset.h"
#include "io/redis/link.h"
#include "io/redis/tls.h"
#include "io/redis/watch.h"

#include <signal.h>
#include <stdio.h>

enum { SHA_SIZE = 40, REFUSAL_EVERY_MS = 1000 };

struct script_slot {
    const struct redis_script *script; /* borrowed */
    char sha[SHA_SIZE + 1];
};

struct redis {
    struct redis_link link;
    struct redis_watcher *watcher; /* NULL: nobody watches */
    struct loop *loop;             /* borrowed, as the log is */
    struct log *log;
    struct redis_settings settings; /* its texts are ours */
    struct redis_tls tls;
    struct script_slot *scripts;
    size_t script_count;
    struct list open;  /* sent, the oldest first: replies come in this order */
    struct list ended; /* DOWN and LOST, told in the next turn */
    struct turn ended_turn;
    struct turn *link_turns[REDIS_LINK_TURNS_MAX]; /* borrowed */
    size_t link_turn_count;
    void (*note)(void *context, uint64_t microseconds);
    void *note_context;
    struct redis_stats stats;
    uint64_t refusal_told_ms;
    bool closing;
};

static struct redis *of(struct redis_link *link)
{
    return container_of(link, struct redis, link);
}
static void copy_settings(struct redis_settings *to, const struct redis_settings *from);
static bool begin(struct redis *redis, struct redis_call *call);
static void send_call(struct redis *redis, struct redis_call *call, char *wire, size_t size);
static void greet(struct redis_link *link);
static bool got_greeting(struct redis_link *link, unsigned step, const redisReply *reply);
static void on_up(struct redis_link *link);
static void on_down(struct redis_link *link);
static void post_link_turns(struct redis *redis);
static void on_reply(struct redis_link *link, redisReply *reply);
static void tell_refusal(struct redis *redis, const struct redis_call *call,
                         const redisReply *reply);
static void send_text(struct redis *redis, struct redis_call *call);
static void on_alarm(struct redis_link *link);
static void end_later(struct redis *redis, struct redis_call *call, enum redis_end end);
static void run_ended(struct turn *turn);
static void end(struct redis_call *call, enum redis_end how, const redisReply *reply);

static const struct redis_link_owner owner = {
    .up_line = "redis link up",
    .down_line = "redis link down: what needs Redis is refused until it is back",
    .failed_line = "redis cannot be reached: what needs Redis is refused until it can",
    .greet = greet,
    .got_greeting = got_greeting,
    .on_up = on_up,
    .on_down = on_down,
    .on_reply = on_reply,
    .on_alarm = on_alarm,
};

struct redis *redis_open(struct loop *loop, struct log *log, const struct redis_settings *settings,
                         const struct redis_script *const *scripts, size_t script_count)
{
    struct redis *redis = must_alloc(sizeof(*redis));

    signal(SIGPIPE, SIG_IGN);
    redis->loop = loop;
    redis->log = log;
    copy_settings(&redis->settings, settings);
    redis->tls.host = redis->settings.host;
    redis->tls.ca_file = redis->settings.ca_file;
    redis->scripts = must_alloc((script_count + 1) * sizeof(*redis->scripts));
    redis->script_count = script_count;
    for (size_t i = 0; i < script_count; i++)
        redis->scripts[i].script = scripts[i];
    list_init(&redis->open);
    list_init(&redis->ended);
    turn_init(&redis->ended_turn, run_ended);
    redis_link_open(&redis->link, loop, log, &redis->settings,
                    redis->settings.tls ? &redis->tls : NULL, &owner);
    return redis;
}

void redis_watch(struct redis *redis, struct redis_watch *watch, const char *const *prefixes,
                 size_t count)
{
    assert(!redis->watcher && !redis->closing);
    redis->watcher =
        redis_watcher_open(redis->loop, redis->log, &redis->settings,
                           redis->settings.tls ? &redis->tls : NULL, watch, prefixes, count);
}

void redis_on_link(struct redis *redis, struct turn *turn)
{
    assert(redis->link_turn_count < REDIS_LINK_TURNS_MAX);
    redis->link_turns[redis->link_turn_count++] = turn;
}

bool redis_is_up(const struct redis *redis)
{
    return redis_link_is_up(&redis->link);
}

struct redis_stats redis_stats(const struct redis *redis)
{
    struct redis_stats stats = redis->stats;

    stats.up = redis_is_up(redis);
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
    redis->closing = true;
    redis_link_close(&redis->link);
    if (redis->watcher)
        redis_watcher_close(redis->watcher);
}

bool redis_is_closed(const struct redis *redis)
{
    return redis->closing && redis_link_is_closed(&redis->link) && list_is_empty(&redis->ended) &&
           (!redis->watcher || redis_watcher_is_closed(redis->watcher));
}

void redis_free(struct redis *redis)
{
    assert(redis_is_closed(redis));
    turn_cancel(&redis->ended_turn);
    if (redis->watcher)
        redis_watcher_free(redis->watcher);
    redis_tls_done(&redis->tls);
    must_free((char *)redis->settings.host);
    must_free((char *)redis->settings.path);
    must_free((char *)redis->settings.user);
    must_free((char *)redis->settings.ca_file);
    must_free(redis->scripts);
    must_free(redis);
}

void redis_command(struct redis *redis, struct redis_call *call, const struct span *args,
                   size_t count)
{
    size_t size = 0;
    char *wire;

    assert(count > 0 && count <= REDIS_ARGS_MAX);
    call->script = NULL;
    if (!begin(redis, call))
        return;
    wire = redis_wire(args, count, &size);
    send_call(redis, call, wire, size);
    must_free(wire);
}

void redis_eval(struct redis *redis, struct redis_call *call, const struct redis_script *script,
                const struct span *keys, size_t key_count, const struct span *args,
                size_t arg_count)
{
    UNSET struct span parts[REDIS_ARGS_MAX + 3];
    char number[NUMBER_TEXT_SIZE];
    size_t slot = 0;

    assert(key_count + arg_count <= REDIS_ARGS_MAX);
    while (slot < redis->script_count && redis->scripts[slot].script != script)
        slot++;
    assert(slot < redis->script_count);
    call->script = script;
    if (!begin(redis, call))
        return;
    parts[0] = SPAN("EVALSHA");
    parts[1] = span_of(redis->scripts[slot].sha);
    parts[2] = number_text((int64_t)key_count, number);
    for (size_t i = 0; i < key_count; i++)
        parts[3 + i] = keys[i];
    for (size_t i = 0; i < arg_count; i++)
        parts[3 + key_count + i] = args[i];
    call->wire = redis_wire(parts, 3 + key_count + arg_count, &call->wire_size);
    send_call(redis, call, call->wire, call->wire_size);
}

static void copy_settings(struct redis_settings *to, const struct redis_settings *from)
{
    *to = *from;
    assert(from->host || from->path);
    to->tls = from->tls && !from->path;
    to->host = from->host ? must_copy(from->host) : NULL;
    to->path = from->path ? must_copy(from->path) : NULL;
    to->user = from->user ? must_copy(from->user) : NULL;
    to->ca_file = from->ca_file ? must_copy(from->ca_file) : NULL;
}

/* False: it ends in the next turn. */
static bool begin(struct redis *redis, struct redis_call *call)
{
    assert(!call->open);
    call->open = true;
    call->redis = redis;
    call->wire = NULL;
    call->asked_us = call->sent_us = loop_now_us(redis->loop);
    redis->stats.commands++;
    if (redis_is_up(redis) && redis->stats.calls_open < redis->settings.calls_max)
        return true;
    end_later(redis, call, REDIS_DOWN);
    return false;
}

static void send_call(struct redis *redis, struct redis_call *call, char *wire, size_t size)
{
    list_append(&redis->open, &call->link);
    redis->stats.calls_open++;
    redis_link_send(&redis->link, wire, size);
    if (!redis_link_alarm_is_set(&redis->link))
        redis_link_alarm_in(&redis->link, redis->settings.command_ms);
}

static void greet(struct redis_link *link)
{
    struct redis *redis = of(link);

    for (size_t i = 0; i < redis->script_count; i++)
        redis_link_ask(link,
                       (const struct span[]){SPAN("SCRIPT"), SPAN("LOAD"),
                                             span_of(redis->scripts[i].script->text)},
                       3);
}

static bool got_greeting(struct redis_link *link, unsigned step, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING || reply->len != SHA_SIZE)
        return false;
    memcpy(of(link)->scripts[step].sha, reply->str, SHA_SIZE + 1);
    return true;
}

static void on_up(struct redis_link *link)
{
    of(link)->stats.links_made++;
    post_link_turns(of(link));
}

static void on_down(struct redis_link *link)
{
    struct redis *redis = of(link);
    struct list *first;

    while ((first = list_first(&redis->open))) {
        list_remove(first);
        redis->stats.calls_open--;
        redis->stats.commands_lost++;
        end_later(redis, container_of(first, struct redis_call, link), REDIS_LOST);
    }
    post_link_turns(redis);
}

static void post_link_turns(struct redis *redis)
{
    for (size_t i = 0; i < redis->link_turn_count; i++)
        loop_post(redis->loop, redis->link_turns[i]);
}

static void on_reply(struct redis_link *link, redisReply *reply)
{
    struct redis *redis = of(link);
    struct list *first = list_first(&redis->open);
    struct span code = redis_error_code(reply);
    struct redis_call *call;
    uint64_t took_us;

    if (!first) {
        redis_link_drop(link, REDIS_FAULT_PROTOCOL, "a reply nobody asked for");
        return;
    }
    call = container_of(first, struct redis_call, link);
    list_remove(first);
    redis->stats.calls_open--;
    if (call->wire && span_equal(code, SPAN("NOSCRIPT"))) {
        send_text(redis, call);
        return;
    }
    took_us = loop_now_us(redis->loop) - call->asked_us;
    redis->stats.latency_us_sum += took_us;
    redis->stats.latency_count++;
    if (redis->note)
        redis->note(redis->note_context, took_us);
    if (redis_error_is_refusal(code))
        tell_refusal(redis, call, reply);
    end(call, redis_error_is_refusal(code) ? REDIS_REFUSED : REDIS_ANSWERED, reply);
}

/* At most once a second: under load every command would say the same. */
static void tell_refusal(struct redis *redis, const struct redis_call *call,
                         const redisReply *reply)
{
    uint64_t now_ms = loop_now_ms(redis->loop);

    if (now_ms < redis->refusal_told_ms)
        return;
    redis->refusal_told_ms = now_ms + REFUSAL_EVERY_MS;
    log_warn(redis->log, "Redis refuses a command: what needs it is answered 503",
             log_span("reason", (struct span){reply->str, reply->len}),
             log_text("script", call->script ? call->script->name : NULL));
}

/* Redis forgot its scripts (SCRIPT FLUSH, failover). The command that was sent, "*N EVALSHA <sha> <the rest>", leaves
 * again as "*N EVAL <text> <the rest>", once. */
static void send_text(struct redis *redis, struct redis_call *call)
{
    static const char after_count[] = "$7\r\nEVALSHA\r\n$40\r\n";
    size_t count_size = (size_t)(strchr(call->wire, '\n') + 1 - call->wire);
    size_t skip = count_size + sizeof(after_count) - 1 + SHA_SIZE + 2;
    size_t text_size = strlen(call->script->text);
    char *wire = call->wire, verb[64];
    int verb_size = snprintf(verb, sizeof(verb), "$4\r\nEVAL\r\n$%zu\r\n", text_size);

    assert(!strncmp(wire + count_size, after_count, sizeof(after_count) - 1));
    redis_link_send(&redis->link, wire, count_size);
    redis_link_send(&redis->link, verb, (size_t)verb_size);
    redis_link_send(&redis->link, call->script->text, text_size);
    call->wire = NULL;
    call->sent_us = loop_now_us(redis->loop);
    send_call(redis, call, "\r\n", 2);
    redis_link_send(&redis->link, wire + skip, call->wire_size - skip);
    must_free(wire);
}

static void on_alarm(struct redis_link *link)
{
    struct redis *redis = of(link);
    struct list *first = list_first(&redis->open);
    uint64_t age_ms;

    if (!first)
        return;
    age_ms =
        (loop_now_us(redis->loop) - container_of(first, struct redis_call, link)->sent_us) / 1000;
    if (age_ms >= redis->settings.command_ms)
        redis_link_drop(link, REDIS_FAULT_LATE, "a command was not answered in time");
    else
        redis_link_alarm_in(link, redis->settings.command_ms - age_ms);
}

static void end_later(struct redis *redis, struct redis_call *call, enum redis_end how)
{
    call->end = how;
    list_append(&redis->ended, &call->link);
    loop_post(redis->loop, &redis->ended_turn);
}

/* A call asked again while these are told waits for the next turn. */
static void run_ended(struct turn *turn)
{
    struct redis *redis = container_of(turn, struct redis, ended_turn);
    struct list ended, *first;

    list_init(&ended);
    list_take_all(&ended, &redis->ended);
    while ((first = list_first(&ended))) {
        struct redis_call *call = container_of(first, struct redis_call, link);
        list_remove(first);
        end(call, call->end, NULL);
    }
}

static void end(struct redis_call *call, enum redis_end how, const redisReply *reply)
{
    must_free(call->wire);
    call->wire = NULL;
    call->end = how;
    call->open = false;
    call->on_reply(call, how == REDIS_ANSWERED ? (const void *)reply : NULL);
}

#include "io/redis/watch.h"

#include "base/alloc.h"

enum { PING_MS = 2000, PONG_MS = 1000 };

struct redis_watcher {
    struct redis_link link;
    struct redis_watch *watch; /* borrowed, as the prefixes are */
    const char *prefixes[REDIS_PREFIXES_MAX];
    size_t prefix_count;
    bool blind, ping_open;
};

static struct redis_watcher *of(struct redis_link *link)
{
    return container_of(link, struct redis_watcher, link);
}
static void greet(struct redis_link *link);
static bool got_greeting(struct redis_link *link, unsigned step, const redisReply *reply);
static void on_up(struct redis_link *link);
static void on_down(struct redis_link *link);
static void on_reply(struct redis_link *link, redisReply *reply);
static void on_push(struct redis_link *link, redisReply *reply);
static void on_alarm(struct redis_link *link);
static void set_blind(struct redis_watcher *w, bool blind);

static const struct redis_link_owner owner = {
    .up_line = "redis watch up",
    .down_line = "redis watch down: what others change is looked up each time until it is back",
    .failed_line =
        "redis watch cannot be made: what others change is looked up each time until it is",
    .greet = greet,
    .got_greeting = got_greeting,
    .on_up = on_up,
    .on_down = on_down,
    .on_reply = on_reply,
    .on_push = on_push,
    .on_alarm = on_alarm,
};

struct redis_watcher *redis_watcher_open(struct loop *loop, struct log *log,
                                         const struct redis_settings *settings,
                                         struct redis_tls *tls, struct redis_watch *watch,
                                         const char *const *prefixes, size_t count)
{
    struct redis_watcher *w = must_alloc(sizeof(*w));

    assert(count <= REDIS_PREFIXES_MAX);
    for (size_t i = 0; i < count; i++)
        w->prefixes[i] = prefixes[i];
    w->prefix_count = count;
    w->watch = watch;
    w->blind = true;
    redis_link_open(&w->link, loop, log, settings, tls, &owner);
    return w;
}

void redis_watcher_close(struct redis_watcher *w)
{
    redis_link_close(&w->link);
}
bool redis_watcher_is_closed(const struct redis_watcher *w)
{
    return redis_link_is_closed(&w->link);
}
void redis_watcher_free(struct redis_watcher *w)
{
    must_free(w);
}

static void greet(struct redis_link *link)
{
    struct redis_watcher *w = of(link);
    struct span track[4 + 2 * REDIS_PREFIXES_MAX] = {SPAN("CLIENT"), SPAN("TRACKING"), SPAN("ON"),
                                                     SPAN("BCAST")};
    size_t count = 4;

    for (size_t i = 0; i < w->prefix_count; i++) {
        track[count++] = SPAN("PREFIX");
        track[count++] = span_of(w->prefixes[i]);
    }
    redis_link_ask(link, (const struct span[]){SPAN("HELLO"), SPAN("3")}, 2);
    redis_link_ask(link, track, count);
}

static bool got_greeting(struct redis_link *link, unsigned step, const redisReply *reply)
{
    (void)link;
    return reply->type == (step == 0 ? REDIS_REPLY_MAP : REDIS_REPLY_STATUS);
}

static void on_up(struct redis_link *link)
{
    of(link)->ping_open = false;
    redis_link_alarm_in(link, PING_MS);
    set_blind(of(link), false);
}

static void on_down(struct redis_link *link)
{
    set_blind(of(link), true);
}

static void on_alarm(struct redis_link *link)
{
    struct redis_watcher *w = of(link);

    if (w->ping_open) {
        redis_link_drop(link, REDIS_FAULT_LATE, "a PING was not answered");
        return;
    }
    w->ping_open = true;
    redis_link_ask(link, &SPAN("PING"), 1);
    redis_link_alarm_in(link, PONG_MS);
}

static void on_reply(struct redis_link *link, redisReply *reply)
{
    struct redis_watcher *w = of(link);

    if (!w->ping_open) {
        redis_link_drop(link, REDIS_FAULT_PROTOCOL, "a reply nobody asked for");
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_link_drop(link, REDIS_FAULT_NOT_READY, reply->str);
        return;
    }
    w->ping_open = false;
    redis_link_alarm_in(link, PING_MS);
}

/* ["invalidate", [key, ...]] or ["invalidate", nil]: everything. Other pushes are none of ours. */
static void on_push(struct redis_link *link, redisReply *reply)
{
    struct redis_watcher *w = of(link);
    const redisReply *keys = reply->elements == 2 ? reply->element[1] : NULL;
    const redisReply *kind = reply->elements ? reply->element[0] : NULL;

    if (!keys || kind->type != REDIS_REPLY_STRING ||
        !span_equal((struct span){kind->str, kind->len}, SPAN("invalidate")))
        return;
    if (keys->type == REDIS_REPLY_NIL && !w->blind) {
        set_blind(w, true);
        set_blind(w, false);
    }
    for (size_t i = 0; keys->type == REDIS_REPLY_ARRAY && i < keys->elements; i++)
        if (keys->element[i]->type == REDIS_REPLY_STRING)
            w->watch->on_changed(w->watch,
                                 (struct span){keys->element[i]->str, keys->element[i]->len});
}

static void set_blind(struct redis_watcher *w, bool blind)
{
    if (w->blind == blind)
        return;
    w->blind = blind;
    w->watch->on_blind(w->watch, blind);
}

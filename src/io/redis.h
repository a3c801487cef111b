/* redis.h: one pipelined connection to Redis and one that listens for invalidations.
 *
 * Commands of one tick leave in one write. Every command has a deadline: when the oldest one is late the link is
 * dropped, every open call is answered REDIS_LOST, and a new link is made with jittered back-off. While there is no
 * link, calls are answered REDIS_DOWN in the next turn: nothing queues without bound.
 *
 * Owns      the links; calls are embedded in their callers and must stay put until answered.
 * Units     milliseconds.
 * Runs on   the loop, never from inside redis_command or redis_eval. on_reply copies what it needs and posts a turn,
 *           nothing else. SIGPIPE is ignored from redis_open on: hiredis and OpenSSL write without MSG_NOSIGNAL.
 * Fails     call->end tells; REDIS_LOST is "unknown": it may have been applied, or not (scripts are idempotent).
 * Ends      redis_close answers what is open with REDIS_LOST and what comes later with REDIS_DOWN; redis_free when
 *           redis_is_closed.
 * Source    reliability F6-F8, D20; c-style 5.2. NOSCRIPT falls back to EVAL once, unseen by the caller.
 */
#ifndef KEYTURN_IO_REDIS_H
#define KEYTURN_IO_REDIS_H

#include "base/secret.h"
#include "io/loop.h"

struct redis;
struct redis_reply; /* hiredis' own reply behind a name of ours; valid during on_reply */

/* The texts are copied. */
struct redis_settings {
    const char *host; /* a name or an address; or NULL with path */
    int port;
    const char *path;              /* unix socket */
    const char *user;              /* NULL: none */
    const struct secret *password; /* borrowed; NULL: none */
    int database;
    bool tls;            /* with a host; its name is verified */
    const char *ca_file; /* NULL: the system's */
    uint64_t command_ms; /* 250: a command not answered by then is lost and so is the link */
    uint64_t connect_ms; /* resolving, connecting, TLS and greeting together */
    size_t calls_max;    /* open calls; above it a call is answered REDIS_DOWN */
};

enum redis_end {
    REDIS_ANSWERED, /* a reply, which may be an error reply (kind REDIS_ERROR) */
    REDIS_REFUSED, /* Redis is there but not ready: LOADING, READONLY, MASTERDOWN, CLUSTERDOWN, OOM, NOAUTH ...: not applied */
    REDIS_DOWN,    /* no link: not sent, not applied */
    REDIS_LOST     /* sent, outcome unknown */
};

struct redis_call {
    struct list link; /* the redis' open calls */
    void (*on_reply)(
        struct redis_call *call,
        const struct redis_reply *reply); /* reply is NULL unless end is REDIS_ANSWERED */
    enum redis_end end;
    uint64_t asked_us, sent_us; /* sent_us moves when a script is sent again with its text */
    const struct redis_script *script;
    struct redis *redis;
    char *wire; /* a script's command as it was sent, kept for that; NULL otherwise */
    size_t wire_size;
    bool open;
};

/* A Lua script: SHA-1 is computed by Redis at connect (SCRIPT LOAD) and kept by the link. */
struct redis_script {
    const char *name, *text;
};

enum { REDIS_ARGS_MAX = 768, REDIS_PREFIXES_MAX = 8, REDIS_LINK_TURNS_MAX = 8 };

/* Invalidation of keys others (or we) wrote, by prefix: RESP3 client tracking in broadcast mode on a link of its own.
 * on_changed gets each key's name; on_blind runs when the link went down (anything may have changed) and again when it
 * is up; at first we are blind. FLUSHALL is a moment of blindness. Both record only. */
struct redis_watch {
    void (*on_changed)(struct redis_watch *watch, struct span key);
    void (*on_blind)(struct redis_watch *watch, bool blind);
};

struct redis_stats {
    bool up;
    size_t calls_open;
    uint64_t links_made, commands, commands_lost;
    uint64_t latency_us_sum, latency_count;
};

struct redis *redis_open(struct loop *loop, struct log *log, const struct redis_settings *settings,
                         const struct redis_script *const *scripts,
                         size_t script_count); /* scripts stay put */
/* At most one watch; prefixes and watch stay put. */
void redis_watch(struct redis *redis, struct redis_watch *watch, const char *const *prefixes,
                 size_t count);
void redis_on_link(struct redis *redis,
                   struct turn *turn); /* posted whenever the link comes up or goes down */
bool redis_is_up(const struct redis *redis);
struct redis_stats redis_stats(const struct redis *redis);
/* Called for each answered command with its latency; may be NULL. Records only. */
void redis_on_latency(struct redis *redis, void (*note)(void *context, uint64_t microseconds),
                      void *context);
void redis_close(struct redis *redis);
bool redis_is_closed(const struct redis *redis);
void redis_free(struct redis *redis);

void redis_command(struct redis *redis, struct redis_call *call, const struct span *args,
                   size_t count);
/* EVALSHA with keys and arguments. The script must be among those given to redis_open. */
void redis_eval(struct redis *redis, struct redis_call *call, const struct redis_script *script,
                const struct span *keys, size_t key_count, const struct span *args,
                size_t arg_count);

enum redis_kind { REDIS_NIL, REDIS_TEXT, REDIS_NUMBER, REDIS_LIST, REDIS_ERROR };
enum redis_kind redis_reply_kind(
    const struct redis_reply *reply); /* status replies are REDIS_TEXT, maps REDIS_LIST */
struct span redis_reply_text(
    const struct redis_reply *reply); /* text or error; SPAN_NONE otherwise */
int64_t redis_reply_number(
    const struct redis_reply *reply); /* number, or a decimal text; 0 otherwise */
size_t redis_reply_count(const struct redis_reply *reply); /* of a list; 0 otherwise */
const struct redis_reply *redis_reply_item(const struct redis_reply *reply,
                                           size_t index); /* NULL past the end */
/* A list of name, value, name, value: the value, NULL when absent. */
const struct redis_reply *redis_reply_field(const struct redis_reply *reply, struct span name);

#endif

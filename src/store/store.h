/* store.h: the common part of every question to the store.
 *
 * A question is embedded in its asker: its answer is read inside the Redis callback into the question's own fields, and
 * the asker's turn is posted. An asker stays until its questions are answered; every question is, within the command
 * deadline of io/redis.h.
 *
 * Owns      nothing; borrows the redis and the loop.
 * Fails     STORE_DOWN: certainly not applied; STORE_UNKNOWN: may have been applied (ask again: scripts are idempotent by
 *           fence or request id); STORE_BROKEN: the answer is not what this version writes.
 */
#ifndef KEYTURN_STORE_STORE_H
#define KEYTURN_STORE_STORE_H

#include "io/redis.h"
#include "store/schema.h"

enum store_end { STORE_OK, STORE_DOWN, STORE_UNKNOWN, STORE_BROKEN };

struct store {
    struct loop *loop;   /* borrowed */
    struct redis *redis; /* borrowed */
    struct log *log;     /* borrowed */
    bool
        clock_by_hand; /* scripts get loop_wall_ms instead of reading Redis' clock: deterministic scenes */
};

struct store_call {
    struct redis_call redis;
    struct turn *wake; /* borrowed */
    struct store *store;
    enum store_end end;
    /* Reads an answer into the question around this call; false: STORE_BROKEN. */
    bool (*read)(struct store_call *call, const struct redis_reply *reply);
};

static inline bool store_call_is_open(const struct store_call *call)
{
    return call->redis.open;
}

/* The link to Redis; the turn is posted whenever it comes up or goes down, as long as the redis is there. */
bool store_is_up(const struct store *store);
void store_on_link(struct store *store, struct turn *turn);

/* Changes to tokens, keys and users, whoever makes them; which it was: store_key_is_... of the name. */
void store_watch(struct store *store, struct redis_watch *watch);

/* All scripts of this layer, for redis_open. */
const struct redis_script *const *store_scripts(size_t *ret_count);

/* For the files of this layer. */
void store_ask(struct store *store, struct store_call *call, struct turn *wake,
               bool (*read)(struct store_call *, const struct redis_reply *),
               const struct span *args, size_t count);
void store_eval(struct store *store, struct store_call *call, struct turn *wake,
                bool (*read)(struct store_call *, const struct redis_reply *),
                const struct redis_script *script, const struct span *keys, size_t key_count,
                const struct span *args, size_t arg_count);
/* What scripts get as their clock: "0" (read Redis' TIME) or the hand-moved time. */
struct span store_now_arg(const struct store *store, char ret_text[24]);
/* Is the UTC date not today's: by our clock; what it is for has days of room. */
bool store_is_another_day(const struct store *store, struct span day);

#endif

#include "store/store.h"

#include "base/log.h"
#include "base/number.h"
#include "domain/period.h"
#include "store/lua_scripts.h"
#include "store/scripts.h"

#include <assert.h>

static const struct redis_script scripts[] = {
#define ROW(name) [SCRIPT_##name] = {#name, lua_##name},
    STORE_SCRIPTS(ROW)
#undef ROW
};

static const struct redis_script *const script_list[] = {
#define ROW(name) &scripts[SCRIPT_##name],
    STORE_SCRIPTS(ROW)
#undef ROW
};

static void prepare(struct store *store, struct store_call *call, struct turn *wake,
                    bool (*read)(struct store_call *, const struct redis_reply *));
static void on_reply(struct redis_call *redis, const struct redis_reply *reply);
static enum store_end end_of(struct store_call *call, const struct redis_reply *reply);

bool store_is_up(const struct store *store)
{
    return redis_is_up(store->redis);
}

void store_on_link(struct store *store, struct turn *turn)
{
    redis_on_link(store->redis, turn);
}

void store_watch(struct store *store, struct redis_watch *watch)
{
    size_t count;
    const char *const *prefixes = store_watch_prefixes(&count);

    redis_watch(store->redis, watch, prefixes, count);
}

const struct redis_script *const *store_scripts(size_t *ret_count)
{
    *ret_count = STORE_SCRIPT_COUNT;
    return script_list;
}

const struct redis_script *store_script(enum store_script script)
{
    assert(script < STORE_SCRIPT_COUNT);
    return &scripts[script];
}

void store_ask(struct store *store, struct store_call *call, struct turn *wake,
               bool (*read)(struct store_call *, const struct redis_reply *),
               const struct span *args, size_t count)
{
    prepare(store, call, wake, read);
    redis_command(store->redis, &call->redis, args, count);
}

void store_eval(struct store *store, struct store_call *call, struct turn *wake,
                bool (*read)(struct store_call *, const struct redis_reply *),
                const struct redis_script *script, const struct span *keys, size_t key_count,
                const struct span *args, size_t arg_count)
{
    prepare(store, call, wake, read);
    redis_eval(store->redis, &call->redis, script, keys, key_count, args, arg_count);
}

struct span store_now_arg(const struct store *store, char ret_text[24])
{
    int64_t now_ms = store->clock_by_hand ? loop_wall_ms(store->loop) : 0;

    return number_text(now_ms, ret_text);
}

bool store_is_another_day(const struct store *store, struct span day)
{
    struct period today = period_of(LIMIT_RESET_DAILY, loop_wall_ms(store->loop));

    return !span_equal(day, span_of(today.name));
}

static void prepare(struct store *store, struct store_call *call, struct turn *wake,
                    bool (*read)(struct store_call *, const struct redis_reply *))
{
    assert(!call->redis.open && wake);
    call->redis.on_reply = on_reply;
    call->store = store;
    call->wake = wake;
    call->read = read;
    call->end = STORE_UNKNOWN;
}

static void on_reply(struct redis_call *redis, const struct redis_reply *reply)
{
    struct store_call *call = container_of(redis, struct store_call, redis);

    call->end = end_of(call, reply);
    loop_post(call->store->loop, call->wake);
}

static enum store_end end_of(struct store_call *call, const struct redis_reply *reply)
{
    const char *what = call->redis.script ? call->redis.script->name : "command";

    switch (call->redis.end) {
    case REDIS_ANSWERED:
        break;
    case REDIS_REFUSED:
    case REDIS_DOWN:
        return STORE_DOWN;
    case REDIS_LOST:
        return STORE_UNKNOWN;
    }
    if (redis_reply_kind(reply) == REDIS_ERROR) {
        log_error(call->store->log, "Redis answered with an error; is it another version's store?",
                  log_text("script", what), log_span("answer", redis_reply_text(reply)));
        return STORE_BROKEN;
    }
    if (call->read(call, reply))
        return STORE_OK;
    log_error(call->store->log, "the store holds what this version does not write",
              log_text("script", what));
    return STORE_BROKEN;
}

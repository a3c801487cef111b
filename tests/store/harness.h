/* harness.h: two instances of the store on one loop and one private redis-server, and waiting for answers.
 *
 * Time is Redis' own. It is moved by hand the other way round: store_pass_ms moves the times that are stored into the
 * past.
 */
#ifndef KEYTURN_TESTS_STORE_HARNESS_H
#define KEYTURN_TESTS_STORE_HARNESS_H

#include "io/redis.h"
#include "redis_server.h"
#include "store/keys.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct harness {
    struct redis_server server;
    struct loop *loop;
    struct redis *links[2];
    struct store a, b; /* two instances */
    struct turn wake;
    bool woken;
};

struct look {
    struct redis_call call;
    struct harness *harness;
    char text[1024]; /* of the answer, its first item's if it is a list */
};

static inline void harness_woken(struct turn *turn)
{
    struct harness *h = container_of(turn, struct harness, wake);

    h->woken = true;
    loop_stop(h->loop);
}

static inline void harness_await(struct harness *h)
{
    h->woken = false;
    while (!h->woken)
        loop_run(h->loop);
}

#define AWAIT_OK(h, question) \
    do { \
        harness_await(h); \
        assert_int_equal((question).call.end, STORE_OK); \
    } while (0)

static inline void look_on_reply(struct redis_call *call, const struct redis_reply *reply)
{
    struct look *look = container_of(call, struct look, call);

    assert_int_equal(call->end, REDIS_ANSWERED);
    while (redis_reply_count(reply) > 0)
        reply = redis_reply_item(reply, 0);
    assert_int_not_equal(redis_reply_kind(reply), REDIS_ERROR);
    if (redis_reply_kind(reply) == REDIS_NUMBER)
        snprintf(look->text, sizeof(look->text), "%lld", (long long)redis_reply_number(reply));
    else
        span_text(redis_reply_text(reply), look->text, sizeof(look->text));
    loop_post(look->harness->loop, &look->harness->wake);
}

/* A command as one line. */
static inline struct look store_look_split(struct harness *h, const char *line, char separator)
{
    struct look look = {.call = {.on_reply = look_on_reply}, .harness = h};
    struct span rest = span_of(line), words[REDIS_ARGS_MAX];
    size_t count = 0;

    while (count < REDIS_ARGS_MAX && span_split(&rest, separator, &words[count]))
        count++;
    redis_command(h->links[0], &look.call, words, count);
    harness_await(h);
    return look;
}

static inline struct look store_look(struct harness *h, const char *line)
{
    return store_look_split(h, line, ' ');
}

#define assert_look(h, line, expected) \
    do { \
        struct look look_ = store_look(h, line); \
        assert_string_equal(look_.text, expected); \
    } while (0)

/* Moves what user "ada" has by ms into the past, as if that much time went by. */
static inline void store_pass_ms(struct harness *h, int64_t ms)
{
    static const char *const times[] = {"kt:{u:ada}:renewal until_ms",
                                        "kt:{u:ada}:renewal outcome_ms",
                                        "kt:k:{u:ada} last_renewal_at"};
    char line[128];

    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        snprintf(line, sizeof(line), "HEXISTS %s", times[i]);
        if (store_look(h, line).text[0] != '1')
            continue;
        snprintf(line, sizeof(line), "HINCRBY %s -%lld", times[i], (long long)ms);
        store_look(h, line);
    }
}

static inline int harness_start(void **state)
{
    struct harness *h = calloc(1, sizeof(*h));
    size_t count;
    const struct redis_script *const *scripts = store_scripts(&count);

    redis_server_start(&h->server);
    struct redis_settings settings = {
        .path = h->server.socket, .command_ms = 5000, .connect_ms = 5000, .calls_max = 64};
    h->loop = loop_open(NULL);
    turn_init(&h->wake, harness_woken);
    for (int i = 0; i < 2; i++) {
        h->links[i] = redis_open(h->loop, NULL, &settings, scripts, count);
        redis_on_link(h->links[i], &h->wake);
        while (!redis_is_up(h->links[i]))
            harness_await(h);
    }
    h->a = (struct store){.loop = h->loop, .redis = h->links[0]};
    h->b = (struct store){.loop = h->loop, .redis = h->links[1]};
    *state = h;
    return 0;
}

static inline int harness_empty(void **state)
{
    store_look(*state, "FLUSHALL");
    return 0;
}

static inline int harness_stop(void **state)
{
    struct harness *h = *state;

    for (int i = 0; i < 2; i++)
        redis_close(h->links[i]);
    while (!redis_is_closed(h->links[0]) || !redis_is_closed(h->links[1])) {
        loop_post(h->loop, &h->wake);
        harness_await(h);
    }
    for (int i = 0; i < 2; i++)
        redis_free(h->links[i]);
    turn_cancel(&h->wake);
    loop_close(h->loop);
    redis_server_stop(&h->server);
    free(h);
    return 0;
}

#define STORE_TEST(name) cmocka_unit_test_setup(name, harness_empty)

#endif

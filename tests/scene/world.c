#include "scene/world.h"

#include "scene/pump.h"
#include "scene/scene.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { CLOSING_MS = 60000 };

#define MANAGEMENT_KEY "sk-or-v1-management-of-the-scene"
#define ROOTS "scene:c2NlbmVzY2VuZXNjZW5lc2NlbmVzY2VuZXNjZW5lc2M="

static const char *const prefixes[] = {STORE_WATCH_TOKEN, STORE_WATCH_KEY};
static const uint64_t map_seed[2] = {1, 2};

static bool serves(const struct instance *instance);
static void usual_settings(struct flow_settings *settings);
static void open_store(struct world *w, struct instance *instance);
static struct instance *open_instance(struct world *w);
static void close_instance(struct world *w, struct instance *instance);
static uint64_t counted_random(void);
static void answer_inference(void *context, const struct fake_asked *asked,
                             struct fake_answer *ret_answer);

void world_open(struct world *w)
{
    char error[VAULT_ERROR_SIZE], text[1024];

    w->vault = vault_open(SPAN(ROOTS), error);
    assert(w->vault);
    secret_set(&w->management_key, SPAN(MANAGEMENT_KEY));
    w->keys.management_key = MANAGEMENT_KEY;
    usual_settings(&w->settings);
    if (w->scene->arrange)
        w->scene->arrange(w);
    w->keys.ahead_ms = w->settings.key_renew_ahead_ms;
    w->desk.name[0] = '-';
    w->desk.loop = loop_open(NULL);
    open_store(w, &w->desk);
    w->keys.now_ms = loop_wall_ms(w->desk.loop);
    FAKE_LOOK(w->desk.redis, text, "FLUSHALL");
    tidings_open(&w->tidings, w->socket);
    for (unsigned i = 0; i < w->scene->instances; i++)
        open_instance(w);
}

void world_close(struct world *w)
{
    bool idle = false;

    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive)
            flow_drain(&w->instances[i].flow);
    for (uint64_t until_ms = world_now_ms(w) + CLOSING_MS; !idle && world_now_ms(w) < until_ms;) {
        everything_runs(w, 100);
        idle = true;
        for (unsigned i = 0; i < w->instance_count; i++)
            idle = idle && (!w->instances[i].alive || flow_is_idle(&w->instances[i].flow));
    }
    EXPECT(w, idle);
    for (unsigned i = 0; idle && i < w->instance_count; i++)
        if (w->instances[i].alive)
            close_instance(w, &w->instances[i]);
    for (size_t i = 0; i < w->asker_count; i++)
        if (!fake_client_is_open(w->askers[i].client))
            fake_client_free(w->askers[i].client);
    tidings_close(&w->tidings);
    redis_close(w->desk.redis);
    redis_free(w->desk.redis);
    loop_close(w->desk.loop);
    fake_asks_done(&w->asks);
    secret_done(&w->management_key);
    vault_close(w->vault);
}

struct instance *world_instance(struct world *w, unsigned wished)
{
    if (wished < w->instance_count && serves(&w->instances[wished]))
        return &w->instances[wished];
    for (unsigned i = 0; i < w->instance_count; i++)
        if (serves(&w->instances[i]))
            return &w->instances[i];
    return open_instance(w);
}

/* As by SIGKILL: its memory is left as it is, its loop never runs again, its clients see their connections break. */
void world_kill(struct world *w, unsigned index, bool carried_out)
{
    struct instance *instance = &w->instances[index];

    instance->alive = false;
    for (size_t i = 0; i < w->asker_count; i++)
        if (w->askers[i].instance == index)
            fake_client_vanishes(w->askers[i].client);
    fake_redis_forget(instance->redis, carried_out);
    fake_fetch_forget(instance->fetcher, carried_out);
    fake_upstream_forget(instance->upstream);
    log_flush(instance->log);
    world_instance(w, 0);
}

void world_fails(struct world *w, const char *file, int line, const char *format, ...)
{
    va_list args;

    w->failed = true;
    fprintf(stderr, "** %s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

void world_says(struct world *w, const char *format, ...)
{
    va_list args;

    if (!w->tells_all)
        return;
    fprintf(stderr, "-- %llu ms: ", (unsigned long long)(world_now_ms(w) - FAKE_NOW_MS));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

uint64_t world_now_ms(const struct world *w)
{
    return loop_now_ms(w->desk.loop);
}

void world_pass(struct world *w, uint64_t ms)
{
    fake_loop_pass(w->desk.loop, ms);
    w->keys.now_ms = loop_wall_ms(w->desk.loop);
    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive)
            fake_loop_pass(w->instances[i].loop, ms);
}

uint64_t world_next_due(const struct world *w)
{
    uint64_t next_ms = UINT64_MAX;

    for (unsigned i = 0; i < w->instance_count; i++) {
        uint64_t due_ms = fake_loop_next_due(w->instances[i].loop);
        if (w->instances[i].alive && due_ms < next_ms)
            next_ms = due_ms;
    }
    if (w->away_until_ms && w->away_until_ms < next_ms)
        next_ms = w->away_until_ms;
    if (w->blind_until_ms && w->blind_until_ms < next_ms)
        next_ms = w->blind_until_ms;
    return next_ms;
}

bool world_is_quiet(const struct world *w)
{
    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive && w->instances[i].flow.exchange_count > 0)
            return false;
    for (size_t i = 0; i < w->asker_count; i++)
        if (fake_client_is_open(w->askers[i].client))
            return false;
    return true;
}

static bool serves(const struct instance *instance)
{
    return instance->alive && !instance->flow.draining;
}

/* The defaults of the configuration. */
static void usual_settings(struct flow_settings *settings)
{
    *settings = (struct flow_settings){
        .base_path = SPAN("/api/v1"),
        .title = SPAN("scene"),
        .default_tier = SPAN("Standard"),
        .key_limit_nano_usd = INT64_C(10000000000),
        .key_limit_reset = LIMIT_RESET_MONTHLY,
        .key_expires_after_ms = INT64_C(90) * 24 * 3600 * 1000,
        .key_renew_ahead_ms = INT64_C(24) * 3600 * 1000,
        .key_idle_ms = 60000,
        .cache_max = 100000,
        .renewal_wait_ms = 10000,
        .renewal_pace_ms = 60000,
        .renewal_lease_ms = 15000,
        .control_ms = 8000,
        .sweep_every_ms = 10000,
        .sweep_age_ms = 20000,
        .head_stream_ms = 120000,
        .head_plain_ms = 300000,
        .idle_ms = 60000,
        .body_max_bytes = 1 << 20,
    };
}

static void open_store(struct world *w, struct instance *instance)
{
    const struct redis_settings settings = {.path = w->socket};
    size_t count;
    const struct redis_script *const *scripts = store_scripts(&count);

    instance->redis = redis_open(instance->loop, instance->log, &settings, scripts, count);
    instance->store = (struct store){.loop = instance->loop,
                                     .redis = instance->redis,
                                     .log = instance->log,
                                     .clock_by_hand = true};
}

static struct instance *open_instance(struct world *w)
{
    struct instance *instance = &w->instances[w->instance_count];
    struct flow *flow = &instance->flow;
    const struct fetch_settings fetch = {.body_max_bytes = 4 << 20};
    const struct upstream_settings upstream = {.calls_max = 1000};

    assert(w->instance_count < INSTANCES_MAX);
    snprintf(instance->name, sizeof(instance->name), "%c", 'A' + (int)(w->instance_count % 26));
    w->instance_count++;
    instance->alive = true;
    instance->log = log_open(STDERR_FILENO, LOG_LOGFMT, w->tells_all ? LOG_DEBUG : LOG_INFO);
    instance->loop = loop_open(instance->log);
    fake_loop_pass(instance->loop, world_now_ms(w) - loop_now_ms(instance->loop));
    open_store(w, instance);
    instance->metrics = metrics_open(measures_table(), MEASURE_COUNT);
    instance->request_ids.process = w->instance_count;
    instance->upstream = upstream_open(instance->loop, instance->log, &upstream);
    fake_upstream_serve(instance->upstream, &w->asks, answer_inference, w);
    instance->fetcher = fetcher_open(instance->loop, instance->log, &fetch);
    fake_fetch_serve(instance->fetcher, &w->keys, w->settings.base_path);
    *flow = (struct flow){.loop = instance->loop,
                          .log = instance->log,
                          .metrics = instance->metrics,
                          .store = &instance->store,
                          .upstream = instance->upstream,
                          .fetcher = instance->fetcher,
                          .vault = w->vault,
                          .management_key =
                              secret_is_set(&w->management_key) ? &w->management_key : NULL,
                          .settings = &w->settings,
                          .random = counted_random,
                          .request_ids = &instance->request_ids};
    snprintf(flow->instance, sizeof(flow->instance), "instance-%u", w->instance_count);
    snprintf(flow->deployment, sizeof(flow->deployment), "scene");
    memset(flow->pseudonym_key, 7, sizeof(flow->pseudonym_key));
    flow_open(flow, map_seed);
    redis_watch(instance->redis, &flow->watch, prefixes, sizeof(prefixes) / sizeof(*prefixes));
    fake_redis_set_link(instance->redis, !w->away_until_ms);
    fake_redis_blind(instance->redis, w->away_until_ms || w->blind_until_ms);
    return instance;
}

static void close_instance(struct world *w, struct instance *instance)
{
    EXPECT_NUMBER(w, fake_redis_pending(instance->redis), 0);
    EXPECT_NUMBER(w, fake_fetch_open(instance->fetcher), 0);
    EXPECT_NUMBER(w, fake_upstream_open(instance->upstream), 0);
    flow_close(&instance->flow);
    EXPECT_NUMBER(w, keyring_count(&instance->flow.keyring), 0);
    EXPECT_NUMBER(w, identities_count(&instance->flow.identities), 0);
    upstream_close(instance->upstream);
    upstream_free(instance->upstream);
    fetcher_close(instance->fetcher);
    fetcher_free(instance->fetcher);
    redis_close(instance->redis);
    redis_free(instance->redis);
    metrics_close(instance->metrics);
    fake_loop_run(instance->loop);
    loop_close(instance->loop);
    log_close(instance->log);
}

/* The same in every replay: a world has a process of its own. */
static uint64_t counted_random(void)
{
    static uint64_t count;
    uint64_t z = ++count * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void answer_inference(void *context, const struct fake_asked *asked,
                             struct fake_answer *ret_answer)
{
    static const struct fake_answer
        plain =
            {200,
             {{SPAN("content-type"), SPAN("application/json")}, {SPAN("x-generation-id"), SPAN("gen-1")}},
             2,
             {"{\"id\":\"gen-1\",\"choices\":[", "],\"usage\":{\"cost\":0.1}}"},
             2,
             true},
        stream = {200,
                  {{SPAN("content-type"), SPAN("text/event-stream")},
                   {SPAN("set-cookie"), SPAN("not=for-clients")}},
                  2,
                  {": OPENROUTER PROCESSING\n\n", "data: {\"choices\":[{\"n\":1}]}\n\n",
                   "data: {\"choices\":[{\"n\":2}]}\n\n", "data: [DONE]\n\n"},
                  4,
                  false},
        refused = {401, {{SPAN("content-type"), SPAN("application/json")}},
                   1,   {"{\"error\":{\"message\":\"User not found.\",\"code\":401}}"},
                   1,   true};
    struct world *w = context;
    bool streams = span_contains(buffer_view(&asked->body), SPAN("\"stream\":true"));

    if (w->next_answer_at < w->next_answer_count)
        *ret_answer = w->next_answers[w->next_answer_at++];
    else if (w->storm || !fake_keys_accept(&w->keys, span_of(asked->bearer)))
        *ret_answer = refused;
    else
        *ret_answer = streams ? stream : plain;
}

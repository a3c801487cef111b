#include "scene/world.h"

#include "scene/pump.h"
#include "scene/scene.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { CLOSING_MS = 60000 };

#define MANAGEMENT_KEY "sk-or-v1-management-of-the-scene"
#define SHARED_KEY "sk-or-v1-shared-by-all-of-the-scene"
#define ROOTS "scene:c2NlbmVzY2VuZXNjZW5lc2NlbmVzY2VuZXNjZW5lc2M="

static const uint64_t map_seed[2] = {1, 2};

static bool serves(const struct instance *instance);
static void usual_settings(struct world *w);
static void read_the_catalogue(struct world *w);
static void open_store(struct world *w, struct instance *instance);
static struct instance *open_instance(struct world *w);
static void close_instance(struct world *w, struct instance *instance);
static uint64_t counted_random(void);
static bool is_worked_on(void *context, const struct fake_asked *asked);
static void answer_inference(void *context, struct fake_asked *asked,
                             struct fake_answer *ret_answer);

void world_open(struct world *w)
{
    char error[VAULT_ERROR_SIZE], text[1024];

    w->vault = vault_open(SPAN(ROOTS), error);
    assert(w->vault);
    secret_set(&w->management_key, SPAN(MANAGEMENT_KEY));
    secret_set(&w->shared_key, SPAN(SHARED_KEY));
    w->keys.management_key = MANAGEMENT_KEY;
    w->keys.shared_key = SHARED_KEY;
    w->keys.asks = &w->asks;
    usual_settings(w);
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
    if (!w->models_come_late)
        read_the_catalogue(w);
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
    if (w->journal)
        journal_close(w->journal);
    tiers_done(&w->tiers);
    secret_done(&w->shared_key);
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
static void usual_settings(struct world *w)
{
    tariff_open(&w->tiers);
    w->settings = (struct flow_settings){
        .base_path = SPAN("/api/v1"),
        .title = SPAN("scene"),
        .tiers = &w->tiers,
        .default_tier = tiers_find(&w->tiers, SPAN("Standard")),
        .key_renew_ahead_ms = INT64_C(24) * 3600 * 1000,
        .key_idle_ms = 60000,
        .cache_max = 100000,
        .renewal_wait_ms = 10000,
        .renewal_pace_ms = 60000,
        .renewal_lease_ms = 15000,
        .hold_lease_ms = 30000,
        .holds_ahead = AHEAD_MAX,
        .free_per_minute = 20,
        .free_per_day = 1000,
        .models_refresh_ms = 600000,
        .control_ms = 8000,
        .sweep_every_ms = 10000,
        .sweep_age_ms = 20000,
        .head_stream_ms = 120000,
        .head_plain_ms = 300000,
        .idle_ms = 60000,
        .body_max_bytes = 1 << 20,
    };
}

/* Before the story: none of these waits is one of it. */
static void read_the_catalogue(struct world *w)
{
    struct wait_note *notes = w->notes;
    struct break_point breaking = w->breaking;
    uint64_t shuffle = w->shuffle;

    w->notes = NULL;
    w->breaking = (struct break_point){BREAK_NONE, 0};
    w->shuffle = 0;
    everything_runs(w, 0);
    for (unsigned i = 0; i < w->instance_count; i++)
        assert(w->instances[i].flow.models.catalogue);
    w->notes = notes;
    w->breaking = breaking;
    w->shuffle = shuffle;
    w->wait_count = w->source_at = 0;
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
    fake_upstream_serve(instance->upstream, &w->asks, answer_inference, is_worked_on, w);
    instance->fetcher = fetcher_open(instance->loop, instance->log, &fetch);
    fake_fetch_serve(instance->fetcher, &w->keys, &w->asks, w->settings.base_path);
    *flow = (struct flow){.loop = instance->loop,
                          .log = instance->log,
                          .metrics = instance->metrics,
                          .store = &instance->store,
                          .upstream = instance->upstream,
                          .fetcher = instance->fetcher,
                          .vault = w->vault,
                          .management_key =
                              secret_is_set(&w->management_key) ? &w->management_key : NULL,
                          .shared_key = secret_is_set(&w->shared_key) ? &w->shared_key : NULL,
                          .journal = w->journal,
                          .settings = &w->settings,
                          .random = counted_random,
                          .request_ids = &instance->request_ids};
    snprintf(flow->instance, sizeof(flow->instance), "instance-%u", w->instance_count);
    snprintf(flow->deployment, sizeof(flow->deployment), "scene");
    memset(flow->pseudonym_key, 7, sizeof(flow->pseudonym_key));
    flow_open(flow, map_seed);
    fake_redis_set_link(instance->redis, !w->away_until_ms);
    fake_redis_blind(instance->redis, w->away_until_ms || w->blind_until_ms);
    return instance;
}

static void close_instance(struct world *w, struct instance *instance)
{
    EXPECT_NUMBER(w, fake_redis_pending(instance->redis), 0);
    EXPECT_NUMBER(w, fake_fetch_open(instance->fetcher), 0);
    EXPECT_NUMBER(w, fake_upstream_open(instance->upstream), 0);
    EXPECT_NUMBER(w, instance->flow.advances.round.taking.open, 0);
    for (size_t at = 0; at < SETTLEMENT_AT_COUNT; at++)
        EXPECT_NUMBER(w, instance->flow.settlements.round.congestion[at].open, 0);
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

static bool is_worked_on(void *context, const struct fake_asked *asked)
{
    const struct world *w = context;

    return w->next_answer_at == w->next_answer_count && !w->storm &&
           fake_keys_accept(&w->keys, span_of(asked->bearer)) &&
           !fake_keys_at_limit(&w->keys, span_of(asked->bearer));
}

static void answer_inference(void *context, struct fake_asked *asked,
                             struct fake_answer *ret_answer)
{
    static const struct fake_answer refused = {
        401, {{SPAN("content-type"), SPAN("application/json")}},
        1,   {"{\"error\":{\"message\":\"User not found.\",\"code\":401}}"},
        1,   true};
    static const struct fake_answer at_limit = {
        403,
        {{SPAN("content-type"), SPAN("application/json")}},
        1,
        {"{\"error\":{\"message\":\"Key limit exceeded (monthly limit). Manage it using "
         "https://openrouter.ai/settings/keys\",\"code\":403}}"},
        1,
        true};
    struct world *w = context;
    struct fake_bill *bill = &asked->bill;

    if (w->next_answer_at < w->next_answer_count) {
        *ret_answer = w->next_answers[w->next_answer_at++];
        return;
    }
    if (!is_worked_on(w, asked)) {
        bool live = !w->storm && fake_keys_accept(&w->keys, span_of(asked->bearer));
        *ret_answer = live ? at_limit : refused;
        return;
    }
    fake_bill_answer(bill, &w->asks.billing);
    *ret_answer = (struct fake_answer){.status = 200,
                                       .field_count = 3,
                                       .piece_count = bill->piece_count,
                                       .tells_size = !bill->streams};
    ret_answer->fields[0] = (struct header){
        SPAN("content-type"), bill->streams ? SPAN("text/event-stream") : SPAN("application/json")};
    ret_answer->fields[1] = (struct header){SPAN("x-generation-id"), span_of(bill->generation)};
    ret_answer->fields[2] = (struct header){SPAN("set-cookie"), SPAN("not=for-clients")};
    for (size_t i = 0; i < bill->piece_count; i++)
        ret_answer->pieces[i] = bill->texts[i];
}

#include "scene/pump.h"

#include "flow/exchange/way.h"

#include <assert.h>
#include <stdio.h>

enum { SOURCES_OF_INSTANCE = 3, DELIVERIES_MAX = 400000, AWAY_MS = 5000, BLIND_MS = 1000 };

/* Somebody who may deliver: the redis, the fetcher or the upstream of an instance, or a client with more of its body. */
struct source {
    struct instance *instance; /* NULL: a client */
    unsigned index;            /* of the instance */
    struct asker *asker;
    enum wait_kind kind;
    char label[WAIT_LABEL_SIZE];
};

static void run_turns(struct world *w);
static void learn_request_ids(struct world *w);
static unsigned count_sources(const struct world *w);
static bool source_waits(struct world *w, unsigned at, struct source *ret_source);
static bool instance_waits(struct instance *instance, unsigned which, struct source *source);
static unsigned first_source(struct world *w);
static void number_wait(struct world *w, const struct source *source, bool *ret_breaks);
static void deliver(struct world *w, const struct source *source);
static bool mishap_happens(struct world *w, const struct source *source);
static void break_here(struct world *w, const struct source *source);
static void break_source(struct world *w, const struct source *source, enum break_kind kind);
static void break_redis(struct world *w, struct redis *redis, enum break_kind kind);
static void break_fetch(struct fetcher *fetcher, enum break_kind kind);
static void break_upstream(struct upstream *upstream, enum break_kind kind);
static void first_client_leaves(struct world *w);
static void tell_sooner_or_later(struct world *w);
static uint64_t draw(struct world *w);
static void set_away(struct world *w, bool away);
static void set_blind(struct world *w, bool blind);
static void heal_what_is_due(struct world *w);

void pump_changes(struct world *w)
{
    tidings_gather(&w->tidings);
    for (unsigned i = 0; i < w->instance_count; i++)
        for (size_t k = 0; k < w->tidings.count; k++)
            if (w->instances[i].alive && !w->away_until_ms && !w->blind_until_ms)
                fake_redis_changed(w->instances[i].redis, span_of(w->tidings.keys[k]));
    w->tidings.count = 0;
}

bool pump_once(struct world *w)
{
    unsigned count = count_sources(w), first = first_source(w);

    for (unsigned i = 0; i < count; i++) {
        struct source source = {0};
        bool breaks;
        if (!source_waits(w, (first + i) % count, &source))
            continue;
        w->source_at = (first + i) % count;
        number_wait(w, &source, &breaks);
        if (breaks)
            break_here(w, &source);
        else
            deliver(w, &source);
        if (source.kind == WAIT_REDIS || breaks)
            tell_sooner_or_later(w);
        return true;
    }
    return false;
}

void everything_runs(struct world *w, uint64_t ms)
{
    uint64_t until_ms = world_now_ms(w) + ms;

    for (;;) {
        uint64_t due_ms;
        run_turns(w);
        if (pump_once(w))
            continue;
        pump_changes(w);
        due_ms = world_next_due(w);
        if (due_ms > until_ms)
            break;
        world_pass(w, due_ms > world_now_ms(w) ? due_ms - world_now_ms(w) : 0);
        heal_what_is_due(w);
    }
    world_pass(w, until_ms - world_now_ms(w));
}

void everybody_is_answered(struct world *w, uint64_t at_most_ms)
{
    uint64_t until_ms = world_now_ms(w) + at_most_ms;

    everything_runs(w, 0);
    while (!world_is_quiet(w) && world_now_ms(w) < until_ms) {
        uint64_t due_ms = world_next_due(w), now_ms = world_now_ms(w);
        uint64_t step_ms = due_ms > now_ms ? due_ms - now_ms : 1;
        everything_runs(w, step_ms < until_ms - now_ms ? step_ms : until_ms - now_ms);
    }
}

static void run_turns(struct world *w)
{
    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive)
            fake_loop_run(w->instances[i].loop);
    learn_request_ids(w);
}

/* A request that uses a hold taken ahead has the hold's id. */
static void learn_request_ids(struct world *w)
{
    for (size_t i = 0; i < w->asker_count; i++) {
        struct asker *asker = &w->askers[i];
        if (!w->instances[asker->instance].alive)
            continue;
        LIST_EACH (node, &asker->flow->exchanges) {
            const struct exchange *x = container_of(node, struct exchange, in_flight);
            if (x->client && x->client == asker->client)
                memcpy(asker->request_id, x->request_id, sizeof(asker->request_id));
        }
    }
}

static unsigned count_sources(const struct world *w)
{
    return w->instance_count * SOURCES_OF_INSTANCE + (unsigned)w->asker_count;
}

static bool source_waits(struct world *w, unsigned at, struct source *source)
{
    unsigned index = at / SOURCES_OF_INSTANCE;

    if (index < w->instance_count) {
        source->index = index;
        return w->instances[index].alive &&
               instance_waits(&w->instances[index], at % SOURCES_OF_INSTANCE, source);
    }
    source->asker = &w->askers[at - w->instance_count * SOURCES_OF_INSTANCE];
    source->index = source->asker->instance;
    source->kind = WAIT_CLIENT;
    snprintf(source->label, sizeof(source->label), "%s client body",
             w->instances[source->index].name);
    return fake_client_has_step(source->asker->client);
}

static bool instance_waits(struct instance *instance, unsigned which, struct source *source)
{
    static const char *const steps[] = {"head", "piece", "end"};
    char what[FAKE_FETCH_LABEL_SIZE];

    source->instance = instance;
    if (which == 0 && fake_redis_pending(instance->redis) > 0) {
        source->kind = WAIT_REDIS;
        snprintf(source->label, sizeof(source->label), "%s redis %s", instance->name,
                 fake_redis_oldest(instance->redis));
    } else if (which == 1 && fake_fetch_pending(instance->fetcher) > 0) {
        source->kind = WAIT_FETCH;
        fake_fetch_oldest(instance->fetcher, what);
        snprintf(source->label, sizeof(source->label), "%s fetch %s", instance->name, what);
    } else if (which == 2 && fake_upstream_pending(instance->upstream) > 0) {
        enum fake_step step = fake_upstream_next(instance->upstream);
        source->kind = step == STEP_HEAD ? WAIT_HEAD : WAIT_BODY;
        snprintf(source->label, sizeof(source->label), "%s upstream %s", instance->name,
                 steps[step]);
    }
    return source->kind != 0;
}

/* In turn, so that nobody is ahead of everybody else; or by lot. */
static unsigned first_source(struct world *w)
{
    return w->shuffle ? (unsigned)draw(w) : w->source_at + 1;
}

static void number_wait(struct world *w, const struct source *source, bool *ret_breaks)
{
    size_t number = w->wait_count++;

    assert(number < DELIVERIES_MAX); /* somebody asks without end */
    world_says(w, "wait %zu: %s", number, source->label);
    if (w->notes && number < WAITS_MAX && w->breaking.kind == BREAK_NONE) {
        w->notes[number].kind = source->kind;
        memcpy(w->notes[number].label, source->label, WAIT_LABEL_SIZE);
    }
    *ret_breaks = w->breaking.kind != BREAK_NONE && w->breaking.kind != BREAK_SHUFFLE &&
                  w->breaking.at == number;
    if (*ret_breaks && w->notes && w->notes[number].kind)
        assert(strcmp(w->notes[number].label, source->label) ==
               0); /* the replay took another way */
}

static void deliver(struct world *w, const struct source *source)
{
    if (mishap_happens(w, source))
        return;
    switch (source->kind) {
    case WAIT_REDIS:
        fake_redis_deliver(source->instance->redis, FAKE_ANSWER);
        return;
    case WAIT_FETCH:
        fake_fetch_deliver(source->instance->fetcher, FETCHED_ANSWER);
        return;
    case WAIT_HEAD:
    case WAIT_BODY:
        fake_upstream_step(source->instance->upstream, FATE_NEXT);
        return;
    case WAIT_CLIENT:
        fake_client_step(source->asker->client);
        return;
    case WAIT_ANY:
        break;
    }
}

static bool mishap_happens(struct world *w, const struct source *source)
{
    for (size_t i = 0; i < w->mishap_count; i++) {
        struct mishap *mishap = &w->mishaps[i];
        if (!mishap->label || !strstr(source->label, mishap->label))
            continue;
        mishap->label = NULL;
        break_source(w, source, mishap->kind);
        return true;
    }
    return false;
}

static void break_here(struct world *w, const struct source *source)
{
    w->broke = true;
    break_source(w, source, w->breaking.kind);
}

static void break_source(struct world *w, const struct source *source, enum break_kind kind)
{
    world_says(w, "here it breaks: %s", break_name(kind));
    assert(break_fits(kind, source->kind));
    if (kind == BREAK_client_leaves)
        first_client_leaves(w);
    else if (kind == BREAK_blind)
        set_blind(w, true);
    else if (kind == BREAK_dies_done || kind == BREAK_dies_undone)
        world_kill(w, source->index, kind == BREAK_dies_done);
    else if (source->kind == WAIT_REDIS)
        break_redis(w, source->instance->redis, kind);
    else if (source->kind == WAIT_FETCH)
        break_fetch(source->instance->fetcher, kind);
    else if (source->kind == WAIT_CLIENT)
        fake_client_fails(source->asker->client, FAULT_BAD_FRAMING);
    else
        break_upstream(source->instance->upstream, kind);
}

/* A lost command takes the link along, and with it whatever else was on its way. */
static void break_redis(struct world *w, struct redis *redis, enum break_kind kind)
{
    enum fake_delivery how = kind == BREAK_lost_unapplied ? FAKE_LOST_UNAPPLIED
                             : kind == BREAK_down         ? FAKE_DOWN
                             : kind == BREAK_refused      ? FAKE_REFUSED
                                                          : FAKE_LOST_APPLIED;

    fake_redis_deliver(redis, how);
    while (kind != BREAK_refused && fake_redis_pending(redis) > 0)
        fake_redis_deliver(redis, how);
    if (kind == BREAK_away)
        set_away(w, true);
}

static void break_fetch(struct fetcher *fetcher, enum break_kind kind)
{
    static const enum fake_fetched how[BREAK_COUNT] = {
        [BREAK_unreached] = FETCHED_UNREACHED,
        [BREAK_unknown_done] = FETCHED_UNKNOWN_DONE,
        [BREAK_unknown_undone] = FETCHED_UNKNOWN_UNDONE,
        [BREAK_status_500] = FETCHED_500,
        [BREAK_status_502] = FETCHED_502_DONE,
        [BREAK_status_429] = FETCHED_429,
        [BREAK_status_401] = FETCHED_401,
        [BREAK_garbage] = FETCHED_GARBAGE,
    };

    assert(how[kind] != FETCHED_ANSWER);
    fake_fetch_deliver(fetcher, how[kind]);
}

static void break_upstream(struct upstream *upstream, enum break_kind kind)
{
    fake_upstream_step(upstream, kind == BREAK_unreached ? FATE_UNREACHED
                                 : kind == BREAK_lost    ? FATE_LOST
                                 : kind == BREAK_cut     ? FATE_CUT
                                                         : FATE_WITHHELD);
}

static void first_client_leaves(struct world *w)
{
    for (size_t i = 0; i < w->asker_count; i++)
        if (fake_client_is_open(w->askers[i].client)) {
            fake_client_leaves(w->askers[i].client);
            return;
        }
}

/* Tracking has a link of its own: what it tells may come after later answers. */
static void tell_sooner_or_later(struct world *w)
{
    if (!w->shuffle || draw(w) % 4 == 0)
        pump_changes(w);
    else
        tidings_gather(&w->tidings);
}

static uint64_t draw(struct world *w)
{
    w->shuffle = w->shuffle * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (w->shuffle >> 33) % 4096;
}

static void set_away(struct world *w, bool away)
{
    w->away_until_ms = away ? world_now_ms(w) + AWAY_MS : 0;
    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive) {
            fake_redis_set_link(w->instances[i].redis, !away);
            fake_redis_blind(w->instances[i].redis, away);
        }
}

static void set_blind(struct world *w, bool blind)
{
    w->blind_until_ms = blind ? world_now_ms(w) + BLIND_MS : 0;
    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive)
            fake_redis_blind(w->instances[i].redis, blind);
}

static void heal_what_is_due(struct world *w)
{
    if (w->away_until_ms && world_now_ms(w) >= w->away_until_ms)
        set_away(w, false);
    if (w->blind_until_ms && world_now_ms(w) >= w->blind_until_ms)
        set_blind(w, false);
}

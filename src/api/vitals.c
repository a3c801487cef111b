#include "api/vitals.h"

static void on_second(struct turn *turn);
static void catch_up(struct metrics *metrics, enum measure counter, uint64_t total);
static void note_latency(void *context, uint64_t microseconds);

void vitals_open(struct vitals *vitals, struct api *api)
{
    vitals->api = api;
    turn_init(&vitals->turn, on_second);
    deadline_init(&vitals->due, &vitals->turn);
    deadline_class_open(&vitals->second, api->flow->loop, 1000);
    deadline_join(&vitals->second, &vitals->due);
    redis_on_latency(api->redis, note_latency, api->flow->metrics);
}

void vitals_close(struct vitals *vitals)
{
    redis_on_latency(vitals->api->redis, NULL, NULL);
    deadline_class_close(&vitals->second);
    turn_cancel(&vitals->turn);
}

void vitals_read(struct api *api)
{
    struct metrics *m = api->flow->metrics;
    struct server_stats clients = server_stats(api->data);
    struct upstream_stats upstream = upstream_stats(api->flow->upstream);
    struct redis_stats redis = redis_stats(api->redis);
    struct settlements_stats settlements = settlements_stats(&api->flow->settlements);

    metric_set(m, MEASURE_IN_FLIGHT, (int64_t)api->flow->exchange_count);
    metric_set(m, MEASURE_UPSTREAM_OPEN, (int64_t)upstream.calls_open);
    metric_set(m, MEASURE_UPSTREAM_CONNECTIONS, (int64_t)upstream.connections_open);
    metric_set(m, MEASURE_CONNECTIONS, (int64_t)clients.connections);
    metric_set(m, MEASURE_REDIS_UP, redis.up);
    metric_set(m, MEASURE_SETTLEMENTS_OPEN, (int64_t)settlements.open);
    metric_set(m, MEASURE_SETTLEMENTS_JOURNALLED, (int64_t)settlements.journalled);
    metric_set(m, MEASURE_KEYRING, (int64_t)keyring_count(&api->flow->keyring));
    metric_set(m, MEASURE_TOKENS, (int64_t)identities_count(&api->flow->identities));
    catch_up(m, MEASURE_HEADS_REFUSED, clients.heads_refused);
    catch_up(m, MEASURE_OVER_CAP, clients.refused_at_cap);
    catch_up(m, MEASURE_REDIS_LOST, redis.commands_lost);
    catch_up(m, MEASURE_REDIS_LATE, settlements.late);
}

static void on_second(struct turn *turn)
{
    struct vitals *vitals = container_of(turn, struct vitals, turn);

    metric_observe_us(vitals->api->flow->metrics, MEASURE_LOOP_LAG, 0,
                      loop_take_lag(vitals->api->flow->loop).worst_us);
    deadline_join(&vitals->second, &vitals->due);
}

static void catch_up(struct metrics *metrics, enum measure counter, uint64_t total)
{
    metric_add(metrics, counter, 0, 0, (int64_t)total - metric_value(metrics, counter, 0, 0));
}

static void note_latency(void *context, uint64_t microseconds)
{
    metric_observe_us(context, MEASURE_REDIS_LATENCY, 0, microseconds);
}

#include "flow/flow.h"

#include "crypto/mac_key.h"
#include "flow/exchange.h"
#include "flow/reconcile.h"

static void on_changed(struct redis_watch *watch, struct span key);
static void on_blind(struct redis_watch *watch, bool blind);

void flow_open(struct flow *flow, const uint64_t map_seed[2])
{
    flow->pseudonyms = mac_key_make((struct span){(const char *)flow->pseudonym_key, DIGEST_SIZE});
    list_init(&flow->exchanges);
    list_init(&flow->spare_exchanges);
    list_init(&flow->cost_jobs);
    retry_budget_init(&flow->retry_budget);
    deadline_class_open(&flow->renewal_waits, flow->loop, flow->settings->renewal_wait_ms);
    deadline_class_open(&flow->pauses, flow->loop, 0);
    deadline_class_open(&flow->extends, flow->loop, flow->settings->hold_lease_ms / 3);
    bodies_open(&flow->bodies, flow->loop, BODIES_KEPT_BYTES);
    user_memory_open(&flow->user_memory, flow->settings->cache_max, map_seed);
    settlements_open(&flow->settlements, flow, flow->journal, map_seed);
    advances_open(&flow->advances, flow, map_seed);
    models_open(&flow->models, flow, flow->settings->models_refresh_ms);
    identities_open(&flow->identities, flow, map_seed);
    keyring_open(&flow->keyring, flow, map_seed);
    renewals_open(&flow->renewals, flow, map_seed);
    sweeper_open(&flow->sweeper, flow);
    settlements_replay(&flow->settlements);
    flow->watch.on_changed = on_changed;
    flow->watch.on_blind = on_blind;
    store_watch(flow->store, &flow->watch);
}

void flow_drain(struct flow *flow)
{
    flow->draining = true;
    sweeper_stop(&flow->sweeper);
    models_stop(&flow->models);
    advances_stop(&flow->advances);
    settlements_drain(&flow->settlements);
}

void flow_cut(struct flow *flow)
{
    flow->cutting = true;
    renewals_hurry(&flow->renewals);
    advances_cut(&flow->advances);
    LIST_EACH (node, &flow->exchanges)
        exchange_wake(node);
    LIST_EACH (node, &flow->cost_jobs)
        loop_post(flow->loop, &container_of(node, struct cost_job, link)->turn);
}

void flow_give_up(struct flow *flow)
{
    settlements_keep_all(&flow->settlements);
}

bool flow_is_idle(const struct flow *flow)
{
    return flow->exchange_count == 0 && flow->renewals.count == 0 && flow->advances.count == 0 &&
           list_is_empty(&flow->cost_jobs) &&
           flow->settlements.count == flow->settlements.journalled &&
           models_is_idle(&flow->models) && sweeper_is_idle(&flow->sweeper);
}

void flow_close(struct flow *flow)
{
    exchange_spares_free(flow);
    sweeper_close(&flow->sweeper);
    models_close(&flow->models);
    advances_close(&flow->advances);
    settlements_close(&flow->settlements);
    user_memory_close(&flow->user_memory);
    bodies_close(&flow->bodies);
    renewals_close(&flow->renewals);
    keyring_close(&flow->keyring);
    identities_close(&flow->identities);
    deadline_class_close(&flow->extends);
    deadline_class_close(&flow->pauses);
    deadline_class_close(&flow->renewal_waits);
    mac_key_done(flow->pseudonyms);
    wipe(flow->pseudonym_key, sizeof(flow->pseudonym_key));
}

int64_t flow_store_ms(const struct flow *flow)
{
    return loop_wall_ms(flow->loop) + flow->store_ahead_ms;
}

struct span flow_pseudonym(const struct flow *flow, struct span user,
                           char ret_text[PSEUDONYM_SIZE + 1])
{
    unsigned char mac[DIGEST_SIZE];

    mac_key_digest(flow->pseudonyms, user, mac);
    hex_text(mac, PSEUDONYM_SIZE / 2, ret_text);
    return span_of(ret_text);
}

static void on_changed(struct redis_watch *watch, struct span key)
{
    struct flow *flow = container_of(watch, struct flow, watch);
    struct span id;

    if (store_key_is_token(key, &id))
        identities_forget(&flow->identities, id);
    else if (store_key_is_key(key, &id)) {
        keyring_forget(&flow->keyring, id);
        advance_forget(&flow->advances, id); /* the new key's audit would not know of them */
    } else if (store_key_is_user(key, &id))
        advance_forget(&flow->advances, id);
}

static void on_blind(struct redis_watch *watch, bool blind)
{
    struct flow *flow = container_of(watch, struct flow, watch);

    identities_set_blind(&flow->identities, blind);
    keyring_set_blind(&flow->keyring, blind);
    advances_set_blind(&flow->advances, blind);
}

#include "flow/flow.h"

#include "flow/exchange.h"

static void on_changed(struct redis_watch *watch, struct span key);
static void on_blind(struct redis_watch *watch, bool blind);

void flow_open(struct flow *flow, const uint64_t map_seed[2])
{
    list_init(&flow->exchanges);
    retry_budget_init(&flow->retry_budget);
    deadline_class_open(&flow->renewal_waits, flow->loop, flow->settings->renewal_wait_ms);
    deadline_class_open(&flow->pauses, flow->loop, 0);
    identities_open(&flow->identities, flow, map_seed);
    keyring_open(&flow->keyring, flow, map_seed);
    renewals_open(&flow->renewals, flow, map_seed);
    sweeper_open(&flow->sweeper, flow);
    flow->watch.on_changed = on_changed;
    flow->watch.on_blind = on_blind;
}

void flow_drain(struct flow *flow)
{
    flow->draining = true;
    sweeper_stop(&flow->sweeper);
}

void flow_cut(struct flow *flow)
{
    flow->cutting = true;
    renewals_hurry(&flow->renewals);
    LIST_EACH (node, &flow->exchanges)
        exchange_wake(node);
}

bool flow_is_idle(const struct flow *flow)
{
    return flow->exchange_count == 0 && flow->renewals.count == 0 &&
           sweeper_is_idle(&flow->sweeper);
}

void flow_close(struct flow *flow)
{
    sweeper_close(&flow->sweeper);
    renewals_close(&flow->renewals);
    keyring_close(&flow->keyring);
    identities_close(&flow->identities);
    deadline_class_close(&flow->pauses);
    deadline_class_close(&flow->renewal_waits);
    wipe(flow->pseudonym_key, sizeof(flow->pseudonym_key));
}

struct span flow_pseudonym(const struct flow *flow, struct span user,
                           char ret_text[PSEUDONYM_SIZE + 1])
{
    unsigned char mac[DIGEST_SIZE];

    hmac_sha256((struct span){(const char *)flow->pseudonym_key, DIGEST_SIZE}, user, mac);
    hex_text(mac, PSEUDONYM_SIZE / 2, ret_text);
    return span_of(ret_text);
}

static void on_changed(struct redis_watch *watch, struct span key)
{
    struct flow *flow = container_of(watch, struct flow, watch);
    struct span id;

    if (store_key_is_token(key, &id))
        identities_forget(&flow->identities, id);
    else if (store_key_is_key(key, &id))
        keyring_forget(&flow->keyring, id);
}

static void on_blind(struct redis_watch *watch, bool blind)
{
    struct flow *flow = container_of(watch, struct flow, watch);

    identities_set_blind(&flow->identities, blind);
    keyring_set_blind(&flow->keyring, blind);
}

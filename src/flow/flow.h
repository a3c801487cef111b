/* flow.h: what the flow works with: one per process, handed to every part of it.
 *
 * Owns      the caches (identities, keyring), the renewals, the exchanges; borrows loop, log, metrics, store, upstream,
 *           fetcher, vault.
 * Units     milliseconds, bytes, nano-USD, as named.
 * Runs on   the loop.
 * Ends      flow_drain, then flow_close once flow_is_idle: exchanges and renewals end by themselves, their waits are all
 *           bounded.
 */
#ifndef KEYTURN_FLOW_FLOW_H
#define KEYTURN_FLOW_FLOW_H

#include "base/metrics.h"
#include "base/request_id.h"
#include "crypto/vault.h"
#include "domain/key_record.h"
#include "domain/pace.h"
#include "flow/advance.h"
#include "flow/bodies.h"
#include "flow/identities.h"
#include "flow/keyring.h"
#include "flow/measures.h"
#include "flow/models.h"
#include "flow/renewal.h"
#include "flow/settlement.h"
#include "flow/sweeper.h"
#include "flow/user_memory.h"
#include "io/deadline.h"
#include "io/fetch.h"
#include "io/upstream.h"
#include "store/keys.h"

enum { DEPLOYMENT_MAX = 32 };

struct flow_settings {
    struct span base_path;      /* of OpenRouter's URL: "/api/v1" */
    struct span referer, title; /* HTTP-Referer and X-OpenRouter-Title; SPAN_NONE: not sent */
    const struct tiers *tiers;
    const struct tier *default_tier; /* unknown users are made with it; NULL: refused */
    bool user_dev; /* a request without credentials is the user "dev" (development only) */

    int64_t key_renew_ahead_ms; /* before expires_at */

    uint64_t key_idle_ms;     /* an unused open key is wiped after this */
    size_t cache_max;         /* entries of each cache */
    uint64_t renewal_wait_ms; /* a request waits at most this long for its key */
    uint64_t renewal_pace_ms; /* at most one renewal per user in this time */
    uint64_t renewal_lease_ms;
    uint64_t hold_lease_ms; /* a hold that nobody extends for so long counts as spent */
    size_t holds_ahead;     /* of a user who sends many requests; 0: none */
    int64_t free_per_minute, free_per_day; /* the account's, for free models; -1: none of ours */
    uint64_t models_refresh_ms;
    uint64_t control_ms; /* one management call */
    uint64_t sweep_every_ms, sweep_age_ms;
    uint64_t head_stream_ms, head_plain_ms, idle_ms; /* waiting for OpenRouter */
    size_t body_max_bytes;
    bool quota_comment; /* all streams tell what is left, not only those whose client asks */
};

struct flow {
    struct loop *loop;
    struct log *log;
    struct metrics *metrics;
    struct store *store;
    struct upstream *upstream;
    struct fetcher *fetcher;
    const struct vault *vault;
    const struct secret *management_key; /* NULL: none is set */
    const struct secret *shared_key;     /* NULL: none is set */
    struct journal *journal;             /* NULL: none is kept */
    const struct flow_settings *settings;
    uint64_t (*random)(void); /* crypto's in the product; counted in scenes */

    char instance[INSTANCE_ID_MAX + 1];
    char deployment[DEPLOYMENT_MAX + 1];
    unsigned char
        pseudonym_key[DIGEST_SIZE]; /* the deployment's pepper: outlives the vault's roots */
    struct mac_key *pseudonyms;     /* made of it */
    struct request_ids *request_ids;

    struct identities identities;
    struct keyring keyring;
    struct renewals renewals;
    struct sweeper sweeper;
    struct models models;
    struct user_memory user_memory;
    struct advances advances;
    struct settlements settlements;
    struct list cost_jobs;  /* reconcile.h: those that look a cost up */
    int64_t store_ahead_ms; /* Redis' clock less ours, as last seen */
    struct retry_budget retry_budget;
    struct redis_watch watch;

    struct bodies bodies;
    struct list exchanges, spare_exchanges;
    size_t exchange_count, spare_count, drain_count;
    struct deadline_class renewal_waits, pauses, extends;
    bool draining; /* nothing new is begun on our own account */
    bool cutting;  /* whatever still runs is told so and ends */
};

/* The borrowed members, settings, random, instance, deployment and pseudonym_key must be set; prepares the rest. */
void flow_open(struct flow *flow, const uint64_t map_seed[2]);
void flow_drain(struct flow *flow);
void flow_cut(struct flow *flow);     /* the grace is over: exchanges end with FAULT_DRAINING */
void flow_give_up(struct flow *flow); /* that was too long, too: what is known is in the journal */
bool flow_is_idle(const struct flow *flow); /* nothing under way: no exchange, no renewal */
void flow_close(struct flow *flow);

/* Redis' time as we estimate it: names the budget windows. */
int64_t flow_store_ms(const struct flow *flow);
/* A user's stable pseudonym towards OpenRouter and providers: 32 hex characters. */
struct span flow_pseudonym(const struct flow *flow, struct span user,
                           char ret_text[PSEUDONYM_SIZE + 1]);

#endif

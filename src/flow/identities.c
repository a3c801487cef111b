#include "flow/identities.h"

#include "base/alloc.h"
#include "base/sip_hash.h"
#include "crypto/mac_key.h"
#include "crypto/random.h"
#include "flow/flow.h"

#include <assert.h>

enum { NEGATIVE_MS = 10000 };

#define TOKEN_KEY_PURPOSE "client token"

/* One token id: loading, known, or known not to exist. */
struct entry {
    struct map_entry by_id;
    struct list by_age;
    struct list waiters; /* identity_ask.link; only while loading */
    struct turn turn;    /* the load was answered, or the negative's time is up */
    struct deadline negative;
    struct token_load load;
    struct identities *identities;
    bool loading,
        stale;   /* stale: changed in Redis while we were loading, or nobody tells us of changes */
    bool proven; /* the load's MAC was made of a proof ... */
    uint64_t proof_digest[2]; /* ... with this digest */
    char id[TOKEN_ID_SIZE + 1];
};

/* The key of token HMACs under one root. */
struct token_key {
    struct list link;
    struct mac_key *key;
    char kid[VAULT_KID_MAX + 1];
};

static const struct mac_key *token_key(struct identities *identities, struct span kid);
static struct entry *entry_new(struct identities *identities, struct span token_id);
static void entry_drop(struct entry *entry);
static void entry_load(struct entry *entry);
static void on_entry_turn(struct turn *turn);
static enum identity_verdict judge(struct entry *entry, const struct secret *proof);
static bool proof_is_right(struct entry *entry, const struct secret *proof);
static bool mac_is_right(struct identities *identities, const struct token_record *record,
                         const struct secret *proof);
static void answer(struct entry *entry, struct identity_ask *ask);
static void forget_one(struct map_entry *found, void *context);
static void make_room(struct identities *identities);

void identities_open(struct identities *identities, struct flow *flow, const uint64_t map_seed[2])
{
    identities->flow = flow;
    identities->blind = true;
    map_init(&identities->entries, map_seed);
    list_init(&identities->by_age);
    list_init(&identities->keys);
    random_bytes(identities->digest_key, sizeof(identities->digest_key));
    deadline_class_open(&identities->negatives, flow->loop, NEGATIVE_MS);
}

void identities_close(struct identities *identities)
{
    struct map_entry *found;
    struct list *node;

    while ((found = map_any(&identities->entries)))
        entry_drop(container_of(found, struct entry, by_id));
    while ((node = list_first(&identities->keys))) {
        struct token_key *known = container_of(node, struct token_key, link);
        list_remove(node);
        mac_key_done(known->key);
        must_free(known);
    }
    wipe(identities->digest_key, sizeof(identities->digest_key));
    map_done(&identities->entries);
    deadline_class_close(&identities->negatives);
}

void identity_ask(struct identities *identities, struct identity_ask *ask, struct span token_id,
                  struct span token_secret, struct turn *wake)
{
    struct map_entry *found = map_find(&identities->entries, token_id);
    struct entry *entry =
        found ? container_of(found, struct entry, by_id) : entry_new(identities, token_id);

    list_init(&ask->link);
    ask->wake = wake;
    ask->verdict = IDENTITY_WAITING;
    secret_set(&ask->proof, token_secret);
    list_remove(&entry->by_age);
    list_append(&identities->by_age, &entry->by_age);
    if (entry->loading)
        list_append(&entry->waiters, &ask->link);
    else
        answer(entry, ask);
}

void identities_forget(struct identities *identities, struct span token_id)
{
    struct map_entry *found = map_find(&identities->entries, token_id);

    if (found)
        forget_one(found, NULL);
}

void identities_set_blind(struct identities *identities, bool blind)
{
    identities->blind = blind;
    map_each(&identities->entries, forget_one, NULL);
}

size_t identities_count(const struct identities *identities)
{
    return identities->entries.size;
}

bool token_mac(const struct vault *vault, struct span kid, struct span token_secret,
               unsigned char ret_mac[DIGEST_SIZE])
{
    unsigned char key[DIGEST_SIZE];
    bool known = vault_derive(vault, kid, SPAN(TOKEN_KEY_PURPOSE), key);

    if (known)
        hmac_sha256((struct span){(const char *)key, sizeof(key)}, token_secret, ret_mac);
    wipe(key, sizeof(key));
    return known;
}

static const struct mac_key *token_key(struct identities *identities, struct span kid)
{
    unsigned char bytes[DIGEST_SIZE];
    struct token_key *made;

    LIST_EACH (node, &identities->keys) {
        struct token_key *known = container_of(node, struct token_key, link);
        if (span_equal(kid, span_of(known->kid)))
            return known->key;
    }
    if (!vault_derive(identities->flow->vault, kid, SPAN(TOKEN_KEY_PURPOSE), bytes))
        return NULL;
    made = must_alloc(sizeof(*made));
    span_text(kid, made->kid, sizeof(made->kid));
    made->key = mac_key_make((struct span){(const char *)bytes, sizeof(bytes)});
    wipe(bytes, sizeof(bytes));
    list_append(&identities->keys, &made->link);
    return made->key;
}

static struct entry *entry_new(struct identities *identities, struct span token_id)
{
    struct entry *entry = must_alloc(sizeof(*entry));

    make_room(identities);
    entry->identities = identities;
    list_init(&entry->by_age);
    list_init(&entry->waiters);
    turn_init(&entry->turn, on_entry_turn);
    deadline_init(&entry->negative, &entry->turn);
    span_text(token_id, entry->id, sizeof(entry->id));
    map_insert(&identities->entries, &entry->by_id, span_of(entry->id));
    list_append(&identities->by_age, &entry->by_age);
    entry_load(entry);
    return entry;
}

static void entry_drop(struct entry *entry)
{
    assert(!entry->loading && list_is_empty(&entry->waiters));
    map_remove(&entry->identities->entries, &entry->by_id);
    list_remove(&entry->by_age);
    turn_cancel(&entry->turn);
    deadline_leave(&entry->negative);
    must_free(entry);
}

static void entry_load(struct entry *entry)
{
    entry->loading = true;
    entry->proven = false;
    entry->stale = entry->identities->blind;
    token_load(entry->identities->flow->store, &entry->load, span_of(entry->id), &entry->turn);
}

/* Either the load was answered, or a negative entry's time is up. */
static void on_entry_turn(struct turn *turn)
{
    struct entry *entry = container_of(turn, struct entry, turn);
    struct list *node;
    bool keep;

    if (entry->negative.passed) {
        entry_drop(entry);
        return;
    }
    entry->loading = false;
    if (entry->stale && !entry->identities->blind && entry->load.call.end == STORE_OK) {
        entry_load(entry); /* it changed while we read it: what we read may be what it was before */
        return;
    }
    while ((node = list_first(&entry->waiters))) {
        struct identity_ask *ask = container_of(node, struct identity_ask, link);
        list_remove(node);
        answer(entry, ask);
        loop_post(entry->identities->flow->loop, ask->wake);
    }
    keep = entry->load.call.end == STORE_OK && !entry->stale;
    if (!keep)
        entry_drop(entry);
    else if (!entry->load.record.found)
        deadline_join(&entry->identities->negatives, &entry->negative);
}

static void answer(struct entry *entry, struct identity_ask *ask)
{
    const struct token_record *record = &entry->load.record;

    if (entry->load.call.end != STORE_OK)
        ask->verdict = IDENTITY_STORE_DOWN;
    else
        ask->verdict = judge(entry, &ask->proof);
    if (ask->verdict == IDENTITY_USER || ask->verdict == IDENTITY_SERVICE)
        span_text(span_of(record->user), ask->user, sizeof(ask->user));
    secret_done(&ask->proof);
}

static enum identity_verdict judge(struct entry *entry, const struct secret *proof)
{
    const struct token_record *record = &entry->load.record;

    if (!record->found || !proof_is_right(entry, proof) || record->revoked)
        return IDENTITY_UNKNOWN;
    if (record->expires_at_ms &&
        record->expires_at_ms <= loop_wall_ms(entry->identities->flow->loop))
        return IDENTITY_UNKNOWN;
    return record->kind == TOKEN_OF_SERVICE ? IDENTITY_SERVICE : IDENTITY_USER;
}

/* The MAC is made once for each record loaded; the same proof is then known by its digest. Any other one is compared by its
 * MAC, as if there had been none before. */
static bool proof_is_right(struct entry *entry, const struct secret *proof)
{
    uint64_t digest[2];
    bool right;

    sip_hash_wide(entry->identities->digest_key, secret_reveal(proof), digest);
    right = entry->proven && same_bytes(digest, entry->proof_digest, sizeof(digest));
    if (!right && mac_is_right(entry->identities, &entry->load.record, proof)) {
        memcpy(entry->proof_digest, digest, sizeof(digest));
        entry->proven = right = true;
    }
    wipe(digest, sizeof(digest));
    return right;
}

static bool mac_is_right(struct identities *identities, const struct token_record *record,
                         const struct secret *proof)
{
    const struct mac_key *key = token_key(identities, span_of(record->kid));
    unsigned char mac[DIGEST_SIZE];
    bool right;

    if (!key)
        return false;
    mac_key_digest(key, secret_reveal(proof), mac);
    right = same_bytes(mac, record->mac, sizeof(mac));
    wipe(mac, sizeof(mac));
    return right;
}

static void forget_one(struct map_entry *found, void *context)
{
    struct entry *entry = container_of(found, struct entry, by_id);

    (void)context;
    if (entry->loading)
        entry->stale = true;
    else
        entry_drop(entry);
}

static void make_room(struct identities *identities)
{
    LIST_EACH (node, &identities->by_age) {
        struct entry *entry = container_of(node, struct entry, by_age);
        if (identities->entries.size < identities->flow->settings->cache_max)
            return;
        if (!entry->loading)
            entry_drop(entry);
    }
}

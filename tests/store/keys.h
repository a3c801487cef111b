/* keys.h: claims and commits of user "ada" in one line each. */
#ifndef KEYTURN_TESTS_STORE_KEYS_H
#define KEYTURN_TESTS_STORE_KEYS_H

#include "harness.h"

enum { LEASE_MS = 15000, PACE_MS = 60000, HOLD_MS = 5000 };

static inline void ask_claim(struct harness *h, struct store *store, struct key_claim *claim,
                             const char *nonce, enum claim_reason reason, int64_t seen)
{
    const struct key_claim_ask ask = {
        .user = SPAN("ada"),
        .holder = store == &h->a ? SPAN("instance-a") : SPAN("instance-b"),
        .nonce = span_of(nonce),
        .name_head = SPAN("keyturn/dep/pseudonym"),
        .reason = reason,
        .seen_version = seen,
        .lease_ms = LEASE_MS,
        .pace_ms = PACE_MS,
        .outcome_hold_ms = HOLD_MS,
    };

    *claim = (struct key_claim){0};
    key_claim(store, claim, &ask, &h->wake);
}

static inline struct key_claim claim_now(struct harness *h, struct store *store, const char *nonce,
                                         enum claim_reason reason, int64_t seen)
{
    struct key_claim claim;

    ask_claim(h, store, &claim, nonce, reason, seen);
    AWAIT_OK(h, claim);
    return claim;
}

/* The record a holder of the claim would write: hash is enough to tell whose it is. */
static inline struct key_record record_of(const struct key_claim *claim, const char *hash)
{
    struct key_record record = {.version = claim->version,
                                .sealed = "v1:k:sealed",
                                .limit_nano_usd =
                                    INT64_C(9007199254740993), /* no double holds it */
                                .limit_reset = LIMIT_RESET_MONTHLY,
                                .expires_at_ms = INT64_C(1900000000001),
                                .auto_renewed = claim->version > 1,
                                .last_renewal_at_ms = claim->record.last_renewal_at_ms};

    snprintf(record.hash, sizeof(record.hash), "%s", hash);
    snprintf(record.name, sizeof(record.name), "%s", claim->name);
    return record;
}

/* True when it was not fenced. */
static inline bool commit_now(struct harness *h, struct store *store, const struct key_claim *claim,
                              const char *hash)
{
    struct key_record record = record_of(claim, hash);
    struct key_list none = {0};
    struct key_commit commit = {0};

    key_commit(store, &commit, SPAN("ada"), claim->fence, &record, &none,
               span_of(claim->record.hash), &h->wake);
    AWAIT_OK(h, commit);
    return !commit.fenced;
}

static inline bool release_now(struct harness *h, struct store *store,
                               const struct key_claim *claim, int64_t seen,
                               enum claim_outcome outcome, const struct key_list *leftovers)
{
    struct key_release release = {0};

    key_release(store, &release, SPAN("ada"), claim->fence, seen, outcome, leftovers, &h->wake);
    AWAIT_OK(h, release);
    return !release.fenced;
}

static inline struct key_record load_now(struct harness *h, struct store *store)
{
    struct key_load load = {0};

    key_load(store, &load, SPAN("ada"), &h->wake);
    AWAIT_OK(h, load);
    return load.record;
}

static inline bool bury_now(struct harness *h, struct store *store, const char *hash)
{
    struct key_buried buried = {0};

    key_buried(store, &buried, SPAN("ada"), span_of(hash), &h->wake);
    AWAIT_OK(h, buried);
    return buried.settled;
}

static inline struct key_list prove_now(struct harness *h, struct store *store, int64_t version)
{
    struct key_proven proven = {0};

    key_proven(store, &proven, SPAN("ada"), version, &h->wake);
    AWAIT_OK(h, proven);
    return proven.doomed;
}

/* "ada" has version 1, hash "one". */
static inline void provision(struct harness *h)
{
    struct key_claim claim = claim_now(h, &h->a, "first", CLAIM_PROVISION, 0);

    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_true(commit_now(h, &h->a, &claim, "one"));
}

static inline bool list_has(const struct key_list *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}

#endif

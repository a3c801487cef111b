/* fake_keys.h: a small OpenRouter in memory: its account's keys, and the answers of its key management.
 *
 * Owns      the keys ever made, deleted ones included.
 * Units     unix milliseconds (now_ms is moved by the scene), nano-USD.
 * Fails     `wrong` names the first rule that keyturn broke; the scene looks at its end:
 *             nothing is made for a user who has a live key, unless that one expires within ahead_ms;
 *             never more live keys than users and one;
 *             no name is used twice, nothing is asked without the management key.
 * Source    openrouter-api 1.1 to 1.7, 5.3
 */
#ifndef KEYTURN_TESTS_FAKE_KEYS_H
#define KEYTURN_TESTS_FAKE_KEYS_H

#include "base/buffer.h"
#include "domain/key_record.h"

struct fake_asks;

enum { FAKE_KEYS_MAX = 512, FAKE_KEY_SECRET_SIZE = 9 + 64, FAKE_KEYS_PAGE = 100 };

struct fake_key {
    char secret[FAKE_KEY_SECRET_SIZE + 1], hash[KEY_HASH_SIZE + 1], name[KEY_NAME_MAX + 1];
    int64_t created_ms, expires_ms; /* 0: never */
    int64_t limit_nano_usd;         /* -1: none */
    enum limit_reset limit_reset;
    int64_t used_nano_usd; /* when it was made: before the story */
    bool disabled, deleted;
    bool deleted_by_api;
};

struct fake_keys {
    struct fake_key keys[FAKE_KEYS_MAX];
    size_t count;
    int64_t now_ms, ahead_ms;
    const char *management_key;
    const char *shared_key;       /* for inference; NULL: there is none */
    const struct fake_asks *asks; /* what is billed to the keys; borrowed */
    bool refuses_management;
    bool tolerates_races; /* a create by who lost its lease, to be deleted again, breaks no rule */
    unsigned creates, deletes, lookups, lists, raises, self_checks; /* carried out */
    unsigned refusals;
    uint64_t counter;
    char wrong[320];
};

/* Somebody else's create: the scene's. */
struct fake_key *fake_keys_add(struct fake_keys *keys, struct span name, int64_t expires_ms);
bool fake_key_is_live(const struct fake_keys *keys, const struct fake_key *key);
size_t fake_keys_live(const struct fake_keys *keys);
/* Of one user, by the pseudonym in the name; ret_one (may be NULL) gets one of them. */
size_t fake_keys_live_of(const struct fake_keys *keys, struct span pseudonym,
                         const struct fake_key **ret_one);
const struct fake_key *fake_keys_by_hash(const struct fake_keys *keys, struct span hash);
/* Whether inference takes the bearer. */
bool fake_keys_accept(const struct fake_keys *keys, struct span bearer);
/* In the window that runs now. */
int64_t fake_keys_used(const struct fake_keys *keys, const struct fake_key *key,
                       enum limit_reset window);
/* Whether inference says that the bearer's limit is met. */
bool fake_keys_at_limit(const struct fake_keys *keys, struct span bearer);
/* Carries a management call out and answers it; path without the base path. */
int fake_keys_answer(struct fake_keys *keys, struct span method, struct span path,
                     struct span bearer, struct span body, struct buffer *out);

#endif

/* keyring.h: the users' open sub-keys in this process.
 *
 * Owns      the plaintext keys, each in a secret that is wiped when its entry goes: unused for key_idle_ms, replaced,
 *           invalidated by another instance, pushed out by cache_max.
 * Runs on   the loop; at most one load per user at a time.
 * Fails     KEY_ASK_STORE_DOWN: neither open here nor readable; KEY_ASK_UNREADABLE when the sealed key cannot be opened with the roots we have.
 * Source    design 5.2, 5.4
 */
#ifndef KEYTURN_FLOW_KEYRING_H
#define KEYTURN_FLOW_KEYRING_H

#include "base/map.h"
#include "base/secret.h"
#include "domain/key_record.h"
#include "io/deadline.h"
#include "store/keys.h"

struct flow;

enum { PSEUDONYM_SIZE = 32 };

enum key_ask_verdict {
    KEY_ASK_WAITING,
    KEY_ASK_READY,
    KEY_ASK_ABSENT,
    KEY_ASK_DISABLED,
    KEY_ASK_STORE_DOWN,
    KEY_ASK_UNREADABLE
};

/* One user's key as this process knows it. */
struct open_key {
    struct secret secret;
    int64_t version, expires_at_ms, made_at_ms;
    char pseudonym[PSEUDONYM_SIZE + 1]; /* the user's: each request names it */
    bool proven;                        /* answered a request, and the store knows it */
    uint64_t ahead_after_ms; /* the next try to renew ahead of expiry, by the loop's clock */
};

struct key_ask {
    struct list link;
    struct turn *wake; /* borrowed */
    enum key_ask_verdict verdict;
};

struct keyring {
    struct flow *flow; /* borrowed */
    struct map entries;
    struct deadline_class idle;
    bool blind; /* no invalidations arrive: entries are used once */
};

void keyring_open(struct keyring *keyring, struct flow *flow, const uint64_t map_seed[2]);
void keyring_close(struct keyring *keyring);
/* The verdict may be there at once; otherwise wake is posted when it is. */
void key_ask(struct keyring *keyring, struct key_ask *ask, struct span user, struct turn *wake);
size_t keyring_count(const struct keyring *keyring);
/* The user's open key, NULL if it is not here; valid until the loop's next turn. */
struct open_key *keyring_find(struct keyring *keyring, struct span user);
/* A key we just made; takes the secret's bytes over. */
void keyring_put(struct keyring *keyring, struct span user, const struct key_record *record,
                 struct secret *take_secret);
void keyring_forget(struct keyring *keyring, struct span user);
void keyring_set_blind(struct keyring *keyring, bool blind);

#endif

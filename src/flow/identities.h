/* identities.h: who a client token belongs to, from a cache that changes in Redis invalidate.
 *
 * A token is accepted when the HMAC of its secret part equals the stored one (constant time), it is not revoked and not
 * expired. While the record is cached, the secret part that was right once is known again by a digest of 128 bits under
 * a key of this process, also compared in constant time: that costs a twentieth of the HMAC. Unknown ids are remembered
 * for 10 s, so guessing costs Redis at most one read per id and 10 s.
 *
 * Owns      the cached token records (no token is ever kept), and the keys their HMACs are made with.
 * Runs on   the loop; at most one load per token id at a time, however many ask.
 * Fails     IDENTITY_STORE_DOWN when the record is neither cached nor readable: never "unknown".
 * Source    design 4.3; reliability D20, D33
 */
#ifndef KEYTURN_FLOW_IDENTITIES_H
#define KEYTURN_FLOW_IDENTITIES_H

#include "base/map.h"
#include "base/secret.h"
#include "io/deadline.h"
#include "store/tokens.h"

struct flow;

enum identity_verdict {
    IDENTITY_WAITING,
    IDENTITY_USER,
    IDENTITY_SERVICE,
    IDENTITY_UNKNOWN,
    IDENTITY_STORE_DOWN
};

/* Embedded in the asker, which stays until the verdict is there. */
struct identity_ask {
    struct list link;    /* waiting for a load */
    struct turn *wake;   /* borrowed */
    struct secret proof; /* the token's secret part, wiped with the verdict */
    enum identity_verdict verdict;
    char user[USER_ID_MAX + 1]; /* of a service token: the service */
};

struct identities {
    struct flow *flow; /* borrowed */
    struct map entries;
    struct list by_age; /* least recently used first */
    struct list keys;   /* one for each root met */
    uint64_t digest_key[2];
    struct deadline_class negatives;
    bool blind; /* no invalidations arrive: entries are not kept */
};

void identities_open(struct identities *identities, struct flow *flow, const uint64_t map_seed[2]);
void identities_close(struct identities *identities);
/* The verdict may be there at once; otherwise wake is posted when it is. */
void identity_ask(struct identities *identities, struct identity_ask *ask, struct span token_id,
                  struct span token_secret, struct turn *wake);
void identities_forget(struct identities *identities, struct span token_id);
void identities_set_blind(struct identities *identities,
                          bool blind); /* forgets everything either way */
size_t identities_count(const struct identities *identities);

/* HMAC of a token's secret part under the key derived from kid; false: kid unknown. For making and checking tokens. */
bool token_mac(const struct vault *vault, struct span kid, struct span token_secret,
               unsigned char ret_mac[DIGEST_SIZE]);

#endif

/* mac_key.h: a key for many HMACs: what depends on the key alone is computed once.
 *
 * Owns      a state from which the key cannot be read back but MACs can be made: wiped by mac_key_done.
 * Fails     never: a failing library call stops the process.
 * Source    RFC 2104 section 4 (the two first blocks can be kept)
 */
#ifndef KEYTURN_CRYPTO_MAC_KEY_H
#define KEYTURN_CRYPTO_MAC_KEY_H

#include "crypto/digest.h"

struct mac_key;

struct mac_key *mac_key_make(struct span key);
void mac_key_done(struct mac_key *key); /* NULL is fine */
/* The same as hmac_sha256 with the key it was made of. */
void mac_key_digest(const struct mac_key *key, struct span bytes,
                    unsigned char ret_digest[DIGEST_SIZE]);

#endif

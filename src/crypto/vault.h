/* vault.h: seals what must not be read where it is stored, and keys derived from the same root.
 *
 * The root secret is a list "kid:base64,kid:base64", newest first, at least 32 bytes each (KEYTURN_ENCRYPTION_SECRET).
 * Sealing uses the newest; opening uses the one the envelope names. Each sealed thing has a key of its own:
 * HKDF-SHA-256(root, salt = owner and version, info = purpose), so random 96-bit nonces are safe. The envelope is
 *     v1:<kid>:<base64url(nonce || ciphertext || tag)>
 * and binds owner, purpose, version and kid as associated data: a blob cannot be moved to another owner or age.
 *
 * Owns      the roots, in secrets; wiped by vault_close.
 * Fails     vault_open says why in ret_error; opening a seal says which of the reasons it was.
 * Source    NIST SP 800-38D, RFC 5869, design 5.4, reliability D31.
 */
#ifndef KEYTURN_CRYPTO_VAULT_H
#define KEYTURN_CRYPTO_VAULT_H

#include "base/buffer.h"
#include "base/secret.h"
#include "crypto/digest.h"

enum { VAULT_KID_MAX = 32, VAULT_ERROR_SIZE = 160 };

struct vault;

/* What a seal is bound to. */
struct seal_context {
    struct span owner;   /* the user's id */
    struct span purpose; /* "sub-key", ... */
    int64_t version;
};

enum seal_verdict { SEAL_OPENED, SEAL_MALFORMED, SEAL_UNKNOWN_KID, SEAL_FORGED };

struct vault *vault_open(struct span roots, char ret_error[VAULT_ERROR_SIZE]);
void vault_close(struct vault *vault);
struct span vault_newest_kid(const struct vault *vault);
void vault_seal(const struct vault *vault, const struct seal_context *context, struct span plain,
                struct buffer *out);
enum seal_verdict vault_unseal(const struct vault *vault, const struct seal_context *context,
                               struct span sealed, struct secret *ret_plain);
/* A subkey for HMACs (token hashes, pseudonyms): HKDF(root of kid, info = purpose). False for an unknown kid. */
bool vault_derive(const struct vault *vault, struct span kid, struct span purpose,
                  unsigned char ret_key[DIGEST_SIZE]);

#endif

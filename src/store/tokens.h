/* tokens.h: client tokens: HMAC only, never the token.
 *
 * Owns      the answer's texts, in place.
 * Source    design 4.3, reliability D33; lua/ has no script here: one hash per token
 */
#ifndef KEYTURN_STORE_TOKENS_H
#define KEYTURN_STORE_TOKENS_H

#include "crypto/digest.h"
#include "crypto/vault.h"
#include "domain/credential.h"
#include "store/store.h"

enum token_kind { TOKEN_OF_USER, TOKEN_OF_SERVICE };

struct token_record {
    bool found, revoked;
    unsigned char
        mac[DIGEST_SIZE]; /* HMAC-SHA-256(key derived for "token" from kid, secret part) */
    char kid[VAULT_KID_MAX + 1];
    char user[USER_ID_MAX + 1]; /* of a service token: the service's name */
    enum token_kind kind;
    int64_t created_at_ms, expires_at_ms; /* 0: never */
};

struct token_load {
    struct store_call call;
    struct token_record record;
};
void token_load(struct store *store, struct token_load *load, struct span token_id,
                struct turn *wake);

/* Writes a new token; an id that exists already is STORE_BROKEN (make another). */
struct token_save {
    struct store_call call;
};
void token_save(struct store *store, struct token_save *save, struct span token_id,
                const struct token_record *record, struct turn *wake);

#endif

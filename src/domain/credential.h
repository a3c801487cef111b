/* credential.h: the client's credential: found in exactly one place, taken apart, nothing else accepted.
 *
 * A token is kt_<id>_<secret>: the id (12 characters of [a-z0-9]) is public, the secret is 43 base64url characters
 * (256 bits). The id never enters a Redis key before it passed credential_read.
 *
 * Owns      nothing; spans point into the header values.
 * Source    design 4.3, reliability D33, CVE-2026-45339 (one extractor for every header)
 */
#ifndef KEYTURN_DOMAIN_CREDENTIAL_H
#define KEYTURN_DOMAIN_CREDENTIAL_H

#include "base/span.h"

enum {
    TOKEN_ID_SIZE = 12,
    TOKEN_SECRET_SIZE = 43,
    TOKEN_SIZE = 3 + TOKEN_ID_SIZE + 1 + TOKEN_SECRET_SIZE
};

enum credential_kind { CREDENTIAL_NONE, CREDENTIAL_TOKEN, CREDENTIAL_UNKNOWN, CREDENTIAL_TWO };

struct credential {
    enum credential_kind kind;
    struct span id, secret; /* of a token */
};

/* All values of Authorization and of x-api-key. The same token in both is one credential; two different ones are two. */
struct credential credential_read(const struct span *authorizations, size_t authorization_count,
                                  const struct span *api_keys, size_t api_key_count);
/* kt_<id>_<secret> from 12 and 32 random bytes; ret_token gets TOKEN_SIZE characters and a NUL. */
void token_compose(const unsigned char id_bytes[TOKEN_ID_SIZE],
                   const unsigned char secret_bytes[32], char ret_token[TOKEN_SIZE + 1]);

/* An end user's id as the back end names it: [A-Za-z0-9._@:|+~=/-]{1,128}. */
enum { USER_ID_MAX = 128 };
bool user_id_is_fine(struct span id);

#endif

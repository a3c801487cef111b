/* digest.h: SHA-256, HMAC-SHA-256, comparison in constant time, and the two texts of bytes we use.
 *
 * Units     digests are 32 bytes; hex is lower case; base64url has no padding.
 * Fails     never: sizes are fixed; a failing library call stops the process.
 * Source    FIPS 180-4, RFC 2104, RFC 4648 section 5.
 */
#ifndef KEYTURN_CRYPTO_DIGEST_H
#define KEYTURN_CRYPTO_DIGEST_H

#include "base/span.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 64 };

void sha256(struct span bytes, unsigned char ret_digest[DIGEST_SIZE]);
void hmac_sha256(struct span key, struct span bytes, unsigned char ret_digest[DIGEST_SIZE]);
bool same_bytes(const void *a, const void *b, size_t size); /* constant time in the contents */
/* 2 * size characters and a NUL; reading takes exactly that many, of either case. */
void hex_text(const unsigned char *bytes, size_t size, char *ret_text);
bool hex_bytes(struct span text, unsigned char *ret_bytes, size_t size);
/* ret_text needs base64url_size(size) + 1 bytes. */
static inline size_t base64url_size(size_t size)
{
    return (size * 4 + 2) / 3;
}
void base64url_text(const unsigned char *bytes, size_t size, char *ret_text);
/* Standard or url alphabet, padding optional; false when malformed or larger than capacity. */
bool base64_bytes(struct span text, unsigned char *ret_bytes, size_t capacity, size_t *ret_size);

#endif

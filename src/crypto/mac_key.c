#include "crypto/mac_key.h"

#include "base/alloc.h"
#include "base/secret.h"

#include <assert.h>
#include <mbedtls/sha256.h>
#include <string.h>

enum { BLOCK_SIZE = 64, INNER_PAD = 0x36, OUTER_PAD = 0x5c };

struct mac_key {
    mbedtls_sha256_context inner, outer; /* each after its first block */
};

static void start(mbedtls_sha256_context *sha, const unsigned char key[BLOCK_SIZE],
                  unsigned char pad);
static void finish(const mbedtls_sha256_context *start, const void *bytes, size_t size,
                   unsigned char ret_digest[DIGEST_SIZE]);

struct mac_key *mac_key_make(struct span key)
{
    struct mac_key *made = must_alloc(sizeof(*made));
    unsigned char block[BLOCK_SIZE] = {0};

    if (key.size > sizeof(block))
        sha256(key, block);
    else if (key.size)
        memcpy(block, key.at, key.size);
    start(&made->inner, block, INNER_PAD);
    start(&made->outer, block, OUTER_PAD);
    wipe(block, sizeof(block));
    return made;
}

void mac_key_done(struct mac_key *key)
{
    if (!key)
        return;
    mbedtls_sha256_free(&key->inner);
    mbedtls_sha256_free(&key->outer);
    must_free(key);
}

void mac_key_digest(const struct mac_key *key, struct span bytes,
                    unsigned char ret_digest[DIGEST_SIZE])
{
    unsigned char inner[DIGEST_SIZE];

    finish(&key->inner, bytes.at ? bytes.at : "", bytes.size, inner);
    finish(&key->outer, inner, sizeof(inner), ret_digest);
    wipe(inner, sizeof(inner));
}

static void start(mbedtls_sha256_context *sha, const unsigned char key[BLOCK_SIZE],
                  unsigned char pad)
{
    unsigned char block[BLOCK_SIZE];
    int failed;

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    mbedtls_sha256_init(sha);
    failed = mbedtls_sha256_starts(sha, 0) || mbedtls_sha256_update(sha, block, sizeof(block));
    assert(!failed);
    wipe(block, sizeof(block));
}

static void finish(const mbedtls_sha256_context *start, const void *bytes, size_t size,
                   unsigned char ret_digest[DIGEST_SIZE])
{
    mbedtls_sha256_context sha;
    int failed;

    mbedtls_sha256_init(&sha);
    mbedtls_sha256_clone(&sha, start);
    failed = mbedtls_sha256_update(&sha, bytes, size) || mbedtls_sha256_finish(&sha, ret_digest);
    assert(!failed);
    mbedtls_sha256_free(&sha);
}

/*
 * SHA-256 of bytes in memory: the id of a key, the fingerprint of a body.
 *
 * Source  FIPS 180-4
 */
#ifndef SIM_SHA256_H
#define SIM_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX = 65 };

void sha256(uint8_t ret_digest[SHA256_BYTES], const void *bytes, size_t length);
void sha256_hex(char ret_hex[SHA256_HEX], const void *bytes, size_t length);

#endif

/* random.h: bytes nobody can guess, from the kernel alone.
 *
 * Fails     never: when the kernel refuses, the process stops; a weak nonce is worse than no service.
 * Source    getrandom(2); reliability D31.
 */
#ifndef KEYTURN_CRYPTO_RANDOM_H
#define KEYTURN_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *ret_bytes, size_t size);
uint64_t random_u64(void);

#endif

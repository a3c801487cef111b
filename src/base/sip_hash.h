/* sip_hash.h: a keyed hash of short bytes. Without the key nobody can foresee one, so nobody can choose two bytes that
 * collide, nor, of the wide one, bytes that hash as those he does not know.
 *
 * Fails     never; takes as long for all bytes of one size.
 * Source    Aumasson and Bernstein, "SipHash: a fast short-input PRF" (SipHash-2-4), and its variant of 128 bits.
 */
#ifndef KEYTURN_BASE_SIP_HASH_H
#define KEYTURN_BASE_SIP_HASH_H

#include "base/span.h"

uint64_t sip_hash(const uint64_t key[2], struct span bytes);
void sip_hash_wide(const uint64_t key[2], struct span bytes, uint64_t ret_hash[2]);

#endif

/* nano_usd.h: amounts between decimal text and integers, without floating point on the way.
 *
 * Units     nano-USD: 1e-9 dollar; 64 bits hold nine billion dollars.
 * Fails     false for what is no JSON number, for negative amounts and for what 64 bits do not hold.
 * Source    openrouter-api 3.5: "3E-7", "7.1e-05", "0.00158142"; pricing says "-1" for unknown
 */
#ifndef KEYTURN_DOMAIN_NANO_USD_H
#define KEYTURN_DOMAIN_NANO_USD_H

#include "base/span.h"

enum { NANO_USD_TEXT_SIZE = 32 };

/* Decimal USD text, exponent allowed ("3E-7"), to nano-USD; rounds up beyond nine places; false for anything else. */
bool nano_usd_parse(struct span text, int64_t *ret_nano_usd);
/* The same in pico-USD, 1e-12 dollar: what one token costs. */
bool pico_usd_parse(struct span text, int64_t *ret_pico_usd);
/* "12.5", "0.00158142": the shortest exact decimal. */
void nano_usd_text(int64_t nano_usd, char ret_text[NANO_USD_TEXT_SIZE]);

#endif

/*
 * The short way of an inference request under --fast: an answer composed once is copied and only
 * its generation id is new. The key is checked and billed as ever; any live fault or a ledger row
 * leads back to the long way.
 *
 * Owns  the composed answers; they are composed anew when the settings change.
 */
#ifndef SIM_FAST_H
#define SIM_FAST_H

#include "exchange.h"

struct fast *fast_new(void);
bool fast_serve(struct exchange *exchange); /* false: take the long way */
void fast_free(struct fast *fast);

#endif

/* generation.h: GET /generation?id=: what a request cost after all, when its answer did not say.
 *
 * Units     nano-USD, tokens; -1 unknown.
 * Fails     false when the body is no generation record.
 * Source    openrouter-api 2 (GET /generation: native tokens are the billing basis), 3.7
 */
#ifndef KEYTURN_DOMAIN_GENERATION_H
#define KEYTURN_DOMAIN_GENERATION_H

#include "domain/usage_meter.h"

bool generation_read(struct span body, struct usage *ret_usage);

#endif

/* tariff.h: the tiers of all scenes.
 *
 * Free      the shared key, free models, two messages a day
 * Small     0.02 USD a month: two answers of full length and a bit
 * Standard  10 USD a month, 500 messages a day, every model; who has no tier has this one
 * Lenient   as Standard, and on the shared key while none can be made
 * Own       keys of their own, which nobody has
 *
 * Units     nano-USD.
 */
#ifndef KEYTURN_TESTS_SCENE_TARIFF_H
#define KEYTURN_TESTS_SCENE_TARIFF_H

#include "domain/tier.h"

#define TARIFF_SMALL INT64_C(20000000)
#define TARIFF_STANDARD INT64_C(10000000000)

void tariff_open(struct tiers *tiers);

#endif

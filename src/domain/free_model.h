/* free_model.h: which models count against the limits on free requests that OpenRouter sets for a whole account.
 *
 * A free model is openrouter/free and every model with the variant :free, wherever the variant stands and whatever preset
 * follows: author/slug:free, author/slug:free:online, author/slug:free@preset/x.
 *
 * Source    openrouter-api 4 (names), 6 (20 a minute; 50 or 1000 a UTC day; shared by all sub-keys)
 */
#ifndef KEYTURN_DOMAIN_FREE_MODEL_H
#define KEYTURN_DOMAIN_FREE_MODEL_H

#include "domain/model_names.h"

enum free_window { FREE_WINDOW_NONE, FREE_WINDOW_MINUTE, FREE_WINDOW_DAY };

/* Of a name, or of a tier's pattern; letters may be of either case: counting too much costs less than too little. */
bool model_is_free(struct span name);
/* May any model it runs on be a free one? */
bool model_names_have_free(const struct model_names *names);
/* Does the tier reach a model that is not free? */
bool tier_has_paid_models(const struct tier *tier);

#endif

/*
 * The catalogue: which models there are and what a token of each costs.
 *
 * Units  pico-USD per token. A model that is not in the table is priced as sim/echo; a price below
 *        0 is "unknown", as the routers have it: what they run is billed as sim/echo too.
 * Source GET /models
 */
#ifndef SIM_MODELS_H
#define SIM_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model {
    const char *id;
    const char *name;
    const char *ran; /* the model a router or an alias chooses; NULL: itself */
    int64_t prompt_pico_usd;
    int64_t completion_pico_usd;
    int64_t context_length;
};

const struct model *model_at(size_t index); /* NULL past the end */
const struct model *model_find(const char *id);

/* Rounded up to the next nano-USD. */
int64_t model_cost_nano_usd(const char *id, int64_t prompt_tokens, int64_t completion_tokens);

#endif

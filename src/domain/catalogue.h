/* catalogue.h: OpenRouter's models and prices, and what a request may cost at most.
 *
 * Owns      its rows. Read once from GET /models, replaced as a whole.
 * Units     prices in pico-USD per token or unit (int64), amounts in nano-USD; -1: unknown. Every rounding goes up.
 * Fails     catalogue_read: NULL when the body is not a catalogue or has no model; an estimate of -1 means "no known
 *           price".
 * Source    openrouter-api 2 (pricing: decimal strings, overrides, "-1" is unknown), design 5.1 (the hold is an upper
 *           bound). The prices are those GET /models tells; what a server tool or an unknown plugin spends is told
 *           nowhere, nor what reading a document does, so the tier's hold for unknown models stands for each.
 */
#ifndef KEYTURN_DOMAIN_CATALOGUE_H
#define KEYTURN_DOMAIN_CATALOGUE_H

#include "base/buffer.h"
#include "domain/media.h"
#include "domain/model_names.h"

struct model_price {
    /* The dearest of all overrides; prompt covers writing it into a cache, completion covers reasoning. */
    int64_t prompt_pico, completion_pico;
    int64_t request_nano, image_nano, web_search_nano; /* per request, per image, per search */
    int64_t context_tokens, completion_tokens_max;     /* 0: not told */
};

struct catalogue;

struct catalogue *catalogue_read(struct span models_json);
void catalogue_free(struct catalogue *catalogue);
size_t catalogue_size(const struct catalogue *catalogue);
/* By full name; a suffix (:nitro, :floor, :exacto, and :online, whose search is an extra) or @preset finds the model
 * before it; ~aliases by themselves. True: there is such a row, its price may be unknown. */
bool catalogue_find(const struct catalogue *catalogue, struct span name,
                    struct model_price *ret_price);
/* The rows of GET /models a tier reaches, as they came, in the same envelope (total_count is theirs). False when out is
 * full. */
bool catalogue_print_for(const struct catalogue *catalogue, const struct tier *tier,
                         struct buffer *out);

/* What a request can cost at most, split so that the output part can be shrunk. */
struct cost_bound {
    /* Prompt (its bytes as tokens, no more than the context; all of the context when a document is named by URL),
     * per-request fees, images, searches, extras; -1: no known price. */
    int64_t base_nano_usd;
    int64_t output_pico;   /* of one output token; the dearest of the named models */
    int64_t output_tokens; /* that may come: asked for, capped by tier and model; sure once sent */
    bool output_given;     /* the client named the cap itself */
    bool free;             /* every price is zero */
};
/* asked_tokens: the client's own cap; less than 1 for none. */
struct cost_bound catalogue_bound(const struct catalogue *catalogue,
                                  const struct model_names *names, size_t body_bytes,
                                  struct media media, int64_t asked_tokens,
                                  const struct tier *tier);
/* Rounded up; saturates; -1: no known price. */
int64_t cost_bound_total(const struct cost_bound *bound);
/* How many of the output tokens an amount pays for, beyond the base; never negative, never more than output_tokens. */
int64_t cost_bound_tokens(const struct cost_bound *bound, int64_t amount_nano_usd);

#endif

/* usage_meter.h: reads what an answer cost from its bytes as they pass, at any split, without keeping them.
 *
 * A JSON tokenizer of a few hundred bytes of state walks the body, or each data: line of an event stream, and picks up
 * usage, cost, id, model, provider, error and whether content was delivered. It never changes or delays a byte.
 *
 * Owns      nothing but itself; copied by assignment.
 * Units     tokens, nano-USD. Missing is -1 ("unknown"), never 0.
 * Fails     malformed text stops the picking up until the next line (JSON: for good) and sets malformed.
 * Source    openrouter-api 3.4 to 3.6, 4, 10.31 to 10.38; reliability D26, E1, K6
 */
#ifndef KEYTURN_DOMAIN_USAGE_METER_H
#define KEYTURN_DOMAIN_USAGE_METER_H

#include "domain/dialect.h"

enum { METER_TEXT_MAX = 128, METER_DEPTH_MAX = 64 };

struct usage {
    int64_t prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens;
    int64_t cost_nano_usd;     /* usage.cost: OpenRouter's bill */
    int64_t upstream_nano_usd; /* cost_details.upstream_inference_cost */
    bool is_byok;
    bool failed; /* an error event, a top-level error, finish_reason "error", no choices at all */
    bool delivered; /* some content went by: a message counts */
    bool finished;  /* [DONE], a terminal event, or the end of a whole JSON document */
    bool malformed;
    char id[METER_TEXT_MAX + 1], model[METER_TEXT_MAX + 1], provider[METER_TEXT_MAX + 1];
};

/* The bill: cost, plus the provider's part for BYOK; -1 while unknown. */
int64_t usage_bill(const struct usage *usage);

struct usage_meter {
    struct usage usage;
    enum dialect dialect;
    bool stream;
    _Alignas(8) unsigned char state
        [640]; /* private to usage_meter.c, which asserts that its own struct fits */
};

void usage_meter_init(struct usage_meter *meter, enum dialect dialect, bool stream);
void usage_meter_feed(struct usage_meter *meter, struct span bytes);
/* The answer ended: a whole JSON document counts as finished. */
void usage_meter_end(struct usage_meter *meter);

#endif

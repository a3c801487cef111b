/* What a request can cost at most. */
#include "domain/catalogue.h"

enum {
    PICO_PER_NANO = 1000,
    IMAGE_TOKENS = 16384,  /* an image without a price of its own */
    SEARCH_TOKENS = 16384, /* what a search adds to the prompt */
    SEARCH_NANO_USD =
        20000000, /* five results at 4 USD a thousand, where the model tells no more */
    OUTPUT_TOKENS_UNTOLD = 128 * 1024, /* nobody knows any limit */
    CONTEXT_TOKENS_UNTOLD = 1024 * 1024,
};

/* What may be spent besides the model that answers. */
struct extras {
    bool search;
    size_t unknown; /* so many tools, plugins and documents whose spending nobody tells */
};

struct size {
    size_t body_bytes;
    struct media media;
};

__extension__ typedef unsigned __int128 wide;

static struct extras extras_of(const struct model_names *names, size_t document_count);
static bool price_is_known(const struct model_price *price);
static bool price_is_zero(const struct model_price *price);
static int64_t base_of(const struct model_price *price, struct size size, bool search);
static int64_t output_tokens_of(const struct model_price *price, int64_t asked_tokens,
                                const struct tier *tier);
static void lower(int64_t *limit, int64_t other);
static int64_t larger(int64_t a, int64_t b);
static int64_t saturated(wide amount);
static wide nano_of(wide pico);

struct cost_bound catalogue_bound(const struct catalogue *catalogue,
                                  const struct model_names *names, size_t body_bytes,
                                  struct media media, int64_t asked_tokens, const struct tier *tier)
{
    struct cost_bound bound = {.output_given = asked_tokens > 0, .free = true};
    struct extras extras = extras_of(names, media.documents);
    bool known = catalogue && !names->none;
    size_t billed = 0;

    for (size_t i = 0; i < names->count; i++) {
        struct model_price price = {0};
        if (!names->billed[i])
            continue;
        billed++;
        known = known && catalogue_find(catalogue, span_of(names->names[i]), &price) &&
                price_is_known(&price);
        bound.output_tokens =
            larger(bound.output_tokens, output_tokens_of(&price, asked_tokens, tier));
        if (!known)
            continue;
        struct size size = {body_bytes, media};
        bound.base_nano_usd = larger(bound.base_nano_usd, base_of(&price, size, extras.search));
        bound.output_pico = larger(bound.output_pico, price.completion_pico);
        bound.free = bound.free && price_is_zero(&price);
    }
    if (!known || billed == 0) {
        bound.base_nano_usd = -1;
        bound.output_pico = 0;
        bound.free = false;
        return bound;
    }
    int64_t each = larger(tier->unknown_model_hold_nano_usd, 0);
    bound.base_nano_usd =
        saturated((wide)(uint64_t)bound.base_nano_usd + (wide)extras.unknown * (uint64_t)each);
    bound.free = bound.free && extras.unknown == 0 && !extras.search;
    return bound;
}

int64_t cost_bound_total(const struct cost_bound *bound)
{
    if (bound->base_nano_usd < 0)
        return -1;
    wide output = (wide)(uint64_t)bound->output_tokens * (uint64_t)bound->output_pico;
    return saturated((wide)(uint64_t)bound->base_nano_usd + nano_of(output));
}

int64_t cost_bound_tokens(const struct cost_bound *bound, int64_t amount_nano_usd)
{
    if (bound->base_nano_usd < 0 || amount_nano_usd < bound->base_nano_usd)
        return 0;
    if (bound->output_pico == 0)
        return bound->output_tokens;
    wide left = (wide)(uint64_t)(amount_nano_usd - bound->base_nano_usd) * PICO_PER_NANO;
    int64_t tokens = saturated(left / (uint64_t)bound->output_pico);
    return tokens < bound->output_tokens ? tokens : bound->output_tokens;
}

static struct extras extras_of(const struct model_names *names, size_t document_count)
{
    struct extras extras = {false, document_count}; /* reading pages is priced beside the model */

    for (size_t i = 0; i < names->count; i++) {
        struct span name = span_of(names->names[i]);
        if (span_equal(name, SPAN("plugin:web")))
            extras.search = true;
        else if (span_equal(name, SPAN("plugin:context-compression")) ||
                 span_equal(name, SPAN("plugin:response-healing")))
            continue; /* they cost nothing */
        else if (span_starts(name, SPAN("plugin:")) || span_starts(name, SPAN("tool:")))
            extras.unknown++;
    }
    return extras;
}

static bool price_is_known(const struct model_price *price)
{
    return price->prompt_pico >= 0 && price->completion_pico >= 0 && price->request_nano >= 0;
}

static bool price_is_zero(const struct model_price *price)
{
    return price->prompt_pico == 0 && price->completion_pico == 0 && price->request_nano == 0 &&
           price->image_nano <= 0 && price->web_search_nano <= 0;
}

/* No prompt has more tokens than bytes, nor than the context takes. An image told at 0 is told as tokens.
 * How long a document is that the body only names, nobody knows: it may fill the context. */
static int64_t base_of(const struct model_price *price, struct size size, bool search)
{
    wide tokens = size.body_bytes, fees = (uint64_t)price->request_nano;

    if (price->image_nano > 0)
        fees += (wide)size.media.images * (uint64_t)price->image_nano;
    else
        tokens += (wide)size.media.images * IMAGE_TOKENS;
    if (search) {
        fees += (uint64_t)larger(price->web_search_nano, SEARCH_NANO_USD);
        tokens += SEARCH_TOKENS;
    }
    tokens = (uint64_t)saturated(tokens);
    if (size.media.documents > 0)
        tokens =
            (uint64_t)larger((int64_t)tokens, larger(price->context_tokens, CONTEXT_TOKENS_UNTOLD));
    if (price->context_tokens > 0 && tokens > (uint64_t)price->context_tokens)
        tokens = (uint64_t)price->context_tokens;
    return saturated(fees + nano_of(tokens * (uint64_t)price->prompt_pico));
}

static int64_t output_tokens_of(const struct model_price *price, int64_t asked_tokens,
                                const struct tier *tier)
{
    int64_t limit = INT64_MAX;

    lower(&limit, asked_tokens);
    lower(&limit, tier->max_output_tokens);
    lower(&limit, price->completion_tokens_max);
    lower(&limit, price->context_tokens);
    return limit == INT64_MAX ? OUTPUT_TOKENS_UNTOLD : limit;
}

/* A limit below 1 is none. */
static void lower(int64_t *limit, int64_t other)
{
    if (other > 0 && other < *limit)
        *limit = other;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t saturated(wide amount)
{
    return amount > INT64_MAX ? INT64_MAX : (int64_t)amount;
}

/* Rounded up. */
static wide nano_of(wide pico)
{
    return (pico + PICO_PER_NANO - 1) / PICO_PER_NANO;
}

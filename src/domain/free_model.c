#include "domain/free_model.h"

bool model_is_free(struct span name)
{
    struct span slug = SPAN_NONE, variant = SPAN_NONE;

    span_split(&name, '@', &slug); /* a preset */
    span_split(&slug, ':', &variant);
    if (span_equal_nocase(variant, SPAN("openrouter/free")))
        return true;
    while (slug.at) {
        span_split(&slug, ':', &variant);
        if (span_equal_nocase(variant, SPAN("free")))
            return true;
    }
    return false;
}

bool model_names_have_free(const struct model_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->billed[i] && model_is_free(span_of(names->names[i])))
            return true;
    return false;
}

bool tier_has_paid_models(const struct tier *tier)
{
    for (size_t i = 0; i < tier->model_count; i++) {
        struct span pattern = span_of(tier->models[i]);
        bool is_extra =
            span_starts(pattern, SPAN("plugin:")) || span_starts(pattern, SPAN("tool:"));
        if (!is_extra && !model_is_free(pattern))
            return true;
    }
    return false;
}

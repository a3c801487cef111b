#include "domain/header_rules.h"

/* What the proxy decides itself is missing on purpose: credentials, content-type, the app's identity (http-referer,
 * x-title, x-openrouter-title, x-openrouter-categories), encodings, forwarding traces, idempotency keys. */
static const char *const up[] = {
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "x-anthropic-beta",
    "x-openrouter-cache",
    "x-openrouter-cache-clear",
    "x-openrouter-cache-ttl",
    "x-openrouter-experimental-metadata",
    "x-openrouter-metadata",
    "x-session-id",
};

static const char *const down[] = {
    "cache-control",
    "content-type",
    "retry-after",
    "x-generation-id",
    "x-openrouter-cache-age",
    "x-openrouter-cache-source-id",
    "x-openrouter-cache-status",
    "x-openrouter-cache-ttl",
    "x-provider-name",
};

static bool is_one_of(struct span name, const char *const *names, size_t count);

bool header_passes_up(struct span name)
{
    return is_one_of(name, up, sizeof(up) / sizeof(*up));
}

bool header_passes_down(struct span name)
{
    return is_one_of(name, down, sizeof(down) / sizeof(*down));
}

bool header_value_is_fine(struct span value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return false;
    return true;
}

static bool is_one_of(struct span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_nocase(name, span_of(names[i])))
            return true;
    return false;
}

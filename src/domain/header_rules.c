#include "domain/header_rules.h"

/* What the proxy decides itself is missing on purpose: credentials, content-type, the app's identity (http-referer,
 * x-title, x-openrouter-title, x-openrouter-categories), encodings, forwarding traces, idempotency keys. */
static const struct span up[] = {
    {"accept", 6},
    {"anthropic-beta", 14},
    {"anthropic-version", 17},
    {"x-anthropic-beta", 16},
    {"x-openrouter-cache", 18},
    {"x-openrouter-cache-clear", 24},
    {"x-openrouter-cache-ttl", 22},
    {"x-openrouter-experimental-metadata", 34},
    {"x-openrouter-metadata", 21},
    {"x-session-id", 12},
};

static const struct span down[] = {
    {"cache-control", 13},
    {"content-type", 12},
    {"retry-after", 11},
    {"x-generation-id", 15},
    {"x-openrouter-cache-age", 22},
    {"x-openrouter-cache-source-id", 28},
    {"x-openrouter-cache-status", 25},
    {"x-openrouter-cache-ttl", 22},
    {"x-provider-name", 15},
};

static bool is_one_of(struct span name, const struct span *names, size_t count);

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

static bool is_one_of(struct span name, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_nocase(name, names[i]))
            return true;
    return false;
}

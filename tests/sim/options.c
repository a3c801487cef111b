#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option {
    const char *name;
    const char *value; /* what it takes, or NULL */
    const char *help;
    bool (*take)(struct options *options, const char *value);
};

static bool take_listen(struct options *options, const char *value);
static bool take_management_key(struct options *options, const char *value);
static bool take_api_key(struct options *options, const char *value);
static bool take_fast(struct options *options, const char *value);
static bool take_help(struct options *options, const char *value);

static const struct option table[] = {
    {"--listen", "HOST:PORT", "where to listen; port 0 is any (default 127.0.0.1:0)", take_listen},
    {"--management-key", "KEY", "the management key (default sk-or-v1-simulator-management-key)",
     take_management_key},
    {"--api-key", "KEY", "a normal key that exists from the start and after each reset; repeatable",
     take_api_key},
    {"--fast", NULL, "inference answers from prebuilt bytes, without a ledger row for each",
     take_fast},
    {"--help", NULL, "this text", take_help},
};

static const struct option *option_find(const char *name);

bool options_read(struct options *ret_options, int count, char **words)
{
    *ret_options = (struct options){.host = "127.0.0.1",
                                    .management_key = "sk-or-v1-simulator-management-key"};
    for (int i = 1; i < count; i++) {
        const struct option *option = option_find(words[i]);
        const char *value = option && option->value ? words[++i] : NULL;
        if (!option || (option->value && !value) || !option->take(ret_options, value)) {
            fprintf(stderr, "openrouter-sim: cannot use '%s'; see --help\n",
                    words[i] ? words[i] : words[i - 1]);
            return false;
        }
    }
    return true;
}

void options_help(void)
{
    printf("usage: openrouter-sim [OPTION]…\n\n"
           "A simulator of the OpenRouter API with a ledger of its own. Control it under "
           "/__sim/.\n\n");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        printf("  %-16s %-10s %s\n", table[i].name, table[i].value ? table[i].value : "",
               table[i].help);
    printf("\nPrints one line with its base URL when it is ready; ends on SIGTERM or SIGINT.\n");
}

static const struct option *option_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static bool take_listen(struct options *options, const char *value)
{
    const char *colon = strrchr(value, ':');
    char *end;
    if (!colon || colon == value || (size_t)(colon - value) >= sizeof options->host)
        return false;
    memset(options->host, 0, sizeof options->host);
    memcpy(options->host, value, (size_t)(colon - value));
    long port = strtol(colon + 1, &end, 10);
    options->port = (int)port;
    return end != colon + 1 && !*end && port >= 0 && port <= 65535;
}

static bool take_management_key(struct options *options, const char *value)
{
    options->management_key = value;
    return true;
}

static bool take_api_key(struct options *options, const char *value)
{
    if (options->api_key_count == API_KEYS)
        return false;
    options->api_keys[options->api_key_count++] = value;
    return true;
}

static bool take_fast(struct options *options, const char *value)
{
    (void)value;
    options->fast = true;
    return true;
}

static bool take_help(struct options *options, const char *value)
{
    (void)value;
    options->help = true;
    return true;
}

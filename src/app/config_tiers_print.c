/* The built-in tiers, as the one text that is also their reference and the example, and their table for people. */
#include "app/config_tiers.h"
#include "app/config_value.h"

enum { FAULTS_MAX = 4096 };

static const char *key_name(enum tier_key key);
static bool print_tier(struct buffer *out, const struct tier *tier);
static bool print_number(struct buffer *out, enum config_type type, int64_t value);
static bool print_models(struct buffer *out, const struct tier *tier);
static bool print_field(struct buffer *out, const struct tier_field *field);
static const char *nothing_set(const char *name);

static const char preset[] =
    "# What users may do, from the least to the most: errors suggest the next one. A file with a "
    "section tiers has\n"
    "# these only, one without it has the ones below; `keyturn docs tiers` lists every field. "
    "Amounts are USD, -1 is\n"
    "# no limit. In models, * stands for any run of characters; :free and the like are part of the "
    "name. Plugins\n"
    "# (plugin:web), server tools (tool:web_search), ~aliases, @presets and openrouter/ routers "
    "are reached by patterns\n"
    "# that begin like them, or by \"*\". includes adds the models of other tiers.\n"
    "tiers:\n"
    "  Free:\n"
    "    limit_usd: 2\n"
    "    messages_per_day: 20\n"
    "    key: shared\n"
    "    max_output_tokens: 4096\n"
    "    unknown_model_hold_usd: 0.1\n"
    "    models: [\"*:free\", openrouter/free, plugin:context-compression, "
    "plugin:response-healing]\n"
    "  Standard:\n"
    "    limit_usd: 10\n"
    "    messages_per_day: 500\n"
    "    max_output_tokens: 16384\n"
    "    unknown_model_hold_usd: 0.5\n"
    "    includes: [Free]\n"
    "    models:\n"
    "      - openai/gpt-4o-mini\n"
    "      - openai/gpt-4.1-mini\n"
    "      - openai/gpt-4.1-nano\n"
    "      - openai/gpt-5-mini*\n"
    "      - openai/gpt-5-nano*\n"
    "      - openai/gpt-oss-*\n"
    "      - openai/text-embedding-3-*\n"
    "      - anthropic/claude-*haiku*\n"
    "      - google/gemini-*flash*\n"
    "      - google/gemma-*\n"
    "      - meta-llama/*\n"
    "      - mistralai/*small*\n"
    "      - mistralai/mistral-nemo\n"
    "      - deepseek/*\n"
    "      - qwen/*\n"
    "  Pro:\n"
    "    limit_usd: 50\n"
    "    messages_per_day: 2000\n"
    "    max_output_tokens: 32768\n"
    "    includes: [Standard]\n"
    "    models:\n"
    "      - openai/*\n"
    "      - anthropic/*\n"
    "      - google/*\n"
    "      - x-ai/*\n"
    "      - mistralai/*\n"
    "      - cohere/*\n"
    "      - moonshotai/*\n"
    "      - z-ai/*\n"
    "      - ~openai/*\n"
    "      - ~anthropic/*\n"
    "      - ~google/*\n"
    "      - plugin:web\n"
    "      - plugin:file-parser\n"
    "      - tool:web_search*\n"
    "      - tool:web_fetch*\n"
    "  Pro+:\n"
    "    limit_usd: 200\n"
    "    messages_per_day: -1\n"
    "    unknown_model_hold_usd: 2\n"
    "    models: [\"*\"]\n"
    "  BYOK:\n"
    "    limit_usd: -1\n"
    "    messages_per_day: -1\n"
    "    key: own\n"
    "    models: [\"*\"]\n";

struct span config_tiers_preset(void)
{
    return SPAN(preset);
}

bool config_print_tiers(struct buffer *out)
{
    struct config config;
    struct buffer faults;
    bool fits = buffer_append(out, SPAN("| tier | budget, USD | messages a day | key | models |\n"
                                        "|---|---|---|---|---|\n"));

    buffer_init(&faults, FAULTS_MAX);
    config_load(&config, NULL, nothing_set, &faults);
    for (size_t i = 0; fits && i < config.tiers.count; i++)
        fits = print_tier(out, &config.tiers.rows[i]);
    config_done(&config);
    buffer_done(&faults);

    fits = fits && buffer_append(out, SPAN("\n| field of a tier | default | limits | what |\n"
                                           "|---|---|---|---|\n"));
    for (size_t i = 0; fits && i < TIER_FIELD_COUNT; i++)
        fits = print_field(out, &config_tier_fields()[i]);
    return fits &&
           buffer_append(out, SPAN("| `models` |  | patterns | Names of models, * stands for any "
                                   "run of characters; `plugin:<id>`, `tool:<name>`. |\n"
                                   "| `includes` |  | tiers | It has their models too. |\n"));
}

static const char *key_name(enum tier_key key)
{
    switch (key) {
    case TIER_KEY_SHARED:
        return "shared";
    case TIER_KEY_OWN:
        return "the user's own";
    case TIER_KEY_PROVISIONED:
        break;
    }
    return "own sub-key";
}

static bool print_tier(struct buffer *out, const struct tier *tier)
{
    return buffer_format(out, "| %s | ", tier->name) &&
           print_number(out, CONFIG_USD, tier->limit_nano_usd) &&
           (tier->limit_nano_usd < 0 ||
            buffer_format(out, " %s", limit_reset_name(tier->limit_reset))) &&
           buffer_append(out, SPAN(" | ")) &&
           print_number(out, CONFIG_COUNT, tier->messages_per_day) &&
           buffer_format(out, " | %s | ", key_name(tier->key)) && print_models(out, tier) &&
           buffer_append(out, SPAN(" |\n"));
}

static bool print_number(struct buffer *out, enum config_type type, int64_t value)
{
    char text[CONFIG_VALUE_TEXT_SIZE];

    if (value == UNLIMITED)
        return buffer_append(out, SPAN("no limit"));
    config_value_text(type, value, text);
    return buffer_append(out, span_of(text));
}

/* Its own ones; those of the tiers it includes stand behind them. */
static bool print_models(struct buffer *out, const struct tier *tier)
{
    bool fits = true;

    for (size_t i = 0; fits && i < tier->include_count; i++)
        fits = buffer_format(out, "%sthose of %s", i ? ", " : "", tier->includes[i]);
    for (size_t i = 0; fits && i < tier->own_model_count; i++)
        fits = buffer_format(out, "%s`%s`", i || tier->include_count ? ", " : "", tier->models[i]);
    return fits;
}

static bool print_field(struct buffer *out, const struct tier_field *field)
{
    struct span words = span_of(field->min), word;
    bool fits = buffer_format(out, "| `%s` | `%s` | ", field->name, field->preset);

    if (field->type == CONFIG_CHOICE)
        while (fits && span_split(&words, '|', &word))
            fits = buffer_format(out, "%.*s%s", SPAN_PRINT(word), words.at ? ", " : "");
    else
        fits = fits && buffer_format(out, "%s to %s%s", field->min, field->max,
                                     field->may_be_unlimited ? ", -1: no limit" : "");
    return fits && buffer_format(out, " | %s |\n", field->text);
}

static const char *nothing_set(const char *name)
{
    (void)name;
    return NULL;
}

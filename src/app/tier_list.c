/* keyturn tier list: the tiers of the configuration, for people or as JSON. Asks no store. */
#include "api/json_parts.h"
#include "api/quota_print.h"
#include "app/command.h"
#include "app/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FAULTS_MAX = 64 * 1024, LIST_MAX = 1 << 20 };

static bool print_json(const struct config *config, struct buffer *out);
static void put_tier(struct json *j, const struct tier *tier, bool is_default);
static bool print_table(const struct config *config, struct buffer *out);
static bool print_line(struct buffer *out, int name_width, const struct tier *tier,
                       bool is_default);

int command_tier_list(int argc, char **argv)
{
    const struct core_options options = {0};
    struct core core = {0};
    struct buffer faults, out;
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0, fine;

    if (argc != 1 && !json) {
        fprintf(stderr, "usage: keyturn tier list [--json]\n");
        return EXIT_USAGE;
    }
    buffer_init(&faults, FAULTS_MAX);
    buffer_init(&out, LIST_MAX);
    fine = core_read_settings(&core, &options, &faults);
    fwrite(buffer_view(&faults).at, 1, buffer_size(&faults), stderr);
    fine = fine && (json ? print_json : print_table)(&core.config, &out) &&
           fwrite(buffer_view(&out).at, 1, buffer_size(&out), stdout) == buffer_size(&out) &&
           fflush(stdout) == 0;
    buffer_done(&faults);
    buffer_done(&out);
    environment_done(&core.environment);
    config_done(&core.config);
    return fine ? EXIT_DONE : EXIT_FAILED;
}

static bool print_json(const struct config *config, struct buffer *out)
{
    struct json j = json_into(out);

    json_open(&j, '{');
    json_name(&j, "tiers");
    json_open(&j, '[');
    for (size_t i = 0; i < config->tiers.count; i++)
        put_tier(&j, &config->tiers.rows[i],
                 strcmp(config->tiers.rows[i].name, config->keys_default_tier) == 0);
    json_close(&j, ']');
    json_close(&j, '}');
    return json_ok(&j) && buffer_append(out, SPAN("\n"));
}

static void put_tier(struct json *j, const struct tier *tier, bool is_default)
{
    json_open(j, '{');
    json_string(j, "name", span_of(tier->name));
    json_name(j, "is_default");
    json_bool(j, is_default);
    json_amount(j, "limit", tier->limit_nano_usd);
    json_string(j, "limit_reset", span_of(limit_reset_name(tier->limit_reset)));
    json_count(j, "messages_per_day", tier->messages_per_day);
    json_count(j, "requests_per_minute", tier->requests_per_minute);
    json_count(j, "max_concurrent", tier->max_concurrent);
    json_count(j, "max_output_tokens", tier->max_output_tokens);
    json_string(j, "key", span_of(tier_key_name(tier->key)));
    json_name(j, "models");
    json_open(j, '[');
    for (size_t i = 0; i < tier->model_count; i++)
        json_text(j, span_of(tier->models[i]));
    json_close(j, ']');
    json_close(j, '}');
}

static bool print_table(const struct config *config, struct buffer *out)
{
    const char *preset = config->keys_default_tier;
    int width = (int)strlen("tier");
    bool fits;

    for (size_t i = 0; i < config->tiers.count; i++)
        if ((int)strlen(config->tiers.rows[i].name) > width)
            width = (int)strlen(config->tiers.rows[i].name);
    fits = buffer_format(out, "%-*s  %12s %-8s %13s %13s %10s  %s\n", width, "tier", "USD", "reset",
                         "messages/day", "requests/min", "at once", "key");
    for (size_t i = 0; fits && i < config->tiers.count; i++)
        fits = print_line(out, width, &config->tiers.rows[i],
                          strcmp(config->tiers.rows[i].name, preset) == 0);
    return fits;
}

static bool print_line(struct buffer *out, int name_width, const struct tier *tier, bool is_default)
{
    char usd[QUOTA_TEXT_SIZE], messages[QUOTA_TEXT_SIZE], requests[QUOTA_TEXT_SIZE],
        concurrent[QUOTA_TEXT_SIZE];

    return buffer_format(out, "%-*s  %12s %-8s %13s %13s %10s  %s%s\n", name_width, tier->name,
                         quota_usd_text(tier->limit_nano_usd, usd),
                         limit_reset_name(tier->limit_reset),
                         quota_count_text(tier->messages_per_day, messages),
                         quota_count_text(tier->requests_per_minute, requests),
                         quota_count_text(tier->max_concurrent, concurrent),
                         tier_key_name(tier->key), is_default ? "; new users get it" : "");
}

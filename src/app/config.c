#include "app/config.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#include "app/config_reader.h"
#include "app/config_tiers.h"
#include "app/config_value.h"
#include "app/whole_file.h"
#include "base/alloc.h"
#include "io/address.h"

enum { FILE_BYTES_MAX = 1 << 20, TIER_LIST_SIZE = 200 };

static const struct config_row rows[CONFIG_ROW_COUNT] = {
#define ROW(section, field, type, preset, min, max, text) \
    {#section, #field, CONFIG_##type, preset, \
     min,      max,    text,          offsetof(struct config, section##_##field)},
    CONFIG(ROW)
#undef ROW
};

enum row_number {
#define ROW(section, field, type, preset, min, max, text) ROW_##section##_##field,
    CONFIG(ROW)
#undef ROW
};

static void take_presets(struct config_reader *reader);
static void take_file(struct config_reader *reader);
static void take_tiers(struct config_reader *reader);
static void take_variables(struct config_reader *reader,
                           const char *(*environment)(const char *name));
static void check_together(struct config_reader *reader);
static void check_default_tier(struct config_reader *reader);
static void check_order(struct config_reader *reader, enum row_number row, bool may_be_equal,
                        enum row_number other);
static void check_address(struct config_reader *reader, enum row_number row, struct span address);

const struct config_row *config_rows(size_t *ret_count)
{
    *ret_count = CONFIG_ROW_COUNT;
    return rows;
}

bool config_load(struct config *config, const char *file,
                 const char *(*environment)(const char *name), struct buffer *faults)
{
    struct config_reader reader = {.config = config, .file = file, .faults = faults};

    *config = (struct config){0};
    take_presets(&reader);
    if (file)
        take_file(&reader);
    take_tiers(&reader);
    take_variables(&reader, environment);
    check_together(&reader);
    return reader.fault_count == 0;
}

void config_done(struct config *config)
{
#define CONFIG_FREE_TEXT(value) must_free(value)
#define CONFIG_FREE_CHOICE(value) must_free(value)
#define CONFIG_FREE_COUNT(value) (void)(value)
#define CONFIG_FREE_BYTES(value) (void)(value)
#define CONFIG_FREE_DURATION(value) (void)(value)
#define CONFIG_FREE_USD(value) (void)(value)
#define ROW(section, field, type, preset, min, max, text) \
    CONFIG_FREE_##type(config->section##_##field);
    CONFIG(ROW)
#undef ROW
    tiers_done(&config->tiers);
    *config = (struct config){0};
}

void config_variable(const struct config_row *row, char ret_name[CONFIG_VARIABLE_SIZE])
{
    int size = snprintf(ret_name, CONFIG_VARIABLE_SIZE, "KEYTURN_%s_%s", row->section, row->field);
    assert(size < CONFIG_VARIABLE_SIZE);
    for (char *c = ret_name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

static void take_presets(struct config_reader *reader)
{
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++)
        config_reader_set(reader, i, span_of(rows[i].preset),
                          (struct config_place){CONFIG_BY_DEFAULT, 0, 0});
    assert(reader->fault_count == 0); /* the table is ours */
}

static void take_file(struct config_reader *reader)
{
    struct buffer text;
    char error[WHOLE_FILE_ERROR_SIZE];

    buffer_init(&text, FILE_BYTES_MAX);
    if (whole_file_read(reader->file, &text, NULL, error)) {
        config_yaml_read(reader, buffer_view(&text));
    } else {
        reader->fault_count++;
        buffer_format(reader->faults,
                      "%s: %s; correct that, or name another file with --config or "
                      "KEYTURN_CONFIG\n",
                      reader->file, error);
    }
    buffer_done(&text);
}

/* The built-in ones, unless the file has its own. */
static void take_tiers(struct config_reader *reader)
{
    size_t faults = reader->fault_count;

    if (reader->tiers_line)
        return;
    config_yaml_read(reader, config_tiers_preset());
    assert(reader->fault_count == faults); /* the text is ours */
}

static void take_variables(struct config_reader *reader,
                           const char *(*environment)(const char *name))
{
    char name[CONFIG_VARIABLE_SIZE];

    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        config_variable(&rows[i], name);
        const char *value = environment(name);
        if (value)
            config_reader_set(reader, i, span_of(value),
                              (struct config_place){CONFIG_BY_VARIABLE, 0, 0});
    }
}

/* What no row can say alone. */
static void check_together(struct config_reader *reader)
{
    struct span list = span_of(reader->config->server_listen), address = SPAN_NONE;

    while (span_split(&list, ',', &address))
        check_address(reader, ROW_server_listen, span_trim(address));
    check_address(reader, ROW_server_admin_listen,
                  span_trim(span_of(reader->config->server_admin_listen)));
    check_default_tier(reader);
    check_order(reader, ROW_renewal_call_timeout, false, ROW_renewal_lease);
    check_order(reader, ROW_renewal_lease, true, ROW_renewal_sweep_age);
}

static void check_default_tier(struct config_reader *reader)
{
    struct span name = span_of(reader->config->keys_default_tier);
    const struct tiers *tiers = &reader->config->tiers;
    struct config_place place = reader->places[ROW_keys_default_tier];
    const char *near = config_tiers_near(tiers, name);
    char quote[CONFIG_QUOTE_SIZE], list[TIER_LIST_SIZE];

    if (name.size == 0 || !reader->tiers_known || tiers_find(tiers, name))
        return;
    /* nobody chose one, and the file has tiers of its own */
    if (place.by == CONFIG_BY_DEFAULT && tiers->count) {
        must_free(reader->config->keys_default_tier);
        reader->config->keys_default_tier = must_copy(tiers->rows[0].name);
        return;
    }
    config_quote(name, quote);
    config_tiers_list(tiers, list, sizeof(list));
    if (near)
        config_reader_fault(reader, ROW_keys_default_tier, place,
                            "keys.default_tier is %s, which is no tier; did you mean %s?", quote,
                            near);
    else
        config_reader_fault(reader, ROW_keys_default_tier, place,
                            "keys.default_tier is %s, which is no tier; set it to one of %s, or to "
                            "\"\" to refuse unknown users",
                            quote, list);
}

static void check_order(struct config_reader *reader, enum row_number row, bool may_be_equal,
                        enum row_number other)
{
    int64_t value, limit;
    char value_text[CONFIG_VALUE_TEXT_SIZE], limit_text[CONFIG_VALUE_TEXT_SIZE];
    /* The one that somebody chose is the one to correct. */
    enum row_number to_blame = reader->places[row].by == CONFIG_BY_DEFAULT ? other : row;

    memcpy(&value, (const char *)reader->config + rows[row].offset, sizeof(value));
    memcpy(&limit, (const char *)reader->config + rows[other].offset, sizeof(limit));
    if (value < limit || (may_be_equal && value == limit))
        return;
    config_value_text(rows[row].type, value, value_text);
    config_value_text(rows[other].type, limit, limit_text);
    config_reader_fault(reader, to_blame, reader->places[to_blame],
                        "%s.%s is %s; it must be shorter than%s %s.%s, which is %s",
                        rows[row].section, rows[row].field, value_text,
                        may_be_equal ? " or equal to" : "", rows[other].section, rows[other].field,
                        limit_text);
}

static void check_address(struct config_reader *reader, enum row_number row, struct span address)
{
    struct address parsed;
    char text[256], error[160];

    if (!span_text(address, text, sizeof(text)))
        snprintf(error, sizeof(error), "an address is too long");
    else if (address_parse(text, &parsed, error))
        return;
    config_reader_fault(reader, row, reader->places[row], "%s.%s: %s", rows[row].section,
                        rows[row].field, error);
}

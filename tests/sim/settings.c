#include "settings.h"

#include <string.h>

enum setting_type { SETTING_INTEGER, SETTING_BOOLEAN, SETTING_CHOICE };

struct setting {
    const char *name;
    size_t offset;
    enum setting_type type;
    int64_t otherwise;
    const char *choices[2];
};

#define FIELD(field) #field, offsetof(struct settings, field)

static const struct setting table[] = {
    {FIELD(stream_chunks), SETTING_INTEGER, 0, {0}}, /* 0: a chunk for each token */
    {FIELD(chunk_delay_ms), SETTING_INTEGER, 0, {0}},
    {FIELD(latency_ms), SETTING_INTEGER, 0, {0}},
    {FIELD(usage_form), SETTING_CHOICE, USAGE_EMPTY_CHOICES, {"empty_choices", "with_choice"}},
    {FIELD(create_shape), SETTING_CHOICE, CREATE_CURRENT, {"current", "nested"}},
    {FIELD(comments), SETTING_BOOLEAN, true, {0}},
    {FIELD(crlf), SETTING_BOOLEAN, false, {0}},
    {FIELD(split_bytes), SETTING_INTEGER, 0, {0}},
    {FIELD(split_delay_ms), SETTING_INTEGER, 0, {0}},
    {FIELD(content_length), SETTING_BOOLEAN, false, {0}},
    {FIELD(leading_whitespace), SETTING_BOOLEAN, false, {0}},
    {FIELD(cost_exponent), SETTING_BOOLEAN, false, {0}},
    {FIELD(cost_missing), SETTING_BOOLEAN, false, {0}},
    {FIELD(messages_stream_cost), SETTING_BOOLEAN, false, {0}},
    {FIELD(byok), SETTING_BOOLEAN, false, {0}},
    {FIELD(cancel_stops_billing), SETTING_BOOLEAN, true, {0}},
    {FIELD(generation_delay_ms), SETTING_INTEGER, 300, {0}},
    {FIELD(generation_same_key), SETTING_BOOLEAN, false, {0}},
    {FIELD(response_bytes), SETTING_INTEGER, 0, {0}},
    {FIELD(completion_tokens), SETTING_INTEGER, 16, {0}},
    {FIELD(completion_tokens_max), SETTING_INTEGER, 512, {0}},
    {FIELD(strict_models), SETTING_BOOLEAN, false, {0}},
    {FIELD(plain_errors), SETTING_BOOLEAN, false, {0}},
    {FIELD(key_propagation_ms), SETTING_INTEGER, 0, {0}},
    {FIELD(credits_nano_usd), SETTING_INTEGER, 1000000000000000, {0}},
    {FIELD(clock_offset_ms), SETTING_INTEGER, 0, {0}},
    {FIELD(ledger_rows), SETTING_BOOLEAN, true, {0}},
};

enum { SETTINGS = sizeof table / sizeof *table };

static bool set_one(struct settings *settings, const char *name, yyjson_val *value);
static bool read_value(const struct setting *setting, yyjson_val *value, int64_t *ret_value);
static int64_t *field_of(struct settings *settings, const struct setting *setting);

struct settings settings_default(void)
{
    struct settings settings = {0};
    for (size_t i = 0; i < SETTINGS; i++)
        *field_of(&settings, &table[i]) = table[i].otherwise;
    return settings;
}

bool settings_read(struct settings *settings, yyjson_val *object, const char **ret_fault)
{
    struct settings fresh = *settings;
    size_t index, count;
    yyjson_val *name, *value;
    yyjson_obj_foreach (object, index, count, name, value) {
        if (!set_one(&fresh, yyjson_get_str(name), value)) {
            *ret_fault = yyjson_get_str(name);
            return false;
        }
    }
    *settings = fresh;
    return true;
}

void settings_write(const struct settings *settings, struct json json)
{
    struct settings copy = *settings;
    for (size_t i = 0; i < SETTINGS; i++) {
        int64_t value = *field_of(&copy, &table[i]);
        if (table[i].type == SETTING_INTEGER)
            json_put_integer(json, table[i].name, value);
        else if (table[i].type == SETTING_BOOLEAN)
            json_put_boolean(json, table[i].name, value);
        else
            json_put_string(json, table[i].name, table[i].choices[value]);
    }
}

static bool set_one(struct settings *settings, const char *name, yyjson_val *value)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(table[i].name, name) == 0)
            return read_value(&table[i], value, field_of(settings, &table[i]));
    return false;
}

static bool read_value(const struct setting *setting, yyjson_val *value, int64_t *ret_value)
{
    switch (setting->type) {
    case SETTING_INTEGER:
        *ret_value = yyjson_get_sint(value);
        return yyjson_is_int(value);
    case SETTING_BOOLEAN:
        *ret_value = yyjson_get_bool(value);
        return yyjson_is_bool(value);
    case SETTING_CHOICE:
        for (*ret_value = 0; *ret_value < 2; ++*ret_value)
            if (yyjson_equals_str(value, setting->choices[*ret_value]))
                return true;
        break;
    }
    return false;
}

static int64_t *field_of(struct settings *settings, const struct setting *setting)
{
    return (int64_t *)(void *)((char *)settings + setting->offset);
}

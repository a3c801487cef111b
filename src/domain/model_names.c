/* The top level is read by the strict scan alone; only the few members that can hide names get a parser. */
#include "domain/model_names.h"

#include <stdio.h>
#include <yyjson.h>

#include "domain/json_scan.h"
#include "domain/json_text.h"

enum { MEMBER_NAME_MAX = 32 };

typedef bool read_value(struct model_names_reader *r, yyjson_val *value);

static bool read_nested(struct model_names_reader *r, struct span text, read_value *read);
static bool read_model(struct model_names_reader *r, yyjson_val *value);
static bool read_models(struct model_names_reader *r, yyjson_val *value);
static bool read_fallbacks(struct model_names_reader *r, yyjson_val *value);
static bool read_preset(struct model_names_reader *r, yyjson_val *value);
static bool read_plugins(struct model_names_reader *r, yyjson_val *value);
static bool read_tools(struct model_names_reader *r, yyjson_val *value);
static bool read_web_search(struct model_names_reader *r, yyjson_val *value);
static bool read_spender(struct model_names_reader *r, yyjson_val *value);
static bool read_list(struct model_names_reader *r, yyjson_val *value, read_value *read);
static bool read_fallback(struct model_names_reader *r, yyjson_val *value);
static bool read_plugin(struct model_names_reader *r, yyjson_val *value);
static bool read_tool(struct model_names_reader *r, yyjson_val *value);
static read_value *reader_of(struct span name);
static bool single(yyjson_val *object, const char *name, yyjson_val **ret_value);
static bool add_model(struct model_names_reader *r, struct span name);
static bool add_extra(struct model_names_reader *r, const char *kind, struct span id);
static bool add(struct model_names_reader *r, struct span name, bool billed);
static bool refuse(struct model_names_reader *r, enum names_verdict verdict);
static bool is_plain_name(struct span name);
static bool tool_runs_at_client(struct span type);

/* What can name a model or spend money; within plugins and tools also *_model and *_models, while a preset there is
 * one of theirs. */
static const struct {
    struct span name;
    read_value *read;
    bool top_only;
} places[] = {
    {{"model", 5}, read_model, false},
    {{"models", 6}, read_models, false},
    {{"fallbacks", 9}, read_fallbacks, false},
    {{"preset", 6}, read_preset, true},
    {{"plugins", 7}, read_plugins, false},
    {{"tools", 5}, read_tools, false},
    {{"web_search_options", 18}, read_web_search, false},
};

/* Beginnings of the types of tools that only the client runs; dates follow. */
static const struct span client_tools[] = {
    {"bash_", 5}, {"computer_", 9}, {"text_editor_", 12}, {"memory_", 7}, {"local_shell", 11},
};

enum names_verdict model_names_read(struct span body, struct model_names *ret_names)
{
    struct model_names_reader r;

    model_names_begin(&r, ret_names);
    if (json_scan(body, model_names_member, &r, NULL) != JSON_FINE)
        return NAMES_MALFORMED;
    return model_names_end(&r);
}

void model_names_begin(struct model_names_reader *reader, struct model_names *names)
{
    reader->names = names;
    reader->verdict = NAMES_FINE;
    reader->preset[0] = '\0';
    reader->nested = false;
    names->count = 0;
    names->none = true;
}

bool model_names_member(const struct json_member *member, void *reader)
{
    struct model_names_reader *r = reader;
    struct span name = member->name;
    char resolved[MEMBER_NAME_MAX], text[MODEL_NAME_MAX + 1];
    size_t size;

    if (member->name_escaped) {
        if (!json_resolve(member->name, resolved, sizeof(resolved), &size))
            return true; /* longer than any of ours */
        name = (struct span){resolved, size};
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        if (!span_equal(name, places[i].name))
            continue;
        if (member->kind == JSON_NULL)
            return true;
        if (places[i].read != read_model)
            return read_nested(r, member->value, places[i].read);
        struct span value = {member->value.at + 1, member->value.size - 2};
        if (member->kind != JSON_STRING || !json_resolve(value, text, sizeof(text), &size))
            return refuse(r, NAMES_MALFORMED);
        r->names->none = false;
        return add_model(r, (struct span){text, size});
    }
    return true;
}

enum names_verdict model_names_end(struct model_names_reader *reader)
{
    struct model_names *names = reader->names;

    if (reader->verdict == NAMES_FINE && reader->preset[0]) {
        add(reader, span_of(reader->preset), names->none);
        names->none = false;
    }
    return reader->verdict;
}

const char *model_names_refused(const struct model_names *names, const struct tier *tier)
{
    if (tier_reaches_everything(tier))
        return NULL;
    if (names->none)
        return "the account's default model";
    for (size_t i = 0; i < names->count; i++)
        if (!tier_reaches(tier, span_of(names->names[i])))
            return names->names[i];
    return NULL;
}

static bool read_nested(struct model_names_reader *r, struct span text, read_value *read)
{
    yyjson_doc *doc = yyjson_read(text.at, text.size, YYJSON_READ_NUMBER_AS_RAW);
    bool fine = doc ? read(r, yyjson_doc_get_root(doc)) : refuse(r, NAMES_MALFORMED);

    yyjson_doc_free(doc);
    return fine;
}

static bool read_model(struct model_names_reader *r, yyjson_val *value)
{
    if (!yyjson_is_str(value))
        return refuse(r, NAMES_MALFORMED);
    if (!r->nested)
        r->names->none = false;
    return add_model(r, (struct span){yyjson_get_str(value), yyjson_get_len(value)});
}

static bool read_models(struct model_names_reader *r, yyjson_val *value)
{
    return read_list(r, value, read_model);
}

static bool read_fallbacks(struct model_names_reader *r, yyjson_val *value)
{
    return read_list(r, value, read_fallback);
}

static bool read_preset(struct model_names_reader *r, yyjson_val *value)
{
    struct span slug = {yyjson_get_str(value), yyjson_get_len(value)};
    bool whole = yyjson_is_str(value) && span_starts(slug, SPAN("@preset/"));

    if (!yyjson_is_str(value) || !is_plain_name(slug))
        return refuse(r, NAMES_MALFORMED);
    if (r->preset[0]) /* twice */
        return refuse(r, NAMES_MALFORMED);
    int size =
        snprintf(r->preset, sizeof(r->preset), "%s%.*s", whole ? "" : "@preset/", SPAN_PRINT(slug));
    return (size_t)size < sizeof(r->preset) || refuse(r, NAMES_MALFORMED);
}

static bool read_plugins(struct model_names_reader *r, yyjson_val *value)
{
    return read_list(r, value, read_plugin);
}

static bool read_tools(struct model_names_reader *r, yyjson_val *value)
{
    return read_list(r, value, read_tool);
}

static bool read_web_search(struct model_names_reader *r, yyjson_val *value)
{
    (void)value;
    return add_extra(r, "plugin:", SPAN("web"));
}

/* What stands in a plugin, a server tool or a fallback, at any depth json_scan lets pass. */
static bool read_spender(struct model_names_reader *r, yyjson_val *value)
{
    bool fine = true, was_nested = r->nested;
    size_t i, count;
    yyjson_val *name, *member;

    r->nested = true;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach (value, i, count, member)
            fine = fine && read_spender(r, member);
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_foreach (value, i, count, name, member) {
            read_value *read = reader_of((struct span){yyjson_get_str(name), yyjson_get_len(name)});
            fine = fine && (yyjson_is_null(member) || read(r, member));
        }
    }
    r->nested = was_nested;
    return fine;
}

static bool read_list(struct model_names_reader *r, yyjson_val *value, read_value *read)
{
    bool fine = yyjson_is_arr(value) || refuse(r, NAMES_MALFORMED);
    size_t i, count;
    yyjson_val *element;

    yyjson_arr_foreach (value, i, count, element)
        fine = fine && read(r, element);
    return fine;
}

static bool read_fallback(struct model_names_reader *r, yyjson_val *value)
{
    yyjson_val *model;

    if (yyjson_is_str(value))
        return add_model(r, (struct span){yyjson_get_str(value), yyjson_get_len(value)});
    if (!single(value, "model", &model) || !model)
        return refuse(r, NAMES_MALFORMED);
    return read_spender(r, value);
}

static bool read_plugin(struct model_names_reader *r, yyjson_val *value)
{
    yyjson_val *id, *enabled;

    if (!single(value, "id", &id) || !single(value, "enabled", &enabled) || !yyjson_is_str(id))
        return refuse(r, NAMES_MALFORMED);
    if (yyjson_is_false(enabled))
        return true;
    return add_extra(r, "plugin:", (struct span){yyjson_get_str(id), yyjson_get_len(id)}) &&
           read_spender(r, value);
}

/* A tool without a type is one of the client's in the Messages dialect. */
static bool read_tool(struct model_names_reader *r, yyjson_val *value)
{
    static const struct span ours = {"openrouter:", 11};
    yyjson_val *type;

    if (!single(value, "type", &type) || (type && !yyjson_is_str(type)))
        return refuse(r, NAMES_MALFORMED);
    struct span name = {yyjson_get_str(type), yyjson_get_len(type)};
    if (!type || tool_runs_at_client(name))
        return true;
    if (span_starts(name, ours))
        name = span_from(name, ours.size);
    return add_extra(r, "tool:", name) && read_spender(r, value);
}

/* Below the top level. */
static read_value *reader_of(struct span name)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (span_equal(name, places[i].name) && !places[i].top_only)
            return places[i].read;
    if (span_ends(name, SPAN("_models")))
        return read_models;
    return span_ends(name, SPAN("_model")) ? read_model : read_spender;
}

/* False when value is no object or the name is there twice: then readers differ. null counts as not there. */
static bool single(yyjson_val *object, const char *name, yyjson_val **ret_value)
{
    size_t i, count, found = 0;
    yyjson_val *key, *value;

    *ret_value = NULL;
    yyjson_obj_foreach (object, i, count, key, value) {
        if (!yyjson_equals_str(key, name))
            continue;
        found++;
        *ret_value = yyjson_is_null(value) ? NULL : value;
    }
    return yyjson_is_obj(object) && found <= 1;
}

static bool add_model(struct model_names_reader *r, struct span name)
{
    if (!is_plain_name(name) || span_starts(name, SPAN("plugin:")) ||
        span_starts(name, SPAN("tool:")))
        return refuse(r, NAMES_MALFORMED);
    if (!add(r, name, true))
        return false;
    return !span_contains(name, SPAN(":online")) || add_extra(r, "plugin:", SPAN("web"));
}

static bool add_extra(struct model_names_reader *r, const char *kind, struct span id)
{
    char name[MODEL_NAME_MAX + 1];

    if (!is_plain_name(id))
        return refuse(r, NAMES_MALFORMED);
    int size = snprintf(name, sizeof(name), "%s%.*s", kind, SPAN_PRINT(id));
    if ((size_t)size >= sizeof(name))
        return refuse(r, NAMES_MALFORMED);
    return add(r, span_of(name), false);
}

static bool add(struct model_names_reader *r, struct span name, bool billed)
{
    struct model_names *names = r->names;

    for (size_t i = 0; i < names->count; i++) {
        if (!span_equal(span_of(names->names[i]), name))
            continue;
        names->billed[i] |= billed;
        return true;
    }
    if (names->count == MODEL_NAMES_MAX)
        return refuse(r, NAMES_TOO_MANY);
    if (!span_text(name, names->names[names->count], MODEL_NAME_MAX + 1))
        return refuse(r, NAMES_MALFORMED);
    names->billed[names->count++] = billed;
    return true;
}

static bool refuse(struct model_names_reader *r, enum names_verdict verdict)
{
    if (r->verdict == NAMES_FINE)
        r->verdict = verdict;
    return false;
}

/* Blanks, control characters and what is not ASCII may mean something else to whoever reads it next. */
static bool is_plain_name(struct span name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~')
            return false;
    return name.size > 0 && name.size <= MODEL_NAME_MAX;
}

static bool tool_runs_at_client(struct span type)
{
    if (span_equal(type, SPAN("function")) || span_equal(type, SPAN("custom")))
        return true;
    for (size_t i = 0; i < sizeof(client_tools) / sizeof(*client_tools); i++)
        if (span_starts(type, client_tools[i]))
            return true;
    return false;
}

#include "app/config_tiers.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/word.h"
#include "domain/model_names.h"

enum { LIST_SIZE = 320 };

struct include {
    size_t tier; /* its number */
    char name[TIER_NAME_MAX + 1];
    struct config_place place;
};

struct tiers_reader {
    struct yaml_reader *yaml;
    struct tiers *tiers;
    struct include *includes;
    size_t include_count;
    size_t lines[TIER_FIELD_COUNT + 2]; /* of the tier at hand: where its fields were seen, or 0 */
    size_t *tier_lines;                 /* of all tiers */
};

enum { MODELS = TIER_FIELD_COUNT, INCLUDES }; /* the lists; in lines behind the fields */

static void read_tiers(struct tiers_reader *r);
static void read_tier(struct tiers_reader *r, const struct yaml_key *key);
static bool name_is_fine(struct tiers_reader *r, const struct yaml_key *key);
static struct tier *begin_tier(struct tiers_reader *r, const struct yaml_key *key);
static void read_field(struct tiers_reader *r, const char *tier_name, const struct yaml_key *key);
static void read_scalar(struct tiers_reader *r, size_t number);
static void read_list(struct tiers_reader *r, size_t list);
static void read_item(struct tiers_reader *r, size_t list);
static void add_include(struct tiers_reader *r, struct span name);
static bool is_pattern(struct span text);
static void check_includes(struct tiers_reader *r);
static void check_circles(struct tiers_reader *r, const struct yaml_key *key);
static void unknown_field(struct tiers_reader *r, const char *tier_name,
                          const struct yaml_key *key);
static struct tier *current(struct tiers_reader *r);

static const char *const list_names[] = {"models", "includes"};

void config_tiers_read(struct yaml_reader *yaml, const struct yaml_key *key)
{
    struct tiers_reader r = {.yaml = yaml, .tiers = &yaml->config->config->tiers};
    size_t faults = yaml->config->fault_count;

    if (yaml->config->tiers_line) {
        YAML_FAULT(yaml, key->place, "section tiers is here twice, first in line %zu; join them",
                   yaml->config->tiers_line);
        config_yaml_skip(yaml);
        return;
    }
    yaml->config->tiers_line = key->place.line;
    read_tiers(&r);
    yaml->config->tiers_known = !yaml->broken && r.tiers->count > 0;
    if (!yaml->broken && yaml->config->fault_count == faults && r.tiers->count == 0)
        YAML_FAULT(yaml, key->place,
                   "tiers has no tier; write at least one, or take the section out for the "
                   "built-in ones");
    if (yaml->config->tiers_known)
        check_includes(&r);
    if (yaml->config->fault_count == faults)
        check_circles(&r, key);
    must_free(r.includes);
    must_free(r.tier_lines);
}

const char *config_tiers_near(const struct tiers *tiers, struct span name)
{
    size_t best = word_slips(name) + 1;
    const char *near = NULL;

    for (size_t i = 0; i < tiers->count; i++) {
        size_t distance = word_distance(name, span_of(tiers->rows[i].name));
        if (distance >= best)
            continue;
        best = distance;
        near = tiers->rows[i].name;
    }
    return near;
}

void config_tiers_list(const struct tiers *tiers, char *ret_list, size_t size)
{
    size_t used = 0;

    ret_list[0] = '\0';
    for (size_t i = 0; i < tiers->count && used < size; i++)
        used += (size_t)snprintf(ret_list + used, size - used, "%s%s", used ? ", " : "",
                                 tiers->rows[i].name);
}

static void read_tiers(struct tiers_reader *r)
{
    struct yaml_key key;

    if (config_yaml_has_extras(r->yaml) || config_yaml_is_null(r->yaml))
        return;
    if (r->yaml->event.type != YAML_MAPPING_START_EVENT) {
        YAML_FAULT(r->yaml, config_yaml_place(r->yaml),
                   "tiers is a map: each tier's name with a colon, its fields below it, indented");
        config_yaml_skip(r->yaml);
        return;
    }
    while (config_yaml_next(r->yaml) && r->yaml->event.type != YAML_MAPPING_END_EVENT)
        if (config_yaml_key(r->yaml, &key))
            read_tier(r, &key);
}

static void read_tier(struct tiers_reader *r, const struct yaml_key *key)
{
    struct yaml_key field;

    if (config_yaml_has_extras(r->yaml))
        return;
    if (!name_is_fine(r, key)) {
        config_yaml_skip(r->yaml);
        return;
    }
    struct tier *tier = begin_tier(r, key);
    if (r->yaml->event.type != YAML_MAPPING_START_EVENT) {
        YAML_FAULT(r->yaml, config_yaml_place(r->yaml),
                   "tiers.%s is a tier: its fields, such as models, follow below it, indented",
                   tier->name);
        config_yaml_skip(r->yaml);
        return;
    }
    while (config_yaml_next(r->yaml) && r->yaml->event.type != YAML_MAPPING_END_EVENT)
        if (config_yaml_key(r->yaml, &field))
            read_field(r, tier->name, &field);
    if (!r->yaml->broken && !r->lines[MODELS] && !r->lines[INCLUDES])
        YAML_FAULT(r->yaml, key->place,
                   "tiers.%s has neither models nor includes, so it reaches nothing; write "
                   "models: [\"*\"] for all of them",
                   tier->name);
}

static bool name_is_fine(struct tiers_reader *r, const struct yaml_key *key)
{
    struct span name = span_of(key->name);
    const struct tier *twin = tiers_find(r->tiers, name);
    bool fine = name.size > 0 && name.size <= TIER_NAME_MAX && span_trim(name).size == name.size;

    for (size_t i = 0; i < name.size; i++)
        fine = fine && (unsigned char)name.at[i] >= ' ' && name.at[i] != 0x7f;
    if (!fine)
        YAML_FAULT(r->yaml, key->place,
                   "\"%s\" is no name for a tier; it must be 1 to %d bytes on one line, without "
                   "blanks around it",
                   key->text, TIER_NAME_MAX);
    else if (twin)
        YAML_FAULT(r->yaml, key->place, "tier %s is here twice, first in line %zu; keep one",
                   twin->name, r->tier_lines[twin - r->tiers->rows]);
    return fine && !twin;
}

static struct tier *begin_tier(struct tiers_reader *r, const struct yaml_key *key)
{
    struct tier *tier = tiers_add(r->tiers, span_of(key->name));

    r->tier_lines = must_resize(r->tier_lines, r->tiers->count * sizeof(*r->tier_lines));
    r->tier_lines[r->tiers->count - 1] = key->place.line;
    memset(r->lines, 0, sizeof(r->lines));
    for (size_t i = 0; i < TIER_FIELD_COUNT; i++) {
        char wanted[TIER_WANTED_SIZE];
        bool fine = config_tier_set(tier, i, span_of(config_tier_fields()[i].preset), wanted);
        assert(fine); /* the table is ours */
    }
    return tier;
}

static void read_field(struct tiers_reader *r, const char *tier_name, const struct yaml_key *key)
{
    size_t number = 0;

    while (number < TIER_FIELD_COUNT && strcmp(config_tier_fields()[number].name, key->text) != 0)
        number++;
    for (size_t i = 0; number == TIER_FIELD_COUNT + i && i < 2; i++)
        number += strcmp(list_names[i], key->text) != 0;
    if (number > INCLUDES) {
        unknown_field(r, tier_name, key);
        config_yaml_skip(r->yaml);
    } else if (r->lines[number]) {
        YAML_FAULT(r->yaml, key->place, "tiers.%s.%s is set twice, first in line %zu; keep one",
                   tier_name, key->text, r->lines[number]);
        config_yaml_skip(r->yaml);
    } else {
        r->lines[number] = key->place.line;
        if (number < TIER_FIELD_COUNT)
            read_scalar(r, number);
        else
            read_list(r, number);
    }
}

static void read_scalar(struct tiers_reader *r, size_t number)
{
    struct span text = config_yaml_scalar(r->yaml);
    enum yaml_event_type_e type = r->yaml->event.type;
    struct config_place place = config_yaml_place(r->yaml);
    const char *tier_name = current(r)->name;
    char quote[CONFIG_QUOTE_SIZE], wanted[TIER_WANTED_SIZE];

    if (config_yaml_has_extras(r->yaml))
        return;
    config_quote(text, quote);
    if (text.at) {
        if (!config_tier_set(current(r), number, text, wanted))
            YAML_FAULT(r->yaml, place, "tiers.%s.%s is \"%s\"; it must be %s", tier_name,
                       config_tier_fields()[number].name, quote, wanted);
    } else if (type == YAML_SCALAR_EVENT) {
        YAML_FAULT(r->yaml, place, "tiers.%s.%s has no value; write one or take the line out",
                   tier_name, config_tier_fields()[number].name);
    } else {
        YAML_FAULT(r->yaml, place, "tiers.%s.%s is a %s; it must be a single value", tier_name,
                   config_tier_fields()[number].name,
                   type == YAML_SEQUENCE_START_EVENT ? "list" : "map");
        config_yaml_skip(r->yaml);
    }
}

/* One text stands for a list of one. */
static void read_list(struct tiers_reader *r, size_t list)
{
    struct config_place place = config_yaml_place(r->yaml);

    if (config_yaml_has_extras(r->yaml))
        return;
    if (r->yaml->event.type != YAML_SEQUENCE_START_EVENT) {
        read_item(r, list);
        return;
    }
    size_t count = 0;
    for (; config_yaml_next(r->yaml) && r->yaml->event.type != YAML_SEQUENCE_END_EVENT; count++)
        if (!config_yaml_has_extras(r->yaml))
            read_item(r, list);
    if (!r->yaml->broken && count == 0)
        YAML_FAULT(r->yaml, place, "tiers.%s.%s is empty; write something or take the line out",
                   current(r)->name, list_names[list - MODELS]);
}

static void read_item(struct tiers_reader *r, size_t list)
{
    struct span text = config_yaml_scalar(r->yaml);
    char quote[CONFIG_QUOTE_SIZE];

    config_quote(text, quote);
    if (list == INCLUDES && text.at && text.size <= TIER_NAME_MAX &&
        !memchr(text.at, '\0', text.size)) {
        add_include(r, text);
    } else if (list == MODELS && is_pattern(text)) {
        tier_add_model(current(r), text);
    } else {
        YAML_FAULT(r->yaml, config_yaml_place(r->yaml),
                   list == MODELS ? "tiers.%s.models: \"%s\" is no model; write author/name, in "
                                    "which * stands for any run of characters, or plugin:<id> or "
                                    "tool:<name>"
                                  : "tiers.%s.includes: \"%s\" is no tier; write a tier's name",
                   current(r)->name, quote);
        config_yaml_skip(r->yaml);
    }
}

static void add_include(struct tiers_reader *r, struct span name)
{
    r->includes = must_resize(r->includes, (r->include_count + 1) * sizeof(*r->includes));
    struct include *include = &r->includes[r->include_count++];

    include->tier = r->tiers->count - 1;
    include->place = config_yaml_place(r->yaml);
    span_text(name, include->name, sizeof(include->name));
    tier_add_include(current(r), name);
}

static bool is_pattern(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return false;
    return text.size > 0 && text.size <= MODEL_NAME_MAX;
}

static void check_includes(struct tiers_reader *r)
{
    char list[LIST_SIZE], quote[CONFIG_QUOTE_SIZE];

    config_tiers_list(r->tiers, list, sizeof(list));
    for (size_t i = 0; i < r->include_count; i++) {
        const struct include *include = &r->includes[i];
        const char *tier_name = r->tiers->rows[include->tier].name;
        const char *near = config_tiers_near(r->tiers, span_of(include->name));
        if (tiers_find(r->tiers, span_of(include->name)))
            continue;
        config_quote(span_of(include->name), quote);
        if (near)
            YAML_FAULT(r->yaml, include->place,
                       "tiers.%s includes %s, which is no tier; did you mean %s?", tier_name, quote,
                       near);
        else
            YAML_FAULT(r->yaml, include->place,
                       "tiers.%s includes %s, which is no tier; there are %s", tier_name, quote,
                       list);
    }
}

/* What is left to find is a circle; its place is the first include of the tier that is blamed. */
static void check_circles(struct tiers_reader *r, const struct yaml_key *key)
{
    char fault[TIER_FAULT_SIZE], head[TIER_NAME_MAX + 32];
    struct config_place place = key->place;

    if (tiers_seal(r->tiers, fault))
        return;
    for (size_t i = r->include_count; i-- > 0;) {
        snprintf(head, sizeof(head), "tier %s includes ", r->tiers->rows[r->includes[i].tier].name);
        if (span_starts(span_of(fault), span_of(head)))
            place = r->includes[i].place;
    }
    YAML_FAULT(r->yaml, place, "%s; take one of these includes out", fault);
}

static void unknown_field(struct tiers_reader *r, const char *tier_name, const struct yaml_key *key)
{
    size_t used = 0, best = word_slips(span_of(key->text)) + 1;
    const char *near = NULL;
    char list[LIST_SIZE];

    for (size_t i = 0; i < TIER_FIELD_COUNT + 2; i++) {
        const char *name =
            i < TIER_FIELD_COUNT ? config_tier_fields()[i].name : list_names[i - MODELS];
        size_t distance = word_distance(span_of(key->text), span_of(name));
        if (distance < best) {
            best = distance;
            near = name;
        }
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", name);
        assert(used < sizeof(list));
    }
    if (near)
        YAML_FAULT(r->yaml, key->place, "unknown key tiers.%s.%s; did you mean tiers.%s.%s?",
                   tier_name, key->text, tier_name, near);
    else
        YAML_FAULT(r->yaml, key->place, "unknown key tiers.%s.%s; a tier has %s", tier_name,
                   key->text, list);
}

static struct tier *current(struct tiers_reader *r)
{
    return &r->tiers->rows[r->tiers->count - 1];
}

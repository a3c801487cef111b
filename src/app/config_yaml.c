/* The file: sections of scalars, and the tiers. */
#include "app/config_yaml.h"

#include <stdio.h>

#include "app/config_tiers.h"
#include "base/word.h"

enum { LIST_SIZE = 480 };

static void syntax_fault(struct yaml_reader *reader);
static struct config_place place_of_byte(struct span text, size_t at);
static void read_stream(struct yaml_reader *reader);
static void read_root(struct yaml_reader *reader);
static void read_section(struct yaml_reader *reader, const struct yaml_key *key);
static void read_setting(struct yaml_reader *reader, const char *section,
                         const struct yaml_key *key);
static void read_value(struct yaml_reader *reader, size_t row);
static const struct config_row *find_section(const char *section);
static void unknown_section(struct yaml_reader *reader, const struct yaml_key *key);
static void unknown_setting(struct yaml_reader *reader, const char *section,
                            const struct yaml_key *key);

void config_yaml_read(struct config_reader *config, struct span text)
{
    struct yaml_reader reader = {.config = config, .text = text};

    if (!yaml_parser_initialize(&reader.parser)) {
        config_reader_fault(config, 0, (struct config_place){CONFIG_BY_FILE, 1, 1},
                            "not enough memory to read it");
        return;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.at, text.size);
    read_stream(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
}

bool config_yaml_next(struct yaml_reader *reader)
{
    if (reader->broken)
        return false;
    yaml_event_delete(&reader->event);
    reader->broken = !yaml_parser_parse(&reader->parser, &reader->event);
    if (reader->broken)
        syntax_fault(reader);
    return !reader->broken;
}

static void syntax_fault(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    struct config_place at = {CONFIG_BY_FILE, parser->problem_mark.line + 1,
                              parser->problem_mark.column + 1};

    if (parser->error == YAML_READER_ERROR)
        at = place_of_byte(reader->text, parser->problem_offset);
    bool is_star = parser->context && strstr(parser->context, "alias");
    YAML_FAULT(reader, at, "this is not YAML: %s%s%s; %s",
               parser->problem ? parser->problem : "it cannot be read", parser->context ? " " : "",
               parser->context ? parser->context : "",
               is_star ? "text that begins with * needs quotes, such as \"*:free\""
                       : "look at the indentation, colons and quotes here");
}

static struct config_place place_of_byte(struct span text, size_t at)
{
    struct config_place found = {CONFIG_BY_FILE, 1, 1};

    for (size_t i = 0; i < at && i < text.size; i++) {
        found.column++;
        if (text.at[i] == '\n') {
            found.line++;
            found.column = 1;
        }
    }
    return found;
}

static void read_stream(struct yaml_reader *reader)
{
    if (!config_yaml_next(reader) || !config_yaml_next(reader) ||
        reader->event.type == YAML_STREAM_END_EVENT)
        return;
    if (config_yaml_next(reader)) /* after the document's start */
        read_root(reader);
    if (config_yaml_next(reader) && config_yaml_next(reader) &&
        reader->event.type != YAML_STREAM_END_EVENT)
        YAML_FAULT(reader, config_yaml_place(reader),
                   "a second document begins here; put everything into one");
}

static void read_root(struct yaml_reader *reader)
{
    struct yaml_key key;

    if (config_yaml_has_extras(reader) || config_yaml_is_null(reader))
        return;
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        YAML_FAULT(reader, config_yaml_place(reader),
                   "the file must consist of sections such as \"server:\"");
        config_yaml_skip(reader);
        return;
    }
    while (config_yaml_next(reader) && reader->event.type != YAML_MAPPING_END_EVENT)
        if (config_yaml_key(reader, &key))
            read_section(reader, &key);
}

bool config_yaml_key(struct yaml_reader *reader, struct yaml_key *ret_key)
{
    bool fine = !config_yaml_has_extras(reader);

    ret_key->place = config_yaml_place(reader);
    if (fine && reader->event.type == YAML_SCALAR_EVENT) {
        struct span name = {(const char *)reader->event.data.scalar.value,
                            reader->event.data.scalar.length};
        config_quote(name, ret_key->text);
        span_text(name, ret_key->name, sizeof(ret_key->name));
        return config_yaml_next(reader);
    }
    if (fine) {
        YAML_FAULT(reader, ret_key->place, "a name must stand here, not a list or a map");
        config_yaml_skip(reader);
    }
    if (config_yaml_next(reader))
        config_yaml_skip(reader);
    return false;
}

static void read_section(struct yaml_reader *reader, const struct yaml_key *key)
{
    const struct config_row *row = find_section(key->text);
    struct yaml_key setting;
    size_t count, *line;

    if (!row && !strcmp(key->text, "tiers")) {
        config_tiers_read(reader, key);
        return;
    }
    if (!row) {
        unknown_section(reader, key);
        config_yaml_skip(reader);
        return;
    }
    line = &reader->section_lines[row - config_rows(&count)];
    if (*line)
        YAML_FAULT(reader, key->place, "section %s is here twice, first in line %zu; join them",
                   key->text, *line);
    else
        *line = key->place.line;
    if (config_yaml_has_extras(reader) || config_yaml_is_null(reader))
        return;
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        YAML_FAULT(reader, config_yaml_place(reader),
                   "%s is a section: its settings follow below it, indented", key->text);
        config_yaml_skip(reader);
        return;
    }
    while (config_yaml_next(reader) && reader->event.type != YAML_MAPPING_END_EVENT)
        if (config_yaml_key(reader, &setting))
            read_setting(reader, key->text, &setting);
}

static void read_setting(struct yaml_reader *reader, const char *section,
                         const struct yaml_key *key)
{
    size_t count, number = 0;
    const struct config_row *rows = config_rows(&count);

    while (number < count &&
           (strcmp(rows[number].section, section) || strcmp(rows[number].field, key->text)))
        number++;
    if (number == count) {
        unknown_setting(reader, section, key);
        config_yaml_skip(reader);
    } else if (reader->config->places[number].by == CONFIG_BY_FILE) {
        YAML_FAULT(reader, key->place, "%s.%s is set twice, first in line %zu; keep one", section,
                   key->text, reader->config->places[number].line);
        config_yaml_skip(reader);
    } else {
        read_value(reader, number);
    }
}

static void read_value(struct yaml_reader *reader, size_t number)
{
    size_t count;
    const struct config_row *row = config_rows(&count) + number;
    const yaml_event_t *event = &reader->event;

    if (event->type == YAML_SCALAR_EVENT && !config_yaml_is_null(reader)) {
        if (!config_yaml_has_extras(reader))
            config_reader_set(
                reader->config, number,
                (struct span){(const char *)event->data.scalar.value, event->data.scalar.length},
                config_yaml_place(reader));
        return;
    }
    reader->config->places[number] = config_yaml_place(reader);
    if (event->type == YAML_SCALAR_EVENT) {
        YAML_FAULT(reader, config_yaml_place(reader),
                   "%s.%s has no value; write one%s or take the line out", row->section, row->field,
                   row->type == CONFIG_TEXT ? " (\"\" is the empty text)" : "");
    } else if (!config_yaml_has_extras(reader)) {
        YAML_FAULT(reader, config_yaml_place(reader), "%s.%s is a %s; it must be a single value",
                   row->section, row->field,
                   event->type == YAML_SEQUENCE_START_EVENT ? "list" : "map");
        config_yaml_skip(reader);
    }
}

void config_yaml_skip(struct yaml_reader *reader)
{
    size_t depth = 0;

    do {
        if (reader->event.type == YAML_MAPPING_START_EVENT ||
            reader->event.type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (reader->event.type == YAML_MAPPING_END_EVENT ||
                 reader->event.type == YAML_SEQUENCE_END_EVENT)
            depth--;
    } while (depth > 0 && config_yaml_next(reader));
}

bool config_yaml_has_extras(struct yaml_reader *reader)
{
    const yaml_event_t *event = &reader->event;
    const char *what = NULL;

    if (event->type == YAML_ALIAS_EVENT)
        what = "an alias";
    else if ((event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
             (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
             (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor))
        what = "an anchor";
    else if ((event->type == YAML_SCALAR_EVENT && event->data.scalar.tag) ||
             (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag) ||
             (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag))
        what = "a tag";
    if (!what)
        return false;
    YAML_FAULT(reader, config_yaml_place(reader),
               "%s is not understood here; write the value itself", what);
    config_yaml_skip(reader);
    return true;
}

bool config_yaml_is_null(const struct yaml_reader *reader)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    const yaml_event_t *event = &reader->event;

    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcmp((const char *)event->data.scalar.value, words[i]))
            return true;
    return false;
}

struct span config_yaml_scalar(const struct yaml_reader *reader)
{
    if (reader->event.type != YAML_SCALAR_EVENT || config_yaml_is_null(reader))
        return SPAN_NONE;
    return (struct span){(const char *)reader->event.data.scalar.value,
                         reader->event.data.scalar.length};
}

struct config_place config_yaml_place(const struct yaml_reader *reader)
{
    const yaml_mark_t *mark = &reader->event.start_mark;
    return (struct config_place){CONFIG_BY_FILE, mark->line + 1, mark->column + 1};
}

/* Its first row, or NULL. */
static const struct config_row *find_section(const char *section)
{
    size_t count;
    const struct config_row *rows = config_rows(&count);

    for (size_t i = 0; i < count; i++)
        if (!strcmp(rows[i].section, section))
            return &rows[i];
    return NULL;
}

static void unknown_section(struct yaml_reader *reader, const struct yaml_key *key)
{
    size_t count, size = 0, best = word_slips(span_of(key->text)) + 1, distance;
    const struct config_row *rows = config_rows(&count), *near = NULL;
    char list[LIST_SIZE] = "";

    for (size_t i = 0; i < count; i++) {
        if (find_section(rows[i].section) != &rows[i])
            continue;
        distance = word_distance(span_of(key->text), span_of(rows[i].section));
        if (distance < best) {
            best = distance;
            near = &rows[i];
        }
        if (size < sizeof(list))
            size += (size_t)snprintf(list + size, sizeof(list) - size, "%s%s", size ? ", " : "",
                                     rows[i].section);
    }
    distance = word_distance(span_of(key->text), SPAN("tiers"));
    if (distance < best)
        YAML_FAULT(reader, key->place, "unknown section %s; did you mean tiers?", key->text);
    else if (near)
        YAML_FAULT(reader, key->place, "unknown section %s; did you mean %s?", key->text,
                   near->section);
    else
        YAML_FAULT(reader, key->place, "unknown section %s; there are %s, tiers", key->text, list);
}

/* The nearest of the section, or the same in another section. */
static void unknown_setting(struct yaml_reader *reader, const char *section,
                            const struct yaml_key *key)
{
    size_t count, size = 0, best = word_slips(span_of(key->text)) + 1, distance;
    const struct config_row *rows = config_rows(&count), *near = NULL, *same = NULL;
    char list[LIST_SIZE] = "";

    for (size_t i = 0; i < count; i++) {
        if (!same && !strcmp(rows[i].field, key->text))
            same = &rows[i];
        if (strcmp(rows[i].section, section) != 0)
            continue;
        distance = word_distance(span_of(key->text), span_of(rows[i].field));
        if (distance < best) {
            best = distance;
            near = &rows[i];
        }
        if (size < sizeof(list))
            size += (size_t)snprintf(list + size, sizeof(list) - size, "%s%s", size ? ", " : "",
                                     rows[i].field);
    }
    near = same && (!near || best > 2) ? same : near;
    if (near)
        YAML_FAULT(reader, key->place, "unknown key %s.%s; did you mean %s.%s?", section, key->text,
                   near->section, near->field);
    else
        YAML_FAULT(reader, key->place, "unknown key %s.%s; %s has %s", section, key->text, section,
                   list);
}

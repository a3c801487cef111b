/* The file: sections of scalars. libyaml gives events; each read_ function finds the first event of
 * its part in reader.event and leaves with the last one there. */
#include "app/config_reader.h"

#include <stdio.h>
#include <yaml.h>

enum { LIST_SIZE = 480 };

struct yaml_reader {
    struct config_reader *config;
    struct span text;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool broken;        /* no more events */
    size_t
        section_lines[CONFIG_ROW_COUNT]; /* at the section's first row: where it was seen, or 0 */
};

/* A key outlives its event. */
struct yaml_key {
    char text[CONFIG_QUOTE_SIZE];
    struct config_place place;
};

static bool next(struct yaml_reader *reader);
static void syntax_fault(struct yaml_reader *reader);
static struct config_place place_of_byte(struct span text, size_t at);
static void read_stream(struct yaml_reader *reader);
static void read_root(struct yaml_reader *reader);
static bool read_key(struct yaml_reader *reader, struct yaml_key *ret_key);
static void read_section(struct yaml_reader *reader, const struct yaml_key *key);
static void read_setting(struct yaml_reader *reader, const char *section,
                         const struct yaml_key *key);
static void read_value(struct yaml_reader *reader, size_t row);
static void skip(struct yaml_reader *reader);
static bool has_extras(struct yaml_reader *reader);
static bool is_null(const yaml_event_t *event);
static struct config_place place(const struct yaml_reader *reader);
static const struct config_row *find_section(const char *section);
static void unknown_section(struct yaml_reader *reader, const struct yaml_key *key);
static void unknown_setting(struct yaml_reader *reader, const char *section,
                            const struct yaml_key *key);

#define FAULT(reader, place, ...) config_reader_fault((reader)->config, 0, place, __VA_ARGS__)

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

static bool next(struct yaml_reader *reader)
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
    FAULT(reader, at, "this is not YAML: %s%s%s; look at the indentation, colons and quotes here",
          parser->problem ? parser->problem : "it cannot be read", parser->context ? " " : "",
          parser->context ? parser->context : "");
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
    if (!next(reader) || !next(reader) || reader->event.type == YAML_STREAM_END_EVENT)
        return;
    if (next(reader)) /* after the document's start */
        read_root(reader);
    if (next(reader) && next(reader) && reader->event.type != YAML_STREAM_END_EVENT)
        FAULT(reader, place(reader), "a second document begins here; put everything into one");
}

static void read_root(struct yaml_reader *reader)
{
    struct yaml_key key;

    if (has_extras(reader) || is_null(&reader->event))
        return;
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        FAULT(reader, place(reader), "the file must consist of sections such as \"server:\"");
        skip(reader);
        return;
    }
    while (next(reader) && reader->event.type != YAML_MAPPING_END_EVENT)
        if (read_key(reader, &key))
            read_section(reader, &key);
}

/* Goes on to the value; false when the pair is dealt with. */
static bool read_key(struct yaml_reader *reader, struct yaml_key *ret_key)
{
    bool fine = !has_extras(reader);

    ret_key->place = place(reader);
    if (fine && reader->event.type == YAML_SCALAR_EVENT) {
        config_quote((struct span){(const char *)reader->event.data.scalar.value,
                                   reader->event.data.scalar.length},
                     ret_key->text);
        return next(reader);
    }
    if (fine) {
        FAULT(reader, ret_key->place, "a name must stand here, not a list or a map");
        skip(reader);
    }
    if (next(reader))
        skip(reader);
    return false;
}

static void read_section(struct yaml_reader *reader, const struct yaml_key *key)
{
    const struct config_row *row = find_section(key->text);
    struct yaml_key setting;
    size_t count, *line;

    if (!row) {
        unknown_section(reader, key);
        skip(reader);
        return;
    }
    line = &reader->section_lines[row - config_rows(&count)];
    if (*line)
        FAULT(reader, key->place, "section %s is here twice, first in line %zu; join them",
              key->text, *line);
    else
        *line = key->place.line;
    if (has_extras(reader) || is_null(&reader->event))
        return;
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        FAULT(reader, place(reader), "%s is a section: its settings follow below it, indented",
              key->text);
        skip(reader);
        return;
    }
    while (next(reader) && reader->event.type != YAML_MAPPING_END_EVENT)
        if (read_key(reader, &setting))
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
        skip(reader);
    } else if (reader->config->places[number].by == CONFIG_BY_FILE) {
        FAULT(reader, key->place, "%s.%s is set twice, first in line %zu; keep one", section,
              key->text, reader->config->places[number].line);
        skip(reader);
    } else {
        read_value(reader, number);
    }
}

static void read_value(struct yaml_reader *reader, size_t number)
{
    size_t count;
    const struct config_row *row = config_rows(&count) + number;
    const yaml_event_t *event = &reader->event;

    if (event->type == YAML_SCALAR_EVENT && !is_null(event)) {
        if (!has_extras(reader))
            config_reader_set(
                reader->config, number,
                (struct span){(const char *)event->data.scalar.value, event->data.scalar.length},
                place(reader));
        return;
    }
    reader->config->places[number] = place(reader);
    if (event->type == YAML_SCALAR_EVENT) {
        FAULT(reader, place(reader), "%s.%s has no value; write one%s or take the line out",
              row->section, row->field,
              row->type == CONFIG_TEXT ? " (\"\" is the empty text)" : "");
    } else if (!has_extras(reader)) {
        FAULT(reader, place(reader), "%s.%s is a %s; it must be a single value", row->section,
              row->field, event->type == YAML_SEQUENCE_START_EVENT ? "list" : "map");
        skip(reader);
    }
}

/* Over the value that begins here. */
static void skip(struct yaml_reader *reader)
{
    size_t depth = 0;

    do {
        if (reader->event.type == YAML_MAPPING_START_EVENT ||
            reader->event.type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (reader->event.type == YAML_MAPPING_END_EVENT ||
                 reader->event.type == YAML_SEQUENCE_END_EVENT)
            depth--;
    } while (depth > 0 && next(reader));
}

/* Anchors, aliases and tags make a reader think; a configuration does not need them. Then the value
 * is skipped. */
static bool has_extras(struct yaml_reader *reader)
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
    FAULT(reader, place(reader), "%s is not understood here; write the value itself", what);
    skip(reader);
    return true;
}

static bool is_null(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcmp((const char *)event->data.scalar.value, words[i]))
            return true;
    return false;
}

static struct config_place place(const struct yaml_reader *reader)
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
    size_t count, size = 0, best = config_word_slips(span_of(key->text)) + 1, distance;
    const struct config_row *rows = config_rows(&count), *near = NULL;
    char list[LIST_SIZE] = "";

    for (size_t i = 0; i < count; i++) {
        if (find_section(rows[i].section) != &rows[i])
            continue;
        distance = config_word_distance(span_of(key->text), span_of(rows[i].section));
        if (distance < best) {
            best = distance;
            near = &rows[i];
        }
        if (size < sizeof(list))
            size += (size_t)snprintf(list + size, sizeof(list) - size, "%s%s", size ? ", " : "",
                                     rows[i].section);
    }
    if (near)
        FAULT(reader, key->place, "unknown section %s; did you mean %s?", key->text, near->section);
    else
        FAULT(reader, key->place, "unknown section %s; there are %s", key->text, list);
}

/* The nearest of the section, or the same in another section. */
static void unknown_setting(struct yaml_reader *reader, const char *section,
                            const struct yaml_key *key)
{
    size_t count, size = 0, best = config_word_slips(span_of(key->text)) + 1, distance;
    const struct config_row *rows = config_rows(&count), *near = NULL, *same = NULL;
    char list[LIST_SIZE] = "";

    for (size_t i = 0; i < count; i++) {
        if (!same && !strcmp(rows[i].field, key->text))
            same = &rows[i];
        if (strcmp(rows[i].section, section) != 0)
            continue;
        distance = config_word_distance(span_of(key->text), span_of(rows[i].field));
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
        FAULT(reader, key->place, "unknown key %s.%s; did you mean %s.%s?", section, key->text,
              near->section, near->field);
    else
        FAULT(reader, key->place, "unknown key %s.%s; %s has %s", section, key->text, section,
              list);
}

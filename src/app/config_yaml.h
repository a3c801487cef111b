/* config_yaml.h: what the readers of the file's sections share: libyaml's events one after the other. Each reader finds
 * the first event of its part in reader.event and leaves with the last one there.
 *
 * Owns      the current event.
 * Fails     faults go to the configuration's reader; after a syntax fault there are no more events (broken).
 */
#ifndef KEYTURN_APP_CONFIG_YAML_H
#define KEYTURN_APP_CONFIG_YAML_H

#include <yaml.h>

#include "app/config_reader.h"

enum { YAML_NAME_SIZE = 80 };

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
    char text[CONFIG_QUOTE_SIZE]; /* for people */
    char name[YAML_NAME_SIZE];    /* as it is; empty when it does not fit */
    struct config_place place;
};

bool config_yaml_next(struct yaml_reader *reader);
/* Goes on to the value; false when the pair is dealt with. */
bool config_yaml_key(struct yaml_reader *reader, struct yaml_key *ret_key);
/* Over the value that begins here. */
void config_yaml_skip(struct yaml_reader *reader);
/* Anchors, aliases and tags make a reader think; a configuration does not need them. Then the value is skipped. */
bool config_yaml_has_extras(struct yaml_reader *reader);
bool config_yaml_is_null(const struct yaml_reader *reader);
struct span config_yaml_scalar(
    const struct yaml_reader *reader); /* SPAN_NONE when it is none, or null */
struct config_place config_yaml_place(const struct yaml_reader *reader);

#define YAML_FAULT(reader, place, ...) config_reader_fault((reader)->config, 0, place, __VA_ARGS__)

#endif

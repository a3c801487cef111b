/* config_reader.h: what the parts of the configuration's reader share: settings by number, places, faults.
 *
 * Owns      nothing; config, file and faults are the caller's.
 * Fails     a fault is one line "<place>: <what>; <what to do>\n"; reading goes on.
 */
#ifndef KEYTURN_APP_CONFIG_READER_H
#define KEYTURN_APP_CONFIG_READER_H

#include "app/config.h"

#define ROW(section, field, type, preset, min, max, text) +1
enum { CONFIG_ROW_COUNT = 0 CONFIG(ROW) };
#undef ROW

enum { CONFIG_VARIABLE_SIZE = 64, CONFIG_QUOTE_SIZE = 64 };

/* Where a setting's value was found; lines and columns count from 1. */
struct config_place {
    enum { CONFIG_BY_DEFAULT, CONFIG_BY_FILE, CONFIG_BY_VARIABLE } by;
    size_t line, column;
};

struct config_reader {
    struct config *config;
    const char *file;
    struct buffer *faults;
    size_t fault_count;
    struct config_place places[CONFIG_ROW_COUNT]; /* of the last value, good or bad */
    size_t tiers_line;                            /* where the section tiers was seen, or 0 */
    bool tiers_known;                             /* every one of them was seen */
};

/* Checks and stores the text; the old value stays when there is a fault. */
void config_reader_set(struct config_reader *reader, size_t row, struct span text,
                       struct config_place place);
/* row: of whose variable the place is; for other places any. */
void config_reader_fault(struct config_reader *reader, size_t row, struct config_place place,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));
void config_yaml_read(struct config_reader *reader, struct span text);

/* KEYTURN_SERVER_HEAD_MAX */
void config_variable(const struct config_row *row, char ret_name[CONFIG_VARIABLE_SIZE]);
/* For a line of text: cut when long, without control characters. */
void config_quote(struct span text, char ret_text[CONFIG_QUOTE_SIZE]);

#endif

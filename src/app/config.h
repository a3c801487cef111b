/* config.h: the configuration: defaults, then the YAML file, then the environment; validated as one.
 *
 * Owns      its texts.
 * Fails     config_load collects every fault, not only the first: each names file:line:column (or the variable), what is
 *           wrong and, for an unknown key, the nearest known one.
 * Ends      config_done.
 * Source    design 4.2; the rows are in app/config_table.h
 */
#ifndef KEYTURN_APP_CONFIG_H
#define KEYTURN_APP_CONFIG_H

#include "app/config_table.h"
#include "base/buffer.h"
#include "domain/tier.h"

enum config_type {
    CONFIG_TEXT,
    CONFIG_COUNT,
    CONFIG_BYTES,
    CONFIG_DURATION,
    CONFIG_USD,
    CONFIG_CHOICE
};

/* TEXT and CHOICE are texts, the rest int64: count, bytes, milliseconds, nano-USD. */
#define CONFIG_C_TEXT char *
#define CONFIG_C_CHOICE char *
#define CONFIG_C_COUNT int64_t
#define CONFIG_C_BYTES int64_t
#define CONFIG_C_DURATION int64_t
#define CONFIG_C_USD int64_t

struct config {
#define ROW(section, field, type, preset, min, max, text) CONFIG_C_##type section##_##field;
    CONFIG(ROW)
#undef ROW
    struct tiers tiers; /* sealed */
};

struct config_row {
    const char *section, *field;
    enum config_type type;
    const char *preset, *min, *max, *text; /* of a CHOICE, min holds the words */
    size_t offset;                         /* in struct config */
};

const struct config_row *config_rows(size_t *ret_count);

/* file may be NULL: defaults and environment only. faults gets one line per fault; true: there is none.
 * environment is asked by name; the product gives getenv. */
bool config_load(struct config *config, const char *file,
                 const char *(*environment)(const char *name), struct buffer *faults);
void config_done(struct config *config);
/* Tables for people: --help's short one and the README's Markdown. */
bool config_print_markdown(struct buffer *out);
bool config_print_help(struct buffer *out);
bool config_print_tiers(struct buffer *out);
/* keyturn.example.yaml */
bool config_print_example(struct buffer *out);

#endif

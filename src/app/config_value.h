/* config_value.h: the scalars of the configuration between text and number.
 *
 * Units     as in config_table.h; of a duration a bare 0 is fine, of bytes any bare number.
 * Fails     config_value_parse: false for what is no such value or does not fit in 64 bits.
 */
#ifndef KEYTURN_APP_CONFIG_VALUE_H
#define KEYTURN_APP_CONFIG_VALUE_H

#include "app/config.h"

enum { CONFIG_VALUE_TEXT_SIZE = 32 };

/* Of the types that are numbers. */
bool config_value_parse(enum config_type type, struct span text, int64_t *ret_value);
/* The shortest exact text: "24h", "20MiB", "12.5". */
void config_value_text(enum config_type type, int64_t value, char ret_text[CONFIG_VALUE_TEXT_SIZE]);
/* "a duration such as 250ms, 10s, 5m, 24h or 90d" */
const char *config_value_kind(enum config_type type);

#endif

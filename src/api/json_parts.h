/* json_parts.h: the recurring parts of our JSON: amounts and times.
 *
 * Units     nano-USD; -1 is unlimited: "x_nano_usd":-1 and "x_usd":null. Unix milliseconds; 0 is never: null.
 * Source    design 4.5
 */
#ifndef KEYTURN_API_JSON_PARTS_H
#define KEYTURN_API_JSON_PARTS_H

#include "base/json_write.h"

void json_usd(struct json *j, const char *name, int64_t nano_usd); /* "name":12.5 */
/* "<name>_nano_usd":12500000000,"<name>_usd":12.5 */
void json_amount(struct json *j, const char *name, int64_t nano_usd);
void json_count(struct json *j, const char *name, int64_t count);
void json_string(struct json *j, const char *name, struct span text);
void json_time(struct json *j, const char *name, int64_t wall_ms);

#endif

/*
 * Small helpers over yyjson: reading optional members, writing money, sending a document into a
 * text.
 */
#ifndef SIM_JSON_H
#define SIM_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"
#include "yyjson.h"

/* The member or what stands in for it when it is absent or of another type. */
const char *json_string(yyjson_val *object, const char *name, const char *otherwise);
int64_t json_integer(yyjson_val *object, const char *name, int64_t otherwise);
bool json_boolean(yyjson_val *object, const char *name, bool otherwise);

/* An object under construction, and the members our answers are made of. */
struct json {
    yyjson_mut_doc *doc;
    yyjson_mut_val *object;
};

struct json json_start(void);
struct json json_object(struct json parent, const char *name); /* a member object */
yyjson_mut_val *json_array(struct json parent, const char *name);
struct json json_append(struct json parent, yyjson_mut_val *array); /* an object at its end */

void json_put_string(struct json json, const char *name, const char *value); /* NULL is null */
void json_put_integer(struct json json, const char *name, int64_t value);
void json_put_boolean(struct json json, const char *name, bool value);
void json_put_null(struct json json, const char *name);
void json_put_usd(struct json json, const char *name, int64_t nano);
void json_put_time(struct json json, const char *name, int64_t ms); /* below 0 is null */

/* Writes the whole document and frees it. */
void json_finish(struct json json, struct text *ret_text);

#endif

#include "json.h"

#include <stdlib.h>

#include "clock.h"
#include "money.h"

const char *json_string(yyjson_val *object, const char *name, const char *otherwise)
{
    const char *value = yyjson_get_str(yyjson_obj_get(object, name));
    return value ? value : otherwise;
}

int64_t json_integer(yyjson_val *object, const char *name, int64_t otherwise)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_int(value) ? yyjson_get_sint(value) : otherwise;
}

bool json_boolean(yyjson_val *object, const char *name, bool otherwise)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_bool(value) ? yyjson_get_bool(value) : otherwise;
}

struct json json_start(void)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    struct json json = {doc, yyjson_mut_obj(doc)};
    yyjson_mut_doc_set_root(doc, json.object);
    return json;
}

struct json json_object(struct json parent, const char *name)
{
    return (struct json){parent.doc, yyjson_mut_obj_add_obj(parent.doc, parent.object, name)};
}

yyjson_mut_val *json_array(struct json parent, const char *name)
{
    return yyjson_mut_obj_add_arr(parent.doc, parent.object, name);
}

struct json json_append(struct json parent, yyjson_mut_val *array)
{
    return (struct json){parent.doc, yyjson_mut_arr_add_obj(parent.doc, array)};
}

void json_put_string(struct json json, const char *name, const char *value)
{
    if (value)
        yyjson_mut_obj_add_strcpy(json.doc, json.object, name, value);
    else
        json_put_null(json, name);
}

void json_put_integer(struct json json, const char *name, int64_t value)
{
    yyjson_mut_obj_add_sint(json.doc, json.object, name, value);
}

void json_put_boolean(struct json json, const char *name, bool value)
{
    yyjson_mut_obj_add_bool(json.doc, json.object, name, value);
}

void json_put_null(struct json json, const char *name)
{
    yyjson_mut_obj_add_null(json.doc, json.object, name);
}

void json_put_usd(struct json json, const char *name, int64_t nano)
{
    char text[USD_TEXT];
    usd_write(text, nano, USD_DECIMAL);
    yyjson_mut_val *value = yyjson_mut_rawcpy(json.doc, text);
    yyjson_mut_obj_add_val(json.doc, json.object, name, value);
}

void json_put_time(struct json json, const char *name, int64_t ms)
{
    char text[ISO_TIME];
    if (ms >= 0)
        clock_write_iso(text, ms);
    json_put_string(json, name, ms >= 0 ? text : NULL);
}

void json_finish(struct json json, struct text *ret_text)
{
    size_t length;
    char *bytes = yyjson_mut_write(json.doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &length);
    if (bytes)
        text_add(ret_text, bytes, length);
    free(bytes);
    yyjson_mut_doc_free(json.doc);
}

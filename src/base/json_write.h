/* json_write.h: composing small JSON documents into a buffer, commas and escapes done right.
 *
 * Owns      nothing; writes into the caller's buffer.
 * Fails     when the buffer's cap is reached, json_ok turns false and the text is unfinished.
 * Source    RFC 8259; control characters and invalid UTF-8 are escaped or replaced by U+FFFD.
 */
#ifndef KEYTURN_BASE_JSON_WRITE_H
#define KEYTURN_BASE_JSON_WRITE_H

#include "base/buffer.h"

struct json {
    struct buffer *out;
    bool need_comma, failed;
};

static inline struct json json_into(struct buffer *out)
{
    return (struct json){out, false, false};
}
static inline bool json_ok(const struct json *j)
{
    return !j->failed;
}
void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_name(struct json *j, const char *name);
void json_text(struct json *j, struct span text); /* SPAN_NONE writes null */
void json_int(struct json *j, int64_t number);
void json_bool(struct json *j, bool value);
void json_null(struct json *j);
void json_members(struct json *j,
                  struct span members);          /* "name":value,... as they are; none is fine */
void json_raw(struct json *j, struct span json); /* a whole JSON value, as it is */

#endif

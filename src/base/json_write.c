#include "base/json_write.h"

#include "base/number.h"

#include <assert.h>
#include <stdio.h>

static void put(struct json *j, struct span bytes);
static void before_value(struct json *j);
static void put_string(struct json *j, struct span text);
static void put_escape(struct json *j, unsigned code);
static size_t plain_run(struct span text);
static size_t character_at(struct span text, unsigned *ret_code);
static size_t character_size(unsigned char first);
static bool needs_escape(unsigned code);

void json_open(struct json *j, char bracket)
{
    assert(bracket == '{' || bracket == '[');
    before_value(j);
    put(j, (struct span){&bracket, 1});
    j->need_comma = false;
}

void json_close(struct json *j, char bracket)
{
    assert(bracket == '}' || bracket == ']');
    put(j, (struct span){&bracket, 1});
    j->need_comma = true;
}

void json_name(struct json *j, const char *name)
{
    before_value(j);
    put_string(j, span_of(name));
    put(j, SPAN(":"));
    j->need_comma = false;
}

void json_text(struct json *j, struct span text)
{
    if (!text.at) {
        json_null(j);
        return;
    }
    before_value(j);
    put_string(j, text);
}

void json_int(struct json *j, int64_t number)
{
    char text[NUMBER_TEXT_SIZE];

    json_raw(j, number_text(number, text));
}

void json_bool(struct json *j, bool value)
{
    json_raw(j, value ? SPAN("true") : SPAN("false"));
}

void json_null(struct json *j)
{
    json_raw(j, SPAN("null"));
}

void json_raw(struct json *j, struct span json)
{
    assert(json.size > 0);
    before_value(j);
    put(j, json);
}

void json_members(struct json *j, struct span members)
{
    if (members.size == 0)
        return;
    before_value(j);
    put(j, members);
}

static void put(struct json *j, struct span bytes)
{
    if (!j->failed && !buffer_append(j->out, bytes))
        j->failed = true;
}

static void before_value(struct json *j)
{
    if (j->need_comma)
        put(j, SPAN(","));
    j->need_comma = true;
}

static void put_string(struct json *j, struct span text)
{
    put(j, SPAN("\""));
    while (text.size > 0) {
        size_t run = plain_run(text);
        put(j, span_first(text, run));
        text = span_from(text, run);
        if (text.size == 0)
            break;
        unsigned code;
        size_t size = character_at(text, &code);
        if (size == 0)
            put(j, SPAN("\xEF\xBF\xBD"));
        else
            put_escape(j, code);
        text = span_from(text, size ? size : 1);
    }
    put(j, SPAN("\""));
}

static void put_escape(struct json *j, unsigned code)
{
    char text[8];
    int size = 2;
    text[0] = '\\';
    if (code == '"' || code == '\\')
        text[1] = (char)code;
    else if (code == '\n')
        text[1] = 'n';
    else if (code == '\r')
        text[1] = 'r';
    else if (code == '\t')
        text[1] = 't';
    else
        size = snprintf(text, sizeof(text), "\\u%04x", code & 0xffff);
    put(j, (struct span){text, (size_t)size});
}

/* How many bytes from here go out as they are. */
static size_t plain_run(struct span text)
{
    size_t at = 0;
    while (at < text.size) {
        unsigned code;
        size_t size = character_at(span_from(text, at), &code);
        if (size == 0 || needs_escape(code))
            break;
        at += size;
    }
    return at;
}

/* The bytes of the first character, 0 when it is not well-formed UTF-8 (Unicode, table 3-7). */
static size_t character_at(struct span text, unsigned *ret_code)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t size = character_size(at[0]);
    if (size == 0 || size > text.size)
        return 0;
    unsigned code = size == 1 ? at[0] : at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return size;
}

static size_t character_size(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Both ranges of control characters: terminals obey U+009B as they obey ESC [. */
static bool needs_escape(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == '"' || code == '\\';
}

/* The strings that are kept: names, and values that say something. Escapes are resolved as they come; what is longer
 * than METER_TEXT_MAX is only marked as cut. A lone surrogate escape reads as U+FFFD: streams cut characters in two.
 */
#include "domain/usage_meter_parts.h"

static bool take_escape(struct meter_state *s, struct span *bytes);
static bool take_named(struct meter_state *s, char c);
static bool take_hex(struct meter_state *s, char c);
static void keep_code(struct meter_state *s, unsigned code);
static void keep_lone_half(struct meter_state *s);
static void keep_utf8(struct meter_state *s, unsigned code);

void meter_text_start(struct meter_state *s)
{
    s->text_size = s->escape = 0;
    s->text_used = s->text_cut = false;
    s->high = 0;
}

enum meter_text meter_text_take(struct meter_state *s, struct span *bytes, struct span *ret_text)
{
    s->text_used = true;
    while (bytes->size > 0) {
        if (s->escape > 0) {
            if (!take_escape(s, bytes))
                return TEXT_BROKEN;
            continue;
        }
        const char *end = bytes->at + bytes->size, *found = meter_find_quote(bytes->at, end);
        meter_text_keep(s, span_first(*bytes, (size_t)(found - bytes->at)));
        *bytes = span_from(*bytes, (size_t)(found - bytes->at) + 1);
        if (found < end && *found == '"') {
            keep_lone_half(s);
            *ret_text = meter_text_kept(s);
            return TEXT_CLOSED;
        }
        s->escape = found < end;
    }
    return TEXT_MORE;
}

void meter_text_keep(struct meter_state *s, struct span bytes)
{
    if (bytes.size == 0)
        return;
    s->text_used = true;
    keep_lone_half(s);
    s->text_cut |= bytes.size > (size_t)METER_TEXT_MAX - s->text_size;
    if (s->text_cut)
        return;
    memcpy(s->text + s->text_size, bytes.at, bytes.size);
    s->text_size = (unsigned char)(s->text_size + bytes.size);
}

struct span meter_text_kept(const struct meter_state *s)
{
    return (struct span){s->text, s->text_size};
}

static bool take_escape(struct meter_state *s, struct span *bytes)
{
    char c = bytes->at[0];
    *bytes = span_from(*bytes, 1);
    return s->escape == 1 ? take_named(s, c) : take_hex(s, c);
}

static bool take_named(struct meter_state *s, char c)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        s->escape = 5;
        s->code = 0;
        return true;
    }
    const char *name = c != '\0' ? strchr(names, c) : NULL;
    s->escape = 0;
    if (name)
        meter_text_keep(s, (struct span){meanings + (name - names), 1});
    return name != NULL;
}

static bool take_hex(struct meter_state *s, char c)
{
    unsigned digit = (unsigned char)c - (unsigned)'0', letter = ((unsigned char)c | 0x20u) - 'a';
    if (digit > 9 && letter > 5)
        return false;
    s->code = s->code << 4 | (digit <= 9 ? digit : letter + 10);
    if (--s->escape > 1)
        return true;
    s->escape = 0;
    keep_code(s, s->code);
    return true;
}

static void keep_code(struct meter_state *s, unsigned code)
{
    bool high = code >= 0xd800 && code <= 0xdbff, low = code >= 0xdc00 && code <= 0xdfff;
    if (low && s->high != 0) {
        code = 0x10000 + ((s->high - 0xd800) << 10) + (code - 0xdc00);
        s->high = 0;
        keep_utf8(s, code);
        return;
    }
    keep_lone_half(s);
    if (high)
        s->high = code;
    else
        keep_utf8(s, low ? 0xfffd : code);
}

static void keep_lone_half(struct meter_state *s)
{
    if (s->high == 0)
        return;
    s->high = 0;
    keep_utf8(s, 0xfffd);
}

static void keep_utf8(struct meter_state *s, unsigned code)
{
    char bytes[4] = {(char)code};
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0 && size > 1; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    if (size > 1)
        bytes[0] = (char)((0xf00 >> size & 0xf0) | code);
    meter_text_keep(s, (struct span){bytes, size});
}

#include "domain/json_text.h"

static size_t resolve_escape(const unsigned char *at, const unsigned char *end, char *ret_bytes,
                             size_t *ret_size);
static size_t put_utf8(unsigned code, char *ret_bytes);

struct span json_plain_string(struct span value)
{
    if (value.size < 2 || value.at[0] != '"' || value.at[value.size - 1] != '"')
        return SPAN_NONE;
    struct span inside = {value.at + 1, value.size - 2};
    return inside.size > 0 && memchr(inside.at, '\\', inside.size) ? SPAN_NONE : inside;
}

bool json_resolve(struct span raw, char *ret_text, size_t capacity, size_t *ret_size)
{
    const unsigned char *at = (const unsigned char *)raw.at, *end = at + raw.size;
    size_t size = 0;
    while (at < end) {
        char bytes[4] = {(char)*at};
        size_t taken = 1, given = 1;
        if (*at == '\\')
            taken = resolve_escape(at, end, bytes, &given);
        if (taken == 0 || given > capacity - size)
            return false;
        memcpy(ret_text + size, bytes, given);
        size += given;
        at += taken;
    }
    *ret_size = size;
    return true;
}

bool json_hex4(const unsigned char *at, const unsigned char *end, unsigned *ret_code)
{
    if (end - at < 4)
        return false;
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        unsigned digit = at[i] - (unsigned)'0', letter = (at[i] | 0x20u) - (unsigned)'a';
        if (digit > 9 && letter > 5)
            return false;
        code = code << 4 | (digit <= 9 ? digit : letter + 10);
    }
    *ret_code = code;
    return true;
}

/* How many bytes the escape at `at` has (0: none that json_scan lets pass) and what it stands for. */
static size_t resolve_escape(const unsigned char *at, const unsigned char *end, char *ret_bytes,
                             size_t *ret_size)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    unsigned code, low;
    if (end - at < 2)
        return 0;
    const char *name = at[1] != '\0' ? strchr(names, at[1]) : NULL;
    if (name) {
        ret_bytes[0] = meanings[name - names];
        return 2;
    }
    if (at[1] != 'u' || !json_hex4(at + 2, end, &code))
        return 0;
    bool high = code >= 0xd800 && code <= 0xdbff;
    if (high && (end - at < 12 || !json_hex4(at + 8, end, &low)))
        return 0;
    if (high)
        code = 0x10000 + ((code - 0xd800) << 10) + (low & 0x3ff);
    *ret_size = put_utf8(code, ret_bytes);
    return high ? 12 : 6;
}

static size_t put_utf8(unsigned code, char *ret_bytes)
{
    if (code < 0x80) {
        ret_bytes[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        ret_bytes[i] = (char)(0x80 | (code & 0x3f));
    ret_bytes[0] = (char)((0xf00 >> size & 0xf0) | code);
    return size;
}

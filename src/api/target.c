#include "api/target.h"

static int hex_digit(char c);

bool target_matches(struct span path, const char *pattern, struct span *ret_parameter)
{
    struct span rest = span_of(pattern), segment, wanted;

    *ret_parameter = SPAN_NONE;
    while (span_split(&rest, '/', &wanted)) {
        if (!span_split(&path, '/', &segment))
            return false;
        if (span_starts(wanted, SPAN("{")) && segment.size > 0)
            *ret_parameter = segment;
        else if (!span_equal(wanted, segment))
            return false;
    }
    return path.at == NULL;
}

bool query_next(struct span *query, struct span *ret_name, struct span *ret_value)
{
    struct span pair;

    while (span_split(query, '&', &pair)) {
        if (pair.size == 0)
            continue;
        *ret_value = pair;
        span_split(ret_value, '=', ret_name);
        return true;
    }
    return false;
}

bool percent_decode(struct span text, char *ret_text, size_t capacity)
{
    size_t size = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < text.size; i++, size++) {
        int high, low;
        if (size + 1 >= capacity)
            return false;
        ret_text[size] = text.at[i];
        if (text.at[i] != '%')
            continue;
        if (text.size - i < 3 || (high = hex_digit(text.at[i + 1])) < 0 ||
            (low = hex_digit(text.at[i + 2])) < 0)
            return false;
        ret_text[size] = (char)(high * 16 + low);
        i += 2;
        if (ret_text[size] == '\0')
            return false;
    }
    ret_text[size] = '\0';
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#include "base/span.h"

#include <assert.h>

/* Eight bytes at a time where there are eight; these tell of any byte of a word, not of which. */
static const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;

static uint64_t word_at(const char *bytes);
static uint64_t any_below(uint64_t word, unsigned char c);
static uint64_t any_is(uint64_t word, unsigned char c);
static bool has_control(uint64_t word);
static char lower(char c);
static bool is_blank(char c);

bool span_same_letters(struct span a, struct span b)
{
    assert(a.size == b.size);
    for (size_t i = 0; i < a.size; i++)
        if (a.at[i] != b.at[i] && lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

size_t span_text_size(struct span s)
{
    size_t at = 0;
    for (; s.size - at >= 8; at += 8)
        if (has_control(word_at(s.at + at)))
            break;
    if (s.size >= 8 && s.size - at < 8 && !has_control(word_at(s.at + s.size - 8)))
        return s.size;
    while (at < s.size && ((unsigned char)s.at[at] >= 0x20 || s.at[at] == '\t') && s.at[at] != 0x7f)
        at++;
    return at;
}

bool span_is_visible(struct span s)
{
    size_t at = 0;
    for (; s.size - at >= 8; at += 8) {
        uint64_t word = word_at(s.at + at);
        if ((word & tops) | any_below(word, 0x21) | any_is(word, 0x7f))
            return false;
    }
    while (at < s.size && s.at[at] > ' ' && s.at[at] <= '~')
        at++;
    return at == s.size;
}

bool span_ends(struct span s, struct span suffix)
{
    return s.size >= suffix.size && span_equal(span_from(s, s.size - suffix.size), suffix);
}

bool span_contains(struct span s, struct span part)
{
    if (part.size == 0)
        return true;
    return s.size >= part.size && memmem(s.at, s.size, part.at, part.size) != NULL;
}

struct span span_trim(struct span s)
{
    while (s.size > 0 && is_blank(s.at[0]))
        s = span_from(s, 1);
    while (s.size > 0 && is_blank(s.at[s.size - 1]))
        s.size--;
    return s;
}

bool span_split(struct span *s, char separator, struct span *ret_head)
{
    if (!s->at)
        return false;
    const char *cut = s->size > 0 ? memchr(s->at, separator, s->size) : NULL;
    if (!cut) {
        *ret_head = *s;
        *s = SPAN_NONE;
        return true;
    }
    size_t before = (size_t)(cut - s->at);
    *ret_head = span_first(*s, before);
    *s = span_from(*s, before + 1);
    return true;
}

bool span_u64(struct span s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.at[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

bool span_i64(struct span s, int64_t *ret_value)
{
    bool negative = span_starts(s, SPAN("-"));
    uint64_t size = 0, most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (!span_u64(span_from(s, negative ? 1 : 0), &size) || size > most)
        return false;
    if (!negative)
        *ret_value = (int64_t)size;
    else
        *ret_value = size == most ? INT64_MIN : -(int64_t)size;
    return true;
}

bool span_text(struct span s, char *ret_text, size_t capacity)
{
    assert(capacity > 0);
    ret_text[0] = '\0';
    if (s.size >= capacity || (s.size > 0 && memchr(s.at, '\0', s.size)))
        return false;
    if (s.size > 0)
        memcpy(ret_text, s.at, s.size);
    ret_text[s.size] = '\0';
    return true;
}

static uint64_t word_at(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static uint64_t any_below(uint64_t word, unsigned char c)
{
    return (word - ones * c) & ~word & tops;
}

static uint64_t any_is(uint64_t word, unsigned char c)
{
    return any_below(word ^ ones * c, 1);
}

static bool has_control(uint64_t word)
{
    return (any_below(word, 0x20) | any_is(word, 0x7f)) != 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool span_split_text(struct span *s, char separator, char *ret_text, size_t capacity)
{
    struct span piece;

    return span_split(s, separator, &piece) && span_text(piece, ret_text, capacity);
}

bool span_split_i64(struct span *s, char separator, int64_t *ret_value)
{
    struct span piece;

    return span_split(s, separator, &piece) && span_i64(piece, ret_value);
}

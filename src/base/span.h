/* span.h: a piece of bytes somebody else owns.
 *
 * Owns      nothing; a span is valid as long as what it points into.
 * Fails     never; parsing functions return false and leave their result alone.
 */
#ifndef KEYTURN_BASE_SPAN_H
#define KEYTURN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *at; /* NULL only in SPAN_NONE */
    size_t size;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_NONE ((struct span){NULL, 0})
/* For printf's "%.*s"; only for text that is not a secret. */
#define SPAN_PRINT(s) (int)(s).size, (s).at

/* Inline is what every request calls hundreds of times: a call would cost more than what it does. NULL gives SPAN_NONE. */
static inline struct span span_of(const char *text)
{
    return text ? (struct span){text, strlen(text)} : SPAN_NONE;
}
/* Of the bytes: none equals empty. */
static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}
/* s without its first bytes; empty past the end. */
static inline struct span span_from(struct span s, size_t skip)
{
    if (!s.at)
        return s;
    if (skip > s.size)
        skip = s.size;
    return (struct span){s.at + skip, s.size - skip};
}
/* At most the first bytes. */
static inline struct span span_first(struct span s, size_t count)
{
    return (struct span){s.at, count < s.size ? count : s.size};
}
static inline bool span_starts(struct span s, struct span prefix)
{
    return s.size >= prefix.size && span_equal(span_first(s, prefix.size), prefix);
}
bool span_same_letters(struct span a, struct span b); /* of one size; ASCII only */
/* ASCII only. */
static inline bool span_equal_nocase(struct span a, struct span b)
{
    return a.size == b.size && span_same_letters(a, b);
}
/* How many of the first bytes may stand in a line of text: no control characters but HTAB. */
size_t span_text_size(struct span s);
static inline bool span_is_text(struct span s)
{
    return span_text_size(s) == s.size;
}
bool span_is_visible(struct span s); /* ASCII without blanks and control characters */
bool span_ends(struct span s, struct span suffix);
bool span_contains(struct span s, struct span part);
struct span span_trim(struct span s); /* without SP, HTAB, CR, LF on both sides */
/* Cuts at the first separator: *ret_head before it, *s after it. The last piece ends with *s = SPAN_NONE. */
bool span_split(struct span *s, char separator, struct span *ret_head);
/* The next piece, as below. */
bool span_split_text(struct span *s, char separator, char *ret_text, size_t capacity);
bool span_split_i64(struct span *s, char separator, int64_t *ret_value);
/* Decimal digits only, whole span, no overflow; span_i64 with an optional leading minus. */
bool span_u64(struct span s, uint64_t *ret_value);
bool span_i64(struct span s, int64_t *ret_value);
/* Copies as a NUL-terminated text; false (and an empty text) when it does not fit or has a NUL inside. */
bool span_text(struct span s, char *ret_text, size_t capacity);

#endif

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

struct span span_of(const char *text);                /* NULL gives SPAN_NONE */
bool span_equal(struct span a, struct span b);        /* of the bytes: none equals empty */
bool span_equal_nocase(struct span a, struct span b); /* ASCII only */
bool span_starts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
bool span_contains(struct span s, struct span part);
/* s without its first bytes; empty past the end. */
struct span span_from(struct span s, size_t skip);
struct span span_first(struct span s, size_t count); /* at most the first bytes */
struct span span_trim(struct span s);                /* without SP, HTAB, CR, LF on both sides */
/* Cuts at the first separator: *ret_head before it, *s after it. The last piece ends with *s = SPAN_NONE. */
bool span_split(struct span *s, char separator, struct span *ret_head);
/* Decimal digits only, whole span, no overflow; span_i64 with an optional leading minus. */
bool span_u64(struct span s, uint64_t *ret_value);
bool span_i64(struct span s, int64_t *ret_value);
/* Copies as a NUL-terminated text; false (and an empty text) when it does not fit or has a NUL inside. */
bool span_text(struct span s, char *ret_text, size_t capacity);

#endif

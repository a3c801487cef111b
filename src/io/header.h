/* header.h: one header field, as both sides of io hand it over.
 *
 * Owns      nothing.
 * Source    RFC 9110 section 5: names compare without case; values are trimmed.
 */
#ifndef KEYTURN_IO_HEADER_H
#define KEYTURN_IO_HEADER_H

#include "base/span.h"

struct header {
    struct span name, value;
};

struct headers {
    const struct header *rows;
    size_t count;
};

/* The first field of that name, SPAN_NONE when there is none. */
static inline struct span header_find(struct headers headers, struct span name)
{
    for (size_t i = 0; i < headers.count; i++)
        if (span_equal_nocase(headers.rows[i].name, name))
            return headers.rows[i].value;
    return SPAN_NONE;
}

#endif

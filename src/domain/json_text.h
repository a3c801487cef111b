/* json_text.h: what the strings of a text that json_scan let pass mean.
 *
 * Owns      nothing; the plain string points into the value.
 * Fails     SPAN_NONE and false as told below.
 * Source    RFC 8259 section 7
 */
#ifndef KEYTURN_DOMAIN_JSON_TEXT_H
#define KEYTURN_DOMAIN_JSON_TEXT_H

#include "base/span.h"

/* The text of a string value (raw, with quotes) without escapes resolved; SPAN_NONE if it is no string or has escapes. */
struct span json_plain_string(struct span value);
/* What a name or string (raw, without its quotes) means, in at most as many bytes as it is written with; false when
 * that is more than capacity. Not NUL-terminated: a text may contain \u0000. */
bool json_resolve(struct span raw, char *ret_text, size_t capacity, size_t *ret_size);
/* The four hex digits of a \u escape; false when there are fewer before the end. */
bool json_hex4(const unsigned char *at, const unsigned char *end, unsigned *ret_code);

#endif

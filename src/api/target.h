/* target.h: what a request's target says: a route's pattern, a parameter in the path, the query.
 *
 * Owns      nothing; spans point into the target.
 * Fails     false: malformed, a NUL inside, or too long.
 * Source    RFC 3986 section 2.1: %XX alone; a plus is a plus (users' ids have it)
 */
#ifndef KEYTURN_API_TARGET_H
#define KEYTURN_API_TARGET_H

#include "base/span.h"

/* A {name} in the pattern stands for one segment that is not empty: ret_parameter has it as sent, SPAN_NONE where the
 * pattern has none. */
bool target_matches(struct span path, const char *pattern, struct span *ret_parameter);
/* The next name=value of a query, both as sent; false at the end. */
bool query_next(struct span *query, struct span *ret_name, struct span *ret_value);
bool percent_decode(struct span text, char *ret_text, size_t capacity);

#endif

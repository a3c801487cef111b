/* json_scan.h: a strict walk over one JSON text, telling the members of its top-level object where they stand.
 *
 * Validates the whole text in one pass without allocating: RFC 8259 grammar, UTF-8, no lone surrogate escapes, at most
 * JSON_DEPTH_MAX levels. What passes here means the same to any JSON reader; that is the point: policy and upstream
 * must see the same members.
 *
 * Owns      nothing; spans point into the text.
 * Fails     JSON_BROKEN with the offset of the first bad byte.
 * Source    RFC 8259; GHSA-4gph-2hhr-5mwg (case and duplicate keys), peers section 5
 */
#ifndef KEYTURN_DOMAIN_JSON_SCAN_H
#define KEYTURN_DOMAIN_JSON_SCAN_H

#include "base/span.h"

enum { JSON_DEPTH_MAX = 256 };

enum json_kind {
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_member {
    struct span name;  /* raw, between the quotes, escapes not resolved */
    struct span value; /* raw, the whole value including quotes or brackets */
    enum json_kind kind;
    bool name_escaped; /* the name contains a backslash escape */
};

enum json_verdict { JSON_FINE, JSON_BROKEN, JSON_NOT_OBJECT };

/* Calls visit for each top-level member in order; visit returns false to stop early (the verdict is JSON_FINE then). */
enum json_verdict json_scan(struct span text,
                            bool (*visit)(const struct json_member *member, void *context),
                            void *context, size_t *ret_bad_at);

#endif

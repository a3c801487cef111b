/* origin.h: where a side of ours connects to: "https://openrouter.ai", "http://127.0.0.1:8090/api".
 *
 * Owns      nothing; all text is inside.
 * Fails     origin_parse: false and a sentence. Strict: http or https, a host name or an address
 *           (IPv6 in brackets), a port, a base path; no user, query or fragment, no other way to
 *           write an IPv4 address.
 * Source    RFC 3986 section 3.2; RFC 1123 section 2.1
 */
#ifndef KEYTURN_IO_ORIGIN_H
#define KEYTURN_IO_ORIGIN_H

#include "base/span.h"

enum { ORIGIN_HOST_MAX = 253, ORIGIN_BASE_MAX = 255, ORIGIN_ERROR_SIZE = 160 };

struct origin {
    bool tls;
    bool host_is_v4, host_is_v6; /* an address: nothing to resolve */
    uint16_t port;
    char host[ORIGIN_HOST_MAX + 1]; /* lower case, no brackets */
    char url[ORIGIN_HOST_MAX + 32]; /* scheme://host:port, nothing behind it */
    char base[ORIGIN_BASE_MAX + 1]; /* "" or "/api": no slash at the end */
};

bool origin_parse(const char *text, struct origin *ret_origin, char ret_error[ORIGIN_ERROR_SIZE]);

#endif

#include "io/origin.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool take_scheme(struct span *rest, struct origin *origin);
static bool take_host(struct span *rest, struct origin *origin);
static bool take_port(struct span *rest, struct origin *origin);
static bool take_base(struct span rest, struct origin *origin);
static bool is_name(const char *host, struct origin *origin);
static bool is_letter_or_digit(char c);

bool origin_parse(const char *text, struct origin *ret_origin, char ret_error[ORIGIN_ERROR_SIZE])
{
    struct origin origin = {0};
    struct span rest = span_of(text);
    const char *wrong = NULL;

    if (!take_scheme(&rest, &origin))
        wrong = "it must start with https:// or http://";
    else if (!take_host(&rest, &origin))
        wrong = "the host must be a name, an IPv4 address or an IPv6 address in brackets";
    else if (!take_port(&rest, &origin))
        wrong = "the port must be a number from 1 to 65535";
    else if (!take_base(rest, &origin))
        wrong = "only a plain path may follow the host and port";
    if (wrong) {
        snprintf(ret_error, ORIGIN_ERROR_SIZE, "%.60s is not a usable URL: %s.",
                 text ? text : "(nothing)", wrong);
        return false;
    }
    snprintf(origin.url, sizeof(origin.url), origin.host_is_v6 ? "%s://[%s]:%u" : "%s://%s:%u",
             origin.tls ? "https" : "http", origin.host, (unsigned)origin.port);
    *ret_origin = origin;
    return true;
}

static bool take_scheme(struct span *rest, struct origin *origin)
{
    struct span https = SPAN("https://"), http = SPAN("http://");

    origin->tls = span_starts(*rest, https);
    if (!origin->tls && !span_starts(*rest, http))
        return false;
    *rest = span_from(*rest, origin->tls ? https.size : http.size);
    return true;
}

static bool take_host(struct span *rest, struct origin *origin)
{
    unsigned char address[16];
    size_t size = 0;

    if (rest->size && rest->at[0] == '[') {
        const char *end = memchr(rest->at, ']', rest->size);
        if (!end || !span_text(span_first(span_from(*rest, 1), (size_t)(end - rest->at) - 1),
                               origin->host, sizeof(origin->host)))
            return false;
        *rest = span_from(*rest, (size_t)(end - rest->at) + 1);
        origin->host_is_v6 = inet_pton(AF_INET6, origin->host, address) == 1;
        return origin->host_is_v6;
    }
    while (size < rest->size && rest->at[size] != ':' && rest->at[size] != '/')
        size++;
    if (!span_text(span_first(*rest, size), origin->host, sizeof(origin->host)))
        return false;
    *rest = span_from(*rest, size);
    origin->host_is_v4 = inet_pton(AF_INET, origin->host, address) == 1;
    return origin->host_is_v4 || is_name(origin->host, origin);
}

static bool take_port(struct span *rest, struct origin *origin)
{
    size_t size = 1;
    uint64_t port;

    origin->port = origin->tls ? 443 : 80;
    if (rest->size == 0 || rest->at[0] != ':')
        return true;
    while (size < rest->size && rest->at[size] != '/')
        size++;
    if (!span_u64(span_from(span_first(*rest, size), 1), &port) || port < 1 || port > 65535)
        return false;
    origin->port = (uint16_t)port;
    *rest = span_from(*rest, size);
    return true;
}

static bool take_base(struct span rest, struct origin *origin)
{
    while (rest.size && rest.at[rest.size - 1] == '/')
        rest.size--;
    for (size_t i = 0; i < rest.size; i++)
        if (!is_letter_or_digit(rest.at[i]) && !strchr("/-._~", rest.at[i]))
            return false;
    if (span_contains(rest, SPAN("/.")) || span_contains(rest, SPAN("//")))
        return false;
    return (rest.size == 0 || rest.at[0] == '/') &&
           span_text(rest, origin->base, sizeof(origin->base));
}

/* Labels of letters, digits and inner hyphens; the last one is not a number, or some would read it
 * as an address. */
static bool is_name(const char *host, struct origin *origin)
{
    struct span rest = span_of(host), label = SPAN_NONE;
    bool all_digits = true;

    while (span_split(&rest, '.', &label)) {
        if (label.size < 1 || label.size > 63 || label.at[0] == '-' ||
            label.at[label.size - 1] == '-')
            return false;
        all_digits = true;
        for (size_t i = 0; i < label.size; i++) {
            if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-')
                return false;
            all_digits = all_digits && label.at[i] >= '0' && label.at[i] <= '9';
        }
        if (label.size > 2 && label.at[0] == '0' && (label.at[1] | 0x20) == 'x')
            all_digits = true;
    }
    for (char *c = origin->host; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    return label.at && !all_digits;
}

static bool is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

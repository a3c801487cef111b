#include "app/redis_url.h"

#include <stdio.h>

static bool percent_decode(struct span text, char *ret_text, size_t capacity);
static bool parse_user(struct redis_url *url, struct span *rest);
static bool parse_host(struct redis_url *url, struct span rest);
static bool parse_socket(struct redis_url *url, struct span rest);
static bool parse_database(struct redis_url *url, struct span text);

bool redis_url_parse(struct redis_url *url, struct span text, char ret_error[160])
{
    struct span rest;
    bool fine, socket = span_starts(text, SPAN("unix:"));

    *url = (struct redis_url){.port = 6379};
    url->tls = span_starts(text, SPAN("rediss://"));
    if (!socket && !url->tls && !span_starts(text, SPAN("redis://"))) {
        snprintf(ret_error, 160,
                 "KEYTURN_REDIS_URL must start with redis://, rediss:// or unix://");
        return false;
    }
    rest = span_from(text, socket ? 5 : url->tls ? 9 : 8);
    if (socket && span_starts(rest, SPAN("//")))
        rest = span_from(rest, 2);
    fine = parse_user(url, &rest) && (socket ? parse_socket(url, rest) : parse_host(url, rest));
    if (!fine) {
        snprintf(ret_error, 160, "KEYTURN_REDIS_URL cannot be read; write %s",
                 socket ? "unix:///path/to/socket[?db=number]"
                        : "redis://[user:password@]host[:port][/database]");
        redis_url_done(url);
    }
    return fine;
}

void redis_url_done(struct redis_url *url)
{
    secret_done(&url->password);
}

void redis_url_apply(const struct redis_url *url, struct redis_settings *settings)
{
    settings->host = url->host[0] ? url->host : NULL;
    settings->port = url->port;
    settings->path = url->path[0] ? url->path : NULL;
    settings->user = url->user[0] ? url->user : NULL;
    settings->password = secret_is_set(&url->password) ? &url->password : NULL;
    settings->database = url->database;
    settings->tls = url->tls;
}

static bool parse_user(struct redis_url *url, struct span *rest)
{
    const char *at = rest->size ? memrchr(rest->at, '@', rest->size) : NULL;
    struct span user, password;
    char decoded[256];
    bool fine;

    if (!at)
        return true;
    password = (struct span){rest->at, (size_t)(at - rest->at)};
    *rest = span_from(*rest, password.size + 1);
    if (!span_split(&password, ':', &user) || !percent_decode(user, url->user, sizeof(url->user)))
        return false;
    if (!password.at)
        return true;
    fine = percent_decode(password, decoded, sizeof(decoded));
    if (fine)
        secret_set(&url->password, span_of(decoded));
    wipe(decoded, sizeof(decoded));
    return fine;
}

static bool parse_host(struct redis_url *url, struct span rest)
{
    struct span host, port = SPAN_NONE;
    uint64_t number;

    if (!span_split(&rest, '/', &host))
        return false;
    if (rest.size && !parse_database(url, rest))
        return false;
    if (span_starts(host, SPAN("["))) {
        port = span_from(host, 1);
        if (!span_split(&port, ']', &host))
            return false;
        port = span_from(port, 1);
    } else {
        port = host;
        span_split(&port, ':', &host);
    }
    if (port.size) {
        if (!span_u64(port, &number) || number == 0 || number > 65535)
            return false;
        url->port = (int)number;
    }
    return host.size && span_text(host, url->host, sizeof(url->host));
}

static bool parse_socket(struct redis_url *url, struct span rest)
{
    struct span path;

    if (!span_split(&rest, '?', &path))
        return false;
    if (rest.size && (!span_starts(rest, SPAN("db=")) || !parse_database(url, span_from(rest, 3))))
        return false;
    return span_starts(path, SPAN("/")) && percent_decode(path, url->path, sizeof(url->path)) &&
           strlen(url->path) < 108;
}

static bool parse_database(struct redis_url *url, struct span text)
{
    uint64_t number;

    if (!span_u64(text, &number) || number > 65535)
        return false;
    url->database = (int)number;
    return true;
}

static bool percent_decode(struct span text, char *ret_text, size_t capacity)
{
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned value = (unsigned char)text.at[i];
        if (value == '%') {
            char digits[3] = {0};
            if (i + 2 >= text.size)
                return false;
            memcpy(digits, text.at + i + 1, 2);
            if (sscanf(digits, "%2x", &value) != 1 || value == 0)
                return false;
            i += 2;
        }
        if (size + 1 >= capacity)
            return false;
        ret_text[size++] = (char)value;
    }
    ret_text[size] = '\0';
    return true;
}

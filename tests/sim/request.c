#include "request.h"

#include <string.h>
#include <strings.h>

static int on_target(llhttp_t *parser, const char *bytes, size_t length);
static int on_header(llhttp_t *parser, const char *bytes, size_t length);
static int on_header_end(llhttp_t *parser);
static int on_body(llhttp_t *parser, const char *bytes, size_t length);

void request_callbacks(llhttp_settings_t *settings)
{
    llhttp_settings_init(settings);
    settings->on_url = on_target;
    settings->on_header_field = on_header;
    settings->on_header_field_complete = on_header_end;
    settings->on_header_value = on_header;
    settings->on_header_value_complete = on_header_end;
    settings->on_body = on_body;
}

void request_complete(struct request *request, const llhttp_t *parser)
{
    request->method = llhttp_method_name((llhttp_method_t)llhttp_get_method((llhttp_t *)parser));
    request->keep_alive = llhttp_should_keep_alive(parser);
    text_add(&request->target, "\0", 2); /* an absent query reads as "" */
    text_add(&request->headers, "", 1);
    char *query = strchr(request->target.bytes, '?');
    if (query)
        *query = '\0';
    char *path = request->target.bytes;
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
}

const char *request_path(const struct request *request)
{
    return request->target.bytes;
}

const char *request_header(const struct request *request, const char *name)
{
    for (const char *at = request->headers.bytes; *at;) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

bool request_query(const struct request *request, const char *name, struct text *ret_value)
{
    const char *end = request->target.bytes + request->target.length;
    const char *at = memchr(request->target.bytes, '\0', request->target.length);
    while (at < end && !*at)
        at++;
    size_t length = strlen(name);
    while (at < end && *at) {
        size_t pair = strcspn(at, "&");
        if (pair > length && strncmp(at, name, length) == 0 && at[length] == '=') {
            text_add(ret_value, at + length + 1, pair - length - 1);
            text_string(ret_value);
            return true;
        }
        at += pair + (at[pair] == '&');
    }
    return false;
}

void request_clear(struct request *request)
{
    text_clear(&request->target);
    text_clear(&request->headers);
    text_clear(&request->body);
}

void request_done(struct request *request)
{
    text_done(&request->target);
    text_done(&request->headers);
    text_done(&request->body);
}

static int on_target(llhttp_t *parser, const char *bytes, size_t length)
{
    struct request *request = parser->data;
    text_add(&request->target, bytes, length);
    return 0;
}

static int on_header(llhttp_t *parser, const char *bytes, size_t length)
{
    struct request *request = parser->data;
    text_add(&request->headers, bytes, length);
    return 0;
}

static int on_header_end(llhttp_t *parser)
{
    struct request *request = parser->data;
    text_add(&request->headers, "", 1);
    return 0;
}

static int on_body(llhttp_t *parser, const char *bytes, size_t length)
{
    struct request *request = parser->data;
    text_add(&request->body, bytes, length);
    return 0;
}

#include "io/upstream/request.h"

#include "base/number.h"

#include <assert.h>

#ifndef KEYTURN_VERSION
#error "KEYTURN_VERSION is set by the build."
#endif

enum { METHOD_MAX = 16, HEAD_MAX_BYTES = 1024 * 1024, FIXED_BYTES = 512 };

static bool ask_is_sendable(const struct upstream_ask *ask);
static size_t head_most(const struct upstream_ask *ask);
static char *put_line(char *to, struct span name, struct span value);
static char *put_host(char *to, const struct origin *origin);
static char *put_length(char *to, const struct upstream_ask *ask);
static bool expects_body(struct span method);
static char *put(char *to, struct span bytes);
static void forget_head(struct upstream_request *request);

void upstream_request_init(struct upstream_request *request)
{
    *request = (struct upstream_request){0};
    buffer_init(&request->head, HEAD_MAX_BYTES);
}

/* The host is the origin's, whatever is asked. */
bool upstream_request_set(struct upstream_request *request, const struct origin *origin,
                          const struct upstream_ask *ask)
{
    char *start, *at;

    request->has_left = false;
    if (!ask_is_sendable(ask) || !(start = buffer_room(&request->head, head_most(ask))))
        return false;
    at = put(put(put(put(start, ask->method), SPAN(" ")), ask->path), SPAN(" HTTP/1.1\r\n"));
    at = put_host(at, origin);
    at = put_line(at, SPAN("User-Agent"), SPAN("keyturn/" KEYTURN_VERSION));
    for (size_t i = 0; i < ask->headers.count; i++)
        at = put_line(at, ask->headers.rows[i].name, ask->headers.rows[i].value);
    if (ask->bearer) {
        at = put(put(at, SPAN("Authorization: Bearer ")), secret_reveal(ask->bearer));
        at = put(at, SPAN("\r\n"));
    }
    at = put(put_length(at, ask), SPAN("\r\n"));
    assert((size_t)(at - start) <= head_most(ask));
    buffer_grew(&request->head, (size_t)(at - start));
    request->body = ask->body;
    request->asked_head = span_equal(ask->method, SPAN("HEAD"));
    return true;
}

void upstream_request_took(struct upstream_request *request, size_t size)
{
    size_t of_head = buffer_size(&request->head) < size ? buffer_size(&request->head) : size;

    if (of_head && of_head == buffer_size(&request->head))
        forget_head(request);
    else
        buffer_consume(&request->head, of_head);
    assert(size - of_head <= request->body.size);
    request->body = span_from(request->body, size - of_head);
}

void upstream_request_done(struct upstream_request *request)
{
    forget_head(request);
    request->body = SPAN_NONE;
    request->has_left = false;
}

void upstream_request_close(struct upstream_request *request)
{
    buffer_wipe(&request->head);
}

static bool ask_is_sendable(const struct upstream_ask *ask)
{
    if (ask->method.size == 0 || ask->method.size > METHOD_MAX || !span_is_visible(ask->method))
        return false;
    if (ask->path.size == 0 || ask->path.at[0] != '/' || !span_is_visible(ask->path))
        return false;
    if (ask->bearer && !span_is_visible(secret_reveal(ask->bearer)))
        return false;
    for (size_t i = 0; i < ask->headers.count; i++) {
        const struct header *header = &ask->headers.rows[i];
        if (header->name.size == 0 || !span_is_visible(header->name) ||
            !span_is_text(header->value) || memchr(header->name.at, ':', header->name.size) ||
            memchr(header->name.at, ';', header->name.size))
            return false;
    }
    return true;
}

static size_t head_most(const struct upstream_ask *ask)
{
    size_t size = FIXED_BYTES + METHOD_MAX + ask->path.size + (ask->bearer ? ask->bearer->size : 0);

    for (size_t i = 0; i < ask->headers.count; i++)
        size += ask->headers.rows[i].name.size + ask->headers.rows[i].value.size + sizeof(": \r\n");
    return size;
}

static char *put_line(char *to, struct span name, struct span value)
{
    to = put(put(to, name), value.size ? SPAN(": ") : SPAN(":"));
    return put(put(to, value), SPAN("\r\n"));
}

static char *put_host(char *to, const struct origin *origin)
{
    bool is_usual = origin->port == (origin->tls ? 443 : 80);
    char port[NUMBER_TEXT_SIZE];

    to = put(put(to, SPAN("Host: ")), origin->host_is_v6 ? SPAN("[") : SPAN_NONE);
    to = put(put(to, span_of(origin->host)), origin->host_is_v6 ? SPAN("]") : SPAN_NONE);
    if (!is_usual)
        to = put(put(to, SPAN(":")), number_text((int64_t)origin->port, port));
    return put(to, SPAN("\r\n"));
}

static char *put_length(char *to, const struct upstream_ask *ask)
{
    char number[NUMBER_TEXT_SIZE];

    if (!ask->body.size && !expects_body(ask->method))
        return to;
    return put_line(to, SPAN("Content-Length"), number_text((int64_t)ask->body.size, number));
}

static bool expects_body(struct span method)
{
    return span_equal(method, SPAN("POST")) || span_equal(method, SPAN("PUT")) ||
           span_equal(method, SPAN("PATCH"));
}

static char *put(char *to, struct span bytes)
{
    if (bytes.size)
        memcpy(to, bytes.at, bytes.size);
    return to + bytes.size;
}

/* The bearer was in there: nothing of it may outlive the sending. */
static void forget_head(struct upstream_request *request)
{
    wipe(request->head.memory, request->head.tail);
    buffer_consume(&request->head, buffer_size(&request->head));
}

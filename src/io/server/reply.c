#include "io/server/reply.h"

#include <assert.h>

static struct span reason_of(int status);
static enum reply_framing framing_of(const struct reply_head *head, struct reply_manner manner);
static void write_line(struct buffer *out, int status);
static void write_field(struct buffer *out, struct span name, struct span value);
static void write_number_field(struct buffer *out, struct span name, uint64_t number);
static void put_number(struct buffer *out, uint64_t number, unsigned base);
static void put(struct buffer *out, struct span bytes);

static const struct {
    int status;
    struct span reason;
} reasons[] = {
    {200, {"OK", 2}},
    {201, {"Created", 7}},
    {202, {"Accepted", 8}},
    {204, {"No Content", 10}},
    {302, {"Found", 5}},
    {303, {"See Other", 9}},
    {304, {"Not Modified", 12}},
    {400, {"Bad Request", 11}},
    {401, {"Unauthorized", 12}},
    {402, {"Payment Required", 16}},
    {403, {"Forbidden", 9}},
    {404, {"Not Found", 9}},
    {405, {"Method Not Allowed", 18}},
    {408, {"Request Timeout", 15}},
    {409, {"Conflict", 8}},
    {413, {"Content Too Large", 17}},
    {414, {"URI Too Long", 12}},
    {415, {"Unsupported Media Type", 22}},
    {417, {"Expectation Failed", 18}},
    {422, {"Unprocessable Content", 21}},
    {429, {"Too Many Requests", 17}},
    {431, {"Request Header Fields Too Large", 31}},
    {500, {"Internal Server Error", 21}},
    {502, {"Bad Gateway", 11}},
    {503, {"Service Unavailable", 19}},
    {504, {"Gateway Timeout", 15}},
};

void reply_head_write(struct reply *r, struct buffer *out, const struct reply_head *head,
                      struct reply_manner manner)
{
    assert(!r->begun && head->status >= 200 && head->status <= 599);
    *r = (struct reply){.framing = framing_of(head, manner), .begun = true};
    write_line(out, head->status);
    for (size_t i = 0; i < head->headers.count; i++)
        write_field(out, head->headers.rows[i].name, head->headers.rows[i].value);
    if (head->body_size >= 0 && head->status != 204 && head->status != 304)
        write_number_field(out, SPAN("content-length"), (uint64_t)head->body_size);
    if (r->framing == REPLY_SIZED)
        r->left_bytes = (uint64_t)head->body_size;
    if (r->framing == REPLY_CHUNKED)
        put(out, SPAN("transfer-encoding: chunked\r\n"));
    if (manner.closes || r->framing == REPLY_UNTIL_CLOSE)
        put(out, SPAN("connection: close\r\n"));
    else if (manner.minor == 0)
        put(out, SPAN("connection: keep-alive\r\n"));
    put(out, SPAN("\r\n"));
}

void reply_body_write(struct reply *r, struct buffer *out, struct span bytes)
{
    assert(r->begun && !r->ended);
    if (!bytes.size || r->framing == REPLY_NO_BODY)
        return;
    if (r->framing == REPLY_SIZED && bytes.size > r->left_bytes) {
        r->broken = true; /* more than promised never leaves: it would be read as the next reply */
        bytes.size = (size_t)r->left_bytes;
    }
    if (r->framing == REPLY_SIZED)
        r->left_bytes -= bytes.size;
    if (r->framing == REPLY_CHUNKED) {
        put_number(out, bytes.size, 16);
        put(out, SPAN("\r\n"));
    }
    put(out, bytes);
    if (r->framing == REPLY_CHUNKED)
        put(out, SPAN("\r\n"));
}

void reply_end_write(struct reply *r, struct buffer *out)
{
    assert(r->begun && !r->ended);
    r->ended = true;
    if (r->framing == REPLY_CHUNKED)
        put(out, SPAN("0\r\n\r\n"));
    if (r->framing == REPLY_SIZED && r->left_bytes)
        r->broken = true;
}

void reply_fault_write(struct buffer *out, enum fault fault, struct span request_id)
{
    const struct fault_row *row = fault_row(fault);
    struct buffer body;

    buffer_init(&body, 8192);
    fault_body(&body, fault, SPAN_NONE, SPAN_NONE, request_id);
    write_line(out, row->status);
    put(out, SPAN("content-type: application/json\r\n"));
    write_field(out, SPAN("x-request-id"), request_id);
    if (row->retry_after_s)
        write_number_field(out, SPAN("retry-after"), (uint64_t)row->retry_after_s);
    if (fault == FAULT_WRONG_METHOD)
        put(out, SPAN("allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"));
    write_number_field(out, SPAN("content-length"), buffer_size(&body));
    put(out, SPAN("connection: close\r\n\r\n"));
    put(out, buffer_view(&body));
    buffer_done(&body);
}

static enum reply_framing framing_of(const struct reply_head *head, struct reply_manner manner)
{
    if (manner.method == HTTP_HEAD_METHOD || head->status == 204 || head->status == 304)
        return REPLY_NO_BODY;
    if (head->body_size >= 0)
        return REPLY_SIZED;
    return manner.minor == 0 ? REPLY_UNTIL_CLOSE : REPLY_CHUNKED;
}

static void write_line(struct buffer *out, int status)
{
    put(out, SPAN("HTTP/1.1 "));
    put_number(out, (uint64_t)status, 10);
    put(out, SPAN(" "));
    put(out, reason_of(status));
    put(out, SPAN("\r\n"));
}

static struct span reason_of(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return SPAN(""); /* RFC 9112 section 4: may be empty */
}

/* A field that would break out of its line is left out. */
static void write_field(struct buffer *out, struct span name, struct span value)
{
    size_t size = name.size + value.size + sizeof(": \r\n") - 1;
    char *to;

    if (!name.size || !span_is_text(name) || !span_is_text(value))
        return;
    if (!value.at)
        value = SPAN("");
    to = buffer_room(out, size);
    assert(to); /* as in put */
    to = mempcpy(mempcpy(mempcpy(to, name.at, name.size), ": ", 2), value.at, value.size);
    memcpy(to, "\r\n", 2);
    buffer_grew(out, size);
}

static void write_number_field(struct buffer *out, struct span name, uint64_t number)
{
    put(out, name);
    put(out, SPAN(": "));
    put_number(out, number, 10);
    put(out, SPAN("\r\n"));
}

/* On the path of every reply: printf costs ten times as much. */
static void put_number(struct buffer *out, uint64_t number, unsigned base)
{
    char text[24];
    size_t at = sizeof(text);

    do
        text[--at] = "0123456789abcdef"[number % base];
    while (number /= base);
    put(out, (struct span){text + at, sizeof(text) - at});
}

static void put(struct buffer *out, struct span bytes)
{
    bool fits = buffer_append(out, bytes);

    assert(fits); /* the out buffer has no cap of its own; client_is_full is */
}

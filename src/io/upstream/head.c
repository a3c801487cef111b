#include "io/upstream/head.h"

/* The fields that say where the body ends and what becomes of the connection. */
struct framing {
    struct span length, encoding;
    bool close, keep_alive;
};

static bool take_line(struct span *rest, struct span *ret_line);
static bool read_status(struct span line, struct upstream_head_read *head);
static bool read_field(struct span line, struct header *ret_header);
static bool note_field(struct framing *framing, const struct header *header);
static void note_connection(struct framing *framing, struct span value);
static bool read_framing(const struct framing *framing, bool has_no_body,
                         struct upstream_head_read *head);

bool upstream_head_read(struct span head, bool asked_head, struct header *rows,
                        struct upstream_head_read *ret_head)
{
    struct framing framing = {0};
    struct headers *fields = &ret_head->told.headers;
    struct span line = SPAN_NONE;
    int status;

    *ret_head = (struct upstream_head_read){.told = {.headers = {.rows = rows}}};
    if (!take_line(&head, &line) || !read_status(line, ret_head))
        return false;
    status = ret_head->told.status;
    ret_head->is_interim = status < 200;
    while (take_line(&head, &line) && line.size) {
        if (fields->count == UPSTREAM_FIELDS_MAX || !read_field(line, &rows[fields->count]) ||
            !note_field(&framing, &rows[fields->count]))
            return false;
        fields->count++;
    }
    if (line.size || head.size) /* it did not end with its empty line */
        return false;
    return read_framing(&framing, asked_head || status == 204 || status == 304, ret_head);
}

/* A line ends with CR LF; neither stands anywhere else. */
static bool take_line(struct span *rest, struct span *ret_line)
{
    const char *end = rest->size ? memchr(rest->at, '\n', rest->size) : NULL;
    size_t size = end ? (size_t)(end - rest->at) : 0;

    if (!size || end[-1] != '\r')
        return false;
    *ret_line = span_first(*rest, size - 1);
    *rest = span_from(*rest, size + 1);
    return true;
}

/* "HTTP/1.1 200" and then a space, or the end. */
static bool read_status(struct span line, struct upstream_head_read *head)
{
    uint64_t status;

    head->minor = span_starts(line, SPAN("HTTP/1.1 "));
    if (!head->minor && !span_starts(line, SPAN("HTTP/1.0 ")))
        return false;
    line = span_from(line, sizeof("HTTP/1.1 ") - 1);
    if ((line.size > 3 && line.at[3] != ' ') || !span_is_text(line))
        return false;
    if (!span_u64(span_first(line, 3), &status) || status < 100 || status > 599 || status == 101)
        return false;
    head->told.status = (int)status;
    return true;
}

static bool read_field(struct span line, struct header *ret_header)
{
    const char *colon = memchr(line.at, ':', line.size);
    struct span name = span_first(line, colon ? (size_t)(colon - line.at) : 0);

    if (!name.size || !span_is_visible(name) || !span_is_text(line))
        return false;
    ret_header->name = name;
    ret_header->value = span_trim(span_from(line, name.size + 1));
    return true;
}

/* False: a field that may stand once stands twice. */
static bool note_field(struct framing *framing, const struct header *header)
{
    struct span *once = NULL;

    if (span_equal_nocase(header->name, SPAN("Content-Length")))
        once = &framing->length;
    else if (span_equal_nocase(header->name, SPAN("Transfer-Encoding")))
        once = &framing->encoding;
    else if (span_equal_nocase(header->name, SPAN("Connection")))
        note_connection(framing, header->value);
    if (once && once->at)
        return false;
    if (once)
        *once = header->value;
    return true;
}

static void note_connection(struct framing *framing, struct span value)
{
    struct span word = SPAN_NONE;

    while (span_split(&value, ',', &word)) {
        word = span_trim(word);
        framing->close |= span_equal_nocase(word, SPAN("close"));
        framing->keep_alive |= span_equal_nocase(word, SPAN("keep-alive"));
    }
}

static bool read_framing(const struct framing *framing, bool has_no_body,
                         struct upstream_head_read *head)
{
    struct span length = framing->length, encoding = framing->encoding;
    int64_t *size = &head->told.body_size;

    *size = -1;
    if (encoding.at && (length.at || !head->minor || !span_equal_nocase(encoding, SPAN("chunked"))))
        return false;
    if (length.at && (length.size == 0 || length.at[0] == '-' || !span_i64(length, size)))
        return false;
    if (has_no_body)
        *size = 0;
    head->is_chunked = encoding.at && !has_no_body;
    head->keeps_alive = !framing->close && (head->minor || framing->keep_alive);
    return true;
}

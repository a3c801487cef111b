#include "io/curl_head.h"

struct status_line {
    int status;
    bool is_http_1_1;
};

static bool read_status(struct span line, struct status_line *ret_status);
static bool read_field(struct span line, struct header *ret_header);
static bool read_size(const struct upstream_head *head, bool is_http_1_1, bool has_no_body,
                      int64_t *ret_size);
static struct span line_text(struct span line);

void curl_head_init(struct curl_head *head)
{
    head->is_told = false;
    buffer_init(&head->lines, CURL_HEAD_MAX_BYTES);
}

void curl_head_done(struct curl_head *head)
{
    buffer_done(&head->lines);
    head->is_told = false;
}

enum curl_head_verdict curl_head_line(struct curl_head *head, struct span line)
{
    struct status_line first;

    if (head->is_told)
        return CURL_HEAD_MORE;
    if (line_text(line).size)
        return buffer_append(&head->lines, line) ? CURL_HEAD_MORE : CURL_HEAD_BAD;
    if (!read_status(buffer_view(&head->lines), &first) || first.status == 101)
        return CURL_HEAD_BAD;
    if (first.status >= 200)
        return CURL_HEAD_WHOLE;
    buffer_consume(&head->lines, buffer_size(&head->lines));
    return CURL_HEAD_MORE;
}

bool curl_head_read(struct curl_head *head, bool asked_head,
                    struct header rows[CURL_HEAD_FIELDS_MAX], struct upstream_head *ret_head)
{
    struct span rest = buffer_view(&head->lines), line = SPAN_NONE;
    struct status_line first = {0};
    bool has_no_body;

    head->is_told = true;
    *ret_head = (struct upstream_head){.headers = {.rows = rows}};
    if (!span_split(&rest, '\n', &line) || !read_status(line, &first))
        return false;
    while (span_split(&rest, '\n', &line) && rest.at) {
        if (ret_head->headers.count == CURL_HEAD_FIELDS_MAX ||
            !read_field(line_text(line), &rows[ret_head->headers.count]))
            return false;
        ret_head->headers.count++;
    }
    ret_head->status = first.status;
    has_no_body = asked_head || first.status == 204 || first.status == 304;
    return read_size(ret_head, first.is_http_1_1, has_no_body, &ret_head->body_size);
}

/* "HTTP/1.1 200" and then a space, or the end. */
static bool read_status(struct span line, struct status_line *ret_status)
{
    uint64_t status;
    bool is_1_1 = span_starts(line, SPAN("HTTP/1.1 "));

    if (!is_1_1 && !span_starts(line, SPAN("HTTP/1.0 ")))
        return false;
    line = span_from(line, sizeof("HTTP/1.1 ") - 1);
    if (line.size > 3 && line.at[3] != ' ' && line.at[3] != '\r' && line.at[3] != '\n')
        return false;
    if (!span_u64(span_first(line, 3), &status) || status < 100 || status > 599)
        return false;
    *ret_status = (struct status_line){(int)status, is_1_1};
    return true;
}

static bool read_field(struct span line, struct header *ret_header)
{
    const char *colon = line.size ? memchr(line.at, ':', line.size) : NULL;
    size_t name_size = colon ? (size_t)(colon - line.at) : 0;

    if (name_size == 0)
        return false;
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.at[i];
        if (c == 127 || (c < 32 && c != '\t') || (i < name_size && (c <= 32 || c > 127)))
            return false;
    }
    ret_header->name = span_first(line, name_size);
    ret_header->value = span_trim(span_from(line, name_size + 1));
    return true;
}

static bool read_size(const struct upstream_head *head, bool is_http_1_1, bool has_no_body,
                      int64_t *ret_size)
{
    struct span length = SPAN_NONE, encoding = SPAN_NONE;

    for (size_t i = 0; i < head->headers.count; i++) {
        const struct header *header = &head->headers.rows[i];
        bool is_length = span_equal_nocase(header->name, SPAN("Content-Length"));
        bool is_encoding = span_equal_nocase(header->name, SPAN("Transfer-Encoding"));
        if ((is_length && length.at) || (is_encoding && encoding.at))
            return false;
        if (is_length)
            length = header->value;
        if (is_encoding)
            encoding = header->value;
    }
    *ret_size = -1;
    if (encoding.at && (length.at || !is_http_1_1 || !span_equal_nocase(encoding, SPAN("chunked"))))
        return false;
    if (length.at && (length.size == 0 || length.at[0] == '-' || !span_i64(length, ret_size)))
        return false;
    if (has_no_body)
        *ret_size = 0;
    return true;
}

static struct span line_text(struct span line)
{
    while (line.size && (line.at[line.size - 1] == '\n' || line.at[line.size - 1] == '\r'))
        line.size--;
    return line;
}

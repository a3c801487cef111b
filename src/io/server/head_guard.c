#include "io/server/head_guard.h"

#include <assert.h>

struct guard {
    struct guarded_head *head;
    const char *at, *end;
    unsigned hosts, sizes, codings;
    bool close, keep_alive;
};

static bool is_in(unsigned class, char c);
static enum fault guard_line(struct guard *g);
static enum fault guard_method(struct guard *g);
static enum fault guard_field(struct guard *g, struct header *ret_row);
static enum fault guard_whole(struct guard *g);
static enum fault note_field(struct guard *g, const struct header *row);
static enum fault note_connection(struct guard *g, struct span value);
static enum fault note_expect(struct guard *g, struct span value);
static enum fault note_host(struct guard *g, struct span value);
static enum fault note_size(struct guard *g, struct span value);
static enum fault note_coding(struct guard *g, struct span value);
static enum fault note_upgrade(struct guard *g, struct span value);

enum { IN_TOKEN = 1, IN_HOST = 2 };

/* tchar of RFC 9110 section 5.6.2; what a host may be made of */
/* clang-format off */
static const unsigned char classes[256] = {
    [0x20] = 0, 3, 0, 1, 3, 3, 3, 3, 2, 2, 3, 3, 2, 3, 3, 0, /*   ! " # $ % & ' ( ) * + , - . / */
    /*0x30*/ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 0, 2, 0, 0, /* 0 ... 9 : ; < = > ? */
    /*0x40*/ 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* @ A ... O */
    /*0x50*/ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 0, 2, 1, 3, /* P ... Z [ \ ] ^ _ */
    /*0x60*/ 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* ` a ... o */
    /*0x70*/ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 1, 0, 3, 0, /* p ... z { | } ~ DEL */
};
/* clang-format on */

/* clang-format off */
static const struct span methods[] = {
    [HTTP_GET_METHOD] = {"GET", 3},         [HTTP_HEAD_METHOD] = {"HEAD", 4},
    [HTTP_POST_METHOD] = {"POST", 4},       [HTTP_PUT_METHOD] = {"PUT", 3},
    [HTTP_PATCH_METHOD] = {"PATCH", 5},     [HTTP_DELETE_METHOD] = {"DELETE", 6},
    [HTTP_OPTIONS_METHOD] = {"OPTIONS", 7},
};
/* clang-format on */

/* The fields that say where a message ends and what becomes of the connection. */
static const struct {
    struct span name;
    enum fault (*note)(struct guard *g, struct span value);
} noted[] = {
    {{"host", 4}, note_host},
    {{"connection", 10}, note_connection},
    {{"content-length", 14}, note_size},
    {{"transfer-encoding", 17}, note_coding},
    {{"expect", 6}, note_expect},
    {{"upgrade", 7}, note_upgrade},
};

enum fault head_search(struct head_search *search, struct span bytes,
                       const struct head_limits *limits, size_t *ret_size)
{
    size_t end = bytes.size < limits->head_max_bytes ? bytes.size : limits->head_max_bytes;

    *ret_size = 0;
    if (bytes.size && (bytes.at[0] < 'A' || bytes.at[0] > 'Z'))
        return FAULT_BAD_FRAMING; /* TLS, an empty line: no need to wait for more */
    while (search->scanned < end) {
        const char *lf = memchr(bytes.at + search->scanned, '\n', end - search->scanned);
        size_t at = lf ? (size_t)(lf - bytes.at) : end;

        if (!search->lines && at >= limits->line_max_bytes)
            return FAULT_TARGET_TOO_LONG;
        search->scanned = lf ? at + 1 : end;
        if (!lf)
            break;
        if (lf[-1] != '\r')
            return FAULT_BAD_FRAMING;
        if (at == search->line_start + 1) {
            *ret_size = at + 1;
            return FAULT_NONE;
        }
        search->line_start = at + 1;
        if (++search->lines > limits->fields_max + 1)
            return FAULT_HEAD_TOO_LARGE;
    }
    return bytes.size >= limits->head_max_bytes ? FAULT_HEAD_TOO_LARGE : FAULT_NONE;
}

enum fault head_guard(struct span head, struct header *rows, struct guarded_head *ret_head)
{
    struct guard g = {.head = ret_head, .at = head.at, .end = head.at + head.size};
    size_t count = 0;
    enum fault fault;

    assert(head.size >= 4 && !memcmp(g.end - 4, "\r\n\r\n", 4));
    *ret_head = (struct guarded_head){0};
    fault = guard_line(&g);
    while (!fault && *g.at != '\r') {
        fault = guard_field(&g, &rows[count]);
        if (!fault)
            fault = note_field(&g, &rows[count++]);
    }
    if (!fault && g.at + 2 != g.end)
        fault = FAULT_BAD_FRAMING;
    ret_head->headers = (struct headers){rows, count};
    return fault ? fault : guard_whole(&g);
}

static bool is_in(unsigned class, char c)
{
    return classes[(unsigned char)c] & class;
}

/* METHOD SP origin-form SP HTTP/1.[01] CRLF */
static enum fault guard_line(struct guard *g)
{
    enum fault fault = guard_method(g);
    const char *start = g->at;

    if (fault)
        return fault;
    while (*g->at > 0x20 && *g->at < 0x7f &&
           *g->at != '#') /* char may be signed: 0x80 and above are negative */
        g->at++;
    g->head->target = (struct span){start, (size_t)(g->at - start)};
    if (g->at == start || *start != '/' || g->end - g->at < 11 || memcmp(g->at, " HTTP/1.", 8))
        return FAULT_BAD_FRAMING;
    if ((g->at[8] != '0' && g->at[8] != '1') || g->at[9] != '\r' || g->at[10] != '\n')
        return FAULT_BAD_FRAMING;
    g->head->minor = g->at[8] - '0';
    g->at += 11;
    return FAULT_NONE;
}

static enum fault guard_method(struct guard *g)
{
    const char *start = g->at;
    struct span name;

    while (is_in(IN_TOKEN, *g->at))
        g->at++;
    name = (struct span){start, (size_t)(g->at - start)};
    if (!name.size || *g->at != ' ')
        return FAULT_BAD_FRAMING;
    g->at++;
    g->head->method_name = name;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (name.size == methods[i].size && !memcmp(name.at, methods[i].at, name.size)) {
            g->head->method = (enum http_method)i;
            return FAULT_NONE;
        }
    }
    return FAULT_WRONG_METHOD;
}

/* name ":" OWS value OWS CRLF; a folded line has no name and fails here */
static enum fault guard_field(struct guard *g, struct header *ret_row)
{
    const char *start = g->at, *last;

    while (is_in(IN_TOKEN, *g->at))
        g->at++;
    ret_row->name = (struct span){start, (size_t)(g->at - start)};
    if (g->at == start || *g->at != ':')
        return FAULT_BAD_FRAMING;
    g->at++;
    while (*g->at == ' ' || *g->at == '\t')
        g->at++;
    start = g->at;
    last = g->at = start + span_text_size((struct span){start, (size_t)(g->end - start)});
    if (g->at[0] != '\r' || g->at[1] != '\n')
        return FAULT_BAD_FRAMING;
    g->at += 2;
    while (last > start && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    ret_row->value = (struct span){start, (size_t)(last - start)};
    return FAULT_NONE;
}

static enum fault guard_whole(struct guard *g)
{
    if (g->hosts > 1 || (!g->hosts && g->head->minor == 1))
        return FAULT_BAD_FRAMING;
    if (g->codings && (g->sizes || g->head->minor == 0))
        return FAULT_BAD_FRAMING;
    g->head->keeps_alive = !g->close && (g->head->minor == 1 || g->keep_alive);
    if (g->head->minor == 0)
        g->head->awaits_continue = false; /* RFC 9110 section 10.1.1 */
    return FAULT_NONE;
}

static enum fault note_field(struct guard *g, const struct header *row)
{
    for (size_t i = 0; i < sizeof(noted) / sizeof(noted[0]); i++)
        if (row->name.size == noted[i].name.size && span_equal_nocase(row->name, noted[i].name))
            return noted[i].note(g, row->value);
    return FAULT_NONE;
}

static enum fault note_connection(struct guard *g, struct span value)
{
    struct span word;

    while (span_split(&value, ',', &word)) {
        word = span_trim(word);
        g->close |= span_equal_nocase(word, SPAN("close"));
        g->keep_alive |= span_equal_nocase(word, SPAN("keep-alive"));
    }
    return FAULT_NONE;
}

static enum fault note_expect(struct guard *g, struct span value)
{
    g->head->awaits_continue = span_equal_nocase(value, SPAN("100-continue"));
    return g->head->awaits_continue ? FAULT_NONE : FAULT_BAD_EXPECTATION;
}

static enum fault note_host(struct guard *g, struct span value)
{
    g->hosts++;
    for (size_t i = 0; i < value.size; i++)
        if (!is_in(IN_HOST, value.at[i]))
            return FAULT_BAD_FRAMING;
    return value.size ? FAULT_NONE : FAULT_BAD_FRAMING;
}

static enum fault note_size(struct guard *g, struct span value)
{
    uint64_t size;

    if (g->sizes++ || value.size > 15 || !span_u64(value, &size))
        return FAULT_BAD_FRAMING;
    g->head->body_size = (int64_t)size;
    return FAULT_NONE;
}

static enum fault note_coding(struct guard *g, struct span value)
{
    g->head->body_size = -1;
    return g->codings++ || !span_equal_nocase(value, SPAN("chunked")) ? FAULT_BAD_FRAMING
                                                                      : FAULT_NONE;
}

/* Nothing here switches protocols, and a peer in front of us might believe that we did. */
static enum fault note_upgrade(struct guard *g, struct span value)
{
    (void)g;
    (void)value;
    return FAULT_BAD_FRAMING;
}

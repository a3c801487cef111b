#include "io/server/message.h"

#include <assert.h>

enum {
    EXTENSION_MAX_BYTES = 256, /* of one chunk */
    TRAILER_MAX_BYTES = 4096,
    RAW_RATIO_MAX = 4,     /* wire bytes for one byte of body ... */
    RAW_FREE_BYTES = 8192, /* ... beyond these */
};

static int on_body(llhttp_t *parser, const char *at, size_t size);
static int on_field(llhttp_t *parser, const char *at, size_t size);
static int on_extension(llhttp_t *parser, const char *at, size_t size);
static int on_chunk_header(llhttp_t *parser);
static int on_chunk_complete(llhttp_t *parser);
static int on_message_complete(llhttp_t *parser);
static int fail(struct message *m, enum fault fault);
static bool agree(const llhttp_t *parser, const struct guarded_head *guarded);

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_field,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_chunk_complete = on_chunk_complete,
    .on_message_complete = on_message_complete,
};

static const unsigned char llhttp_methods[] = {
    [HTTP_GET_METHOD] = HTTP_GET,         [HTTP_HEAD_METHOD] = HTTP_HEAD,
    [HTTP_POST_METHOD] = HTTP_POST,       [HTTP_PUT_METHOD] = HTTP_PUT,
    [HTTP_PATCH_METHOD] = HTTP_PATCH,     [HTTP_DELETE_METHOD] = HTTP_DELETE,
    [HTTP_OPTIONS_METHOD] = HTTP_OPTIONS,
};

bool message_begin(struct message *m, struct span head, const struct guarded_head *guarded,
                   size_t body_max_bytes)
{
    llhttp_errno_t end;

    *m = (struct message){.body_max_bytes = body_max_bytes};
    llhttp_init(&m->parser, HTTP_REQUEST, &settings);
    end = llhttp_execute(&m->parser, head.at, head.size);
    if (end == HPE_PAUSED && m->ended)
        end = llhttp_get_error_pos(&m->parser) == head.at + head.size ? HPE_OK : HPE_INTERNAL;
    if (end != HPE_OK || m->ended != (guarded->body_size == 0) || !agree(&m->parser, guarded))
        fail(m, FAULT_BAD_FRAMING);
    else if (guarded->body_size > 0 && (uint64_t)guarded->body_size > body_max_bytes)
        m->fault = FAULT_BODY_TOO_LARGE; /* told when the body is asked for */
    return m->fault == FAULT_NONE || m->fault == FAULT_BODY_TOO_LARGE;
}

size_t message_feed(struct message *m, struct span bytes, struct message_pieces *ret_pieces)
{
    llhttp_errno_t end;
    size_t taken;

    ret_pieces->count = 0;
    if (m->fault || m->ended || !bytes.size)
        return 0;
    m->pieces = ret_pieces;
    if (llhttp_get_errno(&m->parser) == HPE_PAUSED)
        llhttp_resume(&m->parser);
    end = llhttp_execute(&m->parser, bytes.at, bytes.size);
    m->pieces = NULL;
    if (end != HPE_OK && end != HPE_PAUSED) {
        fail(m, FAULT_BAD_FRAMING);
        return 0;
    }
    taken = end == HPE_OK ? bytes.size : (size_t)(llhttp_get_error_pos(&m->parser) - bytes.at);
    m->raw_bytes += taken;
    if (m->raw_bytes > RAW_FREE_BYTES + RAW_RATIO_MAX * m->body_bytes)
        fail(m, FAULT_BAD_FRAMING);
    return taken;
}

static bool agree(const llhttp_t *parser, const struct guarded_head *guarded)
{
    bool chunked = guarded->body_size < 0;

    return parser->method == llhttp_methods[guarded->method] && parser->http_major == 1 &&
           parser->http_minor == guarded->minor && !parser->upgrade && !parser->lenient_flags &&
           !!(parser->flags & F_CHUNKED) == chunked &&
           (chunked || parser->content_length == (uint64_t)guarded->body_size);
}

static int fail(struct message *m, enum fault fault)
{
    if (!m->fault)
        m->fault = fault;
    return HPE_USER;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct message *m = (struct message *)(void *)parser;

    assert(m->pieces->count < MESSAGE_PIECES_MAX);
    m->body_bytes += size;
    m->pieces->rows[m->pieces->count++] = (struct span){at, size};
    return m->body_bytes > m->body_max_bytes ? fail(m, FAULT_BODY_TOO_LARGE) : 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    struct message *m = (struct message *)(void *)parser;

    (void)at;
    if (!m->trailing)
        return 0;
    m->trailer_bytes += (unsigned)size;
    return m->trailer_bytes > TRAILER_MAX_BYTES ? fail(m, FAULT_BAD_FRAMING) : 0;
}

static int on_extension(llhttp_t *parser, const char *at, size_t size)
{
    struct message *m = (struct message *)(void *)parser;

    (void)at;
    m->extension_bytes += (unsigned)size;
    return size > EXTENSION_MAX_BYTES || m->extension_bytes > EXTENSION_MAX_BYTES
               ? fail(m, FAULT_BAD_FRAMING)
               : 0;
}

static int on_chunk_header(llhttp_t *parser)
{
    struct message *m = (struct message *)(void *)parser;

    m->extension_bytes = 0;
    m->trailing = parser->content_length == 0;
    if (parser->content_length > m->body_max_bytes - m->body_bytes) {
        fail(m, FAULT_BODY_TOO_LARGE);
        return -1;
    }
    return 0;
}

/* A chunk is one piece for each time it was fed, so this is where the table can be full. */
static int on_chunk_complete(llhttp_t *parser)
{
    struct message *m = (struct message *)(void *)parser;

    return m->pieces->count == MESSAGE_PIECES_MAX ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct message *m = (struct message *)(void *)parser;

    m->ended = true;
    return HPE_PAUSED;
}

#include "io/upstream/answer.h"

#include <assert.h>

enum { LAST_WORD_STATUS_MIN = 400, HEAD_END_SIZE = 4 };

static int on_headers_complete(llhttp_t *parser);
static int on_body(llhttp_t *parser, const char *at, size_t size);
static int on_message_complete(llhttp_t *parser);
static bool take_head(struct upstream_answer *answer, struct span *bytes, struct header *rows);
static size_t end_of_head(struct span kept, struct span bytes);
static bool read_head(struct upstream_answer *answer, struct span head, struct header *rows);
static bool begin_body(struct upstream_answer *answer, struct span head,
                       const struct upstream_head_read *read);
static bool agree(const llhttp_t *parser, const struct upstream_head_read *read, bool has_body);

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void upstream_answer_init(struct upstream_answer *answer)
{
    *answer = (struct upstream_answer){0};
    buffer_init(&answer->head, UPSTREAM_HEAD_MAX_BYTES);
}

void upstream_answer_begin(struct upstream_answer *answer, struct upstream_call *call,
                           bool asked_head)
{
    answer->call = call;
    answer->asked_head = asked_head;
}

void upstream_answer_done(struct upstream_answer *answer)
{
    struct buffer head = answer->head;

    buffer_done(&head);
    *answer = (struct upstream_answer){.head = head};
}

enum upstream_answer_state upstream_answer_feed(struct upstream_answer *answer, struct span bytes,
                                                struct header *rows, size_t *ret_taken)
{
    const char *start = bytes.at;
    llhttp_errno_t end = HPE_OK;

    *ret_taken = bytes.size;
    while (!answer->head_is_told) {
        if (!bytes.size)
            return UPSTREAM_ANSWER_MORE;
        if (!take_head(answer, &bytes, rows))
            return UPSTREAM_ANSWER_BAD;
    }
    if (!answer->is_whole) {
        if (llhttp_get_errno(&answer->parser) == HPE_PAUSED)
            llhttp_resume(&answer->parser);
        end = llhttp_execute(&answer->parser, bytes.at, bytes.size);
        if (end != HPE_OK && end != HPE_PAUSED)
            return UPSTREAM_ANSWER_BAD;
        if (end == HPE_PAUSED)
            bytes = span_from(bytes, (size_t)(llhttp_get_error_pos(&answer->parser) - bytes.at));
        else
            bytes = span_from(bytes, bytes.size);
    }
    *ret_taken = (size_t)(bytes.at - start);
    if (answer->is_whole)
        return UPSTREAM_ANSWER_WHOLE;
    return end == HPE_PAUSED ? UPSTREAM_ANSWER_PAUSED : UPSTREAM_ANSWER_MORE;
}

bool upstream_answer_end(struct upstream_answer *answer)
{
    answer->keeps_alive = false;
    if (answer->head_is_told)
        llhttp_finish(&answer->parser);
    return answer->is_whole;
}

/* Takes a head off the bytes, or all of them when it is not whole yet. */
static bool take_head(struct upstream_answer *answer, struct span *bytes, struct header *rows)
{
    size_t end = end_of_head(buffer_view(&answer->head), *bytes);
    struct span part = span_first(*bytes, end ? end : bytes->size), head = part;
    bool fine;

    *bytes = span_from(*bytes, part.size);
    if (!end || buffer_size(&answer->head)) {
        if (!buffer_append(&answer->head, part) || (!end && memmem(part.at, part.size, "\n\n", 2)))
            return false;
        head = buffer_view(&answer->head);
    }
    if (!end)
        return true;
    fine = head.size <= UPSTREAM_HEAD_MAX_BYTES && read_head(answer, head, rows);
    buffer_consume(&answer->head, buffer_size(&answer->head));
    buffer_shrink(&answer->head); /* a stream may go on for long */
    return fine;
}

/* How many of the bytes belong to the head; 0: it is not whole. Its end may lie across the seam. */
static size_t end_of_head(struct span kept, struct span bytes)
{
    char seam[2 * (HEAD_END_SIZE - 1)];
    size_t before = kept.size < HEAD_END_SIZE - 1 ? kept.size : HEAD_END_SIZE - 1;
    size_t behind = bytes.size < HEAD_END_SIZE - 1 ? bytes.size : HEAD_END_SIZE - 1;
    const char *found;

    if (before) {
        memcpy(seam, kept.at + kept.size - before, before);
        memcpy(seam + before, bytes.at, behind);
        if ((found = memmem(seam, before + behind, "\r\n\r\n", HEAD_END_SIZE)))
            return (size_t)(found - seam) + HEAD_END_SIZE - before;
    }
    found = memmem(bytes.at, bytes.size, "\r\n\r\n", HEAD_END_SIZE);
    return found ? (size_t)(found - bytes.at) + HEAD_END_SIZE : 0;
}

static bool read_head(struct upstream_answer *answer, struct span head, struct header *rows)
{
    struct upstream_head_read read;

    if (!upstream_head_read(head, answer->asked_head, rows, &read))
        return false;
    if (read.is_interim) {
        answer->interim_bytes += head.size;
        return answer->interim_bytes <= UPSTREAM_HEAD_MAX_BYTES;
    }
    if (answer->is_early && (read.keeps_alive || read.told.status < LAST_WORD_STATUS_MIN))
        return false;
    if (!begin_body(answer, head, &read))
        return false;
    answer->head_is_told = true;
    answer->keeps_alive =
        read.keeps_alive && !answer->is_early && (read.told.body_size >= 0 || read.is_chunked);
    answer->call->events->on_head(answer->call, &read.told);
    return true;
}

/* llhttp reads the same head and goes on from there. */
static bool begin_body(struct upstream_answer *answer, struct span head,
                       const struct upstream_head_read *read)
{
    bool has_body = read->told.body_size != 0;
    llhttp_errno_t end;

    llhttp_init(&answer->parser, HTTP_RESPONSE, &settings);
    end = llhttp_execute(&answer->parser, head.at, head.size);
    if (end == HPE_PAUSED && answer->is_whole)
        end = llhttp_get_error_pos(&answer->parser) == head.at + head.size ? HPE_OK : HPE_INTERNAL;
    return end == HPE_OK && answer->is_whole != has_body && agree(&answer->parser, read, has_body);
}

static bool agree(const llhttp_t *parser, const struct upstream_head_read *read, bool has_body)
{
    if (parser->status_code != read->told.status || parser->http_major != 1 ||
        parser->http_minor != read->minor || parser->upgrade || parser->lenient_flags)
        return false;
    if (!has_body)
        return true;
    return !!(parser->flags & F_CHUNKED) == read->is_chunked &&
           !!(parser->flags & F_CONTENT_LENGTH) == (read->told.body_size > 0) &&
           (read->told.body_size < 0 || parser->content_length == (uint64_t)read->told.body_size);
}

/* 1: no body follows, whatever the fields say. */
static int on_headers_complete(llhttp_t *parser)
{
    return ((struct upstream_answer *)(void *)parser)->asked_head;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct upstream_answer *answer = (struct upstream_answer *)(void *)parser;
    struct upstream_call *call = answer->call;

    if (!answer->head_is_told) /* it believes that the head ended sooner */
        return HPE_USER;
    if (!size)
        return HPE_OK;
    return call->events->on_body(call, (struct span){at, size}) ? HPE_OK : HPE_PAUSED;
}

/* Pausing tells where the message ended. */
static int on_message_complete(llhttp_t *parser)
{
    struct upstream_answer *answer = (struct upstream_answer *)(void *)parser;

    answer->is_whole = true;
    return HPE_PAUSED;
}

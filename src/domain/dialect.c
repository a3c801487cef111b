#include "domain/dialect.h"

#include <assert.h>

#include "base/json_write.h"

static const struct dialect_row rows[DIALECT_COUNT] = {
    [DIALECT_CHAT] = {"chat", "/chat/completions", CAP_MAX_TOKENS, true},
    [DIALECT_TEXT] = {"text", "/completions", CAP_MAX_TOKENS, true},
    [DIALECT_RESPONSES] = {"responses", "/responses", CAP_MAX_OUTPUT_TOKENS, true},
    [DIALECT_MESSAGES] = {"messages", "/messages", CAP_MAX_TOKENS, false},
    [DIALECT_EMBEDDINGS] = {"embeddings", "/embeddings", CAP_COUNT, false},
};

/* Anthropic's word for a status. */
static const struct {
    int status;
    const char *type;
} anthropic_types[] = {
    {400, "invalid_request_error"}, {401, "authentication_error"}, {402, "billing_error"},
    {403, "permission_error"},      {404, "not_found_error"},      {408, "timeout_error"},
    {413, "request_too_large"},     {429, "rate_limit_error"},     {503, "overloaded_error"},
    {504, "timeout_error"},
};

struct story {
    const struct fault_row *row;
    struct span message, request_id;
};

static void put_completion(struct json *j, const struct story *story, const char *object,
                           bool text);
static void put_responses(struct json *j, const struct story *story);
static void put_messages(struct json *j, const struct story *story);
static void put_error(struct json *j, const struct story *story);
static void put_error_fields(struct json *j, const struct story *story, const char *type);
static void put_text(struct json *j, const char *name, struct span text);
static const char *anthropic_type(int status);

const struct dialect_row *dialect_row(enum dialect dialect)
{
    assert((unsigned)dialect < DIALECT_COUNT);
    return &rows[dialect];
}

bool stream_error_event(enum dialect dialect, enum fault fault, struct span detail,
                        struct span request_id, struct buffer *out)
{
    const struct fault_row *row = fault_row(fault);
    const struct story story = {row, detail.size > 0 ? detail : span_of(row->message), request_id};
    bool named = dialect == DIALECT_RESPONSES || dialect == DIALECT_MESSAGES;
    if (!buffer_append(out, named ? SPAN("\n\nevent: error\ndata: ") : SPAN("\n\ndata: ")))
        return false;
    struct json j = json_into(out);
    json_open(&j, '{');
    switch (dialect) {
    case DIALECT_CHAT:
        put_completion(&j, &story, "chat.completion.chunk", false);
        break;
    case DIALECT_TEXT:
        put_completion(&j, &story, "text_completion", true);
        break;
    case DIALECT_RESPONSES:
        put_responses(&j, &story);
        break;
    case DIALECT_MESSAGES:
        put_messages(&j, &story);
        break;
    case DIALECT_EMBEDDINGS:
    case DIALECT_COUNT:
        put_error(&j, &story);
        break;
    }
    json_close(&j, '}');
    return json_ok(&j) &&
           buffer_append(out, dialect_row(dialect)->done_after_error ? SPAN("\n\ndata: [DONE]\n\n")
                                                                     : SPAN("\n\n"));
}

/* created and model are there because typed clients refuse a chunk without them. */
static void put_completion(struct json *j, const struct story *story, const char *object, bool text)
{
    put_text(j, "id", story->request_id);
    put_text(j, "object", span_of(object));
    json_name(j, "created");
    json_int(j, 0);
    put_text(j, "model", SPAN(""));
    put_error(j, story);
    json_name(j, "choices");
    json_open(j, '[');
    json_open(j, '{');
    json_name(j, "index");
    json_int(j, 0);
    if (text) {
        put_text(j, "text", SPAN(""));
    } else {
        json_name(j, "delta");
        json_open(j, '{');
        put_text(j, "content", SPAN(""));
        json_close(j, '}');
    }
    put_text(j, "finish_reason", SPAN("error"));
    json_close(j, '}');
    json_close(j, ']');
}

/* Old clients read the fields beside the type, new ones those in `error`. */
static void put_responses(struct json *j, const struct story *story)
{
    put_text(j, "type", SPAN("error"));
    json_name(j, "sequence_number");
    json_int(j, 0);
    put_text(j, "code", span_of(story->row->code));
    put_text(j, "message", story->message);
    put_text(j, "param", SPAN_NONE);
    put_error(j, story);
}

static void put_messages(struct json *j, const struct story *story)
{
    put_text(j, "type", SPAN("error"));
    json_name(j, "error");
    json_open(j, '{');
    put_error_fields(j, story, anthropic_type(story->row->status));
    json_close(j, '}');
    put_text(j, "request_id", story->request_id);
}

static void put_error(struct json *j, const struct story *story)
{
    json_name(j, "error");
    json_open(j, '{');
    put_error_fields(j, story, story->row->type);
    put_text(j, "param", SPAN_NONE);
    put_text(j, "request_id", story->request_id);
    json_close(j, '}');
}

static void put_error_fields(struct json *j, const struct story *story, const char *type)
{
    put_text(j, "type", span_of(type));
    put_text(j, "message", story->message);
    put_text(j, "code", span_of(story->row->code));
}

static void put_text(struct json *j, const char *name, struct span text)
{
    json_name(j, name);
    json_text(j, text);
}

static const char *anthropic_type(int status)
{
    for (size_t i = 0; i < sizeof(anthropic_types) / sizeof(*anthropic_types); i++)
        if (anthropic_types[i].status == status)
            return anthropic_types[i].type;
    return status < 500 ? "invalid_request_error" : "api_error";
}

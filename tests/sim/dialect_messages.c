/*
 * /messages: Anthropic's events, from message_start to message_stop. A stream's usage carries no
 * cost unless the setting messages_stream_cost asks for it.
 */
#include <inttypes.h>

#include "dialect.h"

static void write_json(struct track *body, const struct completion *completion);
static void write_stream(struct track *body, const struct completion *completion);
static void write_start(struct track *body, const struct completion *completion);
static void write_delta(struct track *body, const struct completion *completion, int64_t index);
static void write_end(struct track *body, const struct completion *completion);
static void write_fixed(struct track *body, const struct completion *completion, const char *name,
                        const char *data);
static const char *stop_of(const struct completion *completion);

const struct dialect dialect_messages = {
    .inputs = {"messages", "system", "tools"},
    .caps = {"max_tokens"},
    .streams = true,
    .write_json = write_json,
    .write_stream = write_stream,
    .broken_off_event = "error",
    .broken_off =
        "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Provider returned "
        "error\",\"error_type\":\"provider_unavailable\"},\"request_id\":\"%s\"}",
};

static void write_json(struct track *body, const struct completion *completion)
{
    struct text *text = &body->bytes;
    text_format(text,
                "{\"id\":\"%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":%s,"
                "\"content\":[{\"type\":\"text\",\"text\":\"",
                completion->generation_id, completion->model);
    write_words(text, completion, 0, completion->tokens);
    text_format(
        text, "\"}],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"usage\":", stop_of(completion));
    write_usage(text, completion, USAGE_MESSAGES);
    write_cost(text, completion, USAGE_MESSAGES);
    text_add_string(text, "}}");
}

static void write_stream(struct track *body, const struct completion *completion)
{
    int64_t chunks = chunk_count(completion);
    write_comment(body, completion->settings, 0);
    write_start(body, completion);
    write_fixed(
        body, completion, "content_block_start",
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
        "\"text\":\"\"}}");
    write_fixed(body, completion, "ping", "{\"type\":\"ping\"}");
    for (int64_t i = 0; i < chunks; i++)
        write_delta(body, completion, i);
    write_fixed(body, completion, "content_block_stop",
                "{\"type\":\"content_block_stop\",\"index\":0}");
    write_end(body, completion);
    write_fixed(body, completion, "message_stop", "{\"type\":\"message_stop\"}");
}

static void write_start(struct track *body, const struct completion *completion)
{
    event_start(body, completion->settings, "message_start");
    text_format(&body->bytes,
                "{\"type\":\"message_start\",\"message\":{\"id\":\"%s\",\"type\":\"message\","
                "\"role\":\"assistant\",\"model\":%s,\"content\":[],\"stop_reason\":null,"
                "\"stop_sequence\":null,\"usage\":{\"input_tokens\":%" PRId64
                ",\"output_tokens\":0}}}",
                completion->generation_id, completion->model, completion->prompt_tokens);
    event_end(body, completion->settings, 0);
}

static void write_delta(struct track *body, const struct completion *completion, int64_t index)
{
    int64_t from = chunk_start(completion, index), to = chunk_start(completion, index + 1);
    event_start(body, completion->settings, "content_block_delta");
    text_add_string(&body->bytes,
                    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
                    "\"text_delta\",\"text\":\"");
    write_words(&body->bytes, completion, from, to);
    text_add_string(&body->bytes, "\"}}");
    event_end(body, completion->settings, to);
}

static void write_end(struct track *body, const struct completion *completion)
{
    event_start(body, completion->settings, "message_delta");
    text_format(&body->bytes,
                "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
                "\"stop_sequence\":null},\"usage\":",
                stop_of(completion));
    write_usage(&body->bytes, completion, USAGE_MESSAGES);
    if (completion->settings->messages_stream_cost)
        write_cost(&body->bytes, completion, USAGE_MESSAGES);
    text_add_string(&body->bytes, "}}");
    event_end(body, completion->settings, 0);
}

static void write_fixed(struct track *body, const struct completion *completion, const char *name,
                        const char *data)
{
    event_start(body, completion->settings, name);
    text_add_string(&body->bytes, data);
    event_end(body, completion->settings, 0);
}

static const char *stop_of(const struct completion *completion)
{
    return completion->ran_into_cap ? "max_tokens" : "end_turn";
}

/*
 * /responses: OpenAI's Responses events, from response.created to response.completed, then [DONE].
 */
#include <inttypes.h>

#include "dialect.h"

static void write_json(struct track *body, const struct completion *completion);
static void write_stream(struct track *body, const struct completion *completion);
static void write_response(struct text *text, const struct completion *completion, bool complete);
static void write_event(struct track *body, const struct completion *completion, const char *name,
                        bool complete);
static void write_delta(struct track *body, const struct completion *completion, int64_t index);
static void write_text_done(struct track *body, const struct completion *completion);

const struct dialect dialect_responses = {
    .inputs = {"input", "instructions"},
    .caps = {"max_output_tokens"},
    .streams = true,
    .write_json = write_json,
    .write_stream = write_stream,
    .broken_off_event = "response.failed",
    .broken_off =
        "{\"type\":\"response.failed\",\"response\":{\"id\":\"%s\",\"object\":\"response\","
        "\"status\":\"failed\",\"output\":[],\"error\":{\"code\":\"server_error\",\"message\":"
        "\"Provider returned error\"},\"error_type\":\"provider_unavailable\"}}",
};

static void write_json(struct track *body, const struct completion *completion)
{
    write_response(&body->bytes, completion, true);
}

static void write_stream(struct track *body, const struct completion *completion)
{
    int64_t chunks = chunk_count(completion);
    write_comment(body, completion->settings, 0);
    write_event(body, completion, "response.created", false);
    write_event(body, completion, "response.in_progress", false);
    for (int64_t i = 0; i < chunks; i++)
        write_delta(body, completion, i);
    write_text_done(body, completion);
    write_event(body, completion, "response.completed", true);
    event_start(body, completion->settings, NULL);
    text_add_string(&body->bytes, "[DONE]");
    event_end(body, completion->settings, 0);
}

static void write_response(struct text *text, const struct completion *completion, bool complete)
{
    text_format(text,
                "{\"id\":\"%s\",\"object\":\"response\",\"created_at\":%" PRId64 ",\"model\":%s,"
                "\"status\":\"%s\",\"error\":null,\"incomplete_details\":null,\"output\":[",
                completion->generation_id, completion->created_s, completion->model,
                complete ? "completed" : "in_progress");
    if (!complete) {
        text_add_string(text, "],\"usage\":null}");
        return;
    }
    text_add_string(text,
                    "{\"type\":\"message\",\"id\":\"msg_0\",\"status\":\"completed\",\"role\":"
                    "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"");
    write_words(text, completion, 0, completion->tokens);
    text_add_string(text, "\",\"annotations\":[]}]}],\"usage\":");
    write_usage(text, completion, USAGE_RESPONSES);
    write_cost(text, completion, USAGE_RESPONSES);
    text_add_string(text, "}}");
}

static void write_event(struct track *body, const struct completion *completion, const char *name,
                        bool complete)
{
    event_start(body, completion->settings, name);
    text_format(&body->bytes, "{\"type\":\"%s\",\"response\":", name);
    write_response(&body->bytes, completion, complete);
    text_add_string(&body->bytes, "}");
    event_end(body, completion->settings, 0);
}

static void write_delta(struct track *body, const struct completion *completion, int64_t index)
{
    int64_t from = chunk_start(completion, index), to = chunk_start(completion, index + 1);
    event_start(body, completion->settings, "response.output_text.delta");
    text_add_string(&body->bytes, "{\"type\":\"response.output_text.delta\",\"item_id\":\"msg_0\","
                                  "\"output_index\":0,\"content_index\":0,\"delta\":\"");
    write_words(&body->bytes, completion, from, to);
    text_add_string(&body->bytes, "\"}");
    event_end(body, completion->settings, to);
}

static void write_text_done(struct track *body, const struct completion *completion)
{
    event_start(body, completion->settings, "response.output_text.done");
    text_add_string(&body->bytes, "{\"type\":\"response.output_text.done\",\"item_id\":\"msg_0\","
                                  "\"output_index\":0,\"content_index\":0,\"text\":\"");
    write_words(&body->bytes, completion, 0, completion->tokens);
    text_add_string(&body->bytes, "\"}");
    event_end(body, completion->settings, 0);
}

/*
 * /chat/completions and /completions: one shape, the words in another place.
 */
#include <inttypes.h>

#include "dialect.h"

struct shape {
    const char *object;
    const char *before_words;
    const char *after_words;
};

static void write_chat_json(struct track *body, const struct completion *completion);
static void write_text_json(struct track *body, const struct completion *completion);
static void write_chat_stream(struct track *body, const struct completion *completion);
static void write_text_stream(struct track *body, const struct completion *completion);
static void write_json(struct track *body, const struct completion *completion,
                       const struct shape *shape);
static void write_stream(struct track *body, const struct completion *completion,
                         const struct shape *shape);
static void write_opening(struct text *text, const struct completion *completion,
                          const struct shape *shape);
static void write_chunk(struct track *body, const struct completion *completion,
                        const struct shape *shape, int64_t index);
static void write_last_choice(struct track *body, const struct completion *completion,
                              const struct shape *shape);
static void write_usage_chunk(struct track *body, const struct completion *completion,
                              const struct shape *shape);
static void write_full_usage(struct text *text, const struct completion *completion);
static const char *finish_of(const struct completion *completion);

static const char broken_off[] =
    "{\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"sim/echo\","
    "\"provider\":\"Simulator\",\"error\":{\"code\":502,\"message\":\"Provider returned error\","
    "\"metadata\":{\"error_type\":\"provider_unavailable\"}},\"choices\":[{\"index\":0,\"delta\":{"
    "\"content\":\"\"},\"finish_reason\":\"error\",\"native_finish_reason\":\"error\"}]}";

const struct dialect dialect_chat = {
    .inputs = {"messages", "prompt", "tools"},
    .caps = {"max_completion_tokens", "max_tokens"},
    .streams = true,
    .write_json = write_chat_json,
    .write_stream = write_chat_stream,
    .broken_off = broken_off,
};

const struct dialect dialect_text = {
    .inputs = {"prompt"},
    .caps = {"max_tokens"},
    .streams = true,
    .write_json = write_text_json,
    .write_stream = write_text_stream,
    .broken_off = broken_off,
};

static const struct shape chat_json = {"chat.completion",
                                       "\"message\":{\"role\":\"assistant\",\"content\":\"",
                                       "\",\"refusal\":null,\"reasoning\":null}"};
static const struct shape text_json = {"text_completion", "\"text\":\"", "\""};
static const struct shape chat_chunk = {"chat.completion.chunk",
                                        "\"delta\":{\"role\":\"assistant\",\"content\":\"", "\"}"};
static const struct shape text_chunk = {"text_completion", "\"text\":\"", "\""};

static void write_chat_json(struct track *body, const struct completion *completion)
{
    write_json(body, completion, &chat_json);
}

static void write_text_json(struct track *body, const struct completion *completion)
{
    write_json(body, completion, &text_json);
}

static void write_chat_stream(struct track *body, const struct completion *completion)
{
    write_stream(body, completion, &chat_chunk);
}

static void write_text_stream(struct track *body, const struct completion *completion)
{
    write_stream(body, completion, &text_chunk);
}

static void write_json(struct track *body, const struct completion *completion,
                       const struct shape *shape)
{
    struct text *text = &body->bytes;
    write_opening(text, completion, shape);
    text_format(text,
                "\"system_fingerprint\":null,\"choices\":[{\"index\":0,\"logprobs\":null,\"finish_"
                "reason\":\"%s\","
                "\"native_finish_reason\":\"%s\",%s",
                finish_of(completion), finish_of(completion), shape->before_words);
    write_words(text, completion, 0, completion->tokens);
    text_format(text, "%s}],", shape->after_words);
    write_full_usage(text, completion);
    text_add_string(text, "}");
}

static void write_stream(struct track *body, const struct completion *completion,
                         const struct shape *shape)
{
    const struct settings *settings = completion->settings;
    int64_t chunks = chunk_count(completion);
    write_comment(body, settings, 0);
    for (int64_t i = 0; i < chunks; i++) {
        if (i == chunks / 2)
            write_comment(body, settings, 0);
        write_chunk(body, completion, shape, i);
    }
    write_last_choice(body, completion, shape);
    if (settings->usage_form == USAGE_EMPTY_CHOICES)
        write_usage_chunk(body, completion, shape);
    event_start(body, settings, NULL);
    text_add_string(&body->bytes, "[DONE]");
    event_end(body, settings, 0);
}

static void write_opening(struct text *text, const struct completion *completion,
                          const struct shape *shape)
{
    text_format(text,
                "{\"id\":\"%s\",\"provider\":\"Simulator\",\"model\":%s,\"object\":\"%s\","
                "\"created\":%" PRId64 ",",
                completion->generation_id, completion->model, shape->object, completion->created_s);
}

static void write_chunk(struct track *body, const struct completion *completion,
                        const struct shape *shape, int64_t index)
{
    struct text *text = &body->bytes;
    int64_t from = chunk_start(completion, index), to = chunk_start(completion, index + 1);
    event_start(body, completion->settings, NULL);
    write_opening(text, completion, shape);
    text_format(text, "\"choices\":[{\"index\":0,%s", shape->before_words);
    write_words(text, completion, from, to);
    text_format(text,
                "%s,\"finish_reason\":null,\"native_finish_reason\":null,\"logprobs\":null}]}",
                shape->after_words);
    event_end(body, completion->settings, to);
}

static void write_last_choice(struct track *body, const struct completion *completion,
                              const struct shape *shape)
{
    struct text *text = &body->bytes;
    event_start(body, completion->settings, NULL);
    write_opening(text, completion, shape);
    text_format(text,
                "\"choices\":[{\"index\":0,%s%s,\"finish_reason\":\"%s\","
                "\"native_finish_reason\":\"%s\",\"logprobs\":null}]",
                shape->before_words, shape->after_words, finish_of(completion),
                finish_of(completion));
    if (completion->settings->usage_form == USAGE_WITH_CHOICE) {
        text_add_string(text, ",");
        write_full_usage(text, completion);
    }
    text_add_string(text, "}");
    event_end(body, completion->settings, 0);
}

static void write_usage_chunk(struct track *body, const struct completion *completion,
                              const struct shape *shape)
{
    event_start(body, completion->settings, NULL);
    write_opening(&body->bytes, completion, shape);
    text_add_string(&body->bytes, "\"choices\":[],");
    write_full_usage(&body->bytes, completion);
    text_add_string(&body->bytes, "}");
    event_end(body, completion->settings, 0);
}

static void write_full_usage(struct text *text, const struct completion *completion)
{
    text_add_string(text, "\"usage\":");
    write_usage(text, completion, USAGE_CHAT);
    write_cost(text, completion, USAGE_CHAT);
    text_add_string(text, "}");
}

static const char *finish_of(const struct completion *completion)
{
    return completion->ran_into_cap ? "length" : "stop";
}

#include "dialect.h"

#include <inttypes.h>
#include <string.h>

#include "money.h"

/* One word is one token. Some are longer than their letters, so that a cut can fall inside one. */
static const char *const words[] = {
    "Lorem ", "ipsum ",       "dolor ",      "sit ",  "amet, ", "naïve ", "élan ",    "— ",
    "日本 ",  "consectetur ", "adipiscing ", "elit ", "sed ",   "do ",    "eiusmod ", "tempor. ",
};

static void write_once(const struct dialect *dialect, const struct completion *completion,
                       bool stream, struct track *body);
static const char *line_end(const struct settings *settings);
static void write_part(struct text *text, const struct completion *completion, const char *part,
                       int64_t nano_usd);
static void write_price(struct text *text, const struct completion *completion, int64_t nano_usd);

void dialect_write(const struct dialect *dialect, struct completion *completion, bool stream,
                   struct track *body)
{
    write_once(dialect, completion, stream, body);
    size_t wanted = (size_t)completion->settings->response_bytes;
    if (wanted <= body->bytes.length)
        return;
    completion->pad_bytes = wanted - body->bytes.length;
    track_clear(body);
    write_once(dialect, completion, stream, body);
}

void dialect_write_error(const struct dialect *dialect, const struct settings *settings,
                         const char *generation_id, struct track *body)
{
    const char *hole = strstr(dialect->broken_off, "%s");
    event_start(body, settings, dialect->broken_off_event);
    text_add(&body->bytes, dialect->broken_off, (size_t)(hole - dialect->broken_off));
    text_add_string(&body->bytes, generation_id);
    text_add_string(&body->bytes, hole + 2);
    event_end(body, settings, 0);
}

void write_words(struct text *text, const struct completion *completion, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        text_add_string(text, words[(size_t)i % (sizeof words / sizeof *words)]);
    if (completion->pad_bytes && completion->tokens) {
        size_t tokens = (size_t)completion->tokens;
        size_t before = completion->pad_bytes * (size_t)from / tokens;
        text_fill(text, 'x', completion->pad_bytes * (size_t)to / tokens - before);
    }
}

void write_usage(struct text *text, const struct completion *completion, enum usage_names names)
{
    int64_t in = completion->prompt_tokens, out = completion->tokens;
    switch (names) {
    case USAGE_CHAT:
        text_format(text,
                    "{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64
                    ",\"total_tokens\":%" PRId64 ",\"prompt_tokens_details\":{\"cached_tokens\":0,"
                    "\"cache_write_tokens\":0,\"audio_tokens\":0,\"video_tokens\":0},"
                    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"image_tokens\":0}",
                    in, out, in + out);
        break;
    case USAGE_RESPONSES:
        text_format(text,
                    "{\"input_tokens\":%" PRId64 ",\"input_tokens_details\":{\"cached_tokens\":0},"
                    "\"output_tokens\":%" PRId64
                    ",\"output_tokens_details\":{\"reasoning_tokens\":0},"
                    "\"total_tokens\":%" PRId64,
                    in, out, in + out);
        break;
    case USAGE_MESSAGES:
        text_format(text,
                    "{\"input_tokens\":%" PRId64 ",\"output_tokens\":%" PRId64
                    ",\"cache_read_input_tokens\":0,\"cache_creation_input_tokens\":0",
                    in, out);
        break;
    case USAGE_EMBEDDINGS:
        text_format(text, "{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64, in, in);
        break;
    }
}

void write_cost(struct text *text, const struct completion *completion, enum usage_names names)
{
    bool byok = completion->settings->byok;
    bool in_and_out = names == USAGE_RESPONSES;
    int64_t prompt = completion->prompt_nano_usd, all = completion->price_nano_usd;
    if (!completion->settings->cost_missing) {
        text_add_string(text, ",\"cost\":");
        write_price(text, completion, byok ? 0 : all);
        text_add_string(text, ",\"cost_details\":{\"upstream_inference_cost\":");
        write_price(text, completion, all);
        write_part(text, completion, in_and_out ? "input" : "prompt", prompt);
        write_part(text, completion, in_and_out ? "output" : "completions", all - prompt);
        text_add_string(text, "}");
    }
    text_format(text, ",\"is_byok\":%s", byok ? "true" : "false");
}

int64_t chunk_count(const struct completion *completion)
{
    int64_t wanted = completion->settings->stream_chunks;
    return wanted && wanted < completion->tokens ? wanted : completion->tokens;
}

int64_t chunk_start(const struct completion *completion, int64_t index)
{
    return completion->tokens * index / chunk_count(completion);
}

void event_start(struct track *body, const struct settings *settings, const char *name)
{
    if (name)
        text_format(&body->bytes, "event: %s%s", name, line_end(settings));
    text_add_string(&body->bytes, "data: ");
}

void event_end(struct track *body, const struct settings *settings, int64_t tokens)
{
    int64_t before = body->count ? body->pieces[body->count - 1].tokens : 0;
    text_format(&body->bytes, "%s%s", line_end(settings), line_end(settings));
    track_cut(body, tokens > before ? tokens : before,
              tokens > before ? settings->chunk_delay_ms : 0);
}

void write_comment(struct track *body, const struct settings *settings, int64_t tokens)
{
    if (!settings->comments)
        return;
    text_add_string(&body->bytes, ": OPENROUTER PROCESSING");
    event_end(body, settings, tokens);
}

static void write_once(const struct dialect *dialect, const struct completion *completion,
                       bool stream, struct track *body)
{
    if (stream) {
        dialect->write_stream(body, completion);
        return;
    }
    if (completion->settings->leading_whitespace)
        text_add_string(&body->bytes, "\n         \n\n");
    dialect->write_json(body, completion);
    track_cut(body, completion->tokens, 0);
}

static const char *line_end(const struct settings *settings)
{
    return settings->crlf ? "\r\n" : "\n";
}

static void write_part(struct text *text, const struct completion *completion, const char *part,
                       int64_t nano_usd)
{
    text_format(text, ",\"upstream_inference_%s_cost\":", part);
    write_price(text, completion, nano_usd);
}

static void write_price(struct text *text, const struct completion *completion, int64_t nano_usd)
{
    char amount[USD_TEXT];
    usd_write(amount, nano_usd, completion->settings->cost_exponent ? USD_EXPONENT : USD_DECIMAL);
    text_add_string(text, amount);
}

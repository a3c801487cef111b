/*
 * The languages of the inference routes: how a completion is said in JSON, as a stream, and broken
 * off. A new one is a table of these functions and a row in routes.c.
 */
#ifndef SIM_DIALECT_H
#define SIM_DIALECT_H

#include "play.h"
#include "settings.h"

/* What the model said, before it is put in words. */
struct completion {
    const char *generation_id;
    const char *model; /* as a JSON string, with quotes */
    const struct settings *settings;
    int64_t created_s;
    int64_t prompt_tokens;
    int64_t tokens;
    int64_t prompt_nano_usd; /* of the price, what the prompt costs */
    int64_t price_nano_usd;
    size_t pad_bytes;
    bool ran_into_cap;
};

struct dialect {
    const char *inputs[4]; /* members whose strings are the prompt */
    const char *caps[3];   /* members that bound the output, the preferred one first */
    bool streams;
    void (*write_json)(struct track *body, const struct completion *completion);
    void (*write_stream)(struct track *body, const struct completion *completion);
    const char *broken_off_event; /* NULL: events without names */
    const char *broken_off;       /* the event's data; %s is the generation id */
};

extern const struct dialect dialect_chat, dialect_text, dialect_responses, dialect_messages,
    dialect_embeddings;

/* The whole body, padded to settings->response_bytes. */
void dialect_write(const struct dialect *dialect, struct completion *completion, bool stream,
                   struct track *body);
void dialect_write_error(const struct dialect *dialect, const struct settings *settings,
                         const char *generation_id, struct track *body);

/* Tools of the dialects. */
void write_words(struct text *text, const struct completion *completion, int64_t from, int64_t to);

enum usage_names { USAGE_CHAT, USAGE_RESPONSES, USAGE_MESSAGES, USAGE_EMBEDDINGS };
void write_usage(struct text *text, const struct completion *completion, enum usage_names names);
void write_cost(struct text *text, const struct completion *completion, enum usage_names names);

/* The i-th of the content chunks: which tokens it carries. */
int64_t chunk_count(const struct completion *completion);
int64_t chunk_start(const struct completion *completion, int64_t index);

void event_start(struct track *body, const struct settings *settings, const char *name);
void event_end(struct track *body, const struct settings *settings, int64_t tokens);
void write_comment(struct track *body, const struct settings *settings, int64_t tokens);

#endif

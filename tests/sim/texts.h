/*
 * The error answers of OpenRouter, word for word, by name. One table.
 *
 * $HASH, $RESET_MS, $RESET_AT, $LIMIT and $SPEND in a text are filled in from struct text_values.
 * Source  https://openrouter.ai/docs/api/reference/errors-and-debugging, /limits, and captures.
 */
#ifndef SIM_TEXTS_H
#define SIM_TEXTS_H

#include <stdint.h>

#include "json.h"
#include "text.h"

struct canned {
    const char *name;
    int status;
    const char *message;
    const char *metadata; /* JSON or NULL */
    const char *headers;  /* whole lines, or NULL */
    const char *html;     /* instead of JSON, or NULL */
    const char *raw;      /* instead of the error object: a whole JSON body, or NULL */
};

struct text_values {
    const char *key_hash; /* borrowed */
    int64_t reset_ms;
    int64_t limit_nano_usd;
    int64_t spend_nano_usd;
};

const struct canned *canned_find(const char *name);
const struct canned *canned_for_status(int status);
void canned_list(struct json json, yyjson_mut_val *array);

/* The body as the chat and key routes have it, and as /messages has it. */
void canned_write(const struct canned *canned, const struct text_values *values,
                  struct text *ret_body);
void canned_write_anthropic(const struct canned *canned, const struct text_values *values,
                            struct text *ret_body);

/* An error that is not in the table: a 400 that names a field. */
void plain_error_write(int status, const char *message, struct text *ret_body);

#endif

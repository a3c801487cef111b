/* inference_body.h: what a proxy must know of an inference request's body, and the few fields it sets.
 *
 * Owns      nothing; spans point into the body.
 * Fails     a verdict with a sentence for the caller (detail) and the parameter's name (param).
 * Source    openrouter-api 3.1 (user, debug), 10.45 (client `user` becomes a stable pseudonym), design 4.3 (duplicate keys)
 */
#ifndef KEYTURN_DOMAIN_INFERENCE_BODY_H
#define KEYTURN_DOMAIN_INFERENCE_BODY_H

#include "base/buffer.h"

struct inference_body {
    struct span model; /* without quotes; SPAN_NONE when absent or null */
    bool
        model_escaped; /* model has escapes (PHP writes "openai\/gpt-4o"): json_resolve before comparing it */
    struct span user; /* the client's own; SPAN_NONE when absent, null or written with escapes */
    bool stream;
    struct span user_value;   /* raw value to replace; SPAN_NONE: insert instead */
    struct span safety_value; /* the same for safety_identifier */
    size_t open_brace;        /* offset of the object's { */
    bool empty;               /* the object has no members */
};

struct body_fault {
    const char *detail; /* a sentence, NULL when fine */
    const char *param;  /* the field, or NULL */
};

/* Refuses: not JSON, not an object, any top-level member twice (also when one of them is written with escapes), more
 * members or longer names than any sane request has, model or user neither a string nor null, stream neither a boolean
 * nor null. */
struct body_fault inference_body_read(struct span body, struct inference_body *ret_body);
/* The same bytes with `user` (and safety_identifier, if the client sent one) set to the pseudonym, which needs no
 * escaping. False when out is full. */
bool inference_body_compose(const struct inference_body *parsed, struct span body,
                            struct span pseudonym, struct buffer *out);

#endif

/* inference_body.h: what a proxy must know of an inference request's body, and the few fields it sets.
 *
 * Owns      nothing; spans point into the body, whose bytes inference_body_edit changes.
 * Fails     a verdict with a sentence for the caller (detail) and the parameter's name (param).
 * Source    openrouter-api 3.1 (user, debug), 10.45 (client `user` becomes a stable pseudonym), design 4.3 (duplicate keys)
 */
#ifndef KEYTURN_DOMAIN_INFERENCE_BODY_H
#define KEYTURN_DOMAIN_INFERENCE_BODY_H

#include "domain/json_scan.h"

/* The fields that cap the output; which of them a dialect uses is domain/dialect.h's. */
enum output_cap { CAP_MAX_TOKENS, CAP_MAX_COMPLETION_TOKENS, CAP_MAX_OUTPUT_TOKENS, CAP_COUNT };

struct inference_body {
    struct span model;  /* without quotes, escapes not resolved; SPAN_NONE when absent or null */
    bool model_escaped; /* resolve it (domain/json_text.h) before comparing */
    struct span user;   /* the client's own; SPAN_NONE when absent or not a plain string */
    bool stream;
    int64_t caps[CAP_COUNT];           /* as asked; -1: absent or null */
    struct span cap_values[CAP_COUNT]; /* raw values, to be replaced */
    struct span user_value;            /* raw value to replace; SPAN_NONE: insert instead */
    struct span safety_value;          /* the same for safety_identifier */
    size_t open_brace;                 /* offset of the object's { */
    bool empty;                        /* the object has no members */
};

/* What keyturn sets. */
struct body_edits {
    struct span pseudonym; /* needs no escaping; at most PSEUDONYM_MAX */
    enum output_cap cap;   /* the field to insert when the client sent none */
    int64_t cap_tokens;    /* -1: leave the caps as they are */
};

enum { PSEUDONYM_MAX = 64, BODY_EDITS_ROOM = 512 };

struct body_fault {
    const char *detail; /* a sentence, NULL when fine */
    const char *param;  /* the field, or NULL */
};

/* Refuses: not JSON, not an object, any top-level member twice (also when one of them is written with escapes), more
 * members or longer names than any sane request has, model or user neither a string nor null, stream neither a boolean
 * nor null. */
struct body_fault inference_body_read(struct span body, struct inference_body *ret_body);
/* The same; in the same pass `also` sees the members until it returns false. */
struct body_fault inference_body_read_with(struct span body, struct inference_body *ret_body,
                                           bool (*also)(const struct json_member *member,
                                                        void *context),
                                           void *context);
/* The largest cap the client asked for, -1 for none. */
int64_t inference_body_asked(const struct inference_body *parsed);
/* In place: the body becomes the same bytes with `user` (and safety_identifier, if the client sent one) set to the
 * pseudonym, and every output cap above edits->cap_tokens lowered to it, or one inserted where there is none. What lies
 * before the last change moves towards the front, into the BODY_EDITS_ROOM bytes before body.at, which are the caller's
 * too; what is shorter than what it replaces is filled up with blanks. Returns what is to be sent; parsed is used up. */
struct span inference_body_edit(const struct inference_body *parsed, struct span body,
                                const struct body_edits *edits);

#endif

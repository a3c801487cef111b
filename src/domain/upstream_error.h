/* upstream_error.h: reading an error that OpenRouter answered: whose fault it is, and what a client may see of it.
 *
 * Owns      what is copied into the result.
 * Fails     never: HTML, empty and foreign bodies are classified by status alone.
 * Source    openrouter-api 5 (every class below cites its row there), 10.15, 10.46 to 10.49
 */
#ifndef KEYTURN_DOMAIN_UPSTREAM_ERROR_H
#define KEYTURN_DOMAIN_UPSTREAM_ERROR_H

#include "base/buffer.h"
#include "domain/free_model.h"
#include "domain/upstream_message.h"

enum upstream_error_class {
    UPSTREAM_ERROR_CLIENT, /* 400 403 404 408 413 422 …: the request's own; relayed in our shape, same status */
    UPSTREAM_ERROR_KEY, /* 401 that may mean the key is dead: verify (5.3) */
    UPSTREAM_ERROR_MISSING_AUTH, /* 401 "Missing Authentication header", "No cookie auth …": our bug or a blip; one retry */
    UPSTREAM_ERROR_PROVIDER_AUTH, /* 401 with metadata.provider_name: never ours; 502 */
    UPSTREAM_ERROR_BYOK_AUTH, /* the same with is_byok: the caller's provider credential is bad */
    UPSTREAM_ERROR_KEY_LIMIT, /* 402/403: this key's cap is used: never renewed (5.4) */
    UPSTREAM_ERROR_CREDITS,   /* 402: the account is empty: operator alarm, 503 */
    UPSTREAM_ERROR_IN_FLIGHT, /* 402 with Retry-After: wait and retry */
    UPSTREAM_ERROR_TOO_EXPENSIVE, /* 402: lower max_tokens or prompt */
    UPSTREAM_ERROR_BUDGET,        /* 403: guardrail or workspace budget */
    UPSTREAM_ERROR_RATE,          /* 429 */
    UPSTREAM_ERROR_BUSY           /* 5xx: the upstream or its provider is in trouble */
};

struct upstream_error {
    enum upstream_error_class class;
    char message[512];      /* as told, cleaned; empty when there was none */
    char error_type[64];    /* metadata.error_type or error.type; empty when there was none */
    char provider_name[64]; /* empty when there was none */
    char reasons
        [256]; /* metadata.reasons, a JSON array of texts, cleaned; empty when there were none */
    char patterns[256]; /* metadata.patterns, likewise */
    bool retry_hinted;  /* error.availability.retryable */
    enum free_window
        free_window;    /* 429: this limit on free models, the whole account's, is used up */
    int64_t free_reset; /* X-RateLimit-Reset beside it, as told; 0: it was not */
};

/* Accepts the chat, Messages and Responses shapes on every route. */
void upstream_error_read(int status, struct span body, struct upstream_error *ret_error);
const char *upstream_error_class_name(enum upstream_error_class class);
/* free_reset as unix milliseconds: OpenRouter sends those; seconds, since 1970 or from now, are told by their size. 0: it
 * was not told. */
int64_t upstream_error_reset_ms(const struct upstream_error *error, int64_t now_ms);

/* Says of itself that it will be over soon. */
static inline bool upstream_error_is_passing(int status)
{
    return status == 503;
}
/* The request was certainly not worked on: a second try cannot be billed twice. */
static inline bool upstream_error_is_unprocessed(int status)
{
    return status == 402 || status == 429 || status == 503;
}

/* The error a client gets for a relayed upstream error: our envelope, `code` as text, metadata reduced to what is
 * harmless (provider_name, error_type, reasons, patterns). */
bool upstream_error_body(const struct upstream_error *error, int status, struct span request_id,
                         struct buffer *out);

#endif

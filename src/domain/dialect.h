/* dialect.h: the five inference dialects, one row each: path upstream, how its streams say that something broke.
 *
 * Owns      nothing.
 * Source    openrouter-api 3.6, 4, 5.1; reliability D28
 */
#ifndef KEYTURN_DOMAIN_DIALECT_H
#define KEYTURN_DOMAIN_DIALECT_H

#include "base/buffer.h"
#include "base/fault.h"
#include "domain/inference_body.h"

enum dialect {
    DIALECT_CHAT,
    DIALECT_TEXT,
    DIALECT_RESPONSES,
    DIALECT_MESSAGES,
    DIALECT_EMBEDDINGS,
    DIALECT_COUNT
};

struct dialect_row {
    const char *name;      /* "chat", ...: the metric's and the log's word */
    const char *path;      /* behind /v1 and behind the upstream's base: "/chat/completions" */
    int cap;               /* enum output_cap: its output cap's name; CAP_COUNT: it has none */
    bool done_after_error; /* the API ends a stream with data: [DONE] also after an error event */
};

const struct dialect_row *dialect_row(enum dialect dialect);

/* The event that ends a stream which broke after its first byte, in the dialect's own shape, starting with a blank line
 * so that it stands alone wherever the stream broke. */
bool stream_error_event(enum dialect dialect, enum fault fault, struct span detail,
                        struct span request_id, struct buffer *out);

#endif

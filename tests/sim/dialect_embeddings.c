/*
 * /embeddings: a short vector of fixed numbers, no stream.
 */
#include "dialect.h"

static void write_json(struct track *body, const struct completion *completion);

const struct dialect dialect_embeddings = {
    .inputs = {"input"},
    .write_json = write_json,
};

static void write_json(struct track *body, const struct completion *completion)
{
    struct text *text = &body->bytes;
    text_format(text,
                "{\"id\":\"%s\",\"object\":\"list\",\"model\":%s,\"provider\":\"Simulator\","
                "\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.125,-0.25,0.5,"
                "0.0625]}],\"usage\":",
                completion->generation_id, completion->model);
    write_usage(text, completion, USAGE_EMBEDDINGS);
    write_cost(text, completion, USAGE_EMBEDDINGS);
    text_add_string(text, "}}");
}

/*
 * The inference routes: what is asked, what it costs, what is said.
 */
#include <string.h>

#include "access.h"
#include "dialect.h"
#include "models.h"
#include "request.h"
#include "routes.h"
#include "sim.h"

static const char *model_of(yyjson_val *body);
static bool answer_refusal(struct exchange *exchange, const char *model);
static struct completion completion_of(struct exchange *exchange, yyjson_val *body);
static int64_t cap_of(const struct dialect *dialect, yyjson_val *body);
static int64_t prompt_tokens_of(const struct dialect *dialect, yyjson_val *body);
static size_t string_bytes(yyjson_val *value);
static void compose(struct exchange *exchange, struct completion *completion, const char *ran);

void serve_inference(struct exchange *exchange)
{
    yyjson_val *body = yyjson_doc_get_root(exchange->doc);
    if (!yyjson_is_obj(body)) {
        reply_error(exchange, 400, "Invalid JSON body");
        return;
    }
    const char *asked = model_of(body);
    const struct model *model = model_find(asked);
    const char *ran = model && model->ran ? model->ran : asked;
    if (answer_refusal(exchange, asked))
        return;
    struct completion completion = completion_of(exchange, body);
    exchange->bill = (struct bill){
        .open = true,
        .stream = exchange->route->dialect->streams && json_boolean(body, "stream", false),
        .key = exchange->key,
        .finish_reason = completion.ran_into_cap ? "length" : "stop",
        .billed_model = ran,
        .prompt_tokens = completion.prompt_tokens,
        .completion_tokens = completion.tokens,
    };
    compose(exchange, &completion, ran);
    if (!exchange->bill.stream) /* always runs to its end, whoever still listens */
        bill_settle(exchange, completion.tokens, exchange->bill.finish_reason);
}

static const char *model_of(yyjson_val *body)
{
    const char *first = yyjson_get_str(yyjson_arr_get_first(yyjson_obj_get(body, "models")));
    return json_string(body, "model", first ? first : "openrouter/auto");
}

static bool answer_refusal(struct exchange *exchange, const char *model)
{
    const struct canned *refusal = access_check_money(exchange);
    if (refusal) {
        reply_canned(exchange, refusal);
        return true;
    }
    if (!exchange->sim->settings.strict_models || model_find(model))
        return false;
    struct text message = {0};
    text_format(&message, "%s is not a valid model ID", model);
    reply_error(exchange, 400, text_string(&message));
    text_done(&message);
    return true;
}

static struct completion completion_of(struct exchange *exchange, yyjson_val *body)
{
    const struct sim *sim = exchange->sim;
    const struct dialect *dialect = exchange->route->dialect;
    int64_t cap = cap_of(dialect, body);
    int64_t most = sim->settings.completion_tokens_max;
    bool fills = cap && (!most || cap <= most); /* a model asked for little uses it up */
    struct completion completion = {
        .settings = &sim->settings,
        .created_s = sim_now_ms(sim) / 1000,
        .prompt_tokens = prompt_tokens_of(dialect, body),
        .tokens = fills ? cap : sim->settings.completion_tokens,
        .ran_into_cap = fills,
    };
    if (!dialect->caps[0])
        completion.tokens = 0;
    return completion;
}

static int64_t cap_of(const struct dialect *dialect, yyjson_val *body)
{
    for (int i = 0; i < 3 && dialect->caps[i]; i++) {
        int64_t cap = json_integer(body, dialect->caps[i], 0);
        if (cap > 0)
            return cap;
    }
    return 0;
}

static int64_t prompt_tokens_of(const struct dialect *dialect, yyjson_val *body)
{
    size_t bytes = 0;
    for (int i = 0; i < 4 && dialect->inputs[i]; i++)
        bytes += string_bytes(yyjson_obj_get(body, dialect->inputs[i]));
    return (int64_t)((bytes + 3) / 4);
}

/* All the text under a value, names of members not counted. */
static size_t string_bytes(yyjson_val *value)
{
    size_t bytes = 0, index, count;
    yyjson_val *name, *item;
    if (yyjson_is_str(value))
        return yyjson_get_len(value);
    yyjson_arr_foreach (value, index, count, item)
        bytes += string_bytes(item);
    yyjson_obj_foreach (value, index, count, name, item)
        bytes += string_bytes(item);
    return bytes;
}

static void compose(struct exchange *exchange, struct completion *completion, const char *ran)
{
    struct sim *sim = exchange->sim;
    struct reply *reply = &exchange->reply;
    struct text model = {0};
    text_add_json(&model, ran);
    uint64_t number = exchange->row_seq ? exchange->row_seq : ++sim->next_generation;
    sim_name_generation(sim, number, reply->generation_id);
    struct row *row = exchange_row(exchange);
    if (row)
        memcpy(row->generation_id, reply->generation_id, GENERATION_ID);
    completion->generation_id = reply->generation_id;
    completion->model = text_string(&model);
    completion->prompt_nano_usd = model_cost_nano_usd(ran, completion->prompt_tokens, 0);
    completion->price_nano_usd =
        model_cost_nano_usd(ran, completion->prompt_tokens, completion->tokens);
    dialect_write(exchange->route->dialect, completion, exchange->bill.stream, &reply->body);
    reply->status = 200;
    reply->content_type = exchange->bill.stream ? "text/event-stream" : "application/json";
    reply->latency_ms = sim->settings.latency_ms;
    text_done(&model);
}

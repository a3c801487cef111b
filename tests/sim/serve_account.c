/*
 * What is read about the account: the presented key, the credits, the catalogue, a generation.
 */
#include <string.h>

#include "models.h"
#include "money.h"
#include "request.h"
#include "routes.h"
#include "sim.h"

static void write_model(const struct model *model, struct json json);
static void write_price(struct json json, const char *name, int64_t pico_usd);
static struct row *asked_row(struct exchange *exchange);
static void write_generation(const struct row *row, struct json json);

void serve_current_key(struct exchange *exchange)
{
    bool management = exchange->presented == PRESENTED_MANAGEMENT;
    struct key nobody = {.label = "sk-or-v1-sim...mgmt", .expires_ms = -1};
    const struct key *key = management ? &nobody : exchange->key;
    struct json json = json_start();
    struct json data = json_object(json, "data");
    key_write_usage(key, sim_now_ms(exchange->sim), data);
    json_put_boolean(data, "is_free_tier", false);
    json_put_boolean(data, "is_management_key", management);
    json_put_boolean(data, "is_provisioning_key", management);
    json_put_null(data, "organization_id");
    struct json rate = json_object(data, "rate_limit");
    json_put_integer(rate, "requests", -1);
    json_put_string(rate, "interval", "10s");
    json_put_string(rate, "note", "This field is deprecated and safe to ignore.");
    reply_json(exchange, 200, json);
}

void serve_credits(struct exchange *exchange)
{
    struct json json = json_start();
    struct json data = json_object(json, "data");
    json_put_usd(data, "total_credits", exchange->sim->settings.credits_nano_usd);
    json_put_usd(data, "total_usage", exchange->sim->ledger.totals.billed_nano_usd);
    reply_json(exchange, 200, json);
}

void serve_models(struct exchange *exchange)
{
    struct json json = json_start();
    yyjson_mut_val *array = json_array(json, "data");
    const struct model *model;
    size_t count = 0;
    for (; (model = model_at(count)); count++)
        write_model(model, json_append(json, array));
    json_put_integer(json, "total_count", (int64_t)count);
    reply_json(exchange, 200, json);
}

void serve_generation(struct exchange *exchange)
{
    struct row *row = asked_row(exchange);
    if (!row) {
        reply_canned(exchange, canned_find("generation_not_found"));
        return;
    }
    struct json json = json_start();
    write_generation(row, json_object(json, "data"));
    reply_json(exchange, 200, json);
}

static void write_model(const struct model *model, struct json json)
{
    json_put_string(json, "id", model->id);
    json_put_string(json, "canonical_slug", model->id);
    json_put_string(json, "name", model->name);
    json_put_integer(json, "created", 1735689600);
    json_put_integer(json, "context_length", model->context_length);
    struct json architecture = json_object(json, "architecture");
    json_put_string(architecture, "modality", "text->text");
    struct json pricing = json_object(json, "pricing");
    write_price(pricing, "prompt", model->prompt_pico_usd);
    write_price(pricing, "completion", model->completion_pico_usd);
    json_put_string(pricing, "request", "0");
    json_put_string(pricing, "image", "0");
    struct json top = json_object(json, "top_provider");
    json_put_integer(top, "context_length", model->context_length);
    json_put_integer(top, "max_completion_tokens", 16384);
    json_put_boolean(top, "is_moderated", false);
    json_put_null(json, "per_request_limits");
    if (model->id[0] == '~')
        json_put_string(json, "alias_target", model->ran);
}

static void write_price(struct json json, const char *name, int64_t pico_usd)
{
    char text[USD_TEXT];
    pico_write(text, pico_usd);
    json_put_string(json, name, pico_usd < 0 ? "-1" : text);
}

/* NULL: not there, not ended long enough ago, or not this key's and the settings insist. */
static struct row *asked_row(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    struct text id = {0};
    struct row *row = NULL;
    if (request_query(exchange->request, "id", &id))
        row = ledger_find(&sim->ledger, sim_row_of_generation(sim, text_string(&id)));
    bool known = row && strcmp(row->generation_id, text_string(&id)) == 0;
    text_done(&id);
    if (!known || row->ended_ms < 0)
        return NULL;
    if (sim_now_ms(sim) < row->ended_ms + sim->settings.generation_delay_ms)
        return NULL;
    bool same_key = strcmp(row->key_hash, exchange->presented_hash) == 0;
    return same_key || !sim->settings.generation_same_key ? row : NULL;
}

static void write_generation(const struct row *row, struct json json)
{
    json_put_string(json, "id", row->generation_id);
    json_put_string(json, "model", row->model);
    json_put_time(json, "created_at", row->arrived_ms);
    json_put_boolean(json, "streamed", row->stream);
    json_put_boolean(json, "cancelled", row->client_aborted && row->stream);
    json_put_string(json, "provider_name", "Simulator");
    json_put_string(json, "finish_reason", row->finish_reason);
    json_put_usd(json, "total_cost", row->billed_nano_usd);
    json_put_usd(json, "usage", row->billed_nano_usd);
    json_put_usd(json, "upstream_inference_cost", row->billed_nano_usd + row->byok_nano_usd);
    json_put_boolean(json, "is_byok", row->byok_nano_usd > 0);
    json_put_integer(json, "tokens_prompt", row->prompt_tokens);
    json_put_integer(json, "tokens_completion", row->completion_tokens);
    json_put_integer(json, "native_tokens_prompt", row->prompt_tokens);
    json_put_integer(json, "native_tokens_completion", row->completion_tokens);
    json_put_integer(json, "native_tokens_reasoning", 0);
    json_put_integer(json, "native_tokens_cached", 0);
    json_put_integer(json, "latency", 1);
    json_put_integer(json, "generation_time", row->ended_ms - row->arrived_ms);
}

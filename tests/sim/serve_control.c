/*
 * /__sim: what a test reads and orders.
 */
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "fault_kinds.h"
#include "request.h"
#include "routes.h"
#include "sim.h"

static void reply_done(struct exchange *exchange);
static void release(struct sim *sim, uint64_t fault_id);
static void write_ledger_key(const struct key *key, int64_t now_ms, struct json json);
static void for_named_keys(struct exchange *exchange,
                           void (*act)(struct sim *sim, struct key *key));
static bool key_is_meant(const struct key *key, yyjson_val *order);
static void kill_key(struct sim *sim, struct key *key);
static void expire_key(struct sim *sim, struct key *key);
static void disable_key(struct sim *sim, struct key *key);
static void enable_key(struct sim *sim, struct key *key);

void serve_control_index(struct exchange *exchange)
{
    struct json json = json_start();
    json_put_string(json, "simulator", "openrouter-sim");
    ledger_write_totals(&exchange->sim->ledger, json_object(json, "totals"));
    settings_write(&exchange->sim->settings, json_object(json, "settings"));
    faults_write(&exchange->sim->faults, json);
    reply_json(exchange, 200, json);
}

void serve_ledger(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    struct text brief = {0}, since = {0};
    bool only_keys = request_query(exchange->request, "brief", &brief);
    request_query(exchange->request, "since", &since);
    struct json json = json_start();
    int64_t now_ms = sim_now_ms(sim);
    json_put_integer(json, "keys_created", (int64_t)sim->keys.count);
    json_put_integer(json, "keys_live", (int64_t)sim->keys.live);
    ledger_write_totals(&sim->ledger, json_object(json, "totals"));
    yyjson_mut_val *keys = json_array(json, "keys");
    for (size_t i = 0; i < sim->keys.count; i++)
        write_ledger_key(sim->keys.all[i], now_ms, json_append(json, keys));
    uint64_t after = strtoull(text_string(&since), NULL, 10);
    if (!only_keys)
        ledger_write_rows(&sim->ledger, after, json.doc, json_array(json, "requests"));
    reply_json(exchange, 200, json);
    text_done(&brief);
    text_done(&since);
}

void serve_reset(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    yyjson_val *order = yyjson_doc_get_root(exchange->doc);
    release(sim, 0);
    if (json_boolean(order, "settings", false)) {
        sim->settings = settings_default();
        sim->settings.ledger_rows = !sim->options->fast;
        sim->settings_version++;
    }
    sim_reset(sim);
    reply_done(exchange);
}

void serve_settings_read(struct exchange *exchange)
{
    struct json json = json_start();
    settings_write(&exchange->sim->settings, json);
    reply_json(exchange, 200, json);
}

void serve_settings_change(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    yyjson_val *order = yyjson_doc_get_root(exchange->doc);
    const char *fault = NULL;
    if (settings_read(&sim->settings, order, &fault)) {
        sim->settings_version++;
        serve_settings_read(exchange);
        return;
    }
    struct text message = {0};
    text_format(&message, "%s: unknown, or not of its type; GET /__sim/settings lists all", fault);
    reply_error(exchange, 400, text_string(&message));
    text_done(&message);
}

void serve_fault_add(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    const char *wrong = NULL;
    struct fault *fault = faults_add(&sim->faults, yyjson_doc_get_root(exchange->doc), &wrong);
    if (!fault) {
        reply_error(exchange, 400, wrong);
        return;
    }
    if (fault->what.kind->at_once)
        fault->what.kind->at_once(sim, fault->what.delay_ms);
    struct json json = json_start();
    json_put_integer(json, "id", (int64_t)fault->what.id);
    reply_json(exchange, 201, json);
}

void serve_fault_list(struct exchange *exchange)
{
    struct json json = json_start();
    faults_write(&exchange->sim->faults, json);
    fault_kinds_write(json);
    reply_json(exchange, 200, json);
}

void serve_fault_clear(struct exchange *exchange)
{
    faults_clear(&exchange->sim->faults);
    release(exchange->sim, 0);
    reply_done(exchange);
}

void serve_fault_remove(struct exchange *exchange)
{
    uint64_t id = strtoull(exchange->argument, NULL, 10);
    if (!faults_remove(&exchange->sim->faults, id)) {
        reply_error(exchange, 404, "there is no such fault");
        return;
    }
    release(exchange->sim, id);
    reply_done(exchange);
}

void serve_texts(struct exchange *exchange)
{
    struct json json = json_start();
    canned_list(json, json_array(json, "texts"));
    reply_json(exchange, 200, json);
}

void serve_kill_key(struct exchange *exchange)
{
    for_named_keys(exchange, kill_key);
}

void serve_expire_key(struct exchange *exchange)
{
    for_named_keys(exchange, expire_key);
}

void serve_disable_key(struct exchange *exchange)
{
    for_named_keys(exchange, disable_key);
}

void serve_enable_key(struct exchange *exchange)
{
    for_named_keys(exchange, enable_key);
}

static void reply_done(struct exchange *exchange)
{
    struct json json = json_start();
    json_put_boolean(json, "done", true);
    reply_json(exchange, 200, json);
}

/* Lets go on what this fault made wait; 0 means every fault. */
static void release(struct sim *sim, uint64_t fault_id)
{
    for (struct connection *at = sim->connections; at; at = at->next)
        exchange_release(&at->exchange, fault_id);
}

static void write_ledger_key(const struct key *key, int64_t now_ms, struct json json)
{
    json_put_string(json, "hash", key->hash);
    json_put_string(json, "name", key->name);
    json_put_string(json, "label", key->label);
    json_put_string(json, "external_user", key->external_user);
    json_put_integer(json, "created_at_ms", key->created_ms);
    json_put_boolean(json, "deleted", key->deleted);
    json_put_boolean(json, "expired", key_expired(key, now_ms));
    json_put_boolean(json, "disabled", key->disabled);
    if (key->has_limit)
        json_put_integer(json, "limit_nano_usd", key->limit_nano_usd);
    else
        json_put_null(json, "limit_nano_usd");
    bool resets = key->limit_reset != PERIOD_TOTAL;
    json_put_string(json, "limit_reset", resets ? period_name(key->limit_reset) : NULL);
    json_put_time(json, "expires_at", key->expires_ms);
    json_put_integer(json, "requests", (int64_t)key->requests);
    json_put_integer(json, "billed_requests", (int64_t)key->billed_requests);
    json_put_integer(json, "billed_nano_usd", key->spent.nano_usd[PERIOD_TOTAL]);
    json_put_integer(json, "byok_nano_usd", key->spent_byok.nano_usd[PERIOD_TOTAL]);
}

static void for_named_keys(struct exchange *exchange, void (*act)(struct sim *sim, struct key *key))
{
    struct sim *sim = exchange->sim;
    yyjson_val *order = yyjson_doc_get_root(exchange->doc);
    int64_t met = 0;
    for (size_t i = 0; i < sim->keys.count; i++) {
        struct key *key = sim->keys.all[i];
        if (key->deleted || !key_is_meant(key, order))
            continue;
        act(sim, key);
        met++;
    }
    struct json json = json_start();
    json_put_integer(json, "keys", met);
    reply_json(exchange, 200, json);
}

static bool key_is_meant(const struct key *key, yyjson_val *order)
{
    const char *hash = json_string(order, "hash", NULL);
    const char *text = json_string(order, "key", NULL);
    const char *name = json_string(order, "name_contains", NULL);
    char digest[SHA256_HEX] = "";
    if (text)
        sha256_hex(digest, text, strlen(text));
    return (hash && strcmp(key->hash, hash) == 0) || strcmp(key->hash, digest) == 0 ||
           (name && strstr(key->name, name));
}

static void kill_key(struct sim *sim, struct key *key)
{
    keys_delete(&sim->keys, key);
}

static void expire_key(struct sim *sim, struct key *key)
{
    key->expires_ms = sim_now_ms(sim) - 1;
}

static void disable_key(struct sim *sim, struct key *key)
{
    (void)sim;
    key->disabled = true;
}

static void enable_key(struct sim *sim, struct key *key)
{
    (void)sim;
    key->disabled = false;
}

/*
 * /keys: create, list, get, update, delete, as a management key sees them.
 */
#include <stdlib.h>
#include <string.h>

#include "money.h"
#include "request.h"
#include "routes.h"
#include "sim.h"

enum { PAGE = 100 };

/* What a create or update asks for; has_… tells what was there. */
struct wish {
    bool has_limit, has_limit_reset, has_disabled, has_byok;
    bool unlimited;
    bool disabled;
    bool counts_byok;
    enum period limit_reset;
    int64_t limit_nano_usd;
    int64_t expires_ms;
    const char *name;
    const char *external_user;
    const char *workspace;
};

static const char *read_wish(yyjson_val *body, struct wish *ret_wish);
static const char *read_limit(yyjson_val *body, struct wish *wish);
static const char *read_limit_reset(yyjson_val *body, struct wish *wish);
static const char *read_create_only(yyjson_val *body, struct wish *wish);
static void apply(const struct wish *wish, struct key *key);
static void reply_created(struct exchange *exchange, const struct key *key, const char *text);
static void reply_key(struct exchange *exchange, int status, const struct key *key);
static struct key *asked_key(struct exchange *exchange);
static bool listed(const struct key *key, const char *workspace, bool with_disabled);

void serve_key_create(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    yyjson_val *body = yyjson_doc_get_root(exchange->doc);
    struct wish wish = {.expires_ms = -1};
    const char *fault = read_wish(body, &wish);
    if (!fault)
        fault = wish.name && *wish.name ? read_create_only(body, &wish) : "name: Required";
    if (fault) {
        reply_error(exchange, 400, fault);
        return;
    }
    struct text text = {0};
    struct key *key = keys_add(&sim->keys, NULL, wish.name, sim_now_ms(sim), &text);
    wish.name = NULL;
    wish.has_disabled = false; /* cannot be set at create */
    apply(&wish, key);
    key->expires_ms = wish.expires_ms;
    key->external_user = must_copy(wish.external_user);
    if (wish.workspace && strlen(wish.workspace) < WORKSPACE_TEXT)
        memcpy(key->workspace, wish.workspace, strlen(wish.workspace) + 1);
    reply_created(exchange, key, text_string(&text));
    text_done(&text);
}

void serve_key_list(struct exchange *exchange)
{
    struct keys *keys = &exchange->sim->keys;
    struct text offset = {0}, disabled = {0}, workspace = {0};
    request_query(exchange->request, "offset", &offset);
    request_query(exchange->request, "include_disabled", &disabled);
    request_query(exchange->request, "workspace_id", &workspace);
    const char *wanted = workspace.length ? text_string(&workspace) : default_workspace;
    bool with_disabled = strcmp(text_string(&disabled), "true") == 0;
    long skip = strtol(text_string(&offset), NULL, 10);
    struct json json = json_start();
    yyjson_mut_val *array = json_array(json, "data");
    int64_t now_ms = sim_now_ms(exchange->sim);
    for (size_t i = keys->count; i-- > 0 && yyjson_mut_arr_size(array) < PAGE;)
        if (listed(keys->all[i], wanted, with_disabled) && skip-- <= 0)
            key_write(keys->all[i], now_ms, json_append(json, array));
    reply_json(exchange, 200, json);
    text_done(&offset);
    text_done(&disabled);
    text_done(&workspace);
}

void serve_key_get(struct exchange *exchange)
{
    struct key *key = asked_key(exchange);
    if (key)
        reply_key(exchange, 200, key);
}

void serve_key_patch(struct exchange *exchange)
{
    struct wish wish = {0};
    struct key *key = asked_key(exchange);
    if (!key)
        return;
    const char *fault = read_wish(yyjson_doc_get_root(exchange->doc), &wish);
    if (fault) {
        reply_error(exchange, 400, fault);
        return;
    }
    apply(&wish, key);
    key->updated_ms = sim_now_ms(exchange->sim);
    reply_key(exchange, 200, key);
}

void serve_key_delete(struct exchange *exchange)
{
    struct key *key = asked_key(exchange);
    if (!key)
        return;
    keys_delete(&exchange->sim->keys, key);
    struct json json = json_start();
    json_put_boolean(json, "deleted", true);
    reply_json(exchange, 200, json);
}

static const char *read_wish(yyjson_val *body, struct wish *ret_wish)
{
    if (!yyjson_is_obj(body))
        return "Invalid JSON body";
    yyjson_val *name = yyjson_obj_get(body, "name");
    yyjson_val *disabled = yyjson_obj_get(body, "disabled");
    yyjson_val *byok = yyjson_obj_get(body, "include_byok_in_limit");
    if (name && (!yyjson_is_str(name) || !yyjson_get_len(name)))
        return "name: String must contain at least 1 character(s)";
    if (disabled && !yyjson_is_bool(disabled))
        return "disabled: Expected boolean";
    if (byok && !yyjson_is_bool(byok))
        return "include_byok_in_limit: Expected boolean";
    ret_wish->name = yyjson_get_str(name);
    ret_wish->has_disabled = disabled != NULL;
    ret_wish->disabled = yyjson_get_bool(disabled);
    ret_wish->has_byok = byok != NULL;
    ret_wish->counts_byok = yyjson_get_bool(byok);
    const char *fault = read_limit(body, ret_wish);
    return fault ? fault : read_limit_reset(body, ret_wish);
}

static const char *read_limit(yyjson_val *body, struct wish *wish)
{
    yyjson_val *limit = yyjson_obj_get(body, "limit");
    wish->has_limit = limit != NULL;
    wish->unlimited = yyjson_is_null(limit);
    if (!limit || wish->unlimited)
        return NULL;
    if (!yyjson_is_num(limit) || yyjson_get_num(limit) < 0)
        return "limit: Expected a number of at least 0";
    wish->limit_nano_usd = usd_from_number(yyjson_get_num(limit));
    return NULL;
}

static const char *read_limit_reset(yyjson_val *body, struct wish *wish)
{
    yyjson_val *reset = yyjson_obj_get(body, "limit_reset");
    wish->has_limit_reset = reset != NULL;
    wish->limit_reset = PERIOD_TOTAL;
    if (!reset || yyjson_is_null(reset))
        return NULL;
    if (!yyjson_is_str(reset) || !period_find(&wish->limit_reset, yyjson_get_str(reset)))
        return "limit_reset: Invalid option: expected one of \"daily\"|\"weekly\"|\"monthly\"";
    return NULL;
}

static const char *read_create_only(yyjson_val *body, struct wish *wish)
{
    yyjson_val *expires = yyjson_obj_get(body, "expires_at");
    yyjson_val *external = yyjson_obj_get(body, "external");
    if (expires && !yyjson_is_null(expires) &&
        (!yyjson_is_str(expires) || !clock_read_iso(&wish->expires_ms, yyjson_get_str(expires))))
        return "expires_at: Invalid ISO datetime: expected UTC, YYYY-MM-DDTHH:MM:SSZ";
    wish->external_user = json_string(external, "user", NULL);
    if (external && (!wish->external_user || !*wish->external_user))
        return "external.user: Required";
    wish->workspace = json_string(body, "workspace_id", NULL);
    return NULL;
}

static void apply(const struct wish *wish, struct key *key)
{
    if (wish->name) {
        free(key->name);
        key->name = must_copy(wish->name);
    }
    if (wish->has_disabled)
        key->disabled = wish->disabled;
    if (wish->has_byok)
        key->counts_byok = wish->counts_byok;
    if (wish->has_limit) {
        key->has_limit = !wish->unlimited;
        key->limit_nano_usd = wish->limit_nano_usd;
    }
    if (wish->has_limit_reset)
        key->limit_reset = wish->limit_reset;
}

static void reply_created(struct exchange *exchange, const struct key *key, const char *text)
{
    bool nested = exchange->sim->settings.create_shape == CREATE_NESTED;
    struct json json = json_start();
    struct json data = json_object(json, "data");
    key_write(key, sim_now_ms(exchange->sim), data);
    json_put_string(nested ? data : json, "key", text);
    reply_json(exchange, 201, json);
}

static void reply_key(struct exchange *exchange, int status, const struct key *key)
{
    struct json json = json_start();
    key_write(key, sim_now_ms(exchange->sim), json_object(json, "data"));
    reply_json(exchange, status, json);
}

/* NULL: there is none, and that is answered. */
static struct key *asked_key(struct exchange *exchange)
{
    struct key *key = keys_find_hash(&exchange->sim->keys, exchange->argument);
    if (!key)
        reply_canned(exchange, canned_find("key_not_found"));
    return key;
}

static bool listed(const struct key *key, const char *workspace, bool with_disabled)
{
    return !key->deleted && (with_disabled || !key->disabled) &&
           strcmp(key->workspace, workspace) == 0;
}

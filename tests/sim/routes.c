#include "routes.h"

#include <string.h>

#include "dialect.h"

#define V1 "/api/v1"
#define TOTAL(field) offsetof(struct totals, field)
#define NO_TOTAL ((size_t)-1)

/* clang-format off */
#define INFERENCE(path, dialect) \
    {"POST", V1 path, WHERE_INFERENCE, ACCESS_NORMAL, TOTAL(inference), serve_inference, &dialect}
#define KEYS(method, path, where, total, serve) \
    {method, V1 path, where, ACCESS_MANAGEMENT, TOTAL(total), serve, NULL}
#define READ(path, where, access, total, serve) {"GET", V1 path, where, access, total, serve, NULL}
#define CONTROL(method, path, serve) {method, "/__sim" path, 0, ACCESS_OPEN, NO_TOTAL, serve, NULL}

static const struct route table[] = {
    INFERENCE("/chat/completions", dialect_chat),
    INFERENCE("/completions", dialect_text),
    INFERENCE("/responses", dialect_responses),
    INFERENCE("/messages", dialect_messages),
    INFERENCE("/embeddings", dialect_embeddings),
    KEYS("POST", "/keys", WHERE_CREATE, posts_keys, serve_key_create),
    KEYS("GET", "/keys", WHERE_LIST, lists, serve_key_list),
    KEYS("GET", "/keys/{hash}", WHERE_GET, gets_keys, serve_key_get),
    KEYS("PATCH", "/keys/{hash}", WHERE_PATCH, patches_keys, serve_key_patch),
    KEYS("DELETE", "/keys/{hash}", WHERE_DELETE, deletes_keys, serve_key_delete),
    READ("/key", WHERE_KEY, ACCESS_ANY_KEY, NO_TOTAL, serve_current_key),
    READ("/auth/key", WHERE_KEY, ACCESS_ANY_KEY, NO_TOTAL, serve_current_key),
    READ("/credits", WHERE_CREDITS, ACCESS_MANAGEMENT, NO_TOTAL, serve_credits),
    READ("/models", WHERE_MODELS, ACCESS_OPTIONAL, NO_TOTAL, serve_models),
    READ("/generation", WHERE_GENERATION, ACCESS_NORMAL, TOTAL(generations), serve_generation),
    CONTROL("GET", "", serve_control_index),
    CONTROL("GET", "/ledger", serve_ledger),
    CONTROL("POST", "/reset", serve_reset),
    CONTROL("GET", "/settings", serve_settings_read),
    CONTROL("POST", "/settings", serve_settings_change),
    CONTROL("POST", "/fault", serve_fault_add),
    CONTROL("GET", "/fault", serve_fault_list),
    CONTROL("DELETE", "/fault", serve_fault_clear),
    CONTROL("DELETE", "/fault/{id}", serve_fault_remove),
    CONTROL("GET", "/texts", serve_texts),
    CONTROL("POST", "/kill_key", serve_kill_key),
    CONTROL("POST", "/expire_key", serve_expire_key),
    CONTROL("POST", "/disable_key", serve_disable_key),
    CONTROL("POST", "/enable_key", serve_enable_key),
};
/* clang-format on */

static bool path_fits(const char *pattern, const char *path, const char **ret_argument);

const struct route *route_find(const char *method, const char *path, const char **ret_argument)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].method, method) == 0 && path_fits(table[i].path, path, ret_argument))
            return &table[i];
    return NULL;
}

static bool path_fits(const char *pattern, const char *path, const char **ret_argument)
{
    const char *hole = strchr(pattern, '{');
    *ret_argument = "";
    if (!hole)
        return strcmp(pattern, path) == 0;
    size_t fixed = (size_t)(hole - pattern);
    if (strncmp(pattern, path, fixed) != 0 || !path[fixed] || strchr(path + fixed, '/'))
        return false;
    *ret_argument = path + fixed;
    return true;
}

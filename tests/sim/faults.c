#include "faults.h"

#include <stdlib.h>
#include <string.h>

#include "fault_kinds.h"
#include "texts.h"

struct place {
    const char *name;
    int where;
};

static const struct place places[] = {
    {"any", WHERE_ANY},   {"create", WHERE_CREATE},       {"list", WHERE_LIST},
    {"get", WHERE_GET},   {"patch", WHERE_PATCH},         {"delete", WHERE_DELETE},
    {"keys", WHERE_KEYS}, {"inference", WHERE_INFERENCE}, {"generation", WHERE_GENERATION},
    {"key", WHERE_KEY},   {"credits", WHERE_CREDITS},     {"models", WHERE_MODELS},
};

static const struct place *place_find(const char *name);
static const char *check_order(yyjson_val *order);
static bool could_hit(const struct fault *fault);
static void fault_free(struct fault *fault);
static void fault_write(const struct fault *fault, struct json json);

struct fault *faults_add(struct faults *faults, yyjson_val *order, const char **ret_fault)
{
    *ret_fault = check_order(order);
    if (*ret_fault)
        return NULL;
    struct fault *fault = must_alloc(sizeof *fault);
    struct fault_hit *what = &fault->what;
    const struct place *place = place_find(json_string(order, "where", "any"));
    const char *key_hash = json_string(order, "key_hash", "");
    fault->where = place->where;
    fault->where_name = place->name;
    fault->times = json_integer(order, "times", 0);
    fault->after = json_integer(order, "after", 0);
    memcpy(fault->key_hash, key_hash, strnlen(key_hash, SHA256_HEX - 1));
    what->id = ++faults->last_id;
    what->kind = fault_kind_find(json_string(order, "kind", ""));
    what->text = canned_find(json_string(order, "text", NULL));
    what->body = must_copy(json_string(order, "body", NULL));
    what->status = json_integer(order, "status", 0);
    what->arg = json_integer(order, "arg", 0);
    what->delay_ms = json_integer(order, "delay_ms", 0);
    struct fault **end = &faults->first;
    while (*end)
        end = &(*end)->next;
    *end = fault;
    return fault;
}

bool faults_remove(struct faults *faults, uint64_t id)
{
    for (struct fault **at = &faults->first; *at; at = &(*at)->next)
        if ((*at)->what.id == id) {
            struct fault *gone = *at;
            *at = gone->next;
            fault_free(gone);
            return true;
        }
    return false;
}

void faults_clear(struct faults *faults)
{
    while (faults->first)
        faults_remove(faults, faults->first->what.id);
}

bool faults_waiting(const struct faults *faults)
{
    for (const struct fault *fault = faults->first; fault; fault = fault->next)
        if (could_hit(fault))
            return true;
    return false;
}

struct fault_hit faults_take(struct faults *faults, int where, const char *key_hash)
{
    for (struct fault *fault = faults->first; fault; fault = fault->next) {
        if (!(fault->where & where) || !could_hit(fault))
            continue;
        if (*fault->key_hash && strcmp(fault->key_hash, key_hash) != 0)
            continue;
        if (fault->met++ < fault->after)
            continue;
        fault->hits++;
        struct fault_hit hit = fault->what;
        hit.body = must_copy(hit.body);
        return hit;
    }
    return (struct fault_hit){0};
}

void fault_hit_done(struct fault_hit *hit)
{
    free(hit->body);
    *hit = (struct fault_hit){0};
}

void faults_write(const struct faults *faults, struct json json)
{
    yyjson_mut_val *array = json_array(json, "faults");
    for (const struct fault *fault = faults->first; fault; fault = fault->next)
        fault_write(fault, json_append(json, array));
}

static bool could_hit(const struct fault *fault)
{
    bool meets_requests = !fault->what.kind->at_once;
    return meets_requests && (!fault->times || fault->hits < fault->times);
}

static const char *check_order(yyjson_val *order)
{
    const char *text = json_string(order, "text", NULL);
    if (!fault_kind_find(json_string(order, "kind", "")))
        return "kind: there is no such kind; GET /__sim/fault lists them";
    if (!place_find(json_string(order, "where", "any")))
        return "where: create, list, get, patch, delete, keys, inference, generation, key, "
               "credits, "
               "models or any";
    if (text && !canned_find(text))
        return "text: there is no such text; GET /__sim/texts lists them";
    return NULL;
}

static const struct place *place_find(const char *name)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].name, name) == 0)
            return &places[i];
    return NULL;
}

static void fault_free(struct fault *fault)
{
    fault_hit_done(&fault->what);
    free(fault);
}

static void fault_write(const struct fault *fault, struct json json)
{
    json_put_integer(json, "id", (int64_t)fault->what.id);
    json_put_string(json, "kind", fault->what.kind->name);
    json_put_string(json, "where", fault->where_name);
    json_put_integer(json, "times", fault->times);
    json_put_integer(json, "after", fault->after);
    json_put_integer(json, "arg", fault->what.arg);
    json_put_integer(json, "delay_ms", fault->what.delay_ms);
    json_put_integer(json, "met", fault->met);
    json_put_integer(json, "hits", fault->hits);
}

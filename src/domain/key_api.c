#include "domain/key_api.h"

#include <yyjson.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "crypto/digest.h"

/* A page of a hundred keys has about a hundred kilobytes. */
enum { BODY_MAX = 4 * 1024 * 1024, SECRET_MAX = 512 };

static const char *const health_names[] = {
    [KEY_GONE] = "gone",
    [KEY_EXPIRED] = "expired",
    [KEY_SWITCHED_OFF] = "switched_off",
    [KEY_HEALTHY] = "healthy",
    [KEY_UNKNOWN] = "unknown",
    [KEY_MANAGEMENT_REFUSED] = "management_refused",
};

static const char *const usage_fields[LIMIT_RESETS] = {
    [LIMIT_RESET_NONE] = "usage",
    [LIMIT_RESET_DAILY] = "usage_daily",
    [LIMIT_RESET_WEEKLY] = "usage_weekly",
    [LIMIT_RESET_MONTHLY] = "usage_monthly",
};

static void put_limit(struct json *j, int64_t limit_nano_usd);
static void put_limit_reset(struct json *j, const char *reset);
static void put_expiry(struct json *j, int64_t expires_at_ms);
static yyjson_doc *body_parse(struct span body);
static yyjson_val *data_of(yyjson_val *root);
static struct span text_of(yyjson_val *object, const char *name);
static bool facts_read(yyjson_val *data, struct key_facts *ret_facts);
static bool hash_read(yyjson_val *data, char ret_hash[KEY_HASH_SIZE + 1]);
static void hash_compute(struct span key, char ret_hash[KEY_HASH_SIZE + 1]);
static bool amount_read(yyjson_val *data, const char *name, int64_t *ret_nano_usd);
static int64_t billed_read(yyjson_val *data);
static bool pico_read(yyjson_val *data, const char *name, int64_t *ret_pico_usd);
static int64_t time_read(yyjson_val *data, const char *name);
static bool key_is_plausible(struct span key);

bool key_api_compose_create(const struct key_wish *wish, struct buffer *out)
{
    struct json j = json_into(out);
    json_open(&j, '{');
    json_name(&j, "name");
    json_text(&j, wish->name);
    put_limit(&j, wish->limit_nano_usd);
    if (wish->limit_nano_usd >= 0 && limit_reset_name(wish->limit_reset))
        put_limit_reset(&j, limit_reset_name(wish->limit_reset));
    put_expiry(&j, wish->expires_at_ms);
    if (wish->external_user.at) {
        json_name(&j, "external");
        json_open(&j, '{');
        json_name(&j, "user");
        json_text(&j, wish->external_user);
        json_close(&j, '}');
    }
    json_close(&j, '}');
    return json_ok(&j);
}

bool key_api_compose_limit(int64_t limit_nano_usd, enum limit_reset limit_reset, struct buffer *out)
{
    struct json j = json_into(out);
    json_open(&j, '{');
    put_limit(&j, limit_nano_usd);
    put_limit_reset(&j, limit_nano_usd >= 0 ? limit_reset_name(limit_reset) : NULL);
    json_close(&j, '}');
    return json_ok(&j);
}

bool key_api_read_created(struct span body, struct secret *ret_key, struct key_facts *ret_facts)
{
    yyjson_doc *doc = body_parse(body);
    yyjson_val *root = yyjson_doc_get_root(doc), *data = data_of(root);
    struct span key = text_of(root, "key");
    if (!key_is_plausible(key))
        key = text_of(data, "key");
    bool fine = key_is_plausible(key);
    if (fine) {
        if (!facts_read(data, ret_facts) && !hash_read(root, ret_facts->hash))
            hash_compute(key, ret_facts->hash);
        secret_set(ret_key, key);
        wipe((void *)(uintptr_t)key.at, key.size); /* the parser's copy */
    }
    yyjson_doc_free(doc);
    return fine;
}

bool key_api_read_key(struct span body, struct key_facts *ret_facts)
{
    yyjson_doc *doc = body_parse(body);
    bool fine = facts_read(data_of(yyjson_doc_get_root(doc)), ret_facts);
    yyjson_doc_free(doc);
    return fine;
}

bool key_api_read_list(struct span body,
                       void (*visit)(const struct key_facts *facts, void *context), void *context,
                       size_t *ret_count)
{
    yyjson_doc *doc = body_parse(body);
    yyjson_val *rows = yyjson_obj_get(yyjson_doc_get_root(doc), "data");
    bool fine = yyjson_is_arr(rows);
    if (fine)
        *ret_count = yyjson_arr_size(rows);
    size_t i, count;
    yyjson_val *row;
    yyjson_arr_foreach (rows, i, count, row) {
        struct key_facts facts;
        if (facts_read(row, &facts))
            visit(&facts, context);
    }
    yyjson_doc_free(doc);
    return fine;
}

bool key_api_read_is_management(struct span body, bool *ret_is_management)
{
    yyjson_doc *doc = body_parse(body);
    yyjson_val *data = data_of(yyjson_doc_get_root(doc));
    yyjson_val *new_name = yyjson_obj_get(data, "is_management_key");
    yyjson_val *old_name = yyjson_obj_get(data, "is_provisioning_key");
    bool fine = yyjson_is_bool(new_name) || yyjson_is_bool(old_name);
    if (fine)
        *ret_is_management = yyjson_is_true(new_name) || yyjson_is_true(old_name);
    yyjson_doc_free(doc);
    return fine;
}

enum key_health key_api_health(int status, struct span body, int64_t now_ms,
                               struct key_facts *ret_facts)
{
    *ret_facts = (struct key_facts){.disabled = false};
    if (status == 401 || status == 403)
        return KEY_MANAGEMENT_REFUSED;
    if (status == 404) {
        /* A page of some gateway must not make every key look deleted. */
        yyjson_doc *doc = body_parse(body);
        bool told_by_api = yyjson_is_obj(yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        return told_by_api ? KEY_GONE : KEY_UNKNOWN;
    }
    if (status != 200 || !key_api_read_key(body, ret_facts))
        return KEY_UNKNOWN;
    if (ret_facts->expires_at_ms != 0 && ret_facts->expires_at_ms <= now_ms)
        return KEY_EXPIRED;
    return ret_facts->disabled ? KEY_SWITCHED_OFF : KEY_HEALTHY;
}

const char *key_health_name(enum key_health health)
{
    return health_names[health];
}

static void put_limit(struct json *j, int64_t limit_nano_usd)
{
    char amount[NANO_USD_TEXT_SIZE];
    json_name(j, "limit");
    if (limit_nano_usd < 0) {
        json_null(j);
        return;
    }
    nano_usd_text(limit_nano_usd, amount);
    json_raw(j, span_of(amount));
}

static void put_limit_reset(struct json *j, const char *reset)
{
    json_name(j, "limit_reset");
    if (reset)
        json_text(j, span_of(reset));
    else
        json_null(j);
}

static void put_expiry(struct json *j, int64_t expires_at_ms)
{
    if (expires_at_ms == 0)
        return;
    char time[CLOCK_TEXT_SIZE];
    clock_text(expires_at_ms, time);
    json_name(j, "expires_at");
    json_text(j, span_of(time));
}

/* Numbers stay text: amounts are read without floating point. */
static yyjson_doc *body_parse(struct span body)
{
    if (body.size == 0 || body.size > BODY_MAX)
        return NULL;
    return yyjson_read(body.at, body.size, YYJSON_READ_NUMBER_AS_RAW);
}

/* The object itself where there is no wrapper. */
static yyjson_val *data_of(yyjson_val *root)
{
    yyjson_val *data = yyjson_obj_get(root, "data");
    return yyjson_is_obj(data) ? data : root;
}

static struct span text_of(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_str(value) ? (struct span){yyjson_get_str(value), yyjson_get_len(value)}
                                : SPAN_NONE;
}

/* False when there is no usable hash; what else is there is read all the same. */
static bool facts_read(yyjson_val *data, struct key_facts *ret_facts)
{
    *ret_facts = (struct key_facts){.disabled = yyjson_is_true(yyjson_obj_get(data, "disabled"))};
    span_text(text_of(data, "name"), ret_facts->name,
              sizeof(ret_facts->name)); /* too long is not ours: empty */
    ret_facts->has_limit = amount_read(data, "limit", &ret_facts->limit_nano_usd);
    ret_facts->has_remaining = amount_read(data, "limit_remaining", &ret_facts->remaining_nano_usd);
    limit_reset_parse(text_of(data, "limit_reset"), &ret_facts->limit_reset);
    for (size_t i = 0; i < LIMIT_RESETS; i++)
        if (!amount_read(data, usage_fields[i], &ret_facts->usage_nano_usd[i]))
            ret_facts->usage_nano_usd[i] = -1;
    ret_facts->billed_nano_usd = billed_read(data);
    ret_facts->expires_at_ms = time_read(data, "expires_at");
    ret_facts->created_at_ms = time_read(data, "created_at");
    return hash_read(data, ret_facts->hash);
}

/* The hash becomes part of a path: nothing that means something there passes. */
static bool hash_read(yyjson_val *data, char ret_hash[KEY_HASH_SIZE + 1])
{
    struct span hash = text_of(data, "hash");
    for (size_t i = 0; i < hash.size; i++) {
        char c = hash.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return hash.size > 0 && span_text(hash, ret_hash, KEY_HASH_SIZE + 1);
}

static void hash_compute(struct span key, char ret_hash[KEY_HASH_SIZE + 1])
{
    unsigned char digest[DIGEST_SIZE];
    sha256(key, digest);
    hex_text(digest, sizeof(digest), ret_hash);
}

/* What is there and is no amount we can hold is read as the nearest one: below zero 0, beyond 64 bits the most. */
static bool amount_read(yyjson_val *data, const char *name, int64_t *ret_nano_usd)
{
    yyjson_val *value = yyjson_obj_get(data, name);
    if (!yyjson_is_raw(value))
        return false;
    struct span text = {yyjson_get_raw(value), yyjson_get_len(value)};
    if (!nano_usd_parse(text, ret_nano_usd))
        *ret_nano_usd = span_starts(text, SPAN("-")) ? 0 : INT64_MAX;
    return true;
}

/* A sum of many costs, perhaps added up as binary fractions: 0.30000000000000004 means 0.3. */
static int64_t billed_read(yyjson_val *data)
{
    const int64_t pico_per_nano = 1000, pico_max = INT64_MAX / 4;
    yyjson_val *byok_told = yyjson_obj_get(data, "byok_usage"); /* older answers have none */
    int64_t credits, byok = 0;
    if (!pico_read(data, "usage", &credits) || credits > pico_max)
        return -1;
    if (byok_told && !yyjson_is_null(byok_told) && !pico_read(data, "byok_usage", &byok))
        return -1;
    return byok > pico_max ? -1 : (credits + byok + pico_per_nano / 2) / pico_per_nano;
}

static bool pico_read(yyjson_val *data, const char *name, int64_t *ret_pico_usd)
{
    yyjson_val *value = yyjson_obj_get(data, name);
    return yyjson_is_raw(value) &&
           pico_usd_parse((struct span){yyjson_get_raw(value), yyjson_get_len(value)},
                          ret_pico_usd);
}

static int64_t time_read(yyjson_val *data, const char *name)
{
    int64_t wall_ms = 0;
    return clock_parse(text_of(data, name), &wall_ms) ? wall_ms : 0;
}

/* The key becomes part of a header field. */
static bool key_is_plausible(struct span key)
{
    for (size_t i = 0; i < key.size; i++)
        if (key.at[i] <= ' ' || key.at[i] > '~')
            return false;
    return key.size > 0 && key.size <= SECRET_MAX;
}

#include "fake/fake_keys.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "domain/nano_usd.h"
#include "domain/period.h"
#include "fake/fake_upstream.h"

#include <assert.h>
#include <stdio.h>
#include <yyjson.h>

static int answer_create(struct fake_keys *keys, struct span body, struct buffer *out);
static int answer_list(struct fake_keys *keys, struct span query, struct buffer *out);
static int answer_lookup(struct fake_keys *keys, struct span hash, struct buffer *out);
static int answer_update(struct fake_keys *keys, struct span hash, struct span body,
                         struct buffer *out);
static int answer_delete(struct fake_keys *keys, struct span hash, struct buffer *out);
static void check_create(struct fake_keys *keys, struct span name);
static struct fake_key *find_hash(struct fake_keys *keys, struct span hash);
static size_t count_users(const struct fake_keys *keys);
static struct span pseudonym_of(struct span name);
static int64_t time_of(yyjson_val *object, const char *field);
static int64_t amount_of(yyjson_val *object, const char *field);
static int say_error(struct buffer *out, int status, const char *message);
static void read_limit(yyjson_val *root, struct fake_key *key);
static void say_key(struct buffer *out, const struct fake_keys *keys, const struct fake_key *key);
static void say_amount(struct buffer *out, const char *field, int64_t nano_usd);
static void complain(struct fake_keys *keys, const char *what, struct span name);

struct fake_key *fake_keys_add(struct fake_keys *keys, struct span name, int64_t expires_ms)
{
    struct fake_key *key = &keys->keys[keys->count];
    unsigned char digest[DIGEST_SIZE];
    char seed[32];

    assert(keys->count < FAKE_KEYS_MAX);
    keys->count++;
    *key = (struct fake_key){
        .created_ms = keys->now_ms, .expires_ms = expires_ms, .limit_nano_usd = -1};
    snprintf(seed, sizeof(seed), "key %llu", (unsigned long long)keys->counter++);
    sha256(span_of(seed), digest);
    memcpy(key->secret, "sk-or-v1-", 9);
    hex_text(digest, DIGEST_SIZE, key->secret + 9);
    sha256(span_of(key->secret), digest);
    hex_text(digest, DIGEST_SIZE, key->hash);
    span_text(name, key->name, sizeof(key->name));
    return key;
}

bool fake_key_is_live(const struct fake_keys *keys, const struct fake_key *key)
{
    return !key->deleted && !key->disabled && (!key->expires_ms || key->expires_ms > keys->now_ms);
}

size_t fake_keys_live(const struct fake_keys *keys)
{
    size_t count = 0;

    for (size_t i = 0; i < keys->count; i++)
        count += fake_key_is_live(keys, &keys->keys[i]);
    return count;
}

size_t fake_keys_live_of(const struct fake_keys *keys, struct span pseudonym,
                         const struct fake_key **ret_one)
{
    size_t count = 0;

    for (size_t i = 0; i < keys->count; i++) {
        const struct fake_key *key = &keys->keys[i];
        if (!fake_key_is_live(keys, key) ||
            !span_equal(pseudonym_of(span_of(key->name)), pseudonym))
            continue;
        count++;
        if (ret_one)
            *ret_one = key;
    }
    return count;
}

const struct fake_key *fake_keys_by_hash(const struct fake_keys *keys, struct span hash)
{
    for (size_t i = 0; i < keys->count; i++)
        if (span_equal(span_of(keys->keys[i].hash), hash))
            return &keys->keys[i];
    return NULL;
}

bool fake_keys_accept(const struct fake_keys *keys, struct span bearer)
{
    if (keys->shared_key && span_equal(span_of(keys->shared_key), bearer))
        return true;
    for (size_t i = 0; i < keys->count; i++)
        if (span_equal(span_of(keys->keys[i].secret), bearer))
            return fake_key_is_live(keys, &keys->keys[i]);
    return false;
}

int64_t fake_keys_used(const struct fake_keys *keys, const struct fake_key *key,
                       enum limit_reset window)
{
    int64_t from_ms = window ? period_of(window, keys->now_ms).starts_ms : 0;
    int64_t sum = key->created_ms >= from_ms ? key->used_nano_usd : 0;

    for (size_t i = 0; i < keys->asks->count; i++) {
        const struct fake_asked *asked = &keys->asks->rows[i];
        if (asked->bill.closed_ms >= from_ms && strcmp(asked->bearer, key->secret) == 0)
            sum += asked->bill.cost_nano_usd;
    }
    return sum;
}

bool fake_keys_at_limit(const struct fake_keys *keys, struct span bearer)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct fake_key *key = &keys->keys[i];
        if (span_equal(span_of(key->secret), bearer))
            return key->limit_nano_usd >= 0 &&
                   fake_keys_used(keys, key, key->limit_reset) >= key->limit_nano_usd;
    }
    return false;
}

int fake_keys_answer(struct fake_keys *keys, struct span method, struct span path,
                     struct span bearer, struct span body, struct buffer *out)
{
    struct span hash = span_from(path, sizeof("/keys/") - 1);

    if (!span_equal(bearer, span_of(keys->management_key)))
        complain(keys, "asked without the management key", path);
    if (keys->refuses_management || !span_equal(bearer, span_of(keys->management_key))) {
        keys->refusals++;
        return say_error(out, 401, "User not found.");
    }
    if (span_equal(method, SPAN("POST")) && span_equal(path, SPAN("/keys")))
        return answer_create(keys, body, out);
    if (span_equal(method, SPAN("GET")) && span_equal(path, SPAN("/key"))) {
        keys->self_checks++;
        buffer_append(out, SPAN("{\"data\":{\"is_management_key\":true,\"limit\":null}}"));
        return 200;
    }
    if (span_equal(method, SPAN("GET")) && span_starts(path, SPAN("/keys?")))
        return answer_list(keys, hash, out);
    if (span_equal(method, SPAN("GET")) && span_starts(path, SPAN("/keys/")))
        return answer_lookup(keys, hash, out);
    if (span_equal(method, SPAN("PATCH")) && span_starts(path, SPAN("/keys/")))
        return answer_update(keys, hash, body, out);
    if (span_equal(method, SPAN("DELETE")) && span_starts(path, SPAN("/keys/")))
        return answer_delete(keys, hash, out);
    complain(keys, "a route that is not there", path);
    return say_error(out, 404, "Not Found");
}

static int answer_create(struct fake_keys *keys, struct span body, struct buffer *out)
{
    yyjson_doc *doc = yyjson_read(body.at, body.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *name = yyjson_get_str(yyjson_obj_get(root, "name"));
    int64_t expires_ms = time_of(root, "expires_at");
    struct fake_key *key;

    if (!name || !name[0] || (expires_ms && expires_ms <= keys->now_ms)) {
        yyjson_doc_free(doc);
        complain(keys, "a create that OpenRouter refuses", body);
        return say_error(out, 400, "Invalid request");
    }
    check_create(keys, span_of(name));
    key = fake_keys_add(keys, span_of(name), expires_ms);
    read_limit(root, key);
    yyjson_doc_free(doc);
    keys->creates++;
    if (fake_keys_live(keys) > count_users(keys) + 1)
        complain(keys, "more live keys than users and one, after", span_of(key->name));
    buffer_append(out, SPAN("{\"data\":"));
    say_key(out, keys, key);
    buffer_format(out, ",\"key\":\"%s\"}", key->secret);
    return 201;
}

/* The contract of design 5.2: verify first, delete leftovers first, one key a user. */
static void check_create(struct fake_keys *keys, struct span name)
{
    struct key_name parts;

    if (!key_name_parse(name, &parts)) {
        complain(keys, "a name that cannot be read back", name);
        return;
    }
    for (size_t i = 0; i < keys->count; i++) {
        const struct fake_key *key = &keys->keys[i];
        bool soon = key->expires_ms && key->expires_ms - keys->now_ms <= keys->ahead_ms;
        if (span_equal(span_of(key->name), name))
            complain(keys, "a name used twice:", name);
        else if (fake_key_is_live(keys, key) && !soon && !keys->tolerates_races &&
                 span_equal(pseudonym_of(span_of(key->name)), parts.pseudonym))
            complain(keys, "a create while the user has a live key:", span_of(key->name));
    }
}

static int answer_list(struct fake_keys *keys, struct span query, struct buffer *out)
{
    uint64_t offset = 0;
    size_t rows = 0, skipped = 0;
    bool disabled_too = span_contains(query, SPAN("include_disabled=true"));
    struct span rest = query, part;

    while (span_split(&rest, '&', &part))
        if (span_starts(part, SPAN("offset=")))
            span_u64(span_from(part, 7), &offset);
    keys->lists++;
    buffer_append(out, SPAN("{\"data\":["));
    for (size_t i = keys->count; i-- > 0 && rows < FAKE_KEYS_PAGE;) {
        const struct fake_key *key = &keys->keys[i];
        if (key->deleted || (key->disabled && !disabled_too) || skipped++ < offset)
            continue;
        buffer_append(out, rows++ ? SPAN(",") : SPAN(""));
        say_key(out, keys, key);
    }
    buffer_append(out, SPAN("]}"));
    return 200;
}

static int answer_lookup(struct fake_keys *keys, struct span hash, struct buffer *out)
{
    const struct fake_key *key = find_hash(keys, hash);

    keys->lookups++;
    if (!key)
        return say_error(out, 404, "Key not found");
    buffer_append(out, SPAN("{\"data\":"));
    say_key(out, keys, key);
    buffer_append(out, SPAN("}"));
    return 200;
}

/* Both fields or none: half of what a limit means must not stay from before. */
static int answer_update(struct fake_keys *keys, struct span hash, struct span body,
                         struct buffer *out)
{
    struct fake_key *key = find_hash(keys, hash);
    yyjson_doc *doc = yyjson_read(body.at, body.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool whole = yyjson_obj_get(root, "limit") && yyjson_obj_get(root, "limit_reset") &&
                 yyjson_obj_size(root) == 2;

    if (!whole)
        complain(keys, "an update that says too little or too much:", body);
    if (!key || !whole) {
        yyjson_doc_free(doc);
        return key ? say_error(out, 400, "Invalid request") : say_error(out, 404, "Key not found");
    }
    read_limit(root, key);
    yyjson_doc_free(doc);
    keys->raises++;
    buffer_append(out, SPAN("{\"data\":"));
    say_key(out, keys, key);
    buffer_append(out, SPAN("}"));
    return 200;
}

static int answer_delete(struct fake_keys *keys, struct span hash, struct buffer *out)
{
    struct fake_key *key = find_hash(keys, hash);

    if (!key)
        return say_error(out, 404, "Key not found");
    key->deleted = key->deleted_by_api = true;
    keys->deletes++;
    buffer_append(out, SPAN("{\"deleted\":true}"));
    return 200;
}

static struct fake_key *find_hash(struct fake_keys *keys, struct span hash)
{
    for (size_t i = 0; i < keys->count; i++)
        if (!keys->keys[i].deleted && span_equal(span_of(keys->keys[i].hash), hash))
            return &keys->keys[i];
    return NULL;
}

/* Those who ever had a key. */
static size_t count_users(const struct fake_keys *keys)
{
    size_t count = 0;

    for (size_t i = 0; i < keys->count; i++) {
        struct span user = pseudonym_of(span_of(keys->keys[i].name));
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen = seen || span_equal(pseudonym_of(span_of(keys->keys[k].name)), user);
        count += !seen;
    }
    return count;
}

static struct span pseudonym_of(struct span name)
{
    struct key_name parts;

    return key_name_parse(name, &parts) ? parts.pseudonym : SPAN_NONE;
}

static int64_t time_of(yyjson_val *object, const char *field)
{
    yyjson_val *value = yyjson_obj_get(object, field);
    int64_t wall_ms = 0;

    if (yyjson_is_str(value))
        clock_parse((struct span){yyjson_get_str(value), yyjson_get_len(value)}, &wall_ms);
    return wall_ms;
}

static int64_t amount_of(yyjson_val *object, const char *field)
{
    yyjson_val *value = yyjson_obj_get(object, field);
    int64_t nano_usd = -1;

    if (yyjson_is_raw(value))
        nano_usd_parse((struct span){yyjson_get_raw(value), yyjson_get_len(value)}, &nano_usd);
    return nano_usd;
}

static int say_error(struct buffer *out, int status, const char *message)
{
    buffer_format(out, "{\"error\":{\"code\":%d,\"message\":\"%s\"}}", status, message);
    return status;
}

static void read_limit(yyjson_val *root, struct fake_key *key)
{
    const char *reset = yyjson_get_str(yyjson_obj_get(root, "limit_reset"));

    key->limit_nano_usd = amount_of(root, "limit");
    assert(limit_reset_parse(reset ? span_of(reset) : SPAN(""), &key->limit_reset));
}

static void say_key(struct buffer *out, const struct fake_keys *keys, const struct fake_key *key)
{
    static const char *const windows[LIMIT_RESETS] = {"usage", "usage_daily", "usage_weekly",
                                                      "usage_monthly"};
    int64_t left = key->limit_nano_usd - fake_keys_used(keys, key, key->limit_reset);
    const char *reset = limit_reset_name(key->limit_reset);
    char created[CLOCK_TEXT_SIZE], expires[CLOCK_TEXT_SIZE];

    clock_text_ms(key->created_ms, created);
    clock_text(key->expires_ms, expires);
    buffer_format(out, "{\"hash\":\"%s\",\"name\":\"%s\",\"disabled\":%s,\"created_at\":\"%s\"",
                  key->hash, key->name, key->disabled ? "true" : "false", created);
    say_amount(out, "limit", key->limit_nano_usd);
    say_amount(out, "limit_remaining", key->limit_nano_usd < 0 ? -1 : left > 0 ? left : 0);
    if (reset)
        buffer_format(out, ",\"limit_reset\":\"%s\"", reset);
    for (size_t i = 0; i < LIMIT_RESETS; i++)
        say_amount(out, windows[i], fake_keys_used(keys, key, (enum limit_reset)i));
    if (key->expires_ms)
        buffer_format(out, ",\"expires_at\":\"%s\"", expires);
    buffer_append(out, SPAN("}"));
}

static void say_amount(struct buffer *out, const char *field, int64_t nano_usd)
{
    char text[NANO_USD_TEXT_SIZE] = "null";

    if (nano_usd >= 0)
        nano_usd_text(nano_usd, text);
    buffer_format(out, ",\"%s\":%s", field, text);
}

static void complain(struct fake_keys *keys, const char *what, struct span name)
{
    if (!keys->wrong[0])
        snprintf(keys->wrong, sizeof(keys->wrong), "%s %.*s", what, SPAN_PRINT(name));
}

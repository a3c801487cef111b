#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "money.h"

enum { FIRST_SLOTS = 1024 };

const char default_workspace[WORKSPACE_TEXT] = "5f1c0e70-0000-4000-8000-000000000001";

static void draw_text(char ret_text[KEY_TEXT]);
static void write_label(struct key *key, const char *text);
static void put_in_slot(struct keys *keys, struct key *key);
static void grow_slots(struct keys *keys);
static size_t first_slot(const struct keys *keys, const uint8_t *digest);
static struct key *find_digest(struct keys *keys, const uint8_t *digest);
static void spend(struct spending *spent, int64_t nano_usd, int64_t now_ms);
static void write_spending(const struct spending *spent, const char *prefix, int64_t now_ms,
                           struct json json);

struct key *keys_add(struct keys *keys, const char *text, const char *name, int64_t now_ms,
                     struct text *ret_text)
{
    char drawn[KEY_TEXT];
    if (!text)
        draw_text(drawn);
    const char *full = text ? text : drawn;
    struct key *key = must_alloc(sizeof *key);
    sha256(key->digest, full, strlen(full));
    hex_write(key->hash, key->digest, SHA256_BYTES);
    write_label(key, full);
    memcpy(key->workspace, default_workspace, WORKSPACE_TEXT);
    key->name = must_copy(name);
    key->created_ms = now_ms;
    key->updated_ms = key->expires_ms = -1;
    if (keys->count == keys->capacity) {
        keys->capacity = keys->capacity ? 2 * keys->capacity : 256;
        keys->all = must_resize(keys->all, keys->capacity * sizeof *keys->all);
    }
    keys->all[keys->count++] = key;
    keys->live++;
    if (2 * keys->count > keys->slot_count)
        grow_slots(keys);
    else
        put_in_slot(keys, key);
    text_add_string(ret_text, full);
    return key;
}

struct key *keys_find_text(struct keys *keys, const char *text, size_t length)
{
    uint8_t digest[SHA256_BYTES];
    sha256(digest, text, length);
    return find_digest(keys, digest);
}

struct key *keys_find_hash(struct keys *keys, const char *hash)
{
    uint8_t digest[SHA256_BYTES];
    return hex_read(digest, SHA256_BYTES, hash) == 0 ? find_digest(keys, digest) : NULL;
}

void keys_delete(struct keys *keys, struct key *key)
{
    keys->live -= !key->deleted;
    key->deleted = true;
}

void keys_done(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        free(keys->all[i]->name);
        free(keys->all[i]->external_user);
        free(keys->all[i]);
    }
    free(keys->all);
    free(keys->slots);
    *keys = (struct keys){0};
}

bool key_expired(const struct key *key, int64_t now_ms)
{
    return key->expires_ms >= 0 && key->expires_ms <= now_ms;
}

int64_t key_spent(const struct spending *spent, enum period period, int64_t now_ms)
{
    bool current = spent->started_ms[period] == period_start_ms(period, now_ms);
    return current ? spent->nano_usd[period] : 0;
}

int64_t key_spent_of_limit(const struct key *key, int64_t now_ms)
{
    int64_t byok = key->counts_byok ? key_spent(&key->spent_byok, key->limit_reset, now_ms) : 0;
    return key_spent(&key->spent, key->limit_reset, now_ms) + byok;
}

void key_charge(struct key *key, int64_t nano_usd, int64_t byok_nano_usd, int64_t now_ms)
{
    spend(&key->spent, nano_usd, now_ms);
    spend(&key->spent_byok, byok_nano_usd, now_ms);
    key->billed_requests++;
}

void key_write(const struct key *key, int64_t now_ms, struct json json)
{
    json_put_string(json, "hash", key->hash);
    json_put_string(json, "name", key->name);
    json_put_boolean(json, "disabled", key->disabled);
    key_write_usage(key, now_ms, json);
    json_put_time(json, "created_at", key->created_ms);
    json_put_time(json, "updated_at", key->updated_ms);
    json_put_string(json, "external_user", key->external_user);
}

void key_write_usage(const struct key *key, int64_t now_ms, struct json json)
{
    json_put_string(json, "label", key->label);
    if (key->has_limit) {
        int64_t left = key->limit_nano_usd - key_spent_of_limit(key, now_ms);
        json_put_usd(json, "limit", key->limit_nano_usd);
        json_put_usd(json, "limit_remaining", left > 0 ? left : 0);
    } else {
        json_put_null(json, "limit");
        json_put_null(json, "limit_remaining");
    }
    bool resets = key->limit_reset != PERIOD_TOTAL;
    json_put_string(json, "limit_reset", resets ? period_name(key->limit_reset) : NULL);
    json_put_boolean(json, "include_byok_in_limit", key->counts_byok);
    write_spending(&key->spent, "usage", now_ms, json);
    write_spending(&key->spent_byok, "byok_usage", now_ms, json);
    json_put_time(json, "expires_at", key->expires_ms);
    json_put_null(json, "creator_user_id");
    json_put_string(json, "workspace_id", key->workspace);
}

static void draw_text(char ret_text[KEY_TEXT])
{
    static const char prefix[] = "sk-or-v1-";
    uint8_t drawn[32];
    if (getrandom(drawn, sizeof drawn, 0) != sizeof drawn)
        abort();
    memcpy(ret_text, prefix, sizeof prefix - 1);
    hex_write(ret_text + sizeof prefix - 1, drawn, sizeof drawn);
}

/* sk-or-v1-0e6...1c96 */
static void write_label(struct key *key, const char *text)
{
    size_t length = strlen(text);
    const char *tail = length > 4 ? text + length - 4 : text;
    snprintf(key->label, sizeof key->label, "%.12s...%.4s", text, tail);
}

static void put_in_slot(struct keys *keys, struct key *key)
{
    size_t at = first_slot(keys, key->digest);
    while (keys->slots[at])
        at = (at + 1) & (keys->slot_count - 1);
    keys->slots[at] = key;
}

static void grow_slots(struct keys *keys)
{
    free(keys->slots);
    keys->slot_count = keys->slot_count ? 4 * keys->slot_count : FIRST_SLOTS;
    keys->slots = must_alloc(keys->slot_count * sizeof *keys->slots);
    for (size_t i = 0; i < keys->count; i++)
        put_in_slot(keys, keys->all[i]);
}

static size_t first_slot(const struct keys *keys, const uint8_t *digest)
{
    uint64_t start;
    memcpy(&start, digest, sizeof start);
    return start & (keys->slot_count - 1);
}

static struct key *find_digest(struct keys *keys, const uint8_t *digest)
{
    if (!keys->slot_count)
        return NULL;
    size_t at = first_slot(keys, digest);
    for (struct key *key; (key = keys->slots[at]); at = (at + 1) & (keys->slot_count - 1))
        if (memcmp(key->digest, digest, SHA256_BYTES) == 0 && !key->deleted)
            return key;
    return NULL;
}

static void spend(struct spending *spent, int64_t nano_usd, int64_t now_ms)
{
    for (int i = 0; i < PERIODS; i++) {
        enum period period = (enum period)i;
        int64_t before = key_spent(spent, period, now_ms);
        spent->started_ms[i] = period_start_ms(period, now_ms);
        spent->nano_usd[i] = before + nano_usd;
    }
}

static void write_spending(const struct spending *spent, const char *prefix, int64_t now_ms,
                           struct json json)
{
    static const char *const suffixes[PERIODS] = {"", "_daily", "_weekly", "_monthly"};
    for (int i = 0; i < PERIODS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%s", prefix, suffixes[i]);
        yyjson_mut_val *key = yyjson_mut_strcpy(json.doc, name);
        char amount[USD_TEXT];
        usd_write(amount, key_spent(spent, (enum period)i, now_ms), USD_DECIMAL);
        yyjson_mut_obj_add(json.object, key, yyjson_mut_rawcpy(json.doc, amount));
    }
}

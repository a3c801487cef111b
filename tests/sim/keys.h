/*
 * The keys of the account. A key that is deleted can no longer be found, but its row stays for the
 * ledger.
 *
 * Owns   every struct key until keys_done; a pointer is good until then (keys_done also serves a
 *        reset).
 * Units  nano-USD; milliseconds since 1970, -1 where there is none.
 * Source GET /keys, section "Key object"
 */
#ifndef SIM_KEYS_H
#define SIM_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "json.h"
#include "sha256.h"

enum { WORKSPACE_TEXT = 37, KEY_TEXT = 74 };

extern const char default_workspace[WORKSPACE_TEXT];

struct spending {
    int64_t nano_usd[PERIODS];
    int64_t started_ms[PERIODS];
};

struct key {
    uint8_t digest[SHA256_BYTES];
    char hash[SHA256_HEX];
    char label[24];
    char workspace[WORKSPACE_TEXT];
    char *name;
    char *external_user; /* or NULL */
    bool disabled;
    bool deleted;
    bool has_limit;
    bool counts_byok;
    enum period limit_reset;
    int64_t limit_nano_usd;
    int64_t created_ms;
    int64_t updated_ms;
    int64_t expires_ms;
    struct spending spent;
    struct spending spent_byok;
    uint64_t requests;
    uint64_t billed_requests;
};

struct keys {
    struct key **all; /* oldest first */
    size_t count;
    size_t capacity;
    struct key **slots; /* open addressing by digest; a power of two */
    size_t slot_count;
    size_t live;
};

/* Makes a key whose text is given or, when NULL, drawn; ret_text gets the full key string. */
struct key *keys_add(struct keys *keys, const char *text, const char *name, int64_t now_ms,
                     struct text *ret_text);
struct key *keys_find_text(struct keys *keys, const char *text, size_t length);
struct key *keys_find_hash(struct keys *keys, const char *hash);
void keys_delete(struct keys *keys, struct key *key);
void keys_done(struct keys *keys);

bool key_expired(const struct key *key, int64_t now_ms);
int64_t key_spent(const struct spending *spent, enum period period, int64_t now_ms);
int64_t key_spent_of_limit(const struct key *key, int64_t now_ms);
void key_charge(struct key *key, int64_t nano_usd, int64_t byok_nano_usd, int64_t now_ms);

/* The key object of create, list, get and update; key_write_usage is the part GET /key shares. */
void key_write(const struct key *key, int64_t now_ms, struct json json);
void key_write_usage(const struct key *key, int64_t now_ms, struct json json);

#endif

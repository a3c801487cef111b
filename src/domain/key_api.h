/* key_api.h: the bodies of OpenRouter's key management, written and read. Reads every observed shape; every field but
 * key and hash is optional; unknown fields are ignored.
 *
 * Owns      nothing; texts are copied into the results, the plaintext key into a secret.
 * Fails     false when the answer is not what was asked for (the caller treats that as "unknown").
 * Source    openrouter-api 1.2 to 1.5, 5.3
 */
#ifndef KEYTURN_DOMAIN_KEY_API_H
#define KEYTURN_DOMAIN_KEY_API_H

#include "base/buffer.h"
#include "base/secret.h"
#include "domain/key_record.h"
#include "domain/nano_usd.h"

struct key_wish {
    struct span name, external_user; /* external_user SPAN_NONE: not sent */
    int64_t limit_nano_usd;          /* -1: unlimited */
    enum limit_reset limit_reset;
    int64_t expires_at_ms; /* 0: never; sent with seconds, UTC */
};

/* What OpenRouter says about one key. */
struct key_facts {
    char hash[KEY_HASH_SIZE + 1], name[KEY_NAME_MAX + 1];
    bool disabled;
    bool has_limit, has_remaining;
    int64_t limit_nano_usd, remaining_nano_usd;
    enum limit_reset limit_reset; /* none, too, when it is not told or none we know */
    int64_t
        usage_nano_usd[LIMIT_RESETS]; /* in the current day, week ...; none: ever; -1: not told */
    int64_t billed_nano_usd; /* ever: credits and BYOK, to the nearest nano-USD; -1: not told */
    int64_t expires_at_ms;   /* 0: never or not told */
    int64_t created_at_ms;   /* 0: not told */
};

bool key_api_compose_create(const struct key_wish *wish, struct buffer *out);
/* PATCH: both fields are there always, so that what a key had before does not stay. -1: unlimited. */
bool key_api_compose_limit(int64_t limit_nano_usd, enum limit_reset limit_reset,
                           struct buffer *out);
/* key from `key` or data.key; hash from data.hash, hash, or SHA-256 of the key. */
bool key_api_read_created(struct span body, struct secret *ret_key, struct key_facts *ret_facts);
bool key_api_read_key(struct span body, struct key_facts *ret_facts);
/* Calls visit for each row; ret_count tells how many rows there were (0: the last page). */
bool key_api_read_list(struct span body,
                       void (*visit)(const struct key_facts *facts, void *context), void *context,
                       size_t *ret_count);
/* GET /key of the management key: true when it is one. */
bool key_api_read_is_management(struct span body, bool *ret_is_management);

/* What a management call's status says. */
static inline bool key_api_done(int status)
{
    return status / 100 == 2;
}
static inline bool key_api_missing(int status)
{
    return status == 404;
}
static inline bool key_api_refused(int status)
{
    return status == 401 || status == 403;
} /* the management key itself */
static inline bool key_api_paced(int status)
{
    return status == 429;
}

/* What GET /keys/{hash} proved about a key that got 401. */
enum key_health {
    KEY_GONE,
    KEY_EXPIRED,
    KEY_SWITCHED_OFF,
    KEY_HEALTHY,
    KEY_UNKNOWN,
    KEY_MANAGEMENT_REFUSED
};
enum key_health key_api_health(int status, struct span body, int64_t now_ms,
                               struct key_facts *ret_facts);
const char *key_health_name(enum key_health health);

#endif

/* key_record.h: what keyturn knows of one user's upstream key. The secret itself is only here sealed.
 *
 * Owns      its texts, in place; a record is copied by assignment.
 * Units     unix milliseconds; money in nano-USD, -1 means no limit.
 * Source    design 5.2 and 5.3
 */
#ifndef KEYTURN_DOMAIN_KEY_RECORD_H
#define KEYTURN_DOMAIN_KEY_RECORD_H

#include "base/span.h"

enum { KEY_HASH_SIZE = 64, KEY_NAME_MAX = 160, KEY_SEALED_MAX = 512 };

enum key_state { KEY_ABSENT, KEY_ACTIVE, KEY_DISABLED };
enum limit_reset { LIMIT_RESET_NONE, LIMIT_RESET_DAILY, LIMIT_RESET_WEEKLY, LIMIT_RESET_MONTHLY };
enum { LIMIT_RESETS = LIMIT_RESET_MONTHLY + 1 };

struct key_record {
    enum key_state state;
    int64_t version;              /* counts up by one with each new key; 0: none yet */
    char hash[KEY_HASH_SIZE + 1]; /* OpenRouter's id of the key: SHA-256 of it, hex */
    char name[KEY_NAME_MAX + 1];
    char sealed[KEY_SEALED_MAX + 1];
    int64_t limit_nano_usd;
    enum limit_reset limit_reset;
    int64_t expires_at_ms;                                    /* 0: never */
    int64_t created_at_ms, updated_at_ms, last_renewal_at_ms; /* 0: never */
    bool auto_renewed;
    bool proven; /* answered at least one request */
};

const char *limit_reset_name(enum limit_reset reset); /* "daily", ...; NULL for none */
bool limit_reset_parse(struct span name, enum limit_reset *ret_reset); /* "none" and "" are none */
const char *key_state_name(enum key_state state);
bool key_state_parse(struct span name, enum key_state *ret_state);

/* A key's name at OpenRouter: keyturn/<deployment>/<pseudonym>/v<version>/<fence>/<nonce>. Names are how a key whose
 * reply was lost is found again, so each attempt's name is its own. */
struct key_name {
    struct span deployment, pseudonym, nonce;
    int64_t version, fence;
};
bool key_name_compose(const struct key_name *name, char ret_name[KEY_NAME_MAX + 1]);
bool key_name_parse(struct span text, struct key_name *ret_name);

#endif

/* users.h: making users, seeing them, and changing tier, limits and status, by hand. On first sight it is admission
 * that makes them.
 *
 * Admission reads the same hash (store/quota.h), so a change is felt by the next request on every instance.
 *
 * Owns      the answers' texts, in place.
 * Units     nano-USD, counts, unix milliseconds of Redis' clock; -1 unlimited.
 * Fails     as store.h; asking again is safe, whatever was applied.
 * Source    design 4.3, 4.4, 5.1; lua/user_ensure.lua, user_set.lua
 */
#ifndef KEYTURN_STORE_USERS_H
#define KEYTURN_STORE_USERS_H

#include "domain/tier.h"
#include "store/store.h"

/* Makes the user if it is not there and sets its tier when one is given. */
struct user_ensure {
    struct store_call call;
    bool created;
};
void user_ensure(struct store *store, struct user_ensure *ensure, struct span user,
                 struct span tier, struct turn *wake);

/* The user's own limits, instead of the tier's. */
#define USER_OWN_LIMITS(ROW) \
    ROW(LIMIT, "o_limit_nano_usd") \
    ROW(MESSAGES, "o_messages_per_day") \
    ROW(REQUESTS, "o_requests_per_minute") \
    ROW(CONCURRENT, "o_max_concurrent")

enum user_own {
#define ROW(name, field) USER_OWN_##name,
    USER_OWN_LIMITS(ROW)
#undef ROW
        USER_OWN_COUNT
};

/* What may be written. */
#define USER_FIELDS(ROW) \
    ROW(STATUS, "status") \
    ROW(TIER, "tier") \
    USER_OWN_LIMITS(ROW) \
    ROW(BOOST, "boost_nano_usd") \
    ROW(BOOST_UNTIL, "boost_until_ms")

enum user_field {
#define ROW(name, field) USER_FIELD_##name,
    USER_FIELDS(ROW)
#undef ROW
        USER_FIELD_COUNT
};
const char *user_field_name(enum user_field field); /* as in Redis */

struct user_record {
    bool found, disabled;
    char tier[TIER_NAME_MAX + 1]; /* "": the default one's limits hold */
    int64_t created_at_ms;
    struct {
        bool set; /* false: the tier's holds */
        int64_t value;
    } own[USER_OWN_COUNT];
    int64_t boost_nano_usd, boost_until_ms; /* 0: none */
};

enum { USER_WRITES_MAX = 6, USER_VALUE_MAX = TIER_NAME_MAX };

struct user_change {
    char make_with[TIER_NAME_MAX + 1]; /* the tier a user gets that is not there; "": not made */
    size_t count;
    struct user_write {
        enum user_field field;
        char value[USER_VALUE_MAX + 1]; /* as text; "": the field is taken away */
    } writes[USER_WRITES_MAX];
};

/* Writes what the change says and tells what is there then; a change without writes only looks. */
struct user_set {
    struct store_call call;
    bool created;
    struct user_record record; /* not found: nothing was written */
    size_t was_count;          /* of the writes, in their order; 0 where the user is not found */
    char was[USER_WRITES_MAX][USER_VALUE_MAX + 1]; /* what the fields had before; "": nothing */
};
void user_set(struct store *store, struct user_set *set, struct span user,
              const struct user_change *change, struct turn *wake);

#endif

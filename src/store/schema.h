/* schema.h: every key name in Redis, in one table.
 *
 * All keys of a user bear the hash tag {u:<user>}, so a user lives in one slot. Users, key records and tokens have prefixes
 * of their own because instances watch exactly these for changes (store_watch_prefixes); counters never match them.
 *
 * Units     times are unix milliseconds by Redis' own clock, amounts are nano-USD, both as decimal text.
 * Source    design 5.2, 6; docs/store.md describes the fields
 */
#ifndef KEYTURN_STORE_SCHEMA_H
#define KEYTURN_STORE_SCHEMA_H

#include "base/span.h"

/*  name      its name, or what stands around the user or token id (a window follows the last colon)   type    what */
#define STORE_KEYS(ROW) \
    ROW(META, ONE("kt:meta"), "hash", "deployment, schema, environment, upstream, sealed check") \
    ROW(TOKEN, OF("kt:t:", ""), "hash", "a client token: mac, kid, user, kind, status, times") \
    ROW(USER, OF("kt:u:{u:", "}"), "hash", "a user: status, tier, created_at, overrides, boost") \
    ROW(ACCOUNT, OF("kt:{u:", "}:account"), "hash", \
        "open holds and what is to be booked by request id; sums by window; settled costs by " \
        "version of the key") \
    ROW(SETTLED, OF("kt:{u:", "}:settled:"), "set", \
        "request ids settled, by the UTC day of the record; expires") \
    ROW(USAGE, OF("kt:{u:", "}:usage:"), "hash", \
        "a user's sums of a UTC month by day and model; expires") \
    ROW(HOLDERS, ONE("kt:holders"), "zset", "users with holds, by when to look after them") \
    ROW(LEDGER, ONE("kt:{books}:ledger"), "stream", "settlements; the newest million") \
    ROW(LEDGER_MARKS, ONE("kt:{books}:ledger:marks"), "hash", \
        "where each ten thousandth settlement stands in the ledger") \
    ROW(SEEN, ONE("kt:{books}:seen:"), "set", \
        "request ids booked, by the UTC day of the record; expires") \
    ROW(SUMS, ONE("kt:{books}:"), "hash", \
        "sums of a UTC day or month: by user; by tier and model, by day") \
    ROW(FREE_MINUTE, ONE("kt:{free}:minute"), "hash", \
        "requests to free models in a minute: all, by user, and who asks; expires") \
    ROW(FREE_MINUTE_BEFORE, ONE("kt:{free}:minute:before"), "hash", \
        "the same of the minute before") \
    ROW(FREE_DAY, ONE("kt:{free}:day"), "hash", "the same of a UTC day") \
    ROW(FREE_DAY_BEFORE, ONE("kt:{free}:day:before"), "hash", "the same of the day before") \
    ROW(KEY, OF("kt:k:{u:", "}"), "hash", "the user's upstream key, sealed (domain/key_record.h)") \
    ROW(RENEWAL, OF("kt:{u:", "}:renewal"), "hash", \
        "lease, fence, intent, leftovers, doomed keys, last outcome") \
    ROW(RENEWALS, ONE("kt:renewals"), "zset", \
        "open renewals: \"<user> <nonce>\" by start; the sweeper's list") \
    ROW(CATALOGUE, ONE("kt:catalogue"), "string", "GET /models as OpenRouter answered it last") \
    ROW(SWEEPER, ONE("kt:sweeper"), "string", "which instance sweeps; expires")

enum store_key {
#define ROW(name, parts, type, text) STORE_KEY_##name,
    STORE_KEYS(ROW)
#undef ROW
        STORE_KEY_COUNT
};

enum { STORE_KEY_MAX = 192, STORE_SCHEMA_VERSION = 4 };

struct store_key_row {
    const char *name;
    struct span head, tail; /* tail is SPAN_NONE where there is only one such key */
    const char *type, *text;
};

const struct store_key_row *store_key_row(enum store_key key);
/* The key's name; id is ignored where there is only one. */
struct span store_key_name(enum store_key key, struct span id, char ret_name[STORE_KEY_MAX]);
/* Of a name that ends in a colon: "2026-11", "day:2026-11-20:user". */
struct span store_window_key_name(enum store_key key, struct span id, struct span window,
                                  char ret_name[STORE_KEY_MAX]);

/* What instances watch: how the names begin; and reading a watched key's name back. */
const char *const *store_watch_prefixes(size_t *ret_count);
bool store_key_is_token(struct span name, struct span *ret_token_id);
bool store_key_is_key(struct span name, struct span *ret_user);
bool store_key_is_user(struct span name, struct span *ret_user);

#endif

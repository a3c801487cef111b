/*
 * The simulator's own account of what happened: a row for each inference request, and totals. The
 * truth a proxy's books are held against; nothing in it comes from the proxy.
 *
 * Owns   the rows; the last LEDGER_ROWS are kept, a pointer is good until the next ledger_open.
 * Units  nano-USD, milliseconds since 1970.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "sha256.h"

enum { LEDGER_ROWS = 200000, GENERATION_ID = 40 };

struct row {
    uint64_t seq; /* from 1 */
    char generation_id[GENERATION_ID];
    char key_hash[SHA256_HEX];
    char body_hash[SHA256_HEX];
    const char *route;
    const char *finish_reason; /* NULL until the end */
    char *key_name;
    char *model;
    char *user;
    char *title;
    char *referer;
    size_t body_bytes;
    int64_t arrived_ms;
    int64_t ended_ms; /* -1 while it runs */
    int64_t billed_nano_usd;
    int64_t byok_nano_usd;
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int status; /* 0: never answered */
    bool stream;
    bool completed;
    bool client_aborted;
};

struct totals {
    uint64_t posts_keys;
    uint64_t gets_keys;
    uint64_t patches_keys;
    uint64_t deletes_keys;
    uint64_t lists;
    uint64_t generations;
    uint64_t inference;
    uint64_t inference_ok;
    uint64_t connections;
    int64_t billed_nano_usd;
    int64_t byok_nano_usd;
};

struct ledger {
    struct row *ring;
    size_t capacity;
    uint64_t last_seq;
    struct totals totals;
};

struct row *ledger_open(struct ledger *ledger, const char *route, int64_t now_ms);
struct row *ledger_find(struct ledger *ledger, uint64_t seq); /* NULL: none, or fallen out */
void ledger_write_rows(struct ledger *ledger, uint64_t since, yyjson_mut_doc *doc,
                       yyjson_mut_val *array);
void ledger_write_totals(const struct ledger *ledger, struct json json);
void ledger_done(struct ledger *ledger);

#endif

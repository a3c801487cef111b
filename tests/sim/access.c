#include "access.h"

#include <string.h>
#include <strings.h>

#include "request.h"
#include "routes.h"
#include "sim.h"

static const char *credential_of(struct exchange *exchange);
static const struct canned *check_presented(struct exchange *exchange);
static const struct canned *check_kind(const struct exchange *exchange);
static bool key_works(const struct exchange *exchange);

static const char *const refusals[] = {
    [PRESENTED_NOTHING] = "missing_authentication",
    [PRESENTED_MALFORMED] = "no_auth",
    [PRESENTED_UNKNOWN] = "user_not_found",
};

static const char *const key_limits[PERIODS] = {
    [PERIOD_TOTAL] = "key_limit_total",
    [PERIOD_DAILY] = "key_limit_daily",
    [PERIOD_WEEKLY] = "key_limit_weekly",
    [PERIOD_MONTHLY] = "key_limit_monthly",
};

void access_identify(struct exchange *exchange)
{
    struct sim *sim = exchange->sim;
    const char *text = credential_of(exchange);
    exchange->key = NULL;
    *exchange->presented_hash = '\0';
    if (!text)
        return;
    size_t length = strlen(text);
    if (strcmp(text, sim->options->management_key) == 0) {
        exchange->presented = PRESENTED_MANAGEMENT;
        return;
    }
    exchange->key = keys_find_text(&sim->keys, text, length);
    exchange->presented = exchange->key ? PRESENTED_KEY : PRESENTED_UNKNOWN;
    if (exchange->key)
        memcpy(exchange->presented_hash, exchange->key->hash, SHA256_HEX);
    else
        sha256_hex(exchange->presented_hash, text, length);
}

const struct canned *access_check(struct exchange *exchange)
{
    enum access access = exchange->route->access;
    if (access == ACCESS_OPEN)
        return NULL;
    if (access == ACCESS_OPTIONAL && exchange->presented == PRESENTED_NOTHING)
        return NULL;
    const struct canned *refusal = check_presented(exchange);
    return refusal ? refusal : check_kind(exchange);
}

const struct canned *access_check_money(struct exchange *exchange)
{
    const struct sim *sim = exchange->sim;
    const struct key *key = exchange->key;
    if (sim->ledger.totals.billed_nano_usd >= sim->settings.credits_nano_usd)
        return canned_find("insufficient_credits");
    if (key->has_limit && key_spent_of_limit(key, sim_now_ms(sim)) >= key->limit_nano_usd)
        return canned_find(key_limits[key->limit_reset]);
    return NULL;
}

struct text_values access_values(const struct exchange *exchange)
{
    const struct key *key = exchange->epoch == exchange->sim->epoch ? exchange->key : NULL;
    int64_t now_ms = sim_now_ms(exchange->sim);
    enum period period = key && key->has_limit ? key->limit_reset : PERIOD_DAILY;
    return (struct text_values){
        .key_hash = exchange->presented_hash,
        .reset_ms = period_end_ms(period, now_ms),
        .limit_nano_usd = key ? key->limit_nano_usd : 0,
        .spend_nano_usd = key ? key_spent_of_limit(key, now_ms) : 0,
    };
}

/* NULL: nothing or nothing usable, and exchange->presented says which. */
static const char *credential_of(struct exchange *exchange)
{
    static const char scheme[] = "Bearer ";
    const char *bearer = request_header(exchange->request, "authorization");
    if (!bearer)
        bearer = request_header(exchange->request, "x-api-key");
    else if (strncasecmp(bearer, scheme, sizeof scheme - 1) == 0)
        bearer += sizeof scheme - 1;
    else if (*bearer && strcasecmp(bearer, "bearer") != 0) {
        exchange->presented = PRESENTED_MALFORMED;
        return NULL;
    } else
        bearer = NULL;
    exchange->presented = PRESENTED_NOTHING;
    return bearer && *bearer ? bearer : NULL;
}

static const struct canned *check_presented(struct exchange *exchange)
{
    if (exchange->presented == PRESENTED_MANAGEMENT)
        return NULL;
    if (exchange->presented != PRESENTED_KEY)
        return canned_find(refusals[exchange->presented]);
    return key_works(exchange) ? NULL : canned_find("user_not_found");
}

static const struct canned *check_kind(const struct exchange *exchange)
{
    bool management = exchange->presented == PRESENTED_MANAGEMENT;
    if (exchange->route->access == ACCESS_MANAGEMENT && !management)
        return canned_find("management_only");
    if (exchange->route->access == ACCESS_NORMAL && management)
        return canned_find("management_no_inference");
    return NULL;
}

/* A disabled or expired key cannot be told from a deleted one: so the field reports have it. */
static bool key_works(const struct exchange *exchange)
{
    const struct key *key = exchange->key;
    const struct sim *sim = exchange->sim;
    int64_t now_ms = sim_now_ms(sim);
    bool arrived = now_ms - key->created_ms >= sim->settings.key_propagation_ms;
    return arrived && !key->disabled && !key_expired(key, now_ms);
}

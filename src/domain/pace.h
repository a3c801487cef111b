/* pace.h: the small clocks of patience: token bucket, back-off with full jitter, and the breaker that a wave of 401s
 * with healthy keys opens. Pure: time and randomness come in as arguments.
 *
 * Units     milliseconds of the monotonic clock.
 * Source    design 5.2, reliability D14, D15, D24
 */
#ifndef KEYTURN_DOMAIN_PACE_H
#define KEYTURN_DOMAIN_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Tokens come back at a steady rate up to a burst. Counted in parts, 60000 of a token: so each millisecond gives back
 * exactly as many parts as there are tokens a minute. */
struct token_bucket {
    uint64_t capacity_parts, parts, per_minute, at_ms;
};
void token_bucket_init(struct token_bucket *b, uint64_t burst, uint64_t per_minute,
                       uint64_t now_ms);
bool token_bucket_take(struct token_bucket *b, uint64_t now_ms);
uint64_t token_bucket_wait_ms(const struct token_bucket *b,
                              uint64_t now_ms); /* until one is there; UINT64_MAX: never */

/* Full jitter: uniform in [0, base * 2^attempt], at most cap. */
uint64_t backoff_ms(unsigned attempt, uint64_t base_ms, uint64_t cap_ms, uint64_t random);

/* Retries may be at most a fifth of the successes, with a little credit to start from. */
struct retry_budget {
    int64_t credit_milli;
};
void retry_budget_init(struct retry_budget *b);
bool retry_budget_take(struct retry_budget *b);
void retry_budget_earn(struct retry_budget *b); /* one request went well */

/* Opens when `open_at` keys of different users were refused by inference though the management API calls them healthy
 * (or cannot say) within window_ms; while open nothing is verified or made. After probe_ms one user may probe: a probe
 * that finds a dead key or a success closes it, one that finds a healthy key keeps it open. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };
enum { BREAKER_MEMORY = 32 };
struct breaker {
    enum breaker_state state;
    uint64_t window_ms, probe_ms, opened_at_ms;
    unsigned open_at;
    struct {
        uint64_t user_hash, at_ms;
    } marks[BREAKER_MEMORY]; /* distinct users seen with a false 401, newest overwrite oldest */
    unsigned mark_count;
};
void breaker_init(struct breaker *b, unsigned open_at, uint64_t window_ms, uint64_t probe_ms);
/* May this user's 401 be looked into? Turns OPEN into PROBING for the one who may. */
bool breaker_allows(struct breaker *b, uint64_t now_ms);
bool breaker_false_alarm(struct breaker *b, uint64_t user_hash,
                         uint64_t now_ms);  /* true when this one opened it */
void breaker_true_alarm(struct breaker *b); /* the key really was dead */
void breaker_success(struct breaker *b);    /* an inference call was accepted */
uint64_t breaker_retry_ms(const struct breaker *b, uint64_t now_ms);

#endif

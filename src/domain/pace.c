#include "domain/pace.h"

#include <assert.h>

enum {
    TOKEN_PARTS = 60000,
    TOKEN_MILLI = 1000,
    RETRY_START_MILLI = 10 * 1000,
    RETRY_MOST_MILLI = 100 * 1000,
    RETRY_EARN_MILLI = 200
};

static const uint64_t burst_max = 1000000000u, per_minute_max = 1000000000u;

static void bucket_refill(struct token_bucket *b, uint64_t now_ms);
static uint64_t since(uint64_t then_ms, uint64_t now_ms);
static void breaker_mark(struct breaker *b, uint64_t user_hash, uint64_t now_ms);
static unsigned breaker_recent(const struct breaker *b, uint64_t now_ms);
static void breaker_close(struct breaker *b);

void token_bucket_init(struct token_bucket *b, uint64_t burst, uint64_t per_minute, uint64_t now_ms)
{
    b->capacity_parts = b->parts = (burst < burst_max ? burst : burst_max) * TOKEN_PARTS;
    b->per_minute = per_minute < per_minute_max ? per_minute : per_minute_max;
    b->at_ms = now_ms;
}

bool token_bucket_take(struct token_bucket *b, uint64_t now_ms)
{
    bucket_refill(b, now_ms);
    if (b->parts < TOKEN_PARTS)
        return false;
    b->parts -= TOKEN_PARTS;
    return true;
}

uint64_t token_bucket_wait_ms(const struct token_bucket *b, uint64_t now_ms)
{
    struct token_bucket later = *b;
    bucket_refill(&later, now_ms);
    if (later.parts >= TOKEN_PARTS)
        return 0;
    if (later.capacity_parts < TOKEN_PARTS || later.per_minute == 0)
        return UINT64_MAX;
    return (TOKEN_PARTS - later.parts + later.per_minute - 1) / later.per_minute;
}

uint64_t backoff_ms(unsigned attempt, uint64_t base_ms, uint64_t cap_ms, uint64_t random)
{
    uint64_t most = base_ms;
    while (attempt > 0 && most > 0 && most < cap_ms) {
        most = most > UINT64_MAX / 2 ? UINT64_MAX : most * 2;
        attempt--;
    }
    if (most > cap_ms)
        most = cap_ms;
    return most == UINT64_MAX ? random : random % (most + 1);
}

void retry_budget_init(struct retry_budget *b)
{
    b->credit_milli = RETRY_START_MILLI;
}

bool retry_budget_take(struct retry_budget *b)
{
    if (b->credit_milli < TOKEN_MILLI)
        return false;
    b->credit_milli -= TOKEN_MILLI;
    return true;
}

void retry_budget_earn(struct retry_budget *b)
{
    b->credit_milli += RETRY_EARN_MILLI;
    if (b->credit_milli > RETRY_MOST_MILLI)
        b->credit_milli = RETRY_MOST_MILLI;
}

void breaker_init(struct breaker *b, unsigned open_at, uint64_t window_ms, uint64_t probe_ms)
{
    assert(open_at > 0 && open_at <= BREAKER_MEMORY);
    *b = (struct breaker){
        .state = BREAKER_CLOSED, .open_at = open_at, .window_ms = window_ms, .probe_ms = probe_ms};
}

bool breaker_allows(struct breaker *b, uint64_t now_ms)
{
    if (b->state == BREAKER_CLOSED)
        return true;
    /* Also while probing: the one who probed may have gone without an answer. */
    if (since(b->opened_at_ms, now_ms) < b->probe_ms)
        return false;
    b->state = BREAKER_PROBING;
    b->opened_at_ms = now_ms;
    return true;
}

bool breaker_false_alarm(struct breaker *b, uint64_t user_hash, uint64_t now_ms)
{
    breaker_mark(b, user_hash, now_ms);
    if (b->state == BREAKER_PROBING) {
        b->state = BREAKER_OPEN;
        b->opened_at_ms = now_ms;
    }
    if (b->state == BREAKER_OPEN || breaker_recent(b, now_ms) < b->open_at)
        return false;
    b->state = BREAKER_OPEN;
    b->opened_at_ms = now_ms;
    return true;
}

void breaker_true_alarm(struct breaker *b)
{
    if (b->state == BREAKER_PROBING)
        breaker_close(b);
}

/* While open, others' successes prove nothing: in an outage most keys may still work. */
void breaker_success(struct breaker *b)
{
    if (b->state == BREAKER_PROBING)
        breaker_close(b);
}

uint64_t breaker_retry_ms(const struct breaker *b, uint64_t now_ms)
{
    uint64_t passed = since(b->opened_at_ms, now_ms);
    return b->state == BREAKER_CLOSED || passed >= b->probe_ms ? 0 : b->probe_ms - passed;
}

static void bucket_refill(struct token_bucket *b, uint64_t now_ms)
{
    uint64_t passed_ms = since(b->at_ms, now_ms), missing = b->capacity_parts - b->parts;
    if (passed_ms == 0)
        return;
    bool full = b->per_minute > 0 && passed_ms >= missing / b->per_minute + 1;
    b->parts += full ? missing : passed_ms * b->per_minute;
    if (b->parts > b->capacity_parts)
        b->parts = b->capacity_parts;
    b->at_ms = now_ms;
}

static uint64_t since(uint64_t then_ms, uint64_t now_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static void breaker_mark(struct breaker *b, uint64_t user_hash, uint64_t now_ms)
{
    unsigned place = 0;
    for (unsigned i = 0; i < b->mark_count; i++) {
        if (b->marks[i].user_hash == user_hash) {
            b->marks[i].at_ms = now_ms;
            return;
        }
        if (b->marks[i].at_ms < b->marks[place].at_ms)
            place = i;
    }
    if (b->mark_count < BREAKER_MEMORY)
        place = b->mark_count++;
    b->marks[place].user_hash = user_hash;
    b->marks[place].at_ms = now_ms;
}

static unsigned breaker_recent(const struct breaker *b, uint64_t now_ms)
{
    unsigned count = 0;
    for (unsigned i = 0; i < b->mark_count; i++)
        if (since(b->marks[i].at_ms, now_ms) <= b->window_ms)
            count++;
    return count;
}

static void breaker_close(struct breaker *b)
{
    b->state = BREAKER_CLOSED;
    b->mark_count = 0;
}

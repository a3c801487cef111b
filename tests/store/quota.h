/* quota.h: admissions and settlements of user "ada" in one line each, and a wall clock moved by hand.
 *
 * The test program has a copy of base/clock.c in which only clock_wall_ms is its own: the store sends that to scripts
 * while clock_by_hand is set.
 */
#ifndef KEYTURN_TESTS_STORE_QUOTA_H
#define KEYTURN_TESTS_STORE_QUOTA_H

#define clock_wall_ms clock_wall_ms_of_machine
#include "base/clock.c"
#undef clock_wall_ms

#include "harness.h"

#include "store/quota.h"

#include <inttypes.h>

#define HAND_START_MS INT64_C(1795132800000) /* Friday 2026-11-20 00:00 UTC */

enum { QUOTA_LEASE_MS = 30000, HOUR_MS = 3600000, QUOTA_TEXT = 200 };

static int64_t hand_ms; /* 0: the machine's */

int64_t clock_wall_ms(void);
int64_t clock_wall_ms(void)
{
    return hand_ms ? hand_ms : clock_wall_ms_of_machine();
}

static inline int64_t days_ms(int64_t days)
{
    return days * 24 * HOUR_MS;
}

/* An empty store and the clock in our hand. */
static inline int quota_empty(void **state)
{
    struct harness *h = *state;

    hand_ms = HAND_START_MS + 12 * HOUR_MS;
    h->a.clock_by_hand = h->b.clock_by_hand = true;
    return harness_empty(state);
}

#define QUOTA_TEST(name) cmocka_unit_test_setup(name, quota_empty)

static inline struct tier tier_named(const char *name, int64_t limit)
{
    struct tier tier = {.limit_nano_usd = limit,
                        .limit_reset = LIMIT_RESET_MONTHLY,
                        .messages_per_day = UNLIMITED,
                        .requests_per_minute = UNLIMITED,
                        .max_concurrent = UNLIMITED};

    snprintf(tier.name, sizeof(tier.name), "%s", name);
    return tier;
}

static inline struct admit_ask ask_of(const struct tier *tier, const char *id, int64_t hold)
{
    return (struct admit_ask){.user = SPAN("ada"),
                              .request_id = span_of(id),
                              .holder = SPAN("instance-a"),
                              .tier = tier,
                              .make_user = true,
                              .is_message = true,
                              .wall_ms = clock_wall_ms(),
                              .hold_nano_usd = hold,
                              .least_nano_usd = hold,
                              .lease_ms = QUOTA_LEASE_MS,
                              .model = SPAN("maker/model")};
}

static inline struct admission admit_ask_now(struct harness *h, struct store *store,
                                             const struct admit_ask *ask)
{
    struct admission admission = {0};

    quota_admit(store, &admission, ask, &h->wake);
    AWAIT_OK(h, admission);
    return admission;
}

static inline struct admission admit_now(struct harness *h, const struct tier *tier, const char *id,
                                         int64_t hold)
{
    const struct admit_ask ask = ask_of(tier, id, hold);

    return admit_ask_now(h, &h->a, &ask);
}

#define assert_verdict(h, tier, id, hold, expected) \
    assert_int_equal(admit_now(h, tier, id, hold).verdict, expected)

static inline struct settlement_record record_of(const char *id, int64_t cost)
{
    struct period budget = period_of(LIMIT_RESET_MONTHLY, clock_wall_ms());
    struct period day = period_of(LIMIT_RESET_DAILY, clock_wall_ms());
    struct settlement_record record = {.user = "ada",
                                       .tier = "Pro",
                                       .model = "maker/model",
                                       .cost_nano_usd = cost,
                                       .prompt_tokens = 100,
                                       .cached_tokens = 40,
                                       .completion_tokens = 20,
                                       .reasoning_tokens = -1,
                                       .finished_ms = clock_wall_ms(),
                                       .source = COST_FROM_USAGE,
                                       .delivered = true};

    snprintf(record.request_id, sizeof(record.request_id), "%s", id);
    memcpy(record.budget_period, budget.name, sizeof(budget.name));
    memcpy(record.day, day.name, sizeof(day.name));
    return record;
}

/* What was settled before is in *record afterwards, while it is not booked. */
static inline struct settled settle_record(struct harness *h, struct settlement_record *record)
{
    struct settle settle = {0};

    quota_settle(&h->a, &settle, &record, 1, &h->wake);
    AWAIT_OK(h, settle);
    assert_int_equal(settle.count, 1);
    assert_ptr_equal(settle.items[0].record, record);
    return settle.items[0];
}

static inline struct settled settle_now(struct harness *h, const char *id, int64_t cost)
{
    struct settlement_record record = record_of(id, cost);
    struct settled settled = settle_record(h, &record);

    settled.record = NULL;
    return settled;
}

/* Everything of it but whose it is and the generation, which the account does not know. */
static inline void assert_same(const struct settlement_record *record,
                               const struct settlement_record *expected)
{
    assert_string_equal(record->user, expected->user);
    assert_string_equal(record->request_id, expected->request_id);
    assert_string_equal(record->tier, expected->tier);
    assert_string_equal(record->model, expected->model);
    assert_string_equal(record->budget_period, expected->budget_period);
    assert_string_equal(record->day, expected->day);
    assert_int_equal(record->cost_nano_usd, expected->cost_nano_usd);
    assert_int_equal(record->prompt_tokens, expected->prompt_tokens);
    assert_int_equal(record->cached_tokens, expected->cached_tokens);
    assert_int_equal(record->completion_tokens, expected->completion_tokens);
    assert_int_equal(record->reasoning_tokens, expected->reasoning_tokens);
    assert_int_equal(record->key_version, expected->key_version);
    assert_int_equal(record->finished_ms, expected->finished_ms);
    assert_int_equal(record->source, expected->source);
    assert_int_equal(record->delivered, expected->delivered);
}

/* It is booked. */
static inline void forget_now(struct harness *h, const char *id)
{
    struct settled_forget forget = {0};
    const struct span ids[] = {span_of(id)};

    quota_forget_settled(&h->b, &forget, SPAN("ada"), ids, 1, &h->wake);
    AWAIT_OK(h, forget);
}

static inline bool extend_now(struct harness *h, const char *id, const char *generation)
{
    struct quota_extend extend = {0};

    quota_extend(&h->a, &extend, SPAN("ada"), span_of(id), QUOTA_LEASE_MS, span_of(generation), 3,
                 &h->wake);
    AWAIT_OK(h, extend);
    return extend.alive;
}

static inline struct quota_expire expire_now(struct harness *h)
{
    struct quota_expire expire = {0};

    quota_expire(&h->b, &expire, SPAN("ada"), &h->wake);
    AWAIT_OK(h, expire);
    return expire;
}

static inline struct quota_billed billed_now(struct harness *h, int64_t key_version)
{
    struct quota_billed billed = {0};

    quota_billed(&h->b, &billed, SPAN("ada"), key_version, &h->wake);
    AWAIT_OK(h, billed);
    return billed;
}

static inline struct quota_look look_now(struct harness *h, const struct tier *tier)
{
    struct quota_look look = {0};

    quota_look(&h->b, &look, SPAN("ada"), tier, clock_wall_ms(), &h->wake);
    AWAIT_OK(h, look);
    return look;
}

static inline struct quota_view view_now(struct harness *h, const struct tier *tier)
{
    return look_now(h, tier).view;
}

static inline void assert_money(struct harness *h, const struct tier *tier, int64_t spent,
                                int64_t held)
{
    struct quota_view view = view_now(h, tier);

    assert_int_equal(view.spent_nano_usd, spent);
    assert_int_equal(view.held_nano_usd, held);
}

#define assert_account(h, field, expected) \
    assert_look(h, "HGET kt:{u:ada}:account " field, expected)
#define assert_no_account(h, field) assert_look(h, "HEXISTS kt:{u:ada}:account " field, "0")

/* Nothing is open, nothing waits for the books, and nothing of that is left in the sums. */
static inline void assert_idle(struct harness *h)
{
    struct look open = store_look_split(
        h,
        "EVAL\tlocal all, open = redis.call('HGETALL', KEYS[1]), {} "
        "for i = 1, #all, 2 do "
        "local name = string.match(all[i], '^(%l+)|') "
        "if not name or all[i + 1] ~= '0' and (name == 'held' or name == 'unconfirmed' or "
        "name == 'messages' or name == 'live') then open[#open + 1] = all[i] end end "
        "return table.concat(open, ' ')\t1\tkt:{u:ada}:account",
        '\t');

    assert_string_equal(open.text, "");
}

/* A digest of everything in the store. DUMP will not do: the order inside a hash table changes as it is read. */
static inline struct look digest_now(struct harness *h)
{
    return store_look_split(
        h,
        "EVAL\tlocal names, all = redis.call('KEYS', '*'), {} "
        "table.sort(names) "
        "for _, name in ipairs(names) do "
        "local kind, items = redis.call('TYPE', name).ok, {} "
        "if kind == 'hash' then "
        "local flat = redis.call('HGETALL', name) "
        "for i = 1, #flat, 2 do items[#items + 1] = flat[i] .. '=' .. flat[i + 1] end "
        "table.sort(items) "
        "elseif kind == 'set' then items = redis.call('SMEMBERS', name) table.sort(items) "
        "elseif kind == 'zset' then items = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES') "
        "else items = {redis.call('DUMP', name)} end "
        "all[#all + 1] = name .. '>' .. table.concat(items, ';') end "
        "return redis.sha1hex(table.concat(all))\t0",
        '\t');
}

#endif

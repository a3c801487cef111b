#include "../base/unit.h"

#include "domain/key_limit.h"

#define NONE LIMIT_RESET_NONE
#define DAY LIMIT_RESET_DAILY
#define MONTH LIMIT_RESET_MONTHLY
#define RAISE KEY_LIMIT_RAISE
#define ROOM KEY_LIMIT_LEAVES_ROOM
#define STANDS KEY_LIMIT_STANDS

/* full, spent, need of a user whose budget is monthly; limit, its reset, usage in the month of the key. */
static const struct row {
    const char *what;
    int64_t full, spent, need, limit;
    enum limit_reset reset;
    int64_t used;
    enum key_limit_verdict verdict;
    int64_t wanted;
} rows[] = {
    {"a higher tier", 50, 10, 1, 10, MONTH, 10, RAISE, 50},
    {"a higher tier, in mid-period, after a renewal", 50, 10, 1, 4, MONTH, 4, RAISE, 44},
    {"a new period of a key that carried little", 10, 0, 1, 3, MONTH, 3, RAISE, 10},
    {"the same, asked before anything was billed", 10, 0, 4, 3, MONTH, 0, RAISE, 10},
    {"a renewed key that carried nothing", 10, 4, 1, 0, MONTH, 0, RAISE, 6},
    {"a boost", 12, 10, 1, 10, MONTH, 10, RAISE, 12},
    {"a boost after overspending", 12, 11, 1, 10, MONTH, 11, RAISE, 12},
    {"billed and not settled yet", 50, 5, 1, 10, MONTH, 10, RAISE, 50},
    {"counters are lost, the limit is full", 10, 0, 1, 10, MONTH, 10, STANDS, 0},
    {"counters are lost, the limit is less", 10, 0, 1, 6, MONTH, 6, RAISE, 10},
    {"counters are lost, more was used than may be", 10, 0, 1, 6, MONTH, 12, STANDS, 0},
    {"counters are lost, just as much was used", 10, 0, 1, 6, MONTH, 10, STANDS, 0},
    {"the ledger has nothing left", 10, 10, 0, 6, MONTH, 6, STANDS, 0},
    {"the ledger is overspent", 10, 15, 0, 6, MONTH, 6, STANDS, 0},
    {"what was carried is used up, and so is the rest", 10, 4, 1, 6, MONTH, 6, RAISE, 10},
    {"what was carried is as it should be", 10, 8, 1, 4, MONTH, 2, ROOM, 0},
    {"the same, for more than that", 10, 8, 3, 4, MONTH, 2, STANDS, 0},
    {"the same, for exactly that", 10, 8, 2, 4, MONTH, 2, ROOM, 0},
    {"somebody raised it just now", 50, 10, 1, 50, MONTH, 10, ROOM, 0},
    {"a request for nothing, and no room", 10, 0, 0, 10, MONTH, 10, STANDS, 0},
    {"a request for nothing, and room", 10, 0, 0, 10, MONTH, 9, ROOM, 0},
    {"a lower tier: more than it should be, never lowered", 10, 3, 1, 50, MONTH, 50, STANDS, 0},
    {"a lower tier, and room", 10, 3, 1, 50, MONTH, 3, ROOM, 0},
    {"another window, the same amount", 10, 0, 1, 10, NONE, 3, RAISE, 10},
    {"another window, a higher amount", 10, 5, 1, 50, DAY, 5, RAISE, 10},
    {"another window, nothing to be won", 10, 0, 1, 50, DAY, 10, STANDS, 0},
    {"no limit any more", -1, 10, 1, 10, MONTH, 10, RAISE, -1},
    {"no limit any more, whatever was used", -1, 10, 1, 10, DAY, -1, RAISE, -1},
    {"OpenRouter does not tell what was used", 50, 10, 1, 10, MONTH, -1, STANDS, 0},
    {"usage nobody can hold", 50, 10, 1, 10, MONTH, INT64_MAX, STANDS, 0},
    {"a limit nobody can hold", 50, 10, 1, INT64_MAX, MONTH, 10, ROOM, 0},
    {"the most there is", INT64_MAX, 0, 1, 10, MONTH, 10, RAISE, INT64_MAX},
    {"a full of nothing", 0, 0, 0, 5, MONTH, 5, STANDS, 0},
};

static struct key_facts facts_of(const struct row *row)
{
    struct key_facts facts = {.has_limit = true,
                              .limit_nano_usd = row->limit,
                              .limit_reset = row->reset,
                              .usage_nano_usd = {900, 700, 800, row->used}};
    return facts;
}

static void test_what_a_limit_should_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct row *row = &rows[i];
        struct key_budget budget = {row->full, row->spent, row->need, LIMIT_RESET_MONTHLY};
        struct key_facts facts = facts_of(row);
        int64_t limit = 0;
        enum key_limit_verdict verdict = key_limit_judge(&budget, &facts, &limit);
        if (verdict != row->verdict || limit != row->wanted)
            fail_msg("%s: %d, %lld", row->what, (int)verdict, (long long)limit);
        if (verdict == RAISE && row->full >= 0)
            assert_true(limit <= row->full && limit > row->used);
    }
}

static void test_the_window_is_the_budgets(void **state)
{
    (void)state;
    for (enum limit_reset reset = LIMIT_RESET_DAILY; reset <= LIMIT_RESET_MONTHLY; reset++) {
        struct key_budget budget = {100, 40, 1, reset};
        struct key_facts facts = {.has_limit = true,
                                  .limit_nano_usd = 10,
                                  .limit_reset = reset,
                                  .usage_nano_usd = {1000, 11, 12, 13}};
        int64_t limit = 0;
        assert_int_equal(key_limit_judge(&budget, &facts, &limit), RAISE);
        assert_int_equal(limit, 60 + 10 + reset);
    }
}

static void test_a_key_without_a_limit_is_let_be(void **state)
{
    (void)state;
    struct key_budget budget = {100, 40, 1, LIMIT_RESET_DAILY};
    struct key_facts facts = {.usage_nano_usd = {0, 200, 200, 200}};
    int64_t limit = 7;
    assert_int_equal(key_limit_judge(&budget, &facts, &limit), ROOM);
    budget.full_nano_usd = -1;
    assert_int_equal(key_limit_judge(&budget, &facts, &limit), ROOM);
    assert_int_equal(limit, 7);
}

/* However the figures lie: a period never gets more than its full amount by one key. */
static void test_never_above_full(void **state)
{
    (void)state;
    for (int64_t full = 0; full < 8; full++)
        for (int64_t spent = 0; spent < 10; spent++)
            for (int64_t used = 0; used < 10; used++)
                for (int64_t old = 0; old < 10; old++) {
                    struct key_budget budget = {full, spent, 1, LIMIT_RESET_MONTHLY};
                    struct key_facts facts = {.has_limit = true,
                                              .limit_nano_usd = old,
                                              .limit_reset = LIMIT_RESET_MONTHLY,
                                              .usage_nano_usd = {used, used, used, used}};
                    int64_t limit = -2;
                    if (key_limit_judge(&budget, &facts, &limit) == RAISE)
                        assert_true(limit <= full && limit > old && limit > used && spent < full);
                    else
                        assert_int_equal(limit, -2);
                }
}

static void test_what_a_new_key_carries(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t version, recorded, remaining, tier, carried; /* remaining -1: not told */
    } cases[] = {
        {"the first", 0, 0, -1, 10, 10},
        {"the first, unlimited", 0, 0, -1, -1, -1},
        {"what is left", 1, 10, 3, 10, 3},
        {"nothing is left", 1, 10, 0, 10, 0},
        {"gone: as the record has it", 1, 6, -1, 10, 6},
        {"a lower tier", 1, 50, 47, 10, 10},
        {"a lower tier, gone", 1, 50, -1, 10, 10},
        {"a higher tier: what is left, raised when it is met", 1, 10, 3, 50, 3},
        {"no limit any more", 1, 10, 3, -1, -1},
        {"it had none", 1, -1, -1, 10, 10},
        {"it had none and needs none", 1, -1, -1, -1, -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct key_record old = {.version = cases[i].version, .limit_nano_usd = cases[i].recorded};
        struct key_facts facts = {.has_remaining = cases[i].remaining >= 0,
                                  .remaining_nano_usd = cases[i].remaining};
        if (key_limit_carried(&old, &facts, cases[i].tier) != cases[i].carried)
            fail_msg("%s", cases[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_limit_should_be),
        cmocka_unit_test(test_the_window_is_the_budgets),
        cmocka_unit_test(test_a_key_without_a_limit_is_let_be),
        cmocka_unit_test(test_never_above_full),
        cmocka_unit_test(test_what_a_new_key_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The edges of months, weeks and days; and the same limits by Redis' own clock. */
#include "quota.h"

static void assert_edge(struct harness *h, enum limit_reset reset, int64_t edge_ms,
                        const char *before, const char *after)
{
    struct tier tier = tier_named("Pro", 100);
    struct admit_ask ask;
    struct admission admission;

    tier.limit_reset = reset;
    hand_ms = edge_ms - 1;
    admission = admit_now(h, &tier, "r1", 100);
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_string_equal(admission.budget.name, before);
    assert_int_equal(admission.view.budget_resets_ms, edge_ms);
    assert_verdict(h, &tier, "r2", 1, ADMIT_BUDGET_HELD);

    ask = ask_of(&tier, "r2", 100); /* the asker's clock is a moment behind */
    hand_ms = edge_ms;
    admission = admit_ask_now(h, &h->b, &ask);
    assert_int_equal(admission.verdict, ADMIT_OTHER_PERIOD);
    assert_int_equal(admission.now_ms, edge_ms);
    ask.wall_ms = admission.now_ms;
    admission = admit_ask_now(h, &h->b, &ask);
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_string_equal(admission.budget.name, after);

    hand_ms = edge_ms - 1; /* or ahead */
    ask = ask_of(&tier, "r3", 1);
    ask.wall_ms = edge_ms;
    assert_int_equal(admit_ask_now(h, &h->a, &ask).verdict, ADMIT_OTHER_PERIOD);

    hand_ms = edge_ms;
    admission = admit_now(h, &tier, "r1", 100); /* repeated over the edge: the hold it has */
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_string_equal(admission.budget.name, before);
    assert_int_equal(admission.budget.ends_ms, edge_ms);
    assert_int_equal(admission.day.ends_ms, edge_ms);
}

static void test_months(void **state)
{
    assert_edge(*state, LIMIT_RESET_MONTHLY, HAND_START_MS + days_ms(11), "2026-11", "2026-12");
}

static void test_years(void **state)
{
    assert_edge(*state, LIMIT_RESET_MONTHLY, HAND_START_MS + days_ms(42), "2026-12", "2027-01");
}

static void test_weeks(void **state)
{
    assert_edge(*state, LIMIT_RESET_WEEKLY, HAND_START_MS + days_ms(3), "2026-W47", "2026-W48");
}

static void test_days(void **state)
{
    assert_edge(*state, LIMIT_RESET_DAILY, HAND_START_MS + days_ms(1), "2026-11-20", "2026-11-21");
}

static void test_a_hold_belongs_to_the_window_it_was_taken_in(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100);
    struct settlement_record record;

    hand_ms = HAND_START_MS + days_ms(11) - 1000;
    assert_verdict(h, &tier, "r1", 60, ADMIT_GRANTED);
    assert_verdict(h, &tier, "r2", 30, ADMIT_GRANTED);
    record = record_of("r1", 70);
    hand_ms += 2000;
    assert_money(h, &tier, 0, 0);
    settle_record(h, &record);
    assert_money(h, &tier, 0, 0);
    assert_account(h, "spent|2026-11", "70");
    assert_account(h, "delivered|2026-11-30", "1");
    assert_account(h, "messages|2026-11-30", "1"); /* r2's */
    assert_account(h, "held|2026-11", "30");
    struct look usage =
        store_look_split(h, "HGET\tkt:{u:ada}:usage:2026-11\t2026-11-30\nmaker/model", '\t');
    assert_string_equal(usage.text, "1 70 100 40 20 0");

    hand_ms += days_ms(60); /* nobody was here for two months */
    struct quota_expire expire = expire_now(h);
    assert_int_equal(expire.count, 1);
    assert_string_equal(expire.holds[0].budget_period, "2026-11");
    assert_account(h, "unconfirmed|2026-11", "30");
    assert_account(h, "held|2026-11", "0");
    record = record_of("r2", 5); /* settled under the wrong window: the hold still goes whole */
    settle_record(h, &record);
    assert_money(h, &tier, 5, 0);
    assert_account(h, "spent|2026-11", "70");
    assert_account(h, "delivered|2026-11-30", "1");
    forget_now(h, "r1");
    forget_now(h, "r2");
    assert_idle(h);
}

static void test_a_tier_with_other_windows(void **state)
{
    struct harness *h = *state;
    struct tier monthly = tier_named("Pro", 100), daily = tier_named("Day", 10);

    daily.limit_reset = LIMIT_RESET_DAILY;
    assert_verdict(h, &monthly, "r1", 90, ADMIT_GRANTED);
    store_look(h, "HSET kt:u:{u:ada} tier Day");
    assert_verdict(h, &monthly, "r2", 1, ADMIT_OTHER_TIER);
    assert_verdict(h, &daily, "r2", 10, ADMIT_GRANTED);
    assert_verdict(h, &daily, "r3", 1, ADMIT_BUDGET_HELD);
    settle_now(h, "r1", 80);
    assert_money(h, &daily, 0, 10);
    assert_money(h, &monthly, 80, 0);
}

static void test_redis_own_clock(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100);
    struct admit_ask ask;
    struct admission admission;

    h->a.clock_by_hand = h->b.clock_by_hand = false;
    hand_ms = 0;
    ask = ask_of(&tier, "r1", 60);
    ask.wall_ms += days_ms(40);
    admission = admit_ask_now(h, &h->a, &ask);
    assert_int_equal(admission.verdict, ADMIT_OTHER_PERIOD);
    ask.wall_ms = admission.now_ms;
    ask.lease_ms = 20;
    admission = admit_ask_now(h, &h->a, &ask);
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_in_range(clock_wall_ms() - admission.now_ms, 0, 60000);
    while (expire_now(h).count == 0)
        ;
    assert_money(h, &tier, 60, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_months),
        QUOTA_TEST(test_years),
        QUOTA_TEST(test_weeks),
        QUOTA_TEST(test_days),
        QUOTA_TEST(test_a_hold_belongs_to_the_window_it_was_taken_in),
        QUOTA_TEST(test_a_tier_with_other_windows),
        QUOTA_TEST(test_redis_own_clock),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

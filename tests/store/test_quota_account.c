/* What stands in a user's account: the sweep and its second, windows that go, and thousands of holds. */
#include "quota.h"

enum { SWEEP_MS = 1000, THOUSANDS = 5000, DAYS = 7 };

static struct tier day_tier(void)
{
    struct tier tier = tier_named("Day", 1000);

    tier.limit_reset = LIMIT_RESET_DAILY;
    return tier;
}

static void admit_for(struct harness *h, const struct tier *tier, const char *id, int64_t lease_ms)
{
    struct admit_ask ask = ask_of(tier, id, 10);

    ask.lease_ms = lease_ms;
    assert_int_equal(admit_ask_now(h, &h->a, &ask).verdict, ADMIT_GRANTED);
}

static void extend_for(struct harness *h, const char *id, int64_t lease_ms, bool expected)
{
    struct quota_extend extend = {0};

    quota_extend(&h->a, &extend, SPAN("ada"), span_of(id), lease_ms, SPAN_NONE, 0, &h->wake);
    AWAIT_OK(h, extend);
    assert_int_equal(extend.alive, expected);
}

/* How many are live and when somebody looks through them. */
static void assert_sweep(struct harness *h, int64_t live, int64_t next_ms)
{
    char expected[32];

    snprintf(expected, sizeof(expected), "%" PRId64, live);
    assert_account(h, "live|", expected);
    snprintf(expected, sizeof(expected), "%" PRId64, next_ms);
    assert_account(h, "next|", expected);
}

static void assert_active(struct harness *h, const struct tier *tier, int64_t spent, int64_t held,
                          int64_t active)
{
    struct quota_view view = view_now(h, tier);

    assert_int_equal(view.spent_nano_usd, spent);
    assert_int_equal(view.held_nano_usd, held);
    assert_int_equal(view.active, active);
}

static void test_when_the_next_sweep_is(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();
    int64_t start_ms = hand_ms;

    admit_for(h, &tier, "r1", 30000);
    assert_sweep(h, 1, start_ms + 30000);
    admit_for(h, &tier, "r2", 40000);
    assert_sweep(h, 2, start_ms + 30000);
    admit_for(h, &tier, "r3", 20000);
    assert_sweep(h, 3, start_ms + 20000);
    settle_now(h, "r3", 0); /* it comes in vain, and then not before it must */
    assert_sweep(h, 2, start_ms + 20000);
    hand_ms = start_ms + 19999;
    assert_active(h, &tier, 0, 20, 2);
    assert_sweep(h, 2, start_ms + 20000);
    hand_ms++;
    assert_active(h, &tier, 0, 20, 2);
    assert_sweep(h, 2, start_ms + 30000);
    settle_now(h, "r1", 0);
    settle_now(h, "r2", 0);
    assert_account(h, "live|", "0");
    hand_ms += 60000;
    admit_for(h, &tier, "r4", 50000); /* the first of new ones */
    assert_sweep(h, 1, hand_ms + 50000);
}

static void test_a_sweep_a_second(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();
    int64_t start_ms = hand_ms;

    admit_for(h, &tier, "r1", 2000);
    admit_for(h, &tier, "r2", 2001);
    admit_for(h, &tier, "r3", 2600);
    admit_for(h, &tier, "r4", 9000);
    hand_ms = start_ms + 2000;
    assert_active(h, &tier, 10, 30, 3);
    assert_sweep(h, 3, hand_ms + SWEEP_MS);
    hand_ms = start_ms + 2000 + SWEEP_MS - 1; /* two ran out; nobody looks through them again */
    struct look before = digest_now(h);
    assert_active(h, &tier, 10, 30, 3);
    assert_verdict(h, &tier, "r2", 10, ADMIT_OVER); /* each knows it by itself */
    extend_for(h, "r3", 30000, false);
    assert_int_equal(billed_now(h, 0).live, 1);
    assert_string_equal(digest_now(h).text, before.text);
    hand_ms++;
    assert_active(h, &tier, 30, 10, 1);
    assert_sweep(h, 1, start_ms + 9000);
    settle_now(h, "r4", 0);
    assert_active(h, &tier, 30, 0, 0);
}

/* Whoever asks for the holds that ran out gets all of them. */
static void test_expire_does_not_wait_for_the_second(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();
    int64_t start_ms = hand_ms;

    admit_for(h, &tier, "r1", 2000);
    admit_for(h, &tier, "r2", 2001);
    admit_for(h, &tier, "r3", 2600);
    hand_ms = start_ms + 2000;
    assert_active(h, &tier, 10, 20, 2);
    hand_ms = start_ms + 2001;
    assert_int_equal(expire_now(h).count, 2);
    assert_sweep(h, 1, start_ms + 2600);
    hand_ms = start_ms + 2600;
    struct quota_expire expire = expire_now(h);
    assert_int_equal(expire.count, 3);
    assert_false(expire.busy);
    assert_string_equal(expire.holds[0].request_id, "r1");
    assert_string_equal(expire.holds[1].request_id, "r2");
    assert_string_equal(expire.holds[2].request_id, "r3");
    assert_account(h, "live|", "0");
    assert_active(h, &tier, 30, 0, 0);
}

static void test_leases_that_go_on(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();
    int64_t start_ms = hand_ms;

    admit_for(h, &tier, "r1", 30000);
    admit_for(h, &tier, "r2", 30000);
    hand_ms = start_ms + 20000;
    extend_for(h, "r1", 30000, true);
    extend_for(h, "r2", 25000, true);
    extend_for(h, "r2", 1, true); /* never shorter */
    assert_sweep(h, 2, start_ms + 30000);
    hand_ms = start_ms + 30000;
    assert_active(h, &tier, 0, 20, 2);
    assert_sweep(h, 2, start_ms + 45000);
    hand_ms = start_ms + 44999;
    assert_active(h, &tier, 0, 20, 2);
    hand_ms = start_ms + 45000;
    assert_active(h, &tier, 10, 10, 1);
    assert_sweep(h, 1, start_ms + 50000);
    hand_ms = start_ms + 50000;
    assert_active(h, &tier, 20, 0, 0);
    assert_sweep(h, 0, hand_ms + SWEEP_MS);
    admit_for(h, &tier, "r3", 500); /* not later than its lease, all the same */
    assert_sweep(h, 1, hand_ms + 500);
}

/* Held in one window and swept in another. */
static void test_a_sweep_over_two_windows(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();

    hand_ms = HAND_START_MS + days_ms(1) - 1000;
    admit_for(h, &tier, "r1", 20000);
    admit_for(h, &tier, "r2", 20000);
    hand_ms += 2000;
    admit_for(h, &tier, "r3", 20000);
    hand_ms += 20000;
    assert_active(h, &tier, 10, 0, 0);
    assert_account(h, "held|2026-11-20", "0");
    assert_account(h, "unconfirmed|2026-11-20", "20");
    assert_account(h, "held|2026-11-21", "0");
    assert_account(h, "unconfirmed|2026-11-21", "10");
    assert_account(h, "messages|2026-11-20", "2");
    assert_account(h, "messages|2026-11-21", "1");
}

static void unconfirmed_broken(struct harness *h)
{
    store_look(h, "HSET kt:{u:ada}:account unconfirmed|2026-11-20 much");
}

static void unconfirmed_mended(struct harness *h)
{
    store_look(h, "HDEL kt:{u:ada}:account unconfirmed|2026-11-20");
}

static void test_a_sweep_is_whole_or_not_at_all(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();
    const struct admit_ask ask = ask_of(&tier, "r3", 10);
    struct admission admission = {0};

    admit_for(h, &tier, "r1", 2000);
    admit_for(h, &tier, "r2", 2000);
    hand_ms += 2000;
    unconfirmed_broken(h);
    struct look before = digest_now(h);
    quota_admit(&h->a, &admission, &ask, &h->wake);
    harness_await(h);
    assert_int_equal(admission.call.end, STORE_BROKEN);
    assert_string_equal(digest_now(h).text, before.text);
    unconfirmed_mended(h);
    assert_active(h, &tier, 20, 0, 0);
}

static void assert_expire_broken(struct harness *h)
{
    struct quota_expire expire = {0};
    struct look before = digest_now(h);

    quota_expire(&h->a, &expire, SPAN("ada"), &h->wake);
    harness_await(h);
    assert_int_equal(expire.call.end, STORE_BROKEN);
    assert_string_equal(digest_now(h).text, before.text);
}

static void test_expire_is_whole_or_not_at_all_sums(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();

    admit_for(h, &tier, "r1", 2000);
    hand_ms += 2000;
    unconfirmed_broken(h);
    assert_expire_broken(h);
    unconfirmed_mended(h);
    assert_int_equal(expire_now(h).count, 1);
    assert_active(h, &tier, 10, 0, 0);
}

static void test_expire_is_whole_or_not_at_all_holds(void **state)
{
    static const char *const holds[] = {"L\n1\n2", "X\nsoon", "S\nlate"};
    struct harness *h = *state;
    struct tier tier = day_tier();
    char line[QUOTA_TEXT];

    admit_for(h, &tier, "r1", 2000);
    hand_ms += 2000;
    for (int i = 0; i < 30; i++) { /* it stands before the other or after it */
        snprintf(line, sizeof(line), "HSET\tkt:{u:ada}:account\tz%d\t%s", i, holds[i % 3]);
        store_look_split(h, line, '\t');
        assert_expire_broken(h);
        snprintf(line, sizeof(line), "HDEL kt:{u:ada}:account z%d", i);
        store_look(h, line);
    }
    assert_int_equal(expire_now(h).count, 1);
    assert_active(h, &tier, 10, 0, 0);
}

static void assert_there(struct harness *h, const char *name, const char *window, bool expected)
{
    char line[QUOTA_TEXT];

    snprintf(line, sizeof(line), "HEXISTS kt:{u:ada}:account %s|%s", name, window);
    assert_look(h, line, expected ? "1" : "0");
}

static void settle_in_day(struct harness *h, const char *id, const char *day, int64_t cost)
{
    struct settlement_record record = record_of(id, cost);

    snprintf(record.day, sizeof(record.day), "%s", day);
    snprintf(record.budget_period, sizeof(record.budget_period), "%s", day);
    settle_record(h, &record);
    forget_now(h, id);
}

/* One hold that is settled and one that nobody settles. */
static void spend_a_day(struct harness *h, const struct tier *tier, int day, bool one_stays)
{
    char id[16], name[16];

    snprintf(name, sizeof(name), "2026-11-%d", 20 + day);
    snprintf(id, sizeof(id), "r%d", day);
    admit_for(h, tier, id, 1000);
    settle_in_day(h, id, name, 1);
    snprintf(id, sizeof(id), "x%d", day);
    admit_for(h, tier, id, 1000);
    hand_ms += 1000;
    assert_money(h, tier, 11, 0);
    if (!one_stays)
        settle_in_day(h, id, name, 1);
}

static void test_windows_go(void **state)
{
    static const char *const sums[] = {"held", "unconfirmed", "spent", "messages", "delivered"};
    struct harness *h = *state;
    struct tier tier = day_tier();
    char window[16];

    for (int day = 0; day < DAYS; day++, hand_ms += days_ms(1))
        spend_a_day(h, &tier, day, false);
    for (int day = 0; day < DAYS; day++)
        for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++) {
            snprintf(window, sizeof(window), "2026-11-%d", 20 + day);
            assert_there(h, sums[i], window, day >= DAYS - 5); /* the last day and four before */
        }
    assert_idle(h);
    assert_look(h, "HLEN kt:{u:ada}:account", "30"); /* 25, live, next, minute, requests, settled */
}

static void test_windows_stay_while_they_hold_something(void **state)
{
    struct harness *h = *state;
    struct tier tier = day_tier();

    spend_a_day(h, &tier, 0, true);
    admit_for(h, &tier, "long", days_ms(30));
    for (int day = 1; day < DAYS; day++) {
        hand_ms += days_ms(1);
        spend_a_day(h, &tier, day, false);
    }
    assert_no_account(h, "spent|2026-11-20");
    assert_no_account(h, "delivered|2026-11-20");
    assert_account(h, "held|2026-11-20", "10");
    assert_account(h, "unconfirmed|2026-11-20", "10");
    assert_account(h, "messages|2026-11-20", "2");
    settle_in_day(h, "x0", "2026-11-20", 7); /* stragglers */
    settle_in_day(h, "long", "2026-11-20", 0);
    assert_account(h, "spent|2026-11-20", "7");
    assert_idle(h);
    hand_ms += days_ms(1);
    spend_a_day(h, &tier, DAYS, false);
    assert_no_account(h, "spent|2026-11-20");
    assert_no_account(h, "held|2026-11-20");
    assert_no_account(h, "unconfirmed|2026-11-20");
    assert_no_account(h, "messages|2026-11-20");
}

#define OLD_SUMS \
    "HSET kt:{u:ada}:account spent|2026-01 1 spent|2026-02 1 spent|2026-03 1 spent|2026-04 1 " \
    "spent|2026-05 1 spent|2026-W01 1 spent|2026-W02 1 spent|2026-W03 1 spent|2026-W04 1 " \
    "spent|2026-W05 1 spent|2026-01-02 1 spent|2026-01-03 1 spent|2026-01-04 1 " \
    "spent|2026-01-05 1 spent|2026-01-06 1 billed|1 1 billed|2 1 billed|3 1 billed|4 1 " \
    "billed|5 1 billed|6 1"

static void test_windows_of_each_length(void **state)
{
    static const char *const gone[] = {"2026-01", "2026-W01", "2026-01-02"};
    static const char *const kept[] = {"2026-02",  "2026-05",    "2026-W02",
                                       "2026-W05", "2026-01-03", "2026-01-06"};
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);

    store_look(h, OLD_SUMS);
    admit_for(h, &tier, "r1", 1000);
    for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
        assert_there(h, "spent", gone[i], false);
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        assert_there(h, "spent", kept[i], true);
    for (int version = 1; version <= 6; version++) {
        char text[8];
        snprintf(text, sizeof(text), "%d", version);
        assert_there(h, "billed", text, true); /* a version is no window */
    }
}

static void test_windows_go_with_the_first_admission_of_a_day(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);

    admit_for(h, &tier, "r1", days_ms(2));
    store_look(h, OLD_SUMS);
    admit_for(h, &tier, "r2", days_ms(2));
    hand_ms = HAND_START_MS + days_ms(1) - 1;
    admit_for(h, &tier, "r3", days_ms(2));
    assert_there(h, "spent", "2026-01", true); /* it is still the same day */
    hand_ms++;
    struct look before = digest_now(h);
    view_now(h, &tier);
    assert_verdict(h, &tier, "r4", 1001, ADMIT_BUDGET_SPENT);
    assert_verdict(h, &tier, "r1", 10, ADMIT_GRANTED); /* the hold it has */
    assert_string_equal(digest_now(h).text, before.text);
    admit_for(h, &tier, "r4", 1000);
    assert_there(h, "spent", "2026-01", false);
}

static void thousands_admit(struct harness *h, const struct tier *tier)
{
    char id[16];

    for (int i = 0; i < THOUSANDS; i++) {
        struct admit_ask ask = ask_of(tier, id, 1);
        snprintf(id, sizeof(id), "r%04d", i);
        ask.request_id = span_of(id);
        ask.lease_ms = QUOTA_LEASE_MS + i % 2; /* half of them ends first */
        assert_int_equal(admit_ask_now(h, &h->a, &ask).verdict, ADMIT_GRANTED);
    }
}

static void test_thousands_of_holds(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", UNLIMITED);
    char id[16];

    thousands_admit(h, &tier);
    assert_active(h, &tier, 0, THOUSANDS, THOUSANDS);
    assert_int_equal(billed_now(h, 0).live, THOUSANDS);
    hand_ms += QUOTA_LEASE_MS;
    assert_active(h, &tier, THOUSANDS / 2, THOUSANDS / 2, THOUSANDS / 2);
    assert_int_equal(billed_now(h, 0).live, THOUSANDS / 2);
    hand_ms++;
    struct quota_expire expire = expire_now(h);
    assert_int_equal(expire.count, EXPIRED_PAGE);
    assert_true(expire.more);
    assert_string_equal(expire.holds[0].request_id, "r0000");
    assert_string_equal(expire.holds[15].request_id, "r0030");
    assert_active(h, &tier, THOUSANDS, 0, 0);
    hand_ms += days_ms(1);
    admit_for(h, &tier, "next", 1000); /* windows are looked through, too */
    settle_now(h, "next", 0);
    forget_now(h, "next");
    hand_ms -= days_ms(1);
    for (int i = 0; i < THOUSANDS; i++) {
        snprintf(id, sizeof(id), "r%04d", i);
        assert_false(settle_now(h, id, 2).already);
    }
    hand_ms += 5000;
    expire = expire_now(h);
    assert_int_equal(expire.count, 0);
    assert_int_equal(expire.unbooked_count, EXPIRED_PAGE);
    for (int i = 0; i < THOUSANDS; i++) {
        snprintf(id, sizeof(id), "r%04d", i);
        forget_now(h, id);
    }
    assert_false(expire_now(h).busy);
    assert_active(h, &tier, 2 * THOUSANDS, 0, 0);
    assert_idle(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_when_the_next_sweep_is),
        QUOTA_TEST(test_a_sweep_a_second),
        QUOTA_TEST(test_expire_does_not_wait_for_the_second),
        QUOTA_TEST(test_leases_that_go_on),
        QUOTA_TEST(test_a_sweep_over_two_windows),
        QUOTA_TEST(test_a_sweep_is_whole_or_not_at_all),
        QUOTA_TEST(test_expire_is_whole_or_not_at_all_sums),
        QUOTA_TEST(test_expire_is_whole_or_not_at_all_holds),
        QUOTA_TEST(test_windows_go),
        QUOTA_TEST(test_windows_stay_while_they_hold_something),
        QUOTA_TEST(test_windows_of_each_length),
        QUOTA_TEST(test_windows_go_with_the_first_admission_of_a_day),
        QUOTA_TEST(test_thousands_of_holds),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

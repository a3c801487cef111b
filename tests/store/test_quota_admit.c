/* What is admitted, what is refused and why, and that a refusal changes nothing. */
#include "quota.h"

static void assert_refused(struct harness *h, const struct admit_ask *ask,
                           enum admit_verdict expected)
{
    struct look before = digest_now(h), after;
    struct admission admission = admit_ask_now(h, &h->b, ask);

    after = digest_now(h);
    assert_int_equal(admission.verdict, expected);
    assert_int_equal(admission.granted_nano_usd, 0);
    assert_string_equal(after.text, before.text);
}

static void test_a_grant_tells_everything(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);

    tier.messages_per_day = 20;
    tier.requests_per_minute = 10;
    tier.max_concurrent = 5;
    struct admission admission = admit_now(h, &tier, "r1", 300);

    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_true(admission.user_created);
    assert_string_equal(admission.tier, "Pro");
    assert_int_equal(admission.granted_nano_usd, 300);
    assert_int_equal(admission.now_ms, hand_ms);
    assert_string_equal(admission.budget.name, "2026-11");
    assert_string_equal(admission.day.name, "2026-11-20");
    const struct quota_view expected = {
        .limit_nano_usd = 1000,
        .held_nano_usd = 300,
        .remaining_nano_usd = 700,
        .messages_limit = 20,
        .messages_used = 1,
        .requests_limit = 10,
        .requests_used = 1,
        .active_limit = 5,
        .active = 1,
        .budget_resets_ms = HAND_START_MS + days_ms(11),
        .day_resets_ms = HAND_START_MS + days_ms(1),
        .minute_resets_ms = hand_ms + 60000,
    };
    assert_memory_equal(&admission.view, &expected, sizeof(expected));
    struct quota_view look = view_now(h, &tier);
    assert_memory_equal(&look, &expected, sizeof(expected));
    assert_false(admit_now(h, &tier, "r2", 300).user_created);
}

static void test_users_unknown_disabled_and_of_another_tier(void **state)
{
    struct harness *h = *state;
    struct tier free = tier_named("Free", 1000), pro = tier_named("Pro", 1000);
    struct admit_ask ask = ask_of(&free, "r1", 10);

    ask.make_user = false;
    assert_refused(h, &ask, ADMIT_NO_USER);
    assert_false(look_now(h, &free).found);
    ask.make_user = true;
    ask.hold_nano_usd = ask.least_nano_usd = 1001;
    assert_refused(h, &ask, ADMIT_BUDGET_SPENT); /* and the user is not made either */
    assert_look(h, "EXISTS kt:u:{u:ada}", "0");
    assert_verdict(h, &free, "r1", 10, ADMIT_GRANTED);
    assert_look(h, "HGET kt:u:{u:ada} tier", "Free");

    store_look(h, "HSET kt:u:{u:ada} tier Pro");
    ask = ask_of(&free, "r2", 10);
    assert_refused(h, &ask, ADMIT_OTHER_TIER);
    assert_string_equal(admit_ask_now(h, &h->a, &ask).tier, "Pro");
    assert_string_equal(look_now(h, &free).tier, "Pro");
    assert_verdict(h, &pro, "r2", 10, ADMIT_GRANTED);
    struct look cleared = store_look_split(h, "HSET\tkt:u:{u:ada}\ttier\t", '\t');
    assert_string_equal(cleared.text, "0"); /* follows the default again */
    assert_string_equal(admit_now(h, &free, "r3", 10).tier, "Free");

    store_look(h, "HSET kt:u:{u:ada} status disabled");
    ask = ask_of(&free, "r4", 10);
    assert_refused(h, &ask, ADMIT_USER_DISABLED);
    assert_true(look_now(h, &free).disabled);
    assert_verdict(h, &free, "r3", 10, ADMIT_GRANTED); /* it has its hold */
}

static void test_the_last_cent(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", INT64_C(10000000000));
    struct admit_ask ask = ask_of(&tier, "r3", 2);

    assert_verdict(h, &tier, "r1", INT64_C(9989999999), ADMIT_GRANTED);
    settle_now(h, "r1", INT64_C(9989999999));
    assert_verdict(h, &tier, "r2", 10000000, ADMIT_GRANTED);
    assert_refused(h, &ask, ADMIT_BUDGET_HELD);
    ask.hold_nano_usd = ask.least_nano_usd = 10000002;
    assert_refused(h, &ask, ADMIT_BUDGET_SPENT);
    ask.hold_nano_usd = ask.least_nano_usd = 1;
    assert_int_equal(admit_ask_now(h, &h->b, &ask).verdict, ADMIT_GRANTED);
    assert_int_equal(view_now(h, &tier).remaining_nano_usd, 0);
    ask = ask_of(&tier, "r4", 0); /* costs nothing for certain */
    assert_int_equal(admit_ask_now(h, &h->b, &ask).verdict, ADMIT_GRANTED);
    ask = ask_of(&tier, "r5", 1);
    assert_refused(h, &ask, ADMIT_BUDGET_HELD);
}

static void test_holds_shrink_to_what_is_left(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    struct admit_ask ask = ask_of(&tier, "r2", 500);

    assert_verdict(h, &tier, "r1", 800, ADMIT_GRANTED);
    ask.least_nano_usd = 201;
    assert_refused(h, &ask, ADMIT_BUDGET_HELD);
    ask.least_nano_usd = 200;
    struct admission admission = admit_ask_now(h, &h->a, &ask);
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_int_equal(admission.granted_nano_usd, 200);
    admission = admit_ask_now(h, &h->b, &ask);
    assert_int_equal(admission.granted_nano_usd, 200);
    assert_money(h, &tier, 0, 1000);
}

static void test_messages_of_a_day(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Free", 1000);
    struct settlement_record record = record_of("r2", 1);
    struct admit_ask ask = ask_of(&tier, "r3", 1);

    tier.messages_per_day = 2;
    assert_verdict(h, &tier, "r1", 1, ADMIT_GRANTED);
    assert_verdict(h, &tier, "r2", 1, ADMIT_GRANTED);
    assert_refused(h, &ask, ADMIT_MESSAGES_SPENT);
    settle_now(h, "r1", 1); /* delivered: stays used */
    assert_refused(h, &ask, ADMIT_MESSAGES_SPENT);
    record.delivered = false;
    settle_record(h, &record); /* given back */
    assert_int_equal(view_now(h, &tier).messages_used, 1);
    assert_int_equal(admit_ask_now(h, &h->a, &ask).verdict, ADMIT_GRANTED);
    ask = ask_of(&tier, "r4", 1);
    assert_refused(h, &ask, ADMIT_MESSAGES_SPENT);
    ask.is_message = false; /* embeddings */
    assert_int_equal(admit_ask_now(h, &h->a, &ask).verdict, ADMIT_GRANTED);
    settle_now(h, "r4", 1);
    assert_int_equal(view_now(h, &tier).messages_used, 2);
    hand_ms += days_ms(1);
    assert_int_equal(view_now(h, &tier).messages_used, 0);
    assert_verdict(h, &tier, "r5", 1, ADMIT_GRANTED);
}

static void test_requests_of_a_minute(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    struct admit_ask ask = ask_of(&tier, "r3", 1);

    tier.requests_per_minute = 2;
    hand_ms += 59999;
    assert_verdict(h, &tier, "r1", 1, ADMIT_GRANTED);
    assert_verdict(h, &tier, "r2", 1, ADMIT_GRANTED);
    ask.wall_ms = hand_ms;
    assert_refused(h, &ask, ADMIT_TOO_FAST);
    assert_verdict(h, &tier, "r2", 1, ADMIT_GRANTED); /* a repeat */
    settle_now(h, "r1", 1);                           /* does not give it back */
    assert_refused(h, &ask, ADMIT_TOO_FAST);
    hand_ms++;
    assert_int_equal(view_now(h, &tier).requests_used, 0);
    assert_int_equal(admit_ask_now(h, &h->b, &ask).verdict, ADMIT_GRANTED);
    assert_int_equal(view_now(h, &tier).requests_used, 1);
}

static void test_requests_at_once(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    struct admit_ask ask = ask_of(&tier, "r3", 1);

    tier.max_concurrent = 2;
    assert_verdict(h, &tier, "r1", 1, ADMIT_GRANTED);
    assert_verdict(h, &tier, "r2", 1, ADMIT_GRANTED);
    assert_refused(h, &ask, ADMIT_TOO_MANY);
    settle_now(h, "r1", 1);
    assert_int_equal(admit_ask_now(h, &h->b, &ask).verdict, ADMIT_GRANTED);
    hand_ms += QUOTA_LEASE_MS - 1;
    assert_verdict(h, &tier, "r4", 1, ADMIT_TOO_MANY);
    hand_ms++; /* both instances died */
    assert_int_equal(view_now(h, &tier).active, 0);
    assert_verdict(h, &tier, "r4", 1, ADMIT_GRANTED);
}

static void test_the_slowest_reason_is_told(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 10);
    struct admit_ask ask = ask_of(&tier, "r2", 11);

    tier.messages_per_day = tier.requests_per_minute = tier.max_concurrent = 1;
    assert_verdict(h, &tier, "r1", 10, ADMIT_GRANTED);
    assert_refused(h, &ask, ADMIT_BUDGET_SPENT);
    ask.hold_nano_usd = ask.least_nano_usd = 1;
    assert_refused(h, &ask, ADMIT_MESSAGES_SPENT);
    tier.messages_per_day = 2;
    assert_refused(h, &ask, ADMIT_TOO_FAST);
    tier.requests_per_minute = 2;
    assert_refused(h, &ask, ADMIT_TOO_MANY);
    tier.max_concurrent = 2;
    assert_refused(h, &ask, ADMIT_BUDGET_HELD);
}

static void test_unlimited_and_overage_count_and_never_refuse(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro+", UNLIMITED);
    struct quota_view view;

    assert_verdict(h, &tier, "r1", INT64_C(700000000000), ADMIT_GRANTED);
    settle_now(h, "r1", INT64_C(800000000001));
    view = view_now(h, &tier);
    assert_int_equal(view.spent_nano_usd, INT64_C(800000000001));
    assert_int_equal(view.limit_nano_usd, -1);
    assert_int_equal(view.remaining_nano_usd, -1);
    assert_int_equal(view.debt_nano_usd, 0);
    assert_int_equal(view.messages_used, 1);
    assert_int_equal(view.requests_used, 1);

    tier.limit_nano_usd = 5;
    assert_verdict(h, &tier, "r2", 1, ADMIT_BUDGET_SPENT);
    tier.overage_allowed = true;
    struct admission admission = admit_now(h, &tier, "r2", 1000);
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_int_equal(admission.granted_nano_usd, 1000);
    assert_int_equal(admission.view.debt_nano_usd, INT64_C(799999999996));
    assert_int_equal(admission.view.remaining_nano_usd, 0);
}

static void test_amounts_have_a_ceiling(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro+", UNLIMITED);
    char id[16];

    for (int i = 0; i < 8; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        assert_int_equal(admit_now(h, &tier, id, INT64_MAX).granted_nano_usd, QUOTA_AMOUNT_MAX);
    }
    struct admit_ask ask = ask_of(&tier, "r8", 1);
    assert_refused(h, &ask, ADMIT_BUDGET_SPENT);
    settle_now(h, "r0", INT64_C(999999999999999)); /* odd numbers come back exactly */
    assert_money(h, &tier, INT64_C(999999999999999), 7 * QUOTA_AMOUNT_MAX);
    assert_verdict(h, &tier, "r8", 1, ADMIT_GRANTED);
}

static void test_overrides_of_a_user(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 10);

    tier.messages_per_day = tier.requests_per_minute = tier.max_concurrent = 0;
    assert_verdict(h, &tier, "r1", 1, ADMIT_MESSAGES_SPENT);
    store_look(h, "HSET kt:u:{u:ada} status active o_messages_per_day 7");
    assert_verdict(h, &tier, "r1", 1, ADMIT_TOO_FAST);
    store_look(h, "HSET kt:u:{u:ada} o_requests_per_minute -1");
    assert_verdict(h, &tier, "r1", 1, ADMIT_TOO_MANY);
    store_look(h, "HSET kt:u:{u:ada} o_max_concurrent 9");
    assert_verdict(h, &tier, "r1", 11, ADMIT_BUDGET_SPENT);
    store_look(h, "HSET kt:u:{u:ada} o_limit_nano_usd 20");
    struct admission admission = admit_now(h, &tier, "r1", 11);
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_int_equal(admission.view.limit_nano_usd, 20);
    assert_int_equal(admission.view.messages_limit, 7);
    assert_int_equal(admission.view.requests_limit, -1);
    assert_int_equal(admission.view.active_limit, 9);
    store_look(h, "HSET kt:u:{u:ada} o_limit_nano_usd 5"); /* lower works at once, too */
    assert_verdict(h, &tier, "r2", 1, ADMIT_BUDGET_HELD);
}

static void test_a_boost_ends(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100);
    char line[QUOTA_TEXT];

    snprintf(line, sizeof(line),
             "HSET kt:u:{u:ada} status active boost_nano_usd 50 boost_until_ms %" PRId64,
             hand_ms + 1000);
    store_look(h, line);
    assert_verdict(h, &tier, "r1", 151, ADMIT_BUDGET_SPENT);
    struct admission admission = admit_now(h, &tier, "r1", 140);
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_int_equal(admission.view.limit_nano_usd, 150);
    settle_now(h, "r1", 140);
    assert_int_equal(view_now(h, &tier).remaining_nano_usd, 10);
    hand_ms += 999;
    assert_verdict(h, &tier, "r2", 10, ADMIT_GRANTED);
    settle_now(h, "r2", 0);
    hand_ms++;
    assert_verdict(h, &tier, "r3", 1, ADMIT_BUDGET_SPENT);
    assert_int_equal(view_now(h, &tier).limit_nano_usd, 100);
    assert_int_equal(view_now(h, &tier).debt_nano_usd, 40);
}

static void test_a_lost_reply_is_given_again(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100);
    struct admit_ask ask = ask_of(&tier, "r1", 80);
    struct admission first = admit_ask_now(h, &h->a, &ask), again;
    struct look before = digest_now(h);

    store_look(h, "HSET kt:u:{u:ada} tier Pro"); /* as it is */
    again = admit_ask_now(h, &h->b, &ask);
    assert_int_equal(again.verdict, ADMIT_GRANTED);
    assert_true(again.user_created);
    assert_string_equal(again.tier, first.tier);
    assert_int_equal(again.granted_nano_usd, 80);
    assert_memory_equal(&again.view, &first.view, sizeof(first.view));
    assert_memory_equal(&again.budget, &first.budget, sizeof(first.budget));
    assert_string_equal(digest_now(h).text, before.text);

    hand_ms += QUOTA_LEASE_MS;
    assert_verdict(h, &tier, "r1", 80, ADMIT_OVER); /* its lease ran out */
    settle_now(h, "r1", 70);
    assert_verdict(h, &tier, "r1", 80, ADMIT_OVER);
    assert_verdict(h, &tier, "r1", 1, ADMIT_OVER);
    forget_now(h, "r1");
    assert_verdict(h, &tier, "r1", 80, ADMIT_OVER); /* booked, and still known */
    settle_now(h, "r2", 0); /* gave up an admission that was still under way */
    assert_verdict(h, &tier, "r2", 1, ADMIT_OVER);
    assert_money(h, &tier, 70, 0);
}

static void assert_admit_broken(struct harness *h, const struct tier *tier, const char *breaks,
                                const char *mends)
{
    const struct admit_ask ask = ask_of(tier, "r2", 5);
    struct admission admission = {0};

    store_look_split(h, breaks, '\t');
    struct look before = digest_now(h);
    quota_admit(&h->a, &admission, &ask, &h->wake);
    harness_await(h);
    assert_int_equal(admission.call.end, STORE_BROKEN);
    assert_string_equal(digest_now(h).text, before.text);
    store_look_split(h, mends, '\t');
}

static void test_what_cannot_be_read_admits_nobody(void **state)
{
    static const char *const sums[] = {"held|2026-11",
                                       "unconfirmed|2026-11",
                                       "spent|2026-11",
                                       "messages|2026-11-20",
                                       "delivered|2026-11-20",
                                       "live|",
                                       "next|",
                                       "r2"};
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    char breaks[QUOTA_TEXT], mends[QUOTA_TEXT];

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++) {
        snprintf(breaks, sizeof(breaks), "HGET\tkt:{u:ada}:account\t%s", sums[i]);
        struct look was = store_look_split(h, breaks, '\t');
        snprintf(breaks, sizeof(breaks), "HSET\tkt:{u:ada}:account\t%s\tmuch", sums[i]);
        snprintf(mends, sizeof(mends),
                 was.text[0] ? "HSET\tkt:{u:ada}:account\t%s\t%s" : "HDEL\tkt:{u:ada}:account\t%s",
                 sums[i], was.text);
        assert_admit_broken(h, &tier, breaks, mends);
    }
    assert_verdict(h, &tier, "r2", 700, ADMIT_GRANTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_a_grant_tells_everything),
        QUOTA_TEST(test_users_unknown_disabled_and_of_another_tier),
        QUOTA_TEST(test_the_last_cent),
        QUOTA_TEST(test_holds_shrink_to_what_is_left),
        QUOTA_TEST(test_messages_of_a_day),
        QUOTA_TEST(test_requests_of_a_minute),
        QUOTA_TEST(test_requests_at_once),
        QUOTA_TEST(test_the_slowest_reason_is_told),
        QUOTA_TEST(test_unlimited_and_overage_count_and_never_refuse),
        QUOTA_TEST(test_amounts_have_a_ceiling),
        QUOTA_TEST(test_overrides_of_a_user),
        QUOTA_TEST(test_a_boost_ends),
        QUOTA_TEST(test_a_lost_reply_is_given_again),
        QUOTA_TEST(test_what_cannot_be_read_admits_nobody),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

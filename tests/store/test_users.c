/* Users changed by hand: what is written, what is told, and that the next admission feels it. */
#include "quota.h"

#include "store/users.h"

static struct user_change change_of(const char *make_with)
{
    struct user_change change = {.count = 0};

    snprintf(change.make_with, sizeof(change.make_with), "%s", make_with);
    return change;
}

static void change_add(struct user_change *change, enum user_field field, const char *value)
{
    struct user_write *write = &change->writes[change->count++];

    write->field = field;
    span_text(span_of(value), write->value, sizeof(write->value));
}

static struct user_set set_now(struct harness *h, const struct user_change *change)
{
    struct user_set set = {0};

    user_set(&h->a, &set, SPAN("ada"), change, &h->wake);
    AWAIT_OK(h, set);
    return set;
}

static struct user_set set_field(struct harness *h, enum user_field field, const char *value)
{
    struct user_change change = change_of("");

    change_add(&change, field, value);
    return set_now(h, &change);
}

/* By the other instance. */
static struct admission admit_b(struct harness *h, const struct tier *tier, const char *id)
{
    const struct admit_ask ask = ask_of(tier, id, 10);

    return admit_ask_now(h, &h->b, &ask);
}

static void test_nobody_is_made_by_looking(void **state)
{
    struct harness *h = *state;
    struct user_change change = change_of("");

    assert_false(set_now(h, &change).record.found);
    change_add(&change, USER_FIELD_TIER, "Pro");
    change_add(&change, USER_FIELD_LIMIT, "5");
    struct user_set set = set_now(h, &change);
    assert_false(set.record.found || set.created);
    assert_int_equal(set.was_count, 0);
    assert_look(h, "EXISTS kt:u:{u:ada}", "0");
}

static void test_made_once(void **state)
{
    struct harness *h = *state;
    struct user_change change = change_of("Standard");
    int64_t made_ms = hand_ms;
    struct user_set set = set_now(h, &change);

    assert_true(set.created && set.record.found);
    assert_false(set.record.disabled);
    assert_string_equal(set.record.tier, "Standard");
    assert_int_equal(set.record.created_at_ms, made_ms);
    for (size_t i = 0; i < USER_OWN_COUNT; i++)
        assert_false(set.record.own[i].set);
    assert_int_equal(set.record.boost_until_ms, 0);

    hand_ms += HOUR_MS;
    change = change_of("Free"); /* it is there: it keeps its tier */
    set = set_now(h, &change);
    assert_false(set.created);
    assert_string_equal(set.record.tier, "Standard");
    assert_int_equal(set.record.created_at_ms, made_ms);
}

static void test_every_field_comes_back(void **state)
{
    struct harness *h = *state;
    static const char *const values[] = {"disabled", "Pro+", "5000000000", "7", "-1", "3"};
    struct user_change change = change_of("Free");

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        change_add(&change, (enum user_field)i, values[i]);
    struct user_set set = set_now(h, &change);
    assert_true(set.created && set.record.disabled);
    assert_string_equal(set.record.tier, "Pro+");
    assert_int_equal(set.was_count, 6);
    assert_string_equal(set.was[0], "active");
    assert_string_equal(set.was[1], "Free");
    assert_string_equal(set.was[2], "");
    const int64_t expected[] = {[USER_OWN_LIMIT] = INT64_C(5000000000),
                                [USER_OWN_MESSAGES] = 7,
                                [USER_OWN_REQUESTS] = -1,
                                [USER_OWN_CONCURRENT] = 3};
    for (size_t i = 0; i < USER_OWN_COUNT; i++) {
        assert_true(set.record.own[i].set);
        assert_int_equal(set.record.own[i].value, expected[i]);
    }

    struct user_set again = set_now(h, &change); /* the first answer may have been lost */
    assert_false(again.created);
    assert_memory_equal(&again.record, &set.record, sizeof(set.record));
    assert_string_equal(again.was[0], "disabled");
    assert_string_equal(again.was[2], "5000000000");
}

static void test_a_field_that_is_taken_away(void **state)
{
    struct harness *h = *state;
    struct user_change change = change_of("Free");

    change_add(&change, USER_FIELD_MESSAGES, "0");
    change_add(&change, USER_FIELD_BOOST, "5");
    change_add(&change, USER_FIELD_BOOST_UNTIL, "1800000000000");
    struct user_set set = set_now(h, &change);
    assert_true(set.record.own[USER_OWN_MESSAGES].set); /* nothing is not unset */
    assert_int_equal(set.record.boost_nano_usd, 5);
    assert_int_equal(set.record.boost_until_ms, INT64_C(1800000000000));
    set = set_field(h, USER_FIELD_MESSAGES, "");
    assert_false(set.record.own[USER_OWN_MESSAGES].set);
    assert_string_equal(set.was[0], "0");
    assert_int_equal(set.record.boost_nano_usd, 5);
    assert_look(h, "HEXISTS kt:u:{u:ada} o_messages_per_day", "0");
    assert_string_equal(set_field(h, USER_FIELD_MESSAGES, "").was[0], "");
}

static void test_what_we_do_not_write_is_broken(void **state)
{
    static const char *const lines[] = {"HSET kt:u:{u:ada} status asleep",
                                        "HSET kt:u:{u:ada} status active created_at soon",
                                        "HSET kt:u:{u:ada} created_at 1 o_max_concurrent few"};
    struct harness *h = *state;
    struct user_change change = change_of("");

    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct user_set set = {0};
        store_look(h, lines[i]);
        user_set(&h->a, &set, SPAN("ada"), &change, &h->wake);
        harness_await(h);
        assert_int_equal(set.call.end, STORE_BROKEN);
    }
}

static void test_another_instance_feels_tier_and_status(void **state)
{
    struct harness *h = *state;
    struct tier free = tier_named("Free", 1000), pro = tier_named("Pro", 2000);

    assert_int_equal(admit_b(h, &free, "r1").verdict, ADMIT_GRANTED);
    set_field(h, USER_FIELD_TIER, "Pro");
    struct admission admission = admit_b(h, &free, "r2");
    assert_int_equal(admission.verdict, ADMIT_OTHER_TIER);
    assert_string_equal(admission.tier, "Pro");
    admission = admit_b(h, &pro, "r2");
    assert_int_equal(admission.verdict, ADMIT_GRANTED);
    assert_int_equal(admission.view.limit_nano_usd, 2000);

    set_field(h, USER_FIELD_STATUS, "disabled");
    assert_int_equal(admit_b(h, &pro, "r3").verdict, ADMIT_USER_DISABLED);
    set_field(h, USER_FIELD_STATUS, "active");
    assert_int_equal(admit_b(h, &pro, "r3").verdict, ADMIT_GRANTED);
}

static void test_another_instance_feels_own_limits(void **state)
{
    static const struct {
        enum user_field field;
        const char *value;
        enum admit_verdict verdict;
    } rows[] = {
        {USER_FIELD_LIMIT, "5", ADMIT_BUDGET_SPENT},
        {USER_FIELD_MESSAGES, "0", ADMIT_MESSAGES_SPENT},
        {USER_FIELD_REQUESTS, "0", ADMIT_TOO_FAST},
        {USER_FIELD_CONCURRENT, "0", ADMIT_TOO_MANY},
    };
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    struct user_change change = change_of("Pro");

    set_now(h, &change);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char id[16];
        snprintf(id, sizeof(id), "r%zu", i);
        set_field(h, rows[i].field, rows[i].value);
        assert_int_equal(admit_b(h, &tier, id).verdict, rows[i].verdict);
        set_field(h, rows[i].field, "");
        assert_int_equal(admit_b(h, &tier, id).verdict, ADMIT_GRANTED);
        settle_now(h, id, 0);
    }
    tier.messages_per_day = 0;
    assert_int_equal(admit_b(h, &tier, "more").verdict, ADMIT_MESSAGES_SPENT);
    set_field(h, USER_FIELD_MESSAGES, "-1");
    assert_int_equal(admit_b(h, &tier, "more").verdict, ADMIT_GRANTED);
}

static void test_a_boost_comes_on_top_until_its_end(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 5);
    struct user_change change = change_of("Pro");
    char until[STORE_KEY_MAX];

    snprintf(until, sizeof(until), "%" PRId64, hand_ms + 1000);
    change_add(&change, USER_FIELD_BOOST, "5");
    change_add(&change, USER_FIELD_BOOST_UNTIL, until);
    set_now(h, &change);
    assert_int_equal(admit_b(h, &tier, "r1").view.limit_nano_usd, 10);
    settle_now(h, "r1", 0);
    hand_ms += 999;
    assert_int_equal(admit_b(h, &tier, "r2").verdict, ADMIT_GRANTED);
    settle_now(h, "r2", 0);
    hand_ms += 1;
    assert_int_equal(admit_b(h, &tier, "r3").verdict, ADMIT_BUDGET_SPENT);
    assert_int_equal(admit_b(h, &tier, "r3").view.limit_nano_usd, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_nobody_is_made_by_looking),
        QUOTA_TEST(test_made_once),
        QUOTA_TEST(test_every_field_comes_back),
        QUOTA_TEST(test_a_field_that_is_taken_away),
        QUOTA_TEST(test_what_we_do_not_write_is_broken),
        QUOTA_TEST(test_another_instance_feels_tier_and_status),
        QUOTA_TEST(test_another_instance_feels_own_limits),
        QUOTA_TEST(test_a_boost_comes_on_top_until_its_end),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

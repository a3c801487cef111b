/* Holds for requests that come later: how many, on which axes, and gone as if they had never been. */
#include "quota.h"

enum { WHOLE_DAY_MS = 24 * HOUR_MS, MOST = 16 };

static const char *const names[] = {"a01", "a02", "a03", "a04", "a05", "a06", "a07", "a08",
                                    "a09", "a10", "a11", "a12", "a13", "a14", "a15", "a16"};

static_assert(sizeof(names) / sizeof(*names) == (size_t)MOST && (int)MOST <= (int)AHEAD_MAX,
              "a name for each");

static struct admit_ask later_ask(const struct tier *tier, int64_t hold)
{
    struct admit_ask ask = ask_of(tier, "", hold);

    ask.request_id = SPAN_NONE;
    return ask;
}

static struct quota_ahead take_as(struct harness *h, const struct admit_ask *ask, size_t count)
{
    struct quota_ahead ahead = {0};
    struct span ids[MOST];

    for (size_t i = 0; i < MOST; i++)
        ids[i] = span_of(names[i]);
    quota_take_ahead(&h->a, &ahead, ask, ids, count, &h->wake);
    AWAIT_OK(h, ahead);
    return ahead;
}

static struct quota_ahead take(struct harness *h, const struct tier *tier, int64_t hold)
{
    const struct admit_ask ask = later_ask(tier, hold);

    return take_as(h, &ask, MOST);
}

static void give_back(struct harness *h, size_t first, size_t count)
{
    struct quota_give_back back = {0};
    struct span ids[MOST];

    for (size_t i = 0; i < count; i++)
        ids[i] = span_of(names[first + i]);
    quota_give_back(&h->b, &back, SPAN("ada"), ids, count, &h->wake);
    AWAIT_OK(h, back);
}

static void admit_first(struct harness *h, const struct tier *tier)
{
    assert_verdict(h, tier, "r1", 0, ADMIT_GRANTED);
}

static void test_they_are_holds_like_any(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100000);

    tier.messages_per_day = 1000;
    admit_first(h, &tier);
    struct quota_ahead ahead = take(h, &tier, 100);
    assert_int_equal(ahead.taken, MOST);
    assert_int_equal(ahead.view.held_nano_usd, 100 * MOST);
    assert_int_equal(ahead.view.messages_used, 1 + MOST);
    assert_int_equal(ahead.view.active, 1 + MOST);
    assert_string_equal(ahead.day.name, "2026-11-20");
    assert_true(extend_now(h, "a01", "gen-1"));
    settle_now(h, "a02", 60);
    assert_money(h, &tier, 60, 100 * (MOST - 1));
    assert_true(settle_now(h, "a02", 70).already);
    assert_verdict(h, &tier, "a03", 5, ADMIT_GRANTED); /* the id has its hold */
    assert_money(h, &tier, 60, 100 * (MOST - 1));
}

static void test_an_eighth_of_what_is_left(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100 * 8 * 5 + 799);

    admit_first(h, &tier);
    assert_int_equal(take(h, &tier, 100).taken, 5);
    give_back(h, 0, MOST);
    tier.limit_nano_usd = UNLIMITED;
    tier.messages_per_day = 1 + 8 * 3 + 7;
    assert_int_equal(take(h, &tier, 100).taken, 3);
    give_back(h, 0, MOST);
    struct admit_ask embeddings = later_ask(&tier, 100);
    embeddings.is_message = false;
    assert_int_equal(take_as(h, &embeddings, MOST).taken, MOST);
    give_back(h, 0, MOST);
    tier.messages_per_day = UNLIMITED;
    tier.requests_per_minute = 1 + 8 * 2;
    assert_int_equal(take(h, &tier, 100).taken, 2);
    give_back(h, 0, MOST);
    tier.requests_per_minute = UNLIMITED;
    tier.max_concurrent = 1 + 8 * 4;
    assert_int_equal(take(h, &tier, 100).taken, 4);
    give_back(h, 0, MOST);
    tier.max_concurrent = UNLIMITED;
    assert_int_equal(take(h, &tier, QUOTA_AMOUNT_MAX).taken, 8); /* eight million dollars */
}

static void test_the_limit_is_only_counted(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100);

    tier.overage_allowed = true;
    admit_first(h, &tier);
    assert_int_equal(take(h, &tier, 100).taken, MOST);
}

static void assert_none(struct harness *h, const struct admit_ask *ask)
{
    struct look before = digest_now(h);

    assert_int_equal(take_as(h, ask, 4).taken, 0);
    assert_string_equal(digest_now(h).text, before.text);
}

static void test_not_for_everybody(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100000), other = tier_named("Free", 100000);
    struct admit_ask ask = later_ask(&tier, 100), tomorrow = ask, elsewhere = later_ask(&other, 1);

    assert_none(h, &ask); /* who is not there is not made */
    admit_first(h, &tier);
    tomorrow.wall_ms += WHOLE_DAY_MS;
    assert_none(h, &tomorrow);
    assert_none(h, &elsewhere);
    store_look(h, "HSET kt:u:{u:ada} status disabled");
    assert_none(h, &ask);
    store_look(h, "HSET kt:u:{u:ada} status active o_limit_nano_usd 0");
    assert_none(h, &ask);
}

static void test_asked_again(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100000);

    admit_first(h, &tier);
    const struct admit_ask ask = later_ask(&tier, 100);
    assert_int_equal(take_as(h, &ask, 4).taken, 4);
    struct look before = digest_now(h);
    assert_int_equal(take_as(h, &ask, 4).taken, 4);
    assert_string_equal(digest_now(h).text, before.text);
    assert_int_equal(take_as(h, &ask, 6).taken, 6);
    assert_money(h, &tier, 0, 600);
}

/* It pays for requests that begin while it lasts. */
static void test_a_boost_that_ends_soon(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 0);
    char line[QUOTA_TEXT];

    admit_first(h, &tier);
    snprintf(line, sizeof(line), "HSET kt:u:{u:ada} boost_nano_usd 100000 boost_until_ms %" PRId64,
             hand_ms + QUOTA_LEASE_MS);
    store_look(h, line);
    assert_int_equal(take(h, &tier, 100).taken, MOST);
    give_back(h, 0, MOST);
    hand_ms++;
    assert_int_equal(take(h, &tier, 100).taken, 0);
}

static void test_given_back(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100000);

    tier.requests_per_minute = 1000;
    admit_first(h, &tier);
    struct quota_view before = view_now(h, &tier);
    take(h, &tier, 100);
    settle_now(h, "a05", 7);
    struct quota_view used = view_now(h, &tier);
    give_back(h, 0, MOST);
    struct quota_view after = view_now(h, &tier);
    assert_int_equal(after.held_nano_usd, before.held_nano_usd);
    assert_int_equal(after.spent_nano_usd, 7);
    assert_int_equal(after.active, before.active);
    assert_int_equal(after.requests_used, before.requests_used + 1); /* that of a05 */
    assert_int_equal(after.messages_used, before.messages_used + 1);
    assert_int_equal(used.requests_used, before.requests_used + MOST);
    struct look gone = digest_now(h);
    give_back(h, 0, MOST);
    assert_string_equal(digest_now(h).text, gone.text);
    settle_now(h, "r1", 0);
    forget_now(h, "r1");
    forget_now(h, "a05");
    assert_idle(h);
}

static void test_given_back_too_late(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100000);

    admit_first(h, &tier);
    take(h, &tier, 100);
    hand_ms += QUOTA_LEASE_MS;
    struct quota_expire expire = expire_now(h);
    assert_int_equal(expire.count, MOST + 1);
    assert_string_equal(expire.holds[0].request_id,
                        "r1"); /* those that may have been used, first */
    assert_int_equal(view_now(h, &tier).spent_nano_usd, 100 * MOST);
    give_back(h, 0, MOST);
    assert_int_equal(view_now(h, &tier).spent_nano_usd, 0);
    expire = expire_now(h);
    assert_int_equal(expire.count, 1);
    assert_string_equal(expire.holds[0].request_id, "r1");
}

/* Whoever finds it may take it for one that nobody used, until a request has told of itself. */
static void test_expired_ones_say_so(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 100000);

    admit_first(h, &tier);
    const struct admit_ask ask = later_ask(&tier, 100);
    take_as(h, &ask, 2);
    extend_now(h, "a02", "gen-1");
    hand_ms += QUOTA_LEASE_MS;
    struct quota_expire expire = expire_now(h);
    assert_int_equal(expire.count, 3);
    for (size_t i = 0; i < expire.count; i++)
        assert_int_equal(expire.holds[i].ahead, strcmp(expire.holds[i].request_id, "a01") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_they_are_holds_like_any),
        QUOTA_TEST(test_an_eighth_of_what_is_left),
        QUOTA_TEST(test_the_limit_is_only_counted),
        QUOTA_TEST(test_not_for_everybody),
        QUOTA_TEST(test_asked_again),
        QUOTA_TEST(test_a_boost_that_ends_soon),
        QUOTA_TEST(test_given_back),
        QUOTA_TEST(test_given_back_too_late),
        QUOTA_TEST(test_expired_ones_say_so),
    };

    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

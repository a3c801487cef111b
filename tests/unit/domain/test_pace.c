#include "../base/unit.h"

#include "domain/pace.h"

static void test_bucket_bursts_then_paces(void **state)
{
    (void)state;
    struct token_bucket b;
    token_bucket_init(&b, 3, 60, 1000);
    assert_int_equal(token_bucket_wait_ms(&b, 1000), 0);
    for (int i = 0; i < 3; i++)
        assert_true(token_bucket_take(&b, 1000));
    assert_false(token_bucket_take(&b, 1000));
    assert_int_equal(token_bucket_wait_ms(&b, 1000), 1000);
    assert_int_equal(token_bucket_wait_ms(&b, 1400), 600);
    assert_false(token_bucket_take(&b, 1999));
    assert_true(token_bucket_take(&b, 2000));
    assert_false(token_bucket_take(&b, 2000));
    /* A long rest fills it to the burst and no further. */
    for (int i = 0; i < 3; i++)
        assert_true(token_bucket_take(&b, 1000000000));
    assert_false(token_bucket_take(&b, 1000000000));
    assert_false(token_bucket_take(&b, 999)); /* a clock that goes back gives nothing */
    assert_false(token_bucket_take(&b, 1000000999));
    assert_true(token_bucket_take(&b, 1000001000));
}

static void test_bucket_does_not_lose_fractions(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 7, 60, 61, 90, 1000, 60000, 100000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        struct token_bucket b;
        token_bucket_init(&b, 5, rates[i], 0);
        uint64_t taken = 0, minutes = 10;
        for (uint64_t now = 0; now < minutes * 60000; now++) /* asked each millisecond */
            taken += token_bucket_take(&b, now);
        uint64_t most = 5 + rates[i] * minutes;
        if (most > minutes * 60000) /* one question takes one token */
            most = minutes * 60000;
        if (taken > most || taken + 1 < most)
            fail_msg("%llu a minute: %llu of %llu", (unsigned long long)rates[i],
                     (unsigned long long)taken, (unsigned long long)most);
    }
}

static void test_waiting_as_told_is_enough_and_not_too_long(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 7, 59, 60, 61, 999, 60000, 60001};
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        struct token_bucket b;
        uint64_t now = 5;
        token_bucket_init(&b, 2, rates[i], now);
        for (int turn = 0; turn < 200; turn++) {
            uint64_t wait = token_bucket_wait_ms(&b, now);
            if (wait > 0) {
                struct token_bucket early = b;
                assert_false(token_bucket_take(&early, now + wait - 1));
            }
            now += wait;
            assert_true(token_bucket_take(&b, now));
            now += (uint64_t)turn % 7;
        }
    }
}

static void test_buckets_at_the_edges(void **state)
{
    (void)state;
    struct token_bucket b;
    token_bucket_init(&b, 0, 60, 0);
    assert_false(token_bucket_take(&b, 1000000));
    assert_true(token_bucket_wait_ms(&b, 1000000) == UINT64_MAX);
    token_bucket_init(&b, 1, 0, 0);
    assert_true(token_bucket_take(&b, 0));
    assert_false(token_bucket_take(&b, UINT64_MAX));
    assert_true(token_bucket_wait_ms(&b, UINT64_MAX) == UINT64_MAX);
    token_bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
    assert_true(token_bucket_take(&b, 0));
    assert_true(token_bucket_take(&b, UINT64_MAX));
    assert_int_equal(token_bucket_wait_ms(&b, UINT64_MAX), 0);
}

static void test_backoff(void **state)
{
    (void)state;
    static const struct {
        unsigned attempt;
        uint64_t base_ms, cap_ms, most_ms;
    } rows[] = {
        {0, 100, 2000, 100},
        {1, 100, 2000, 200},
        {2, 100, 2000, 400},
        {4, 100, 2000, 1600},
        {5, 100, 2000, 2000},
        {63, 100, 2000, 2000},
        {64, 100, 2000, 2000},
        {UINT32_MAX, 1, 2000, 2000},
        {0, 5000, 2000, 2000},
        {9, 0, 2000, 0},
        {3, 100, 0, 0},
        {200, 3, UINT64_MAX, UINT64_MAX},
        {UINT32_MAX, 0, UINT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t most = rows[i].most_ms;
        assert_true(backoff_ms(rows[i].attempt, rows[i].base_ms, rows[i].cap_ms, 0) == 0);
        assert_true(backoff_ms(rows[i].attempt, rows[i].base_ms, rows[i].cap_ms, most) == most);
        if (most < UINT64_MAX)
            assert_true(backoff_ms(rows[i].attempt, rows[i].base_ms, rows[i].cap_ms, most + 1) ==
                        0);
    }
}

static void test_retries_are_at_most_a_fifth(void **state)
{
    (void)state;
    struct retry_budget b;
    retry_budget_init(&b);
    int start = 0;
    while (retry_budget_take(&b))
        start++;
    assert_int_equal(start, 10);
    for (int i = 0; i < 4; i++) {
        retry_budget_earn(&b);
        assert_false(retry_budget_take(&b));
    }
    retry_budget_earn(&b);
    assert_true(retry_budget_take(&b));
    assert_false(retry_budget_take(&b));
    for (int i = 0; i < 1000000; i++)
        retry_budget_earn(&b);
    int saved = 0;
    while (retry_budget_take(&b))
        saved++;
    assert_int_equal(saved, 100); /* good times do not pay for a storm */
}

enum { WINDOW_MS = 10000, PROBE_MS = 5000 };

static struct breaker breaker_of_three(void)
{
    struct breaker b;
    breaker_init(&b, 3, WINDOW_MS, PROBE_MS);
    return b;
}

static struct breaker open_breaker(uint64_t now_ms)
{
    struct breaker b = breaker_of_three();
    assert_false(breaker_false_alarm(&b, 1, now_ms));
    assert_false(breaker_false_alarm(&b, 2, now_ms));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_false_alarm(&b, 3, now_ms));
    assert_int_equal(b.state, BREAKER_OPEN);
    return b;
}

static void test_breaker_counts_different_users(void **state)
{
    (void)state;
    struct breaker b = breaker_of_three();
    for (uint64_t i = 0; i < 100; i++)
        assert_false(breaker_false_alarm(&b, 1 + i % 2, 1000 + i));
    assert_true(breaker_allows(&b, 1100));
    assert_int_equal(breaker_retry_ms(&b, 1100), 0);
    assert_true(breaker_false_alarm(&b, 3, 1101));
    assert_false(breaker_allows(&b, 1101));
    assert_false(breaker_false_alarm(&b, 4, 1102)); /* it is open already */
}

static void test_breaker_forgets_after_the_window(void **state)
{
    (void)state;
    struct breaker b = breaker_of_three();
    assert_false(breaker_false_alarm(&b, 1, 1000));
    assert_false(breaker_false_alarm(&b, 2, 1000 + WINDOW_MS));
    assert_false(
        breaker_false_alarm(&b, 3, 1001 + WINDOW_MS)); /* the first is a millisecond too old */
    assert_true(breaker_false_alarm(&b, 4, 1000 + 2 * WINDOW_MS));

    b = breaker_of_three();
    assert_false(breaker_false_alarm(&b, 1, 1000));
    assert_false(breaker_false_alarm(&b, 2, 1000));
    assert_true(breaker_false_alarm(&b, 3, 1000 + WINDOW_MS));
}

static void test_breaker_lets_one_probe(void **state)
{
    (void)state;
    struct breaker b = open_breaker(1000);
    assert_int_equal(breaker_retry_ms(&b, 1000), PROBE_MS);
    assert_int_equal(breaker_retry_ms(&b, 3000), PROBE_MS - 2000);
    assert_false(breaker_allows(&b, 999 + PROBE_MS));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(breaker_retry_ms(&b, 1000 + PROBE_MS), 0);
    assert_true(breaker_allows(&b, 1000 + PROBE_MS));
    assert_int_equal(b.state, BREAKER_PROBING);
    assert_false(breaker_allows(&b, 1001 + PROBE_MS));
    assert_int_equal(breaker_retry_ms(&b, 1001 + PROBE_MS), PROBE_MS - 1);
    /* A probe that never came back does not lock it for ever. */
    assert_false(breaker_allows(&b, 999 + 2 * PROBE_MS));
    assert_true(breaker_allows(&b, 1000 + 2 * PROBE_MS));
}

static struct breaker probing_breaker(void)
{
    struct breaker b = open_breaker(1000);
    assert_true(breaker_allows(&b, 1000 + PROBE_MS));
    return b;
}

static void test_what_a_probe_finds(void **state)
{
    (void)state;
    struct breaker b = probing_breaker();
    breaker_true_alarm(&b);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_allows(&b, 1001 + PROBE_MS));
    /* It begins anew: two more false alarms are not enough. */
    assert_false(breaker_false_alarm(&b, 8, 1002 + PROBE_MS));
    assert_false(breaker_false_alarm(&b, 9, 1002 + PROBE_MS));
    assert_true(breaker_false_alarm(&b, 10, 1002 + PROBE_MS));

    b = probing_breaker();
    breaker_success(&b);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(breaker_retry_ms(&b, 1001 + PROBE_MS), 0);

    b = probing_breaker();
    assert_false(breaker_false_alarm(&b, 1, 2000 + PROBE_MS));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_false(breaker_allows(&b, 1999 + 2 * PROBE_MS)); /* the wait begins anew */
    assert_true(breaker_allows(&b, 2000 + 2 * PROBE_MS));
}

static void test_only_a_probe_closes(void **state)
{
    (void)state;
    struct breaker b = open_breaker(1000);
    breaker_success(&b);
    breaker_true_alarm(&b);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_false(breaker_allows(&b, 1001));

    b = breaker_of_three();
    breaker_false_alarm(&b, 1, 1000);
    breaker_false_alarm(&b, 2, 1000);
    breaker_success(&b); /* while closed a success forgets nothing */
    breaker_true_alarm(&b);
    assert_true(breaker_false_alarm(&b, 3, 1000));
}

static void test_breaker_memory_drops_the_oldest(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, BREAKER_MEMORY, 1000000, PROBE_MS);
    for (uint64_t i = 0; i < BREAKER_MEMORY - 1; i++)
        assert_false(breaker_false_alarm(&b, 100 + i, 1000 + i));
    assert_true(breaker_false_alarm(&b, 500, 2000));

    breaker_init(&b, 2, 10, PROBE_MS);
    for (uint64_t i = 0; i < 10 * BREAKER_MEMORY; i++)
        assert_false(breaker_false_alarm(&b, 100 + i, 1000 + i * 11));
    assert_int_equal(b.mark_count, BREAKER_MEMORY);
    uint64_t last = 1000 + (10 * BREAKER_MEMORY - 1) * 11;
    assert_true(breaker_false_alarm(&b, 7, last + 1)); /* the newest was kept */
}

static void open_at_none(void)
{
    struct breaker b;
    breaker_init(&b, 0, 1, 1);
}

static void open_at_more_than_it_remembers(void)
{
    struct breaker b;
    breaker_init(&b, BREAKER_MEMORY + 1, 1, 1);
}

static void test_breakers_that_cannot_be(void **state)
{
    (void)state;
    assert_true(stops(open_at_none));
    assert_true(stops(open_at_more_than_it_remembers));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_bursts_then_paces),
        cmocka_unit_test(test_bucket_does_not_lose_fractions),
        cmocka_unit_test(test_waiting_as_told_is_enough_and_not_too_long),
        cmocka_unit_test(test_buckets_at_the_edges),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_retries_are_at_most_a_fifth),
        cmocka_unit_test(test_breaker_counts_different_users),
        cmocka_unit_test(test_breaker_forgets_after_the_window),
        cmocka_unit_test(test_breaker_lets_one_probe),
        cmocka_unit_test(test_what_a_probe_finds),
        cmocka_unit_test(test_only_a_probe_closes),
        cmocka_unit_test(test_breaker_memory_drops_the_oldest),
        cmocka_unit_test(test_breakers_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

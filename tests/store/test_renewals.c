/* The sweeper's list, who sweeps, and what an asker hears when Redis does not do its part. */
#include "harness.h"

static void index_add(struct harness *h, const char *user, const char *nonce)
{
    struct renewal_index index = {0};

    renewal_index_add(&h->a, &index, span_of(user), span_of(nonce), &h->wake);
    AWAIT_OK(h, index);
}

static struct renewal_index index_old(struct harness *h, int64_t age_ms)
{
    struct renewal_index index = {0};

    renewal_index_old(&h->b, &index, age_ms, 0, &h->wake);
    AWAIT_OK(h, index);
    return index;
}

static void test_old_renewals_come_oldest_first(void **state)
{
    struct harness *h = *state;
    struct renewal_index index = {0}, old;

    index_add(h, "ada", "n1");
    index_add(h, "bob", "n2");
    assert_int_equal(index_old(h, 30000).count, 0);
    store_look_split(h, "ZINCRBY,kt:renewals,-40000,bob n2", ',');
    store_look_split(h, "ZINCRBY,kt:renewals,-35000,ada n1", ',');
    index_add(h, "eve", "n3");
    old = index_old(h, 30000);
    assert_int_equal(old.count, 2);
    assert_string_equal(old.members[0], "bob n2");
    assert_string_equal(old.members[1], "ada n1");

    renewal_index_remove(&h->a, &index, SPAN("ada n1"), &h->wake);
    AWAIT_OK(h, index);
    old = index_old(h, -60000); /* all of them */
    assert_int_equal(old.count, 2);
    assert_string_equal(old.members[1], "eve n3");
}

static void test_a_renewal_keeps_its_start(void **state)
{
    struct harness *h = *state;

    store_look_split(h, "ZADD,kt:renewals,5,ada n1", ',');
    index_add(h, "ada", "n1");
    assert_string_equal(store_look_split(h, "ZSCORE,kt:renewals,ada n1", ',').text, "5");
}

static void test_old_renewals_come_in_pages(void **state)
{
    struct harness *h = *state;
    char line[64];

    for (int i = 0; i < RENEWALS_PAGE + 5; i++) {
        snprintf(line, sizeof(line), "ZADD kt:renewals %d m%02d", i, i);
        store_look(h, line);
    }
    struct renewal_index index = index_old(h, 0);
    assert_int_equal(index.count, RENEWALS_PAGE);
    assert_string_equal(index.members[RENEWALS_PAGE - 1], "m31");
}

static bool sweep(struct harness *h, struct store *store, const char *holder)
{
    struct sweeper_claim claim = {0};

    sweeper_claim(store, &claim, span_of(holder), 60000, &h->wake);
    AWAIT_OK(h, claim);
    return claim.granted;
}

static void test_one_sweeps(void **state)
{
    struct harness *h = *state;

    assert_true(sweep(h, &h->a, "a"));
    assert_false(sweep(h, &h->b, "b"));
    assert_true(sweep(h, &h->a, "a"));
    assert_false(sweep(h, &h->b, "b"));
    store_look(h, "DEL kt:sweeper");
    assert_true(sweep(h, &h->b, "b"));
    assert_false(sweep(h, &h->a, "a"));
}

static void test_sweeping_by_a_clock_moved_by_hand(void **state)
{
    struct harness *h = *state;
    struct store by_hand = h->b;

    by_hand.clock_by_hand = true;
    assert_true(sweep(h, &by_hand, "b"));
    assert_look(h, "TTL kt:sweeper", "-1"); /* Redis' own clock has no say */
    assert_false(sweep(h, &h->a, "a"));
}

static void test_scripts_forgotten_by_redis(void **state)
{
    struct harness *h = *state;

    store_look(h, "SCRIPT FLUSH");
    assert_true(sweep(h, &h->a, "a"));
    assert_true(sweep(h, &h->a, "a"));
}

static void test_a_redis_that_is_down(void **state)
{
    struct harness *h = *state;
    struct sweeper_claim claim = {0};
    struct redis_settings settings = {
        .path = "/nonexistent/socket", .command_ms = 50, .connect_ms = 50, .calls_max = 4};
    size_t count;
    const struct redis_script *const *scripts = store_scripts(&count);
    struct store store = {.loop = h->loop};

    store.redis = redis_open(h->loop, NULL, &settings, scripts, count);
    sweeper_claim(&store, &claim, SPAN("a"), 1000, &h->wake);
    harness_await(h);
    assert_int_equal(claim.call.end, STORE_DOWN);
    redis_close(store.redis);
    while (!redis_is_closed(store.redis)) {
        loop_post(h->loop, &h->wake);
        harness_await(h);
    }
    redis_free(store.redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_old_renewals_come_oldest_first),
        STORE_TEST(test_a_renewal_keeps_its_start),
        STORE_TEST(test_old_renewals_come_in_pages),
        STORE_TEST(test_one_sweeps),
        STORE_TEST(test_sweeping_by_a_clock_moved_by_hand),
        STORE_TEST(test_scripts_forgotten_by_redis),
        STORE_TEST(test_a_redis_that_is_down),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

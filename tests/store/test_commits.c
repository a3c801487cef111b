/* What a commit writes, whom it fences, and what happens to the keys it replaces. */
#include "keys.h"

static void test_a_record_comes_back_as_it_was_written(void **state)
{
    struct harness *h = *state;
    struct key_claim claim = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0);
    struct key_record record;

    assert_true(commit_now(h, &h->a, &claim, "one"));
    record = load_now(h, &h->b);
    assert_int_equal(record.state, KEY_ACTIVE);
    assert_int_equal(record.version, 1);
    assert_string_equal(record.hash, "one");
    assert_string_equal(record.name, claim.name);
    assert_string_equal(record.sealed, "v1:k:sealed");
    assert_true(record.limit_nano_usd == INT64_C(9007199254740993));
    assert_int_equal(record.limit_reset, LIMIT_RESET_MONTHLY);
    assert_int_equal(record.expires_at_ms, INT64_C(1900000000001));
    assert_true(record.created_at_ms >= claim.now_ms);
    assert_int_equal(record.updated_at_ms, record.created_at_ms);
    assert_int_equal(record.last_renewal_at_ms, 0);
    assert_false(record.auto_renewed || record.proven);
    assert_look(h, "TTL kt:k:{u:ada}", "-1");
    assert_look(h, "TTL kt:{u:ada}:renewal", "-1");
}

static void test_a_key_without_limit_reset_or_end(void **state)
{
    struct harness *h = *state;
    struct key_claim claim = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0);
    struct key_record record = record_of(&claim, "one");
    struct key_commit commit = {0};

    record.limit_nano_usd = -1;
    record.limit_reset = LIMIT_RESET_NONE;
    record.expires_at_ms = 0;
    key_commit(&h->a, &commit, SPAN("ada"), claim.fence, &record, NULL, SPAN_NONE, &h->wake);
    AWAIT_OK(h, commit);
    record = load_now(h, &h->b);
    assert_int_equal(record.limit_nano_usd, -1);
    assert_int_equal(record.limit_reset, LIMIT_RESET_NONE);
    assert_int_equal(record.expires_at_ms, 0);
}

static void test_a_renewal_keeps_when_it_began(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;
    struct key_record record;

    provision(h);
    store_look(h, "HSET kt:k:{u:ada} created_at 1700000000000 proven 1");
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    assert_true(commit_now(h, &h->a, &claim, "two"));
    record = load_now(h, &h->b);
    assert_int_equal(record.created_at_ms, INT64_C(1700000000000));
    assert_true(record.updated_at_ms >= claim.now_ms);
    assert_int_equal(record.last_renewal_at_ms, record.updated_at_ms);
    assert_true(record.auto_renewed && !record.proven);
}

static void test_a_lost_commit_is_told_again(void **state)
{
    struct harness *h = *state;
    struct key_claim claim, next;

    provision(h);
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    assert_true(commit_now(h, &h->a, &claim, "two"));
    store_look(h, "HSET kt:k:{u:ada} updated_at 1 proven 1");
    assert_true(commit_now(h, &h->a, &claim, "two"));
    store_pass_ms(h, PACE_MS);
    next = claim_now(h, &h->b, "n3", CLAIM_RENEW, 2); /* the fence is another's by now */
    assert_int_equal(next.verdict, CLAIM_GRANTED);
    assert_true(commit_now(h, &h->a, &claim, "two"));
    assert_look(h, "HGET kt:k:{u:ada} updated_at", "1"); /* nothing was written again */
    assert_look(h, "HGET kt:k:{u:ada} proven", "1");
    assert_true(commit_now(h, &h->b, &next, "three"));
    assert_false(commit_now(h, &h->a, &claim, "two")); /* replaced: to be deleted anyway */
    assert_string_equal(load_now(h, &h->a).hash, "three");
}

static void test_a_fenced_commit_writes_nothing(void **state)
{
    struct harness *h = *state;
    struct key_claim first, second;

    provision(h);
    first = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    store_pass_ms(h, LEASE_MS + 1);
    second = claim_now(h, &h->b, "n3", CLAIM_RENEW, 1);
    assert_false(commit_now(h, &h->a, &first, "stale"));
    assert_look(h, "HGET kt:k:{u:ada} hash", "one");
    assert_look(h, "HGET kt:{u:ada}:renewal nonce", "n3");
    assert_look(h, "HGET kt:{u:ada}:renewal doomed", "");
    assert_true(commit_now(h, &h->b, &second, "two"));
    assert_false(commit_now(h, &h->a, &first, "stale"));
    assert_look(h, "HGET kt:{u:ada}:renewal doomed", "one");
}

static void test_the_same_fence_with_another_key_is_fenced(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    assert_true(commit_now(h, &h->a, &claim, "two"));
    assert_false(commit_now(h, &h->a, &claim, "two-b"));
    assert_string_equal(load_now(h, &h->a).hash, "two");
}

static void test_disabling_wins_over_a_renewal_under_way(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    store_look(h, "HSET kt:k:{u:ada} state disabled");
    assert_false(commit_now(h, &h->a, &claim, "two"));
    assert_int_equal(load_now(h, &h->a).state, KEY_DISABLED);
}

static void test_leftovers_stay_with_the_renewal(void **state)
{
    struct harness *h = *state;
    struct key_list names = {.count = 2, .items = {"keyturn/d/p/v1/5/x", "keyturn/d/p/v1/6/y"}};
    struct key_claim claim = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0);

    assert_true(release_now(h, &h->a, &claim, 0, OUTCOME_CREATE_FAILED, &names));
    assert_false(bury_now(h, &h->a, ""));
    claim = claim_now(h, &h->b, "n2", CLAIM_MEND, 0);
    assert_int_equal(claim.leftovers.count, 2);
    assert_true(list_has(&claim.leftovers, names.items[0]));
    assert_true(list_has(&claim.leftovers, names.items[1]));
}

static void test_doomed_keys_are_told_once_the_new_one_works(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;
    struct key_list doomed;

    provision(h);
    assert_int_equal(prove_now(h, &h->a, 1).count, 0);
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    assert_true(commit_now(h, &h->a, &claim, "two"));
    assert_int_equal(prove_now(h, &h->a, 1).count, 0); /* late news of the old key */
    assert_false(load_now(h, &h->a).proven);
    for (int again = 0; again < 2; again++) {
        doomed = prove_now(h, &h->b, 2);
        assert_int_equal(doomed.count, 1);
        assert_string_equal(doomed.items[0], "one");
    }
    assert_true(load_now(h, &h->a).proven);
    assert_false(bury_now(h, &h->a, "not-this"));
    assert_true(bury_now(h, &h->a, "one"));
    assert_true(bury_now(h, &h->a, "one"));
    assert_int_equal(prove_now(h, &h->b, 2).count, 0);
}

static void test_settled_means_nothing_is_open(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    assert_true(bury_now(h, &h->a, "")); /* nothing was ever there */
    claim = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0);
    assert_false(bury_now(h, &h->a, ""));
    store_pass_ms(h, LEASE_MS + 1);
    assert_false(bury_now(h, &h->a, "")); /* how the attempt ended is not known */
    claim = claim_now(h, &h->b, "n2", CLAIM_MEND, 0);
    assert_int_equal(claim.leftovers.count, 1);
    assert_true(release_now(h, &h->b, &claim, 0, OUTCOME_MENDED, NULL));
    assert_true(bury_now(h, &h->a, ""));
    claim = claim_now(h, &h->b, "n3", CLAIM_MEND, 0);
    assert_false(bury_now(h, &h->a, "")); /* somebody is at it */
}

static bool raise_now(struct harness *h, struct store *store, int64_t version, int64_t limit,
                      enum limit_reset reset)
{
    struct key_raised raised = {0};

    key_raised(store, &raised, SPAN("ada"), version, limit, reset, &h->wake);
    AWAIT_OK(h, raised);
    return raised.noted;
}

static void test_a_raised_limit_is_noted(void **state)
{
    struct harness *h = *state;
    struct key_record before, after;

    provision(h);
    store_look(h, "HSET kt:k:{u:ada} updated_at 1 proven 1");
    before = load_now(h, &h->b);
    assert_true(raise_now(h, &h->a, 1, INT64_C(9007199254740995), LIMIT_RESET_WEEKLY));
    after = load_now(h, &h->b);
    assert_true(after.limit_nano_usd == INT64_C(9007199254740995));
    assert_int_equal(after.limit_reset, LIMIT_RESET_WEEKLY);
    assert_true(after.updated_at_ms > 1 && after.proven && !after.auto_renewed);
    assert_string_equal(after.hash, before.hash);
    assert_string_equal(after.sealed, before.sealed);
    assert_int_equal(after.version, 1);
    assert_int_equal(after.expires_at_ms, before.expires_at_ms);
    assert_int_equal(after.created_at_ms, before.created_at_ms);
    assert_int_equal(after.last_renewal_at_ms, 0);
    assert_true(raise_now(h, &h->a, 1, -1, LIMIT_RESET_NONE));
    after = load_now(h, &h->b);
    assert_int_equal(after.limit_nano_usd, -1);
    assert_int_equal(after.limit_reset, LIMIT_RESET_NONE);
    assert_look(h, "TTL kt:k:{u:ada}", "-1");
}

static void test_noted_twice_is_noted_once(void **state)
{
    struct harness *h = *state;

    provision(h);
    assert_true(raise_now(h, &h->a, 1, 7, LIMIT_RESET_DAILY));
    store_look(h, "HSET kt:k:{u:ada} updated_at 1");
    assert_true(raise_now(h, &h->a, 1, 7, LIMIT_RESET_DAILY));
    assert_look(h, "HGET kt:k:{u:ada} updated_at", "1"); /* nothing was written again */
    assert_true(raise_now(h, &h->a, 1, 7, LIMIT_RESET_WEEKLY));
    assert_true(load_now(h, &h->a).updated_at_ms > 1);
}

static void test_another_keys_limit_is_left_alone(void **state)
{
    struct harness *h = *state;

    assert_false(raise_now(h, &h->a, 1, 7, LIMIT_RESET_DAILY));
    assert_look(h, "EXISTS kt:k:{u:ada}", "0");
    provision(h);
    assert_false(raise_now(h, &h->a, 2, 7, LIMIT_RESET_DAILY));
    assert_false(raise_now(h, &h->a, 0, 7, LIMIT_RESET_DAILY));
    assert_true(load_now(h, &h->a).limit_nano_usd == INT64_C(9007199254740993));
}

/* Two holders, each claiming and committing, in every order, leases living or running out between the steps. A key
 * that was made is the record's, doomed, or its maker knows that it has to delete it. */
static void race(void **state, const int order[4], bool leases_run_out)
{
    static const char *const hashes[] = {"of-a", "of-b"}, *const nonces[] = {"na", "nb"};
    struct harness *h = *state;
    struct store *stores[] = {&h->a, &h->b};
    struct key_claim claims[2];
    bool made[2] = {false, false}, kept[2] = {false, false}, claimed[2] = {false, false};
    struct key_record record;

    harness_empty(state);
    provision(h);
    for (int step = 0; step < 4; step++) {
        int who = order[step];
        if (!claimed[who]) {
            claims[who] = claim_now(h, stores[who], nonces[who], CLAIM_RENEW, 1);
            claimed[who] = true;
            made[who] = claims[who].verdict == CLAIM_GRANTED;
        } else if (made[who]) {
            kept[who] = commit_now(h, stores[who], &claims[who], hashes[who]);
        }
        if (leases_run_out)
            store_pass_ms(h, LEASE_MS + 1);
    }
    record = load_now(h, &h->a);
    assert_int_equal(kept[0] + kept[1], 1); /* one of them renewed version 1, and only one */
    assert_int_equal(record.version, 2);
    assert_string_equal(record.hash, hashes[kept[1]]);
    assert_look(h, "HGET kt:{u:ada}:renewal doomed", "one");
    if (made[0] && made[1])
        assert_true(claims[0].fence != claims[1].fence);
}

static void test_two_holders_race(void **state)
{
    static const int orders[][4] = {{0, 0, 1, 1}, {0, 1, 0, 1}, {0, 1, 1, 0},
                                    {1, 0, 0, 1}, {1, 0, 1, 0}, {1, 1, 0, 0}};

    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
        race(state, orders[i], false);
        race(state, orders[i], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_a_record_comes_back_as_it_was_written),
        STORE_TEST(test_a_key_without_limit_reset_or_end),
        STORE_TEST(test_a_renewal_keeps_when_it_began),
        STORE_TEST(test_a_lost_commit_is_told_again),
        STORE_TEST(test_a_fenced_commit_writes_nothing),
        STORE_TEST(test_the_same_fence_with_another_key_is_fenced),
        STORE_TEST(test_disabling_wins_over_a_renewal_under_way),
        STORE_TEST(test_leftovers_stay_with_the_renewal),
        STORE_TEST(test_doomed_keys_are_told_once_the_new_one_works),
        STORE_TEST(test_settled_means_nothing_is_open),
        STORE_TEST(test_a_raised_limit_is_noted),
        STORE_TEST(test_noted_twice_is_noted_once),
        STORE_TEST(test_another_keys_limit_is_left_alone),
        STORE_TEST(test_two_holders_race),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

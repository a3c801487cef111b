/* Who gets the lease and what the others are told. */
#include "keys.h"

static void assert_claim(struct harness *h, struct store *store, enum claim_reason reason,
                         int64_t seen, enum claim_verdict expected)
{
    assert_int_equal(claim_now(h, store, "other", reason, seen).verdict, expected);
}

static void test_one_is_granted_and_others_wait(void **state)
{
    struct harness *h = *state;
    struct key_claim claim = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0), other;
    char name[KEY_NAME_MAX + 1];

    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_int_equal(claim.version, 1);
    assert_int_equal(claim.record.state, KEY_ABSENT);
    assert_true(claim.fence == claim.now_ms && claim.now_ms > INT64_C(1600000000000));
    snprintf(name, sizeof(name), "keyturn/dep/pseudonym/v1/%lld/n1", (long long)claim.fence);
    assert_string_equal(claim.name, name);
    assert_int_equal(claim.leftovers.count + claim.doomed.count, 0);

    other = claim_now(h, &h->b, "n2", CLAIM_PROVISION, 0);
    assert_int_equal(other.verdict, CLAIM_BUSY);
    assert_in_range(other.wait_ms, 1, LEASE_MS);
    assert_claim(h, &h->b, CLAIM_MEND, 0, CLAIM_BUSY);
    /* the same instance has one attempt at a time: a lease of its own is one whose release was lost */
    other = claim_now(h, &h->a, "n3", CLAIM_PROVISION, 0);
    assert_int_equal(other.verdict, CLAIM_GRANTED);
    assert_true(other.fence > claim.fence);
    assert_string_equal(other.leftovers.items[0], name);
}

static void test_a_lost_grant_is_given_again(void **state)
{
    struct harness *h = *state;
    struct key_claim first = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0), again;

    store_pass_ms(h, LEASE_MS + 1);
    first = claim_now(h, &h->a, "n2", CLAIM_PROVISION, 0);
    again = claim_now(h, &h->a, "n2", CLAIM_PROVISION, 0);
    assert_int_equal(again.verdict, CLAIM_GRANTED);
    assert_int_equal(again.fence, first.fence);
    assert_int_equal(again.version, first.version);
    assert_string_equal(again.name, first.name);
    assert_int_equal(again.leftovers.count, 1);
    assert_string_equal(again.leftovers.items[0], first.leftovers.items[0]);
}

static void test_two_claims_in_the_same_moment(void **state)
{
    struct harness *h = *state;
    struct key_claim a, b;

    for (int round = 0; round < 20; round++) {
        harness_empty(state);
        ask_claim(h, &h->a, &a, "n1", CLAIM_PROVISION, 0);
        ask_claim(h, &h->b, &b, "n2", CLAIM_PROVISION, 0);
        while (a.call.redis.open || b.call.redis.open)
            harness_await(h);
        turn_cancel(&h->wake); /* both answers may have come at once */
        assert_int_equal((a.verdict == CLAIM_GRANTED) + (b.verdict == CLAIM_GRANTED), 1);
        assert_int_equal((a.verdict == CLAIM_BUSY) + (b.verdict == CLAIM_BUSY), 1);
    }
}

static void test_a_newer_key_is_told(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    claim = claim_now(h, &h->b, "n2", CLAIM_PROVISION, 0);
    assert_int_equal(claim.verdict, CLAIM_NEWER);
    assert_string_equal(claim.record.hash, "one");
    assert_int_equal(claim.record.version, 1);
    assert_claim(h, &h->b, CLAIM_RENEW, 0, CLAIM_NEWER);
    assert_claim(h, &h->b, CLAIM_AHEAD, 0, CLAIM_NEWER);
    claim = claim_now(h, &h->b, "n2", CLAIM_RENEW, 1);
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_int_equal(claim.version, 2);
    assert_claim(h, &h->a, CLAIM_RENEW, 0,
                 CLAIM_NEWER); /* even while somebody is at the next one */
}

static void test_a_disabled_key_is_nobodys(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    store_look(h, "HSET kt:k:{u:ada} state disabled");
    assert_claim(h, &h->b, CLAIM_PROVISION, 0, CLAIM_DISABLED);
    assert_claim(h, &h->b, CLAIM_RENEW, 1, CLAIM_DISABLED);
    assert_claim(h, &h->b, CLAIM_AHEAD, 1, CLAIM_DISABLED);
    claim = claim_now(h, &h->b, "n2", CLAIM_MEND, 0);
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_string_equal(claim.name, "");
}

static void test_outcomes_are_shared_for_a_while(void **state)
{
    static const enum claim_outcome held[] = {OUTCOME_HEALTHY, OUTCOME_UNKNOWN_HEALTH,
                                              OUTCOME_SWITCHED_OFF, OUTCOME_MANAGEMENT_REFUSED,
                                              OUTCOME_CREATE_FAILED};
    struct harness *h = *state;
    struct key_claim claim, other;

    provision(h);
    for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++) {
        claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
        assert_int_equal(claim.verdict, CLAIM_GRANTED);
        assert_true(release_now(h, &h->a, &claim, 1, held[i], NULL));
        other = claim_now(h, &h->b, "n3", CLAIM_RENEW, 1);
        assert_int_equal(other.verdict, CLAIM_OUTCOME);
        assert_int_equal(other.outcome, held[i]);
        assert_claim(h, &h->b, CLAIM_AHEAD, 1, CLAIM_OUTCOME);
        store_pass_ms(h, HOLD_MS + 1);
    }
    assert_claim(h, &h->b, CLAIM_RENEW, 1, CLAIM_GRANTED);
}

static void test_outcomes_that_hold_nobody_up(void **state)
{
    static const enum claim_outcome open[] = {OUTCOME_NONE, OUTCOME_MENDED, OUTCOME_RENEWED};
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++) {
        claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
        assert_int_equal(claim.verdict, CLAIM_GRANTED);
        assert_true(release_now(h, &h->a, &claim, 1, open[i], NULL));
    }
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    assert_true(release_now(h, &h->a, &claim, 0, OUTCOME_HEALTHY, NULL)); /* of another version */
    assert_claim(h, &h->b, CLAIM_RENEW, 1, CLAIM_GRANTED);
}

static void test_an_outcome_without_a_key(void **state)
{
    struct harness *h = *state;
    struct key_claim claim = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0);

    assert_true(release_now(h, &h->a, &claim, 0, OUTCOME_MANAGEMENT_REFUSED, NULL));
    claim = claim_now(h, &h->b, "n2", CLAIM_PROVISION, 0);
    assert_int_equal(claim.verdict, CLAIM_OUTCOME);
    assert_int_equal(claim.outcome, OUTCOME_MANAGEMENT_REFUSED);
    assert_claim(h, &h->b, CLAIM_MEND, 0, CLAIM_GRANTED);
}

static void test_renewals_are_paced(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1); /* making the first key is no renewal */
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_true(commit_now(h, &h->a, &claim, "two"));
    claim = claim_now(h, &h->b, "n3", CLAIM_RENEW, 2);
    assert_int_equal(claim.verdict, CLAIM_PACED);
    assert_in_range(claim.wait_ms, 1, PACE_MS);
    assert_claim(h, &h->b, CLAIM_AHEAD, 2, CLAIM_PACED);
    store_pass_ms(h, PACE_MS);
    claim = claim_now(h, &h->b, "n3", CLAIM_RENEW, 2);
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_int_equal(claim.version, 3);
    assert_string_equal(claim.doomed.items[0], "one");
}

static void test_a_limit_is_raised_at_any_pace(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    assert_true(commit_now(h, &h->a, &claim, "two"));
    assert_claim(h, &h->b, CLAIM_RENEW, 2, CLAIM_PACED);
    claim = claim_now(h, &h->b, "n3", CLAIM_RAISE, 2);
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_int_equal(claim.version, 3); /* should the key turn out to be gone */
    assert_string_equal(claim.record.hash, "two");
    assert_claim(h, &h->a, CLAIM_RAISE, 2, CLAIM_BUSY);
    assert_claim(h, &h->a, CLAIM_RENEW, 2, CLAIM_BUSY);
    assert_true(release_now(h, &h->b, &claim, 2, OUTCOME_LIMIT_RAISED, NULL));
    claim = claim_now(h, &h->a, "n4", CLAIM_RAISE, 2); /* who is refused again asks again */
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_int_equal(claim.leftovers.count, 0);
    assert_true(release_now(h, &h->a, &claim, 2, OUTCOME_LIMIT_RAISED, NULL));
    assert_claim(h, &h->a, CLAIM_RAISE, 1, CLAIM_NEWER);
    store_look(h, "HSET kt:k:{u:ada} state disabled");
    assert_claim(h, &h->a, CLAIM_RAISE, 2, CLAIM_DISABLED);
}

/* A refused key and a met limit are two questions. */
static void test_outcomes_answer_their_own_question(void **state)
{
    static const struct {
        enum claim_outcome outcome;
        enum claim_verdict for_key, for_limit;
    } rows[] = {
        {OUTCOME_HEALTHY, CLAIM_OUTCOME, CLAIM_GRANTED},
        {OUTCOME_LIMIT_STANDS, CLAIM_GRANTED, CLAIM_OUTCOME},
        {OUTCOME_LIMIT_RAISED, CLAIM_GRANTED, CLAIM_GRANTED},
        {OUTCOME_UNKNOWN_HEALTH, CLAIM_OUTCOME, CLAIM_OUTCOME},
        {OUTCOME_SWITCHED_OFF, CLAIM_OUTCOME, CLAIM_OUTCOME},
        {OUTCOME_MANAGEMENT_REFUSED, CLAIM_OUTCOME, CLAIM_OUTCOME},
        {OUTCOME_CREATE_FAILED, CLAIM_OUTCOME, CLAIM_OUTCOME},
        {OUTCOME_NONE, CLAIM_GRANTED, CLAIM_GRANTED},
    };
    struct harness *h = *state;

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        bool of_limit = i % 2 == 1;
        enum claim_verdict expected = of_limit ? rows[i / 2].for_limit : rows[i / 2].for_key;
        struct key_claim claim;
        harness_empty(state);
        provision(h);
        claim = claim_now(h, &h->a, "n2", CLAIM_RAISE, 1);
        assert_int_equal(claim.verdict, CLAIM_GRANTED);
        assert_true(release_now(h, &h->a, &claim, 1, rows[i / 2].outcome, NULL));
        claim = claim_now(h, &h->b, "n3", of_limit ? CLAIM_RAISE : CLAIM_RENEW, 1);
        if (claim.verdict != expected)
            fail_msg("row %zu, of_limit %d: %d", i / 2, of_limit, (int)claim.verdict);
        if (expected == CLAIM_OUTCOME)
            assert_int_equal(claim.outcome, rows[i / 2].outcome);
    }
}

static void test_a_lease_runs_out(void **state)
{
    struct harness *h = *state;
    struct key_claim first, second;

    provision(h);
    first = claim_now(h, &h->a, "n2", CLAIM_RENEW, 1);
    store_pass_ms(h, LEASE_MS + 1);
    second = claim_now(h, &h->b, "n3", CLAIM_RENEW, 1);
    assert_int_equal(second.verdict, CLAIM_GRANTED);
    assert_true(second.fence > first.fence);
    assert_int_equal(second.leftovers.count, 1);
    assert_string_equal(second.leftovers.items[0], first.name);
    assert_false(commit_now(h, &h->a, &first, "stale"));
    assert_false(release_now(h, &h->a, &first, 1, OUTCOME_HEALTHY, NULL));
    assert_string_equal(load_now(h, &h->a).hash, "one");
    assert_true(commit_now(h, &h->b, &second, "two"));
}

static void test_a_late_holder_nobody_replaced_may_finish(void **state)
{
    struct harness *h = *state;
    struct key_claim claim = claim_now(h, &h->a, "n1", CLAIM_PROVISION, 0);

    store_pass_ms(h, LEASE_MS + 1);
    assert_true(commit_now(h, &h->a, &claim, "one"));
}

static void test_no_leftover_is_forgotten(void **state)
{
    enum { CRASHES = 7 };
    struct harness *h = *state;
    struct key_claim claim;
    char nonce[8];
    unsigned seen = 0;

    for (int i = 0; i <= CRASHES; i++) {
        snprintf(nonce, sizeof(nonce), "c%d", i);
        claim = claim_now(h, &h->a, nonce, CLAIM_PROVISION, 0);
        assert_int_equal(claim.verdict, CLAIM_GRANTED);
        store_pass_ms(h, LEASE_MS + 1);
    }
    for (int rounds = 0; rounds < CRASHES; rounds++) {
        claim = claim_now(h, &h->b, "mend", CLAIM_MEND, 0);
        assert_int_equal(claim.verdict, CLAIM_GRANTED);
        assert_true(claim.leftovers.count < KEY_LIST_MAX); /* one's own still fits */
        for (size_t i = 0; i < claim.leftovers.count; i++)
            seen |= 1u << (strrchr(claim.leftovers.items[i], '/')[2] - '0');
        for (int again = 0; again < 2; again++) /* the first answer may have been lost */
            assert_true(release_now(h, &h->b, &claim, 0, OUTCOME_MENDED, NULL));
    }
    assert_int_equal(claim.leftovers.count, 0);
    assert_int_equal(seen, (1u << (CRASHES + 1)) - 1);
    assert_true(bury_now(h, &h->b, ""));
}

static void test_the_key_in_use_is_no_leftover(void **state)
{
    struct harness *h = *state;
    struct key_list names = {.count = 1};
    struct key_claim claim;

    provision(h);
    memcpy(names.items[0], load_now(h, &h->a).name, sizeof(names.items[0]));
    claim = claim_now(h, &h->a, "n2", CLAIM_MEND, 0);
    assert_true(release_now(h, &h->a, &claim, 0, OUTCOME_MENDED, &names)); /* a mistake elsewhere */
    claim = claim_now(h, &h->b, "n3", CLAIM_RENEW, 1);
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_int_equal(claim.leftovers.count, 0);
}

static void test_mending_leaves_no_name_behind(void **state)
{
    struct harness *h = *state;
    struct key_claim claim = claim_now(h, &h->a, "n1", CLAIM_MEND, 0);

    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_string_equal(claim.name, "");
    store_pass_ms(h, LEASE_MS + 1);
    claim = claim_now(h, &h->b, "n2", CLAIM_PROVISION, 0);
    assert_int_equal(claim.leftovers.count, 0);
}

static void test_a_store_behind_gives_no_version_twice(void **state)
{
    struct harness *h = *state;
    struct key_claim claim;

    provision(h);
    claim = claim_now(h, &h->a, "n2", CLAIM_RENEW, 5); /* 2 to 5 were lost with a failover */
    assert_int_equal(claim.verdict, CLAIM_GRANTED);
    assert_int_equal(claim.version, 6);
    assert_true(commit_now(h, &h->a, &claim, "six"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_one_is_granted_and_others_wait),
        STORE_TEST(test_a_lost_grant_is_given_again),
        STORE_TEST(test_two_claims_in_the_same_moment),
        STORE_TEST(test_a_newer_key_is_told),
        STORE_TEST(test_a_disabled_key_is_nobodys),
        STORE_TEST(test_outcomes_are_shared_for_a_while),
        STORE_TEST(test_outcomes_that_hold_nobody_up),
        STORE_TEST(test_an_outcome_without_a_key),
        STORE_TEST(test_renewals_are_paced),
        STORE_TEST(test_a_limit_is_raised_at_any_pace),
        STORE_TEST(test_outcomes_answer_their_own_question),
        STORE_TEST(test_a_lease_runs_out),
        STORE_TEST(test_a_late_holder_nobody_replaced_may_finish),
        STORE_TEST(test_no_leftover_is_forgotten),
        STORE_TEST(test_the_key_in_use_is_no_leftover),
        STORE_TEST(test_mending_leaves_no_name_behind),
        STORE_TEST(test_a_store_behind_gives_no_version_twice),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

/* A thousand at once over two links, replies lost in between: exactly as many are granted as the budget holds. */
#include "quota.h"

enum { CROWD = 1000, WAVE = 50, PRICE = 7 };

struct crowd {
    struct admission admissions[CROWD], again[CROWD];
    struct settle settles[CROWD], rivals[CROWD];
    struct settlement_record records[CROWD], rival_records[CROWD];
    char ids[CROWD][16];
};

static bool any_open(const struct crowd *crowd, int first)
{
    for (int i = first; i < first + WAVE; i++)
        if (store_call_is_open(&crowd->admissions[i].call) ||
            store_call_is_open(&crowd->again[i].call) ||
            store_call_is_open(&crowd->settles[i].call) ||
            store_call_is_open(&crowd->rivals[i].call))
            return true;
    return false;
}

static void await_wave(struct harness *h, const struct crowd *crowd, int first)
{
    while (any_open(crowd, first))
        harness_await(h);
    turn_cancel(&h->wake); /* the last answers posted it; nobody waits for it any more */
}

static struct crowd *crowd_make(void)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));

    for (int i = 0; i < CROWD; i++)
        snprintf(crowd->ids[i], sizeof(crowd->ids[i]), "req_%d", i);
    return crowd;
}

/* Every request asks over both links, as one does that lost the first reply. */
static int crowd_admit(struct harness *h, struct crowd *crowd, const struct tier *tier,
                       bool by_both)
{
    int granted = 0;

    for (int first = 0; first < CROWD; first += WAVE) {
        for (int i = 0; i < WAVE; i++) {
            struct admit_ask ask = ask_of(tier, crowd->ids[first + i], PRICE);
            bool odd = i % 2;
            if (by_both)
                quota_admit(odd ? &h->a : &h->b, &crowd->again[first + i], &ask, &h->wake);
            quota_admit(odd ? &h->b : &h->a, &crowd->admissions[first + i], &ask, &h->wake);
        }
        await_wave(h, crowd, first);
        for (int i = 0; i < WAVE; i++) {
            const struct admission *admission = &crowd->admissions[first + i];
            assert_int_equal(admission->call.end, STORE_OK);
            granted += admission->verdict == ADMIT_GRANTED;
            if (by_both)
                assert_int_equal(crowd->again[first + i].verdict, admission->verdict);
        }
    }
    return granted;
}

/* Two know each request's end, and not the same figure. */
static void crowd_settle(struct harness *h, struct crowd *crowd)
{
    for (int first = 0; first < CROWD; first += WAVE) {
        for (int i = first; i < first + WAVE; i++) {
            bool odd = i % 2;
            crowd->records[i] = record_of(crowd->ids[i], i % (PRICE + 1));
            crowd->rival_records[i] = record_of(crowd->ids[i], PRICE + 2);
            if (crowd->admissions[i].verdict != ADMIT_GRANTED)
                continue;
            quota_settle(odd ? &h->a : &h->b, &crowd->settles[i],
                         (struct settlement_record *[]){&crowd->records[i]}, 1, &h->wake);
            quota_settle(odd ? &h->b : &h->a, &crowd->rivals[i],
                         (struct settlement_record *[]){&crowd->rival_records[i]}, 1, &h->wake);
        }
        await_wave(h, crowd, first);
    }
}

/* One of the two figures, and both know which. */
static int64_t settled_cost(const struct crowd *crowd, int i)
{
    assert_int_equal(crowd->settles[i].call.end, STORE_OK);
    assert_int_equal(crowd->rivals[i].call.end, STORE_OK);
    assert_true(crowd->settles[i].items[0].already != crowd->rivals[i].items[0].already);
    assert_int_equal(crowd->records[i].cost_nano_usd, crowd->rival_records[i].cost_nano_usd);
    assert_int_equal(crowd->records[i].cost_nano_usd,
                     crowd->settles[i].items[0].already ? PRICE + 2 : i % (PRICE + 1));
    return crowd->records[i].cost_nano_usd;
}

static void assert_granted(struct harness *h, int64_t limit, int expected, bool by_both)
{
    struct tier tier = tier_named("Pro", limit);
    struct crowd *crowd = crowd_make();
    int64_t spent = 0;

    h->a.clock_by_hand = h->b.clock_by_hand = false;
    hand_ms = 0;
    assert_int_equal(crowd_admit(h, crowd, &tier, by_both), expected);
    assert_money(h, &tier, 0, expected * PRICE);
    crowd_settle(h, crowd);
    for (int i = 0; i < CROWD; i++)
        if (crowd->admissions[i].verdict == ADMIT_GRANTED)
            spent += settled_cost(crowd, i);
    assert_money(h, &tier, spent, 0);
    assert_int_equal(view_now(h, &tier).messages_used, expected);
    free(crowd);
}

static void test_budget_for_k_admits_k(void **state)
{
    assert_granted(*state, 137 * PRICE + PRICE - 1, 137, false);
}

static void test_the_last_cent_goes_to_one(void **state)
{
    assert_granted(*state, PRICE, 1, false);
}

static void test_every_reply_is_asked_for_twice(void **state)
{
    assert_granted(*state, 487 * PRICE, 487, true);
}

static void test_messages_for_k_admit_k(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", UNLIMITED);
    struct crowd *crowd = crowd_make();

    tier.messages_per_day = 20;
    assert_int_equal(crowd_admit(h, crowd, &tier, false), 20);
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_budget_for_k_admits_k),
        QUOTA_TEST(test_the_last_cent_goes_to_one),
        QUOTA_TEST(test_every_reply_is_asked_for_twice),
        QUOTA_TEST(test_messages_for_k_admit_k),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

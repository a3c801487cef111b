/* The ledger and its sums: once per request id, equal to the sum of the settlements. */
#include "books.h"

static void test_sums_by_everything(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = booking("r1", "ada", "Pro", "a|b/c:free", 5);
    struct period period = month(), day = today();
    struct rows rows;

    assert_true(book_now(h, &record));
    record = booking("r2", "bob", "Free", "x/y", INT64_C(999999999999999));
    record.reasoning_tokens = 7;
    record.cached_tokens = -1;
    assert_true(book_now(h, &record));
    hand_ms += days_ms(1);
    record = booking("r3", "ada", "Pro+", "x/y", INT64_C(9007199254740993) / 10);
    assert_true(book_now(h, &record));

    rows = sums_now(h, &period, SUMS_BY_USER);
    assert_int_equal(rows.count, 2);
    assert_row(&rows, 0, "ada", 2, 5 + INT64_C(900719925474099));
    assert_row(&rows, 1, "bob", 1, INT64_C(999999999999999));
    assert_int_equal(rows.rows[0].prompt_tokens, 200);
    assert_int_equal(rows.rows[0].cached_tokens, 80);
    assert_int_equal(rows.rows[0].completion_tokens, 40);
    assert_int_equal(rows.rows[0].reasoning_tokens, 0); /* unknown */
    assert_int_equal(rows.rows[1].cached_tokens, 0);
    assert_int_equal(rows.rows[1].reasoning_tokens, 7);
    rows = sums_now(h, &period, SUMS_BY_TIER);
    assert_int_equal(rows.count, 3);
    assert_row(&rows, 1, "Pro", 1, 5);
    rows = sums_now(h, &period, SUMS_BY_MODEL);
    assert_int_equal(rows.count, 2);
    assert_row(&rows, 0, "a|b/c:free", 1, 5);
    rows = sums_now(h, &period, SUMS_BY_DAY);
    assert_int_equal(rows.count, 2);
    assert_row(&rows, 0, "2026-11-20", 2, INT64_C(1000000000000004));
    assert_row(&rows, 1, "2026-11-21", 1, INT64_C(900719925474099));
    rows = sums_now(h, &day, SUMS_BY_USER);
    assert_row(&rows, 0, "ada", 1, 5);
    rows = sums_now(h, &day, SUMS_BY_DAY);
    assert_int_equal(rows.count, 1);
    period = period_of(LIMIT_RESET_MONTHLY, hand_ms + days_ms(30));
    assert_int_equal(sums_now(h, &period, SUMS_BY_USER).count, 0);
}

static void test_booking_twice_is_once(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = booking("r1", "ada", "Pro", "x/y", 5);

    assert_true(book_now(h, &record));
    struct look before = digest_now(h);
    assert_false(book_now(h, &record));
    hand_ms += days_ms(2) - 1;
    assert_false(book_now(h, &record));
    record.cost_nano_usd = 999; /* the first figure stands */
    assert_false(book_now(h, &record));
    assert_string_equal(digest_now(h).text, before.text);
    assert_look(h, "XLEN kt:{books}:ledger", "1");
}

static int64_t seen_ms(struct harness *h)
{
    return strtoll(store_look(h, "PTTL kt:{books}:seen:2026-11-20").text, NULL, 10);
}

/* Two days from their booking at least, also those that are booked late. */
static void test_booked_ids_are_kept(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = booking("r1", "ada", "Pro", "x/y", 5);

    record.source = COST_NOTHING_SENT;
    assert_true(book_now(h, &record));
    assert_in_range(seen_ms(h), days_ms(4) - 60000, days_ms(4));
    store_look(h, "PERSIST kt:{books}:seen:2026-11-20");
    record = booking("r2", "ada", "Pro", "x/y", 5);
    assert_true(book_now(h, &record)); /* the day's first in the sums */
    assert_in_range(seen_ms(h), days_ms(4) - 60000, days_ms(4));
    store_look(h, "PEXPIRE kt:{books}:seen:2026-11-20 172860000");
    record = booking("r3", "ada", "Pro", "x/y", 5);
    assert_true(book_now(h, &record)); /* on its day: there is enough */
    assert_in_range(seen_ms(h), days_ms(2), days_ms(2) + 60000);
    record = booking("r4", "ada", "Pro", "x/y", 5);
    hand_ms += days_ms(1);
    assert_true(book_now(h, &record));
    assert_in_range(seen_ms(h), days_ms(4) - 60000, days_ms(4));
    assert_false(book_now(h, &record));
    assert_look(h, "PTTL kt:{books}:month:2026-11:all", "-1");
    assert_in_range(strtoll(store_look(h, "PTTL kt:{books}:day:2026-11-20:all").text, NULL, 10) /
                        60000,
                    days_ms(400) / 60000 - 1, days_ms(400) / 60000);
}

/* More than 2^53 nano-USD, which a Lua number would round. */
static void test_a_large_fleet_is_counted_exactly(void **state)
{
    struct harness *h = *state;
    struct period period = month();
    int64_t total = 0;
    char id[16];

    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        struct settlement_record record =
            booking(id, "ada", "Pro", "x/y", i % 4 ? INT64_C(999999999999999) - i : i + 1);
        assert_true(book_now(h, &record));
        total += record.cost_nano_usd;
        struct rows rows = sums_now(h, &period, SUMS_BY_DAY);
        assert_row(&rows, 0, "2026-11-20", i + 1, total);
    }
    assert_true(total > INT64_C(3) << 53);
    struct rows rows = sums_now(h, &period, SUMS_BY_USER);
    assert_row(&rows, 0, "ada", 40, total);
}

/* By tier over the models, by model over the tiers; names have whatever a line may have. */
static void test_tiers_and_models_cross(void **state)
{
    struct harness *h = *state;
    static const char *const tiers[] = {"Pro|2 x", "", "Pro"}, *const models[] = {"a b", "", "c"};
    struct period period = month();
    char id[16];

    for (int i = 0; i < 9; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        struct settlement_record record =
            booking(id, "ada", tiers[i / 3], models[i % 3], INT64_C(1) << i);
        assert_true(book_now(h, &record));
    }
    struct rows rows = sums_now(h, &period, SUMS_BY_TIER);
    assert_int_equal(rows.count, 3);
    assert_row(&rows, 0, "", 3, 8 + 16 + 32);
    assert_row(&rows, 1, "Pro", 3, 64 + 128 + 256);
    assert_row(&rows, 2, "Pro|2 x", 3, 1 + 2 + 4);
    rows = sums_now(h, &period, SUMS_BY_MODEL);
    assert_int_equal(rows.count, 3);
    assert_row(&rows, 0, "", 3, 2 + 16 + 128);
    assert_row(&rows, 1, "a b", 3, 1 + 8 + 64);
    assert_row(&rows, 2, "c", 3, 4 + 32 + 256);
}

static void test_what_the_ledger_says(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = booking("r1", "ada", "Pro", "x/y", 5);
    struct period period = month();
    struct look entry;

    record.source = COST_NOTHING_SENT;
    assert_true(book_now(h, &record)); /* in the ledger, not in the sums */
    assert_int_equal(sums_now(h, &period, SUMS_BY_USER).count, 0);
    entry = store_look_split(h,
                             "EVAL\treturn table.concat(redis.call('XRANGE', KEYS[1], '-', "
                             "'+')[1][2], ' ')\t1\tkt:{books}:ledger",
                             '\t');
    assert_string_equal(entry.text,
                        "r1 ada\n2026-11-20\nx/y\n5\n1\n100\n40\n20\n-1\n0\nPro\n1795176000000\n"
                        "nothing_sent");
}

static void assert_usage(struct harness *h, const char *field, const char *expected)
{
    char line[QUOTA_TEXT];

    snprintf(line, sizeof(line), "HGET\tkt:{u:ada}:usage:2026-11\t%s", field);
    struct look row = store_look_split(h, line, '\t');
    assert_string_equal(row.text, expected);
}

static void test_models_are_bounded(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = booking("r1", "ada", "Pro", "known", 5);
    struct period period = month();

    assert_true(book_now(h, &record));
    settle_record(h, &record);
    store_look_split(h,
                     "EVAL\tfor i = 1, 6000 do redis.call('HSET', KEYS[1], 'x' .. i, 1) "
                     "redis.call('HSET', KEYS[2], 'x' .. i, 1) end\t2"
                     "\tkt:{books}:month:2026-11:all\tkt:{u:ada}:usage:2026-11",
                     '\t');
    record = booking("r2", "ada", "Pro", "invented", 5);
    assert_true(book_now(h, &record));
    settle_record(h, &record);
    record = booking("r3", "ada", "Pro", "known", 5);
    assert_true(book_now(h, &record));
    settle_record(h, &record);
    struct rows rows = sums_now(h, &period, SUMS_BY_MODEL);
    assert_int_equal(rows.count, 2);
    assert_row(&rows, 0, "known", 2, 10);
    assert_row(&rows, 1, "other", 1, 5);
    assert_usage(h, "2026-11-20\nknown", "2 10 200 80 40 0");
    assert_usage(h, "2026-11-20\nother", "1 5 100 40 20 0");
}

/* Settled and booked in any order, each of them often. */
static void test_sums_equal_the_settlements(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", UNLIMITED);
    int64_t costs[2] = {0}, total = 0;
    struct period period = month();
    struct rows rows = {0};
    char id[16];

    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        if (i == 100)
            hand_ms += days_ms(1);
        if (i % 3)
            assert_verdict(h, &tier, id, 10, ADMIT_GRANTED);
        struct settlement_record record =
            booking(id, "ada", "Pro", i % 2 ? "x/y" : "x/z", INT64_C(1000003) * i * i % 1000000007);
        for (int times = 0; times <= i % 3; times++) {
            assert_int_equal(settle_record(h, &record).already, times > 0);
            assert_int_equal(book_now(h, &record), times == 0);
            if (times == 1)
                forget_now(h, id);
        }
        costs[i >= 100] += record.cost_nano_usd;
        total += record.cost_nano_usd;
    }
    assert_money(h, &tier, total, 0);
    rows = sums_now(h, &period, SUMS_BY_USER);
    assert_row(&rows, 0, "ada", 200, total);
    rows = (struct rows){0};
    sums_of_user(&h->a, &rows.read, SPAN("ada"), &period, on_row, &h->wake);
    AWAIT_OK(h, rows.read);
    assert_int_equal(rows.count, 2);
    assert_row(&rows, 0, "2026-11-20", 100, costs[0]);
    assert_row(&rows, 1, "2026-11-21", 100, costs[1]);
    assert_int_equal(rows.rows[0].prompt_tokens, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_sums_by_everything),
        QUOTA_TEST(test_booking_twice_is_once),
        QUOTA_TEST(test_what_the_ledger_says),
        QUOTA_TEST(test_models_are_bounded),
        QUOTA_TEST(test_sums_equal_the_settlements),
        QUOTA_TEST(test_booked_ids_are_kept),
        QUOTA_TEST(test_a_large_fleet_is_counted_exactly),
        QUOTA_TEST(test_tiers_and_models_cross),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

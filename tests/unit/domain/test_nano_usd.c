#include "../base/unit.h"

#include "domain/nano_usd.h"

static void test_exact_amounts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t nano_usd;
    } rows[] = {
        {"3E-7", 300},
        {"7.1e-05", 71000},
        {"0.00158142", 1581420},
        {"0", 0},
        {"0.0", 0},
        {"0e99999999999999999999", 0},
        {"0.000e-3", 0},
        {"1", 1000000000},
        {"10", 10000000000},
        {"12.5", 12500000000},
        {"0.1", 100000000},
        {"0.3", 300000000},
        {"2.675", 2675000000},
        {"1e-9", 1},
        {"1E+3", 1000000000000},
        {"1e3", 1000000000000},
        {"1.50e1", 15000000000},
        {"123456.789e-3", 123456789000},
        {"0.000000001", 1},
        {"0.0000000010", 1},
        {"0.00000000100", 1},
        /* beyond nine places: up */
        {"0.0000000001", 1},
        {"1e-10", 1},
        {"1e-99999999999999999999", 1},
        {"0.0000000015", 2},
        {"0.00000000100000000000000000000000001", 2},
        {"0.9999999991", 1000000000},
        /* the edge of 64 bits */
        {"9223372036.854775807", INT64_MAX},
        {"9223372036854775807e-9", INT64_MAX},
        {"9.223372036854775807E9", INT64_MAX},
        {"0.0000000000000000009223372036854775807e28", INT64_MAX},
        {"9223372036.8547758060000001", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t nano_usd = -7;
        if (!nano_usd_parse(span_of(rows[i].text), &nano_usd) || nano_usd != rows[i].nano_usd)
            fail_msg("%s gave %lld", rows[i].text, (long long)nano_usd);
    }
}

static void test_what_is_no_amount(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " ",
        "-1",
        "-0",
        "-0.5",
        "+1",
        "NaN",
        "nan",
        "Infinity",
        "inf",
        "null",
        "1e308",
        "1e10",
        "9223372037",
        "9223372036.854775808",
        "9223372036.8547758070000001",
        "9223372036854775808e-9",
        "18446744073709551616e-9",
        "1e99999999999999999999",
        "1.",
        ".5",
        "1e",
        "1e+",
        "1e-",
        "1e1.5",
        "1.2.3",
        "1,5",
        "01",
        "00",
        "0x10",
        "1 ",
        " 1",
        "1\n",
        "$1",
        "1USD",
        "e5",
        ".",
        "-",
        "1e--5",
        "1_000",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t nano_usd = -7;
        if (nano_usd_parse(span_of(rows[i]), &nano_usd) || nano_usd != -7)
            fail_msg("<%s> gave %lld", rows[i], (long long)nano_usd);
    }
    int64_t nano_usd = -7;
    assert_false(nano_usd_parse(SPAN_NONE, &nano_usd));
    assert_false(nano_usd_parse(SPAN("1\0"), &nano_usd));
}

static void test_many_digits_cost_nothing(void **state)
{
    (void)state;
    char text[4096];
    int64_t nano_usd = 0;
    memset(text, '0', sizeof(text));
    text[1] = '.';
    memcpy(text + sizeof(text) - 6, "1e4087", 6); /* 1e-4089 times 1e4087 */
    assert_true(nano_usd_parse((struct span){text, sizeof(text)}, &nano_usd));
    assert_int_equal(nano_usd, 10000000);
    memset(text, '9', sizeof(text));
    assert_false(nano_usd_parse((struct span){text, sizeof(text)}, &nano_usd));
}

static void test_shortest_text(void **state)
{
    (void)state;
    static const struct {
        int64_t nano_usd;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "0.000000001"},
        {300, "0.0000003"},
        {1581420, "0.00158142"},
        {12500000000, "12.5"},
        {10000000000, "10"},
        {1000000000, "1"},
        {999999999, "0.999999999"},
        {100000000, "0.1"},
        {INT64_MAX, "9223372036.854775807"},
        {-1, "-0.000000001"},
        {-2500000000, "-2.5"},
        {INT64_MIN, "-9223372036.854775808"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[NANO_USD_TEXT_SIZE];
        nano_usd_text(rows[i].nano_usd, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_text_and_parse_are_inverse(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 100000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int64_t amount = (int64_t)(random >> 1 >> (random % 63)), again = -1;
        char text[NANO_USD_TEXT_SIZE];
        nano_usd_text(amount, text);
        assert_true(nano_usd_parse(span_of(text), &again));
        assert_true(again == amount);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_amounts),
        cmocka_unit_test(test_what_is_no_amount),
        cmocka_unit_test(test_many_digits_cost_nothing),
        cmocka_unit_test(test_shortest_text),
        cmocka_unit_test(test_text_and_parse_are_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include "base/clock.h"

static void assert_texts(int64_t wall_ms, const char *seconds, const char *milliseconds)
{
    char text[CLOCK_TEXT_SIZE];
    clock_text(wall_ms, text);
    assert_string_equal(text, seconds);
    clock_text_ms(wall_ms, text);
    assert_string_equal(text, milliseconds);
}

static void test_texts(void **state)
{
    (void)state;
    assert_texts(0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z");
    assert_texts(1795184334123, "2026-11-20T14:18:54Z", "2026-11-20T14:18:54.123Z");
    assert_texts(-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z");
    assert_texts(-1000, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000Z");
    assert_texts(253402300799999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z");
    char text[CLOCK_TEXT_SIZE];
    clock_text_ms(INT64_MAX, text); /* the longest one fits */
    clock_text_ms(INT64_MIN, text);
    assert_true(strlen(text) < CLOCK_TEXT_SIZE);
}

static void assert_parsed(const char *text, int64_t expected_ms)
{
    int64_t wall_ms = 1;
    assert_true(clock_parse(span_of(text), &wall_ms));
    assert_true(wall_ms == expected_ms);
}

static void test_times_are_read(void **state)
{
    (void)state;
    assert_parsed("2026-11-20T14:18:54Z", 1795184334000);
    assert_parsed("2026-11-20T14:18:54.123Z", 1795184334123);
    assert_parsed("2026-11-20T14:18:54.123456+00:00", 1795184334123);
    assert_parsed("2026-11-20T14:18:54.1239999999999999999999999999-00:00", 1795184334123);
    assert_parsed("2026-11-20T14:18:54.1z", 1795184334100);
    assert_parsed("2026-11-20t15:18:54.12+01:00", 1795184334120);
    assert_parsed("2026-11-20 08:48:54-05:30", 1795184334000);
    assert_parsed("2024-02-29T23:59:59+05:30", 1709231399000);
    assert_parsed("1969-12-31T23:59:59.999Z", -1);
    assert_parsed("0001-01-01T00:00:00Z", -62135596800000);
    assert_parsed("9999-12-31T23:59:59.999Z", 253402300799999);
    assert_parsed("2016-12-31T23:59:60Z", 1483228800000);
}

static void test_what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "2026-11-20",
                                        "2026-11-20T14:18:54",
                                        "2026-11-20T14:18Z",
                                        "2026-11-20T14:18:54.Z",
                                        "2026-11-20T14:18:54ZZ",
                                        "2026-11-20T14:18:54Z ",
                                        " 2026-11-20T14:18:54Z",
                                        "2026-11-20T14:18:54+0000",
                                        "2026-11-20T14:18:54+24:00",
                                        "2026-11-20T14:18:54+00:60",
                                        "2026-11-20T24:00:00Z",
                                        "2026-11-20T14:60:00Z",
                                        "2026-11-20T14:18:61Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2026-01-00T00:00:00Z",
                                        "2026-04-31T00:00:00Z",
                                        "2026-02-29T00:00:00Z",
                                        "1900-02-29T00:00:00Z",
                                        "-026-01-01T00:00:00Z",
                                        "2026-+1-01T00:00:00Z",
                                        "26-01-01T00:00:00Z",
                                        "20261-01-01T00:00:00Z"};
    int64_t wall_ms = 7;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(clock_parse(span_of(wrong[i]), &wall_ms));
    assert_false(clock_parse(SPAN("2026-11-20\00014:18:54Z"), &wall_ms));
    assert_false(clock_parse(SPAN_NONE, &wall_ms));
    assert_true(wall_ms == 7);
}

/* Every day of 1600 to 2399, each at another time of it. */
static void test_what_is_written_is_read_back(void **state)
{
    (void)state;
    for (int64_t ms = -11676096000000; ms < 13569465600000; ms += 86400000 + 86399) {
        char text[CLOCK_TEXT_SIZE];
        int64_t again = 0;
        clock_text_ms(ms, text);
        assert_true(clock_parse(span_of(text), &again));
        assert_true(again == ms);
    }
}

static void test_clocks_run(void **state)
{
    (void)state;
    uint64_t before = clock_monotonic_ns();
    assert_true(clock_monotonic_ns() >= before);
    assert_true(clock_wall_ms() > 1767225600000); /* 2026 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_times_are_read),
        cmocka_unit_test(test_what_is_no_time_is_refused),
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../base/unit.h"

#include <time.h>

#include "base/clock.h"
#include "domain/period.h"

static int64_t ms_of(const char *text)
{
    int64_t ms = 0;
    if (!clock_parse(span_of(text), &ms))
        fail_msg("%s is no time", text);
    return ms;
}

struct row {
    const char *at, *name, *starts, *ends, *before;
};

static void check(enum limit_reset reset, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct period period = period_of(reset, ms_of(rows[i].at));
        if (strcmp(period.name, rows[i].name) != 0)
            fail_msg("%s is in %s, not in %s", rows[i].at, rows[i].name, period.name);
        assert_int_equal(period.starts_ms, ms_of(rows[i].starts));
        assert_int_equal(period.ends_ms, ms_of(rows[i].ends));
        assert_string_equal(period_before(&period, reset).name, rows[i].before);
    }
}

static void test_days(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"2026-11-20T00:00:00Z", "2026-11-20", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z",
         "2026-11-19"},
        {"2026-11-20T23:59:59.999Z", "2026-11-20", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z",
         "2026-11-19"},
        {"2026-11-21T00:00:00+01:00", "2026-11-20", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z",
         "2026-11-19"},
        {"2027-01-01T00:00:00Z", "2027-01-01", "2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z",
         "2026-12-31"},
        {"2028-02-29T12:00:00Z", "2028-02-29", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z",
         "2028-02-28"},
        {"2028-03-01T00:00:00Z", "2028-03-01", "2028-03-01T00:00:00Z", "2028-03-02T00:00:00Z",
         "2028-02-29"},
        {"2027-03-01T00:00:00Z", "2027-03-01", "2027-03-01T00:00:00Z", "2027-03-02T00:00:00Z",
         "2027-02-28"},
        {"2100-03-01T00:00:00Z", "2100-03-01", "2100-03-01T00:00:00Z", "2100-03-02T00:00:00Z",
         "2100-02-28"},
        {"2000-03-01T00:00:00Z", "2000-03-01", "2000-03-01T00:00:00Z", "2000-03-02T00:00:00Z",
         "2000-02-29"},
        {"1970-01-01T00:00:00Z", "1970-01-01", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z",
         "1969-12-31"},
    };
    check(LIMIT_RESET_DAILY, rows, sizeof(rows) / sizeof(*rows));
}

static void test_weeks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"2026-11-20T12:00:00Z", "2026-W47", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z",
         "2026-W46"},
        {"2026-12-27T23:59:59.999Z", "2026-W52", "2026-12-21T00:00:00Z", "2026-12-28T00:00:00Z",
         "2026-W51"},
        {"2026-12-28T00:00:00Z", "2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z",
         "2026-W52"},
        {"2026-12-31T23:59:59Z", "2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z",
         "2026-W52"},
        {"2027-01-01T00:00:00Z", "2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z",
         "2026-W52"},
        {"2027-01-03T23:59:59.999Z", "2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z",
         "2026-W52"},
        {"2027-01-04T00:00:00Z", "2027-W01", "2027-01-04T00:00:00Z", "2027-01-11T00:00:00Z",
         "2026-W53"},
        {"2025-12-29T00:00:00Z", "2026-W01", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z",
         "2025-W52"},
        {"2024-12-31T00:00:00Z", "2025-W01", "2024-12-30T00:00:00Z", "2025-01-06T00:00:00Z",
         "2024-W52"},
        {"2021-01-03T00:00:00Z", "2020-W53", "2020-12-28T00:00:00Z", "2021-01-04T00:00:00Z",
         "2020-W52"},
        {"2028-02-29T00:00:00Z", "2028-W09", "2028-02-28T00:00:00Z", "2028-03-06T00:00:00Z",
         "2028-W08"},
        {"1970-01-01T00:00:00Z", "1970-W01", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z",
         "1969-W52"},
    };
    check(LIMIT_RESET_WEEKLY, rows, sizeof(rows) / sizeof(*rows));
}

static void test_months(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"2026-11-20T12:00:00Z", "2026-11", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z",
         "2026-10"},
        {"2026-12-31T23:59:59.999Z", "2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z",
         "2026-11"},
        {"2027-01-01T00:00:00Z", "2027-01", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z",
         "2026-12"},
        {"2027-02-28T00:00:00Z", "2027-02", "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z",
         "2027-01"},
        {"2028-02-29T23:59:59Z", "2028-02", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z",
         "2028-01"},
        {"2028-03-01T00:00:00Z", "2028-03", "2028-03-01T00:00:00Z", "2028-04-01T00:00:00Z",
         "2028-02"},
        {"1970-01-31T00:00:00Z", "1970-01", "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z",
         "1969-12"},
    };
    check(LIMIT_RESET_MONTHLY, rows, sizeof(rows) / sizeof(*rows));
}

static void name_by_library(int reset, int64_t day, char name[PERIOD_NAME_SIZE])
{
    struct tm parts;
    time_t seconds = (time_t)(day * 86400);
    gmtime_r(&seconds, &parts);
    if (reset == LIMIT_RESET_DAILY)
        assert_true(strftime(name, PERIOD_NAME_SIZE, "%Y-%m-%d", &parts));
    else if (reset == LIMIT_RESET_WEEKLY)
        assert_true(strftime(name, PERIOD_NAME_SIZE, "%G-W%V", &parts));
    else
        assert_true(strftime(name, PERIOD_NAME_SIZE, "%Y-%m", &parts));
}

/* The C library says the same of every day of 140 years, and periods follow each other without a gap. */
static void test_against_the_library(void **state)
{
    (void)state;
    for (int reset = LIMIT_RESET_DAILY; reset <= LIMIT_RESET_MONTHLY; reset++) {
        struct period last = period_before(&(struct period){.starts_ms = 0}, reset);
        for (int64_t day = 0; day < INT64_C(140) * 365; day++) {
            struct period period = period_of(reset, day * 86400000 + (day * 7919) % 86400000);
            char name[PERIOD_NAME_SIZE];
            name_by_library(reset, day, name);
            assert_string_equal(period.name, name);
            assert_true(period.starts_ms <= day * 86400000 && day * 86400000 < period.ends_ms);
            if (strcmp(last.name, name) != 0) {
                assert_true(period.starts_ms == last.ends_ms || day == 0);
                assert_string_equal(period_before(&period, reset).name, last.name);
            }
            last = period;
        }
    }
}

static void ask_for_none(void)
{
    period_of(LIMIT_RESET_NONE, 0);
}

static void ask_beyond_names(void)
{
    period_of(LIMIT_RESET_DAILY, INT64_MAX);
}

static void test_what_has_no_period(void **state)
{
    (void)state;
    assert_true(stops(ask_for_none));
    assert_true(stops(ask_beyond_names));
    assert_string_equal(period_of(LIMIT_RESET_DAILY, ms_of("9999-12-31T23:59:59Z")).name,
                        "9999-12-31");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_weeks),
        cmocka_unit_test(test_months),
        cmocka_unit_test(test_against_the_library),
        cmocka_unit_test(test_what_has_no_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

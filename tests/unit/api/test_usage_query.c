#include "../base/unit.h"

#include "api/usage_query.h"

#define NOW_MS INT64_C(1795184334000) /* 2026-11-20T14:18:54Z */

static void reads(const char *text, const char *first, const char *last, enum sums_group group,
                  enum usage_format format)
{
    struct usage_query query;
    char error[USAGE_ERROR_SIZE] = "";

    if (!usage_query_read(&query, span_of(text), NOW_MS, error))
        fail_msg("%s: %s", text, error);
    assert_string_equal(query.first.name, first);
    assert_string_equal(query.last.name, last);
    assert_int_equal(query.group, group);
    assert_int_equal(query.format, format);
}

static void refuses(const char *text, const char *word)
{
    struct usage_query query;
    char error[USAGE_ERROR_SIZE] = "";

    if (usage_query_read(&query, span_of(text), NOW_MS, error))
        fail_msg("%s was taken", text);
    if (!strstr(error, word))
        fail_msg("%s: %s", text, error);
}

static void test_queries(void **state)
{
    (void)state;
    reads("", "2026-11-01", "2026-11-20", SUMS_BY_USER, USAGE_JSON);
    reads("from=2026-11-05", "2026-11-05", "2026-11-20", SUMS_BY_USER, USAGE_JSON);
    reads("to=2026-02-07", "2026-02-01", "2026-02-07", SUMS_BY_USER, USAGE_JSON);
    reads("from=2026-11-20&to=2026-11-20&group_by=day&format=csv", "2026-11-20", "2026-11-20",
          SUMS_BY_DAY, USAGE_CSV);
    reads("group_by=model", "2026-11-01", "2026-11-20", SUMS_BY_MODEL, USAGE_JSON);
    reads("group_by=t%69er", "2026-11-01", "2026-11-20", SUMS_BY_TIER, USAGE_JSON);
    reads("from=2024-01-01&to=2024-12-31", "2024-01-01", "2024-12-31", SUMS_BY_USER, USAGE_JSON);
    refuses("from=2024-01-01&to=2025-01-01", "366");
    refuses("from=2026-11-21", "after");
    refuses("from=2026-11-21&to=2026-11-20", "after");
    refuses("from=", "'from'");
    refuses("to=yesterday", "'to'");
    refuses("group_by=week", "'group_by'");
    refuses("group_by=user&group_by=user", "twice");
    refuses("format=table", "'format'");
    refuses("format=%", "'format'");
    refuses("since=2026-11-20", "no such parameter");
}

static void test_days(void **state)
{
    (void)state;
    static const char *const no_days[] = {
        "",           "2026-11",     "2026-11-1",  "2026-02-29",  "2026-13-01", "2026-00-01",
        "2026-11-31", "2026-11-20 ", "2026-11-00", "+026-11-20",  "26-11-20",   "2026/11/20",
        "2026-11-2x", "2026-W47",    "20261-1-20", "2026-11-20T",
    };
    struct period day;

    for (size_t i = 0; i < sizeof(no_days) / sizeof(*no_days); i++)
        if (day_parse(span_of(no_days[i]), &day))
            fail_msg("%s is no day", no_days[i]);
    assert_true(day_parse(SPAN("2024-02-29"), &day));
    assert_int_equal(day.ends_ms - day.starts_ms, 86400000);
    assert_true(day_parse(SPAN("2026-11-20"), &day));
    assert_true(day.starts_ms <= NOW_MS && NOW_MS < day.ends_ms);
    assert_true(day_parse(SPAN("9999-12-31"), &day));
    assert_true(day_parse(SPAN("0000-01-01"), &day));
}

static void test_months(void **state)
{
    (void)state;
    static const char *const no_months[] = {"month=",
                                            "month=2026-13",
                                            "month=2026-11-01",
                                            "month=2026-1",
                                            "month=2026-11&month=2026-11",
                                            "from=2026-11"};
    char error[USAGE_ERROR_SIZE];
    struct period month;

    for (size_t i = 0; i < sizeof(no_months) / sizeof(*no_months); i++)
        if (usage_month_read(&month, span_of(no_months[i]), NOW_MS, error))
            fail_msg("%s was taken", no_months[i]);
    assert_true(usage_month_read(&month, SPAN_NONE, NOW_MS, error));
    assert_string_equal(month.name, "2026-11");
    assert_true(usage_month_read(&month, SPAN("month=2024%2D02"), NOW_MS, error));
    assert_string_equal(month.name, "2024-02");
}

/* All windows of a query, joined by spaces. */
static void windows_are(const char *text, const char *wanted)
{
    struct usage_query query;
    char error[USAGE_ERROR_SIZE], got[2048] = "";
    int64_t at_ms;

    assert_true(usage_query_read(&query, span_of(text), NOW_MS, error));
    at_ms = query.first.starts_ms;
    while (at_ms < query.last.ends_ms) {
        struct period window = usage_window(&query, at_ms);
        size_t size = strlen(got);
        snprintf(got + size, sizeof(got) - size, "%s%s", size ? " " : "", window.name);
        at_ms = window.ends_ms;
    }
    assert_string_equal(got, wanted);
}

static void test_windows(void **state)
{
    (void)state;
    windows_are("from=2026-11-20&to=2026-11-20", "2026-11-20");
    windows_are("from=2026-10-31&to=2026-11-01", "2026-10-31 2026-11-01");
    windows_are("from=2026-10-30&to=2027-01-02",
                "2026-10-30 2026-10-31 2026-11 2026-12 2027-01-01 2027-01-02");
    windows_are("from=2024-02-01&to=2024-02-29", "2024-02");
    windows_are("from=2024-02-27&to=2024-03-31", "2024-02-27 2024-02-28 2024-02-29 2024-03");
    windows_are("from=2026-10-30&to=2027-01-02&group_by=day", "2026-10 2026-11 2026-12 2027-01");
}

static void test_covers(void **state)
{
    (void)state;
    struct usage_query query;
    char error[USAGE_ERROR_SIZE];

    assert_true(usage_query_read(&query, SPAN("from=2026-10-30&to=2026-11-02"), NOW_MS, error));
    assert_false(usage_query_covers(&query, SPAN("2026-10-29")));
    assert_true(usage_query_covers(&query, SPAN("2026-10-30")));
    assert_true(usage_query_covers(&query, SPAN("2026-11-02")));
    assert_false(usage_query_covers(&query, SPAN("2026-11-03")));
    assert_false(usage_query_covers(&query, SPAN("other")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries), cmocka_unit_test(test_days),
        cmocka_unit_test(test_months),  cmocka_unit_test(test_windows),
        cmocka_unit_test(test_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include "base/metrics.h"

static const char *const outcome_words[] = {"ok", "odd \"\\\n"};
static const char *const route_words[] = {"chat", "models", "other"};
static const struct label_set outcomes = {"outcome", outcome_words, 2};
static const struct label_set routes = {"route", route_words, 3};

enum { PLAIN, OPEN, REQUESTS, WAIT, WAIT_OF, ROWS };

static const struct metric_row rows[ROWS] = {
    [PLAIN] = {"kt_plain_total", "Things.", METRIC_COUNTER, {NULL, NULL}},
    [OPEN] = {"kt_open", "Open \\ now.\nReally.", METRIC_GAUGE, {NULL, NULL}},
    [REQUESTS] = {"kt_requests_total", "Requests.", METRIC_COUNTER, {&outcomes, &routes}},
    [WAIT] = {"kt_wait_seconds", "Wait.", METRIC_HISTOGRAM, {NULL, NULL}},
    [WAIT_OF] = {"kt_wait_of_seconds", "Wait.", METRIC_HISTOGRAM, {&routes, NULL}},
};

static bool printed(const struct metrics *m, const char *part)
{
    struct buffer out;
    buffer_init(&out, 100000);
    assert_true(metrics_print(m, &out));
    bool found = span_contains(buffer_view(&out), span_of(part));
    buffer_done(&out);
    return found;
}

static void test_the_whole_text(void **state)
{
    (void)state;
    struct metrics *m = metrics_open(rows, 3);
    struct buffer out;
    metric_set(m, OPEN, -3);
    metric_add(m, OPEN, 0, 0, 1);
    metric_add(m, REQUESTS, 0, 2, 5);
    metric_add(m, REQUESTS, 1, 0, 1);
    metric_add(m, REQUESTS, 1, 0, 1);
    metric_add(m, REQUESTS, 0, 1, 0);
    buffer_init(&out, 10000);
    assert_true(metrics_print(m, &out));
    assert_span(buffer_view(&out),
                "# HELP kt_plain_total Things.\n"
                "# TYPE kt_plain_total counter\n"
                "kt_plain_total 0\n"
                "# HELP kt_open Open \\\\ now.\\nReally.\n"
                "# TYPE kt_open gauge\n"
                "kt_open -2\n"
                "# HELP kt_requests_total Requests.\n"
                "# TYPE kt_requests_total counter\n"
                "kt_requests_total{outcome=\"ok\",route=\"other\"} 5\n"
                "kt_requests_total{outcome=\"odd \\\"\\\\\\n\",route=\"chat\"} 2\n");
    buffer_done(&out);
    metrics_close(m);
}

static void test_cells_are_apart(void **state)
{
    (void)state;
    struct metrics *m = metrics_open(rows, ROWS);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < 3; k++)
            metric_add(m, REQUESTS, i, k, 10 * i + k + 1);
    metric_add(m, PLAIN, 0, 0, 7);
    metric_observe_us(m, WAIT_OF, 2, 1);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(metric_value(m, REQUESTS, i, k), 10 * i + k + 1);
    assert_int_equal(metric_value(m, PLAIN, 0, 0), 7);
    assert_int_equal(metric_value(m, OPEN, 0, 0), 0);
    assert_int_equal(metric_value(m, WAIT, 0, 0), 0);
    assert_int_equal(metric_value(m, WAIT_OF, 1, 0), 0);
    assert_int_equal(metric_value(m, WAIT_OF, 2, 0), 1);
    metrics_close(m);
}

static void test_histograms(void **state)
{
    (void)state;
    struct metrics *m = metrics_open(rows, ROWS);
    assert_true(printed(m, "kt_wait_seconds_bucket{le=\"+Inf\"} 0\nkt_wait_seconds_sum 0.000000\n"
                           "kt_wait_seconds_count 0\n"));
    assert_false(printed(m, "kt_wait_of_seconds_bucket"));
    metric_observe_us(m, WAIT, 0, 0);
    metric_observe_us(m, WAIT, 0, 10); /* bounds are inclusive */
    metric_observe_us(m, WAIT, 0, 11);
    metric_observe_us(m, WAIT, 0, 1000001);
    metric_observe_us(m, WAIT, 0, 300000000);
    metric_observe_us(m, WAIT, 0, 300000001);
    assert_int_equal(metric_value(m, WAIT, 0, 0), 6);
    assert_true(printed(m, "# TYPE kt_wait_seconds histogram\n"
                           "kt_wait_seconds_bucket{le=\"0.00001\"} 2\n"
                           "kt_wait_seconds_bucket{le=\"0.00005\"} 3\n"));
    assert_true(printed(m, "kt_wait_seconds_bucket{le=\"1\"} 3\n"
                           "kt_wait_seconds_bucket{le=\"2.5\"} 4\n"));
    assert_true(printed(m, "kt_wait_seconds_bucket{le=\"120\"} 4\n"
                           "kt_wait_seconds_bucket{le=\"300\"} 5\n"
                           "kt_wait_seconds_bucket{le=\"+Inf\"} 6\n"
                           "kt_wait_seconds_sum 601.000023\n"
                           "kt_wait_seconds_count 6\n"));
    metric_observe_us(m, WAIT_OF, 1, 2000);
    assert_true(printed(m, "# TYPE kt_wait_of_seconds histogram\n"
                           "kt_wait_of_seconds_bucket{route=\"models\",le=\"0.00001\"} 0\n"));
    assert_true(printed(m, "kt_wait_of_seconds_sum{route=\"models\"} 0.002000\n"
                           "kt_wait_of_seconds_count{route=\"models\"} 1\n"));
    metrics_close(m);
}

/* The printed bounds are the measured ones: one observation at each bound falls into its bucket. */
static void test_bounds_ascend_and_mean_what_they_say(void **state)
{
    (void)state;
    struct metrics *m = metrics_open(rows, ROWS);
    struct buffer out;
    buffer_init(&out, 100000);
    assert_true(metrics_print(m, &out));
    struct span text = buffer_view(&out), line, mark = SPAN("kt_wait_seconds_bucket{le=\"");
    double before = 0;
    int bounds = 0;
    while (span_split(&text, '\n', &line)) {
        if (!span_starts(line, mark) || span_contains(line, SPAN("+Inf")))
            continue;
        char number[32];
        struct span rest = span_from(line, mark.size), bound;
        assert_true(span_split(&rest, '"', &bound) && span_text(bound, number, sizeof(number)));
        double seconds = strtod(number, NULL);
        assert_true(seconds > before);
        metric_observe_us(m, WAIT, 0, (uint64_t)(seconds * 1e6 + 0.5));
        struct buffer now;
        char expected[128];
        buffer_init(&now, 100000);
        assert_true(metrics_print(m, &now));
        snprintf(expected, sizeof(expected), "%.*s%s\"} %d\n", SPAN_PRINT(mark), number, ++bounds);
        assert_true(span_contains(buffer_view(&now), span_of(expected)));
        buffer_done(&now);
        before = seconds;
    }
    assert_true(bounds >= 18 && before == 300.0);
    buffer_done(&out);
    metrics_close(m);
}

static void test_a_full_buffer_is_told(void **state)
{
    (void)state;
    struct metrics *m = metrics_open(rows, ROWS);
    metric_add(m, REQUESTS, 1, 1, 1);
    metric_observe_us(m, WAIT_OF, 1, 2000);
    struct buffer out;
    buffer_init(&out, 100000);
    assert_true(metrics_print(m, &out));
    size_t whole = buffer_size(&out);
    buffer_done(&out);
    for (size_t limit = 0; limit < whole; limit++) {
        buffer_init(&out, limit);
        assert_false(metrics_print(m, &out));
        buffer_done(&out);
    }
    metrics_close(m);
}

static void add_outside(void)
{
    metric_add(metrics_open(rows, ROWS), REQUESTS, 2, 0, 1);
}
static void add_outside_second(void)
{
    metric_add(metrics_open(rows, ROWS), REQUESTS, 0, 3, 1);
}
static void add_to_no_label(void)
{
    metric_add(metrics_open(rows, ROWS), PLAIN, 1, 0, 1);
}
static void add_to_no_row(void)
{
    metric_add(metrics_open(rows, ROWS), ROWS, 0, 0, 1);
}
static void count_down(void)
{
    metric_add(metrics_open(rows, ROWS), PLAIN, 0, 0, -1);
}
static void set_a_counter(void)
{
    metric_set(metrics_open(rows, ROWS), PLAIN, 1);
}
static void observe_a_counter(void)
{
    metric_observe_us(metrics_open(rows, ROWS), PLAIN, 0, 1);
}
static void add_to_a_histogram(void)
{
    metric_add(metrics_open(rows, ROWS), WAIT, 0, 0, 1);
}

static void test_misuse_stops(void **state)
{
    (void)state;
    void (*const wrong[])(void) = {add_outside,       add_outside_second, add_to_no_label,
                                   add_to_no_row,     count_down,         set_a_counter,
                                   observe_a_counter, add_to_a_histogram};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(stops(wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_text),
        cmocka_unit_test(test_cells_are_apart),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_bounds_ascend_and_mean_what_they_say),
        cmocka_unit_test(test_a_full_buffer_is_told),
        cmocka_unit_test(test_misuse_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

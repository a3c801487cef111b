#include "../base/unit.h"

#include "api/usage_sheet.h"

#include <yyjson.h>

static const uint64_t seed[2] = {1, 2};

static void add(struct usage_sheet *sheet, const char *name, int64_t requests, int64_t cost)
{
    usage_sheet_add(sheet, &(struct sums_row){span_of(name), requests, cost, 10, 1, 5, 2});
}

static void prints(const struct usage_sheet *sheet, enum usage_format format, enum sums_group group,
                   const char *wanted)
{
    struct usage_query query = {.group = group, .format = format};
    struct buffer out;

    day_parse(SPAN("2026-11-01"), &query.first);
    day_parse(SPAN("2026-11-20"), &query.last);
    buffer_init(&out, 1 << 16);
    assert_true(usage_print(sheet, &query, &out));
    assert_span(buffer_view(&out), wanted);
    buffer_done(&out);
    buffer_init(&out, 20);
    assert_false(usage_print(sheet, &query, &out));
    buffer_done(&out);
}

static void test_adds_up(void **state)
{
    (void)state;
    struct usage_sheet sheet;
    const struct sums_row **rows;

    usage_sheet_init(&sheet, seed);
    add(&sheet, "b", 1, 5);
    add(&sheet, "a", 2, 7);
    add(&sheet, "b", 3, 4);
    add(&sheet, "ab", 1, 9);
    assert_int_equal(usage_sheet_size(&sheet), 3);
    assert_int_equal(sheet.totals.requests, 7);
    assert_int_equal(sheet.totals.cost_nano_usd, 25);
    assert_int_equal(sheet.totals.prompt_tokens, 40);
    rows = usage_sheet_rows(&sheet, true);
    assert_span(rows[0]->name, "a");
    assert_span(rows[1]->name, "ab");
    assert_span(rows[2]->name, "b");
    free((void *)rows);
    rows = usage_sheet_rows(&sheet, false); /* the dearest first, then by name */
    assert_span(rows[0]->name, "ab");
    assert_span(rows[1]->name, "b");
    assert_int_equal(rows[1]->requests, 4);
    assert_span(rows[2]->name, "a");
    free((void *)rows);
    usage_sheet_done(&sheet);
}

static void test_cost_of_days(void **state)
{
    (void)state;
    struct usage_sheet sheet;
    struct usage_query query = {0};

    usage_sheet_init(&sheet, seed);
    add(&sheet, "2026-11-15", 1, 1);
    add(&sheet, "2026-11-16", 1, 20);
    add(&sheet, "2026-11-20", 1, 300);
    assert_true(day_parse(SPAN("2026-11-16"), &query.first));
    assert_true(day_parse(SPAN("2026-11-20"), &query.last));
    assert_int_equal(usage_sheet_cost(&sheet, &query), 320);
    usage_sheet_done(&sheet);
}

static void test_csv(void **state)
{
    (void)state;
    struct usage_sheet sheet;

    usage_sheet_init(&sheet, seed);
    add(&sheet, "plain", 1, 1);
    add(&sheet, "a,b", 1, 2);
    add(&sheet, "say \"hi\"", 1, 3);
    add(&sheet, "two\r\nlines", 1, 4);
    add(&sheet, "=1+1", 1, 5);
    add(&sheet, "@cmd\"", 1, 12500000006);
    prints(&sheet, USAGE_CSV, SUMS_BY_MODEL,
           "name,requests,cost_nano_usd,cost_usd,prompt_tokens,cached_tokens,completion_tokens,"
           "reasoning_tokens\r\n"
           "\"'@cmd\"\"\",1,12500000006,12.500000006,10,1,5,2\r\n"
           "\"'=1+1\",1,5,0.000000005,10,1,5,2\r\n"
           "\"two\r\nlines\",1,4,0.000000004,10,1,5,2\r\n"
           "\"say \"\"hi\"\"\",1,3,0.000000003,10,1,5,2\r\n"
           "\"a,b\",1,2,0.000000002,10,1,5,2\r\n"
           "plain,1,1,0.000000001,10,1,5,2\r\n");
    usage_sheet_done(&sheet);
}

static void test_table(void **state)
{
    (void)state;
    struct usage_sheet sheet;

    usage_sheet_init(&sheet, seed);
    add(&sheet, "ann", 12, 1500000000);
    add(&sheet, "b\x1b[31m", 3, 1);
    prints(&sheet, USAGE_TABLE, SUMS_BY_USER,
           "user    requests     cost_usd  prompt_tokens  cached_tokens  completion_tokens"
           "  reasoning_tokens\n"
           "ann           12          1.5             10              1                  5"
           "                 2\n"
           "b?[31m         3  0.000000001             10              1                  5"
           "                 2\n"
           "total         15  1.500000001             20              2                 10"
           "                 4\n");
    usage_sheet_done(&sheet);
}

static void test_json(void **state)
{
    (void)state;
    struct usage_sheet sheet;
    struct period month;
    struct buffer out;
    struct json j;
    yyjson_doc *doc;

    usage_sheet_init(&sheet, seed);
    add(&sheet, "2026-11-02", 1, 2000000000);
    prints(&sheet, USAGE_JSON, SUMS_BY_DAY,
           "{\"from\":\"2026-11-01\",\"to\":\"2026-11-20\",\"group_by\":\"day\",\"rows\":[{"
           "\"name\":\"2026-11-02\",\"requests\":1,\"cost_nano_usd\":2000000000,\"cost_usd\":2,"
           "\"prompt_tokens\":10,\"cached_tokens\":1,\"completion_tokens\":5,"
           "\"reasoning_tokens\":2}],\"totals\":{\"requests\":1,\"cost_nano_usd\":2000000000,"
           "\"cost_usd\":2,\"prompt_tokens\":10,\"cached_tokens\":1,\"completion_tokens\":5,"
           "\"reasoning_tokens\":2}}\n");
    add(&sheet, "2026-11-01", 1, 1);
    assert_true(month_parse(SPAN("2026-11"), &month));
    buffer_init(&out, 1 << 16);
    j = json_into(&out);
    json_open(&j, '{');
    usage_print_month(&sheet, &month, &j);
    json_close(&j, '}');
    doc = yyjson_read(buffer_view(&out).at, buffer_size(&out), 0);
    assert_non_null(doc);
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(yyjson_doc_get_root(doc), "/month")),
                        "2026-11");
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(yyjson_doc_get_root(doc), "/days/0/day")),
                        "2026-11-01");
    yyjson_doc_free(doc);
    buffer_done(&out);
    usage_sheet_done(&sheet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adds_up), cmocka_unit_test(test_cost_of_days),
        cmocka_unit_test(test_csv),     cmocka_unit_test(test_table),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

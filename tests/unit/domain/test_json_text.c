#include "../base/unit.h"

#include "domain/json_text.h"

static void test_plain_strings(void **state)
{
    (void)state;
    assert_span(json_plain_string(SPAN("\"openai/gpt-4o\"")), "openai/gpt-4o");
    assert_span(json_plain_string(SPAN("\"\"")), "");
    assert_span(json_plain_string(SPAN("\"\xc3\xa9\"")), "\xc3\xa9");
    assert_null(json_plain_string(SPAN("\"a\\/b\"")).at);
    assert_null(json_plain_string(SPAN("\"\\\"\"")).at);
    assert_null(json_plain_string(SPAN("12")).at);
    assert_null(json_plain_string(SPAN("null")).at);
    assert_null(json_plain_string(SPAN("\"")).at);
    assert_null(json_plain_string(SPAN_NONE).at);
}

static void test_escapes_are_resolved(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        struct span text;
    } rows[] = {
        {"model", {"model", 5}},
        {"", {"", 0}},
        {"mod\\u0065l", {"model", 5}},
        {"openai\\/gpt", {"openai/gpt", 10}},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", {"\"\\/\b\f\n\r\t", 8}},
        {"a\\u0000b", {"a\0b", 3}},
        {"\\u007f\\u0080\\u07ff\\u0800\\uffff",
         {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11}},
        {"\\uD83D\\ude00", {"\xf0\x9f\x98\x80", 4}},
        {"\\ud800\\udc00\\uDBFF\\uDFFF", {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8}},
        {"\xc3\xa9\\u00E9", {"\xc3\xa9\xc3\xa9", 4}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[32];
        size_t size = 99;
        assert_true(json_resolve(span_of(rows[i].raw), text, sizeof(text), &size));
        assert_true(span_equal((struct span){text, size}, rows[i].text));
    }
}

static void test_capacity_is_kept(void **state)
{
    (void)state;
    char text[5] = "1234";
    size_t size = 0;
    assert_true(json_resolve(SPAN("\\u0061bc"), text, 3, &size));
    assert_int_equal(size, 3);
    assert_true(text[3] == '4');
    assert_false(json_resolve(SPAN("\\u0061bcd"), text, 3, &size));
    assert_false(json_resolve(SPAN("a\\ud83d\\ude00"), text, 4, &size));
    assert_true(text[4] == '\0');
    assert_false(json_resolve(SPAN("a\\"), text, 4, &size)); /* nothing json_scan lets pass */
    assert_false(json_resolve(SPAN("\\u12"), text, 4, &size));
    assert_false(json_resolve(SPAN("\\ud83d"), text, 4, &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_strings),
        cmocka_unit_test(test_escapes_are_resolved),
        cmocka_unit_test(test_capacity_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

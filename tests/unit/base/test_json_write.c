#include "unit.h"

#include "base/json_write.h"

static void assert_string(struct span text, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 1000);
    struct json j = json_into(&out);
    json_text(&j, text);
    assert_true(json_ok(&j));
    assert_span(buffer_view(&out), expected);
    buffer_done(&out);
}

static void test_commas(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1000);
    struct json j = json_into(&out);
    json_open(&j, '{');
    json_name(&j, "a");
    json_open(&j, '[');
    json_int(&j, 1);
    json_open(&j, '[');
    json_close(&j, ']');
    json_bool(&j, true);
    json_bool(&j, false);
    json_open(&j, '{');
    json_close(&j, '}');
    json_raw(&j, SPAN("{\"x\":1}"));
    json_close(&j, ']');
    json_name(&j, "b\"");
    json_text(&j, SPAN("c"));
    json_name(&j, "d");
    json_null(&j);
    json_close(&j, '}');
    assert_true(json_ok(&j));
    assert_span(buffer_view(&out),
                "{\"a\":[1,[],true,false,{},{\"x\":1}],\"b\\\"\":\"c\",\"d\":null}");
    buffer_done(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1000);
    struct json j = json_into(&out);
    json_open(&j, '[');
    json_int(&j, INT64_MIN);
    json_int(&j, INT64_MAX);
    json_int(&j, 0);
    json_close(&j, ']');
    assert_span(buffer_view(&out), "[-9223372036854775808,9223372036854775807,0]");
    buffer_done(&out);
}

static void test_escapes(void **state)
{
    (void)state;
    assert_string(SPAN_NONE, "null");
    assert_string(SPAN(""), "\"\"");
    assert_string(SPAN("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_string(SPAN("\r\n\t\0\b\x1b[31m\x7f"), "\"\\r\\n\\t\\u0000\\u0008\\u001b[31m\\u007f\"");
    assert_string(SPAN("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "\"\\u0080\\u009b\\u009f\xc2\xa0\"");
    assert_string(SPAN("\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91"),
                  "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91\"");
    assert_string(SPAN("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf"),
                  "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf\"");
}

#define UNKNOWN "\xef\xbf\xbd"

static void test_broken_utf8_is_replaced(void **state)
{
    (void)state;
    assert_string(SPAN("a\xff"), "\"a" UNKNOWN "\"");
    assert_string(SPAN("\x80z"), "\"" UNKNOWN "z\"");
    assert_string(SPAN("\xc3"), "\"" UNKNOWN "\""); /* cut off */
    assert_string(SPAN("\xe2\x82z"), "\"" UNKNOWN UNKNOWN "z\"");
    assert_string(SPAN("\xc0\x8a"), "\"" UNKNOWN UNKNOWN "\""); /* an overlong line feed */
    assert_string(SPAN("\xe0\x80\x8a"), "\"" UNKNOWN UNKNOWN UNKNOWN "\"");
    assert_string(SPAN("\xf0\x80\x80\x8a"), "\"" UNKNOWN UNKNOWN UNKNOWN UNKNOWN "\"");
    assert_string(SPAN("\xed\xa0\x80"), "\"" UNKNOWN UNKNOWN UNKNOWN "\""); /* a surrogate */
    assert_string(SPAN("\xf4\x90\x80\x80"), "\"" UNKNOWN UNKNOWN UNKNOWN UNKNOWN "\"");
    assert_string(SPAN("\xc3\""), "\"" UNKNOWN "\\\"\""); /* does not swallow the quote */
}

static void test_a_full_buffer_is_told(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 14; limit++) {
        struct buffer out;
        buffer_init(&out, limit);
        struct json j = json_into(&out);
        json_open(&j, '{');
        json_name(&j, "a");
        json_text(&j, SPAN("\n"));
        json_name(&j, "b");
        json_int(&j, 1);
        json_close(&j, '}');
        assert_false(json_ok(&j));
        struct span written = buffer_view(&out); /* nothing after what did not fit */
        assert_true(span_starts(SPAN("{\"a\":\"\\n\",\"b\":1}"), written));
        buffer_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_broken_utf8_is_replaced),
        cmocka_unit_test(test_a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

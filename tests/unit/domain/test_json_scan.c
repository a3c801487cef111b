#include "../base/unit.h"

#include <yyjson.h>

#include "domain/json_scan.h"

/* The kinds of cases of JSONTestSuite: what every reader must accept and what every reader must refuse. */
#define ROW(text) \
    { \
        text, sizeof(text) - 1 \
    }
static const struct span accepted[] = {
    /* arrays */
    ROW("[]"),
    ROW("[ ]"),
    ROW("[[]   ]"),
    ROW("[\"\"]"),
    ROW("[\"a\"]"),
    ROW("[false]"),
    ROW("[null, 1, \"1\", {}]"),
    ROW("[null]"),
    ROW("[1\n]"),
    ROW(" [1]"),
    ROW("[1,null,null,null,2]"),
    ROW("[2] "),
    ROW("[[[[[[]]]]]]"),
    ROW("[\n\t\r 1 , 2\r\n]"),
    /* numbers */
    ROW("[123e65]"),
    ROW("[0e+1]"),
    ROW("[0e1]"),
    ROW("[ 4]"),
    ROW("[-0.000000000000000000000000000000000000001]"),
    ROW("[20e1]"),
    ROW("[-0]"),
    ROW("[-123]"),
    ROW("[-1]"),
    ROW("[-0.0]"),
    ROW("[1E22]"),
    ROW("[1E-2]"),
    ROW("[1E+2]"),
    ROW("[123e45]"),
    ROW("[123.456e78]"),
    ROW("[1e-2]"),
    ROW("[1e+2]"),
    ROW("[123]"),
    ROW("[123.456789]"),
    ROW("[0]"),
    ROW("[0.5]"),
    ROW("[0E0]"),
    ROW("[9007199254740993]"),
    ROW("[123456789012345678901234567890]"),
    ROW("[1.5e-9999]"),
    ROW("[1e9999]"),
    ROW("[0.0e-0]"),
    ROW("0"),
    ROW("-0"),
    ROW("42"),
    ROW("-0.1"),
    ROW("3E-7"),
    /* objects */
    ROW("{}"),
    ROW("{ }"),
    ROW("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"),
    ROW("{\"asd\":\"sdf\"}"),
    ROW("{\"a\":\"b\",\"a\":\"c\"}"),
    ROW("{\"\":0}"),
    ROW("{\"foo\\u0000bar\": 42}"),
    ROW("{\"a\":[]}"),
    ROW("{\"a\" : {\"b\":{}}}"),
    ROW("{\n\"a\": \"b\"\n}"),
    ROW("{\"title\":\"\\u041f\\u043e\\u043b\"}"),
    ROW(" \t\r\n{ \"a\" \n:\t1\r,\"b\":[1,{}] } \n"),
    ROW("{\"min\":-1.0e+28}"),
    /* strings */
    ROW("[\"\\u0060\\u012a\\u12AB\"]"),
    ROW("[\"\\uD801\\udc37\"]"),
    ROW("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
    ROW("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    ROW("[\"\\\\u0000\"]"),
    ROW("[\"\\\"\"]"),
    ROW("[\"a/*b*/c/*d//e\"]"),
    ROW("[\"\\\\a\"]"),
    ROW("[\"\\\\n\"]"),
    ROW("[\"\\u0012\"]"),
    ROW("[\"\\uFFFF\"]"),
    ROW("[\"\xef\xbf\xbf\"]"),
    ROW("[\"\xf4\x8f\xbf\xbf\"]"),
    ROW("[\"\xef\xbf\xbe\"]"),
    ROW("[\"\\u0000\"]"),
    ROW("[\"\\u002c\"]"),
    ROW("[\"\xcf\x80\"]"),
    ROW("[\"\xf0\x9b\xbf\xbf\"]"),
    ROW("[\"asd \"]"),
    ROW("\" \""),
    ROW("[\"\\uDBFF\\uDFFF\"]"),
    ROW("[\"new\\u00A0line\"]"),
    ROW("[\"\xe2\x80\xa8\"]"),
    ROW("[\"\xe2\x80\xa9\"]"),
    ROW("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"),
    ROW("[\"\\uA66D\"]"),
    ROW("[\"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82\"]"),
    ROW("[\"\\u0022\"]"),
    ROW("[\"\x7f\"]"),
    ROW("[\"a\x7f"
        "a\"]"),
    ROW("[\"\xed\x9f\xbf\xee\x80\x80\"]"),
    ROW("[\"\xe0\xa0\x80\xc2\x80\xf0\x90\x80\x80\"]"),
    ROW("\"0123456789abcdef0123456789abcdef\""),
    ROW("\"0123456\xc3\xa9"
        "9abcdef\\n123456789abcdef\""),
    /* lone values */
    ROW("false"),
    ROW("true"),
    ROW("null"),
    ROW("\"asd\""),
    ROW("\"\""),
    ROW(" true "),
    ROW("[true]"),
    ROW("\n\r\t 1\n"),
};

static const struct span refused[] = {
    /* structure */
    ROW(""), ROW(" "), ROW("\n"), ROW("["), ROW("]"), ROW("{"), ROW("}"), ROW("[1"), ROW("[1,"),
    ROW("[1,]"), ROW("[,1]"), ROW("[,]"), ROW("[1 true]"), ROW("[\"a\" \"b\"]"), ROW("[a"),
    ROW("[1:2]"), ROW("[1,,2]"), ROW("[\"x\",,]"), ROW("[1]]"), ROW("[\"x\"]]"), ROW("[\"\": 1]"),
    ROW("[x"), ROW("[][]"), ROW("[1]x"), ROW("[1]1"), ROW("{}{}"), ROW("{}}"), ROW("[}"), ROW("{]"),
    ROW("[{]}"), ROW("[[]"), ROW("{\"a\":1]"), ROW("[\"a\",\n4\n,1,"), ROW("[\"a\"\n"),
    ROW("[1,\n1\n,1"), ROW("*"), ROW("[*]"), ROW("[\"a\",4,"), ROW("<.>"), ROW("[<null>]"),
    ROW("\xe2\x81\xa0"), ROW("[\x0c]"), ROW("[\v]"), ROW("[\xc2\xa0]"), ROW("[1]\0"), ROW("\0[1]"),
    ROW("[\0]"), ROW("{\"a\":1}\0"), ROW("\xef\xbb\xbf{}"), ROW("\xef\xbb\xbf"), ROW("\xef\xbb"),
    ROW("[1]//"), ROW("/**/[1]"), ROW("[1/**/]"), ROW("{\"a\":\"b\"}/**/"), ROW("{\"a\":\"b\"}/"),
    ROW("{\"a\":\"b\"}#"), ROW("{\"a\":/*x*/1}"), ROW("(1)"), ROW("'1'"), ROW("a\xc3\xa5"),
    ROW("\xc3\xa5"), ROW("[\xff]"), ROW("{\xe5}"),
    /* objects */
    ROW("{\"a\""), ROW("{\"a\":"), ROW("{\"a\":1"), ROW("{\"a\":1,"), ROW("{\"a\":1,}"),
    ROW("{,\"a\":1}"), ROW("{\"a\",1}"), ROW("{\"a\" 1}"), ROW("{\"a\"::1}"),
    ROW("{\"a\":1 \"b\":2}"), ROW("{\"a\":1,,\"b\":2}"), ROW("{:1}"), ROW("{:\"b\"}"), ROW("{1:1}"),
    ROW("{a:1}"), ROW("{a: \"b\"}"), ROW("{'a':0}"), ROW("{null:null,null:null}"),
    ROW("{\"a\":\"a\" 123}"), ROW("{[: \"x\"}"), ROW("{\"a\":}"), ROW("{\"id\":0,,,,,}"),
    ROW("{\"x\"::\"b\"}"), ROW("{\"a\":1 2}"), ROW("{\"x\", null}"), ROW("{9999E9999:1}"),
    ROW("{\"a\": true} \"x\""), ROW("{true:1}"), ROW("{\"a\":\"b\",\"c\"}"), ROW("{\"a\":\"b"),
    ROW("{\"a"),
    /* literals */
    ROW("nul"), ROW("nulll"), ROW("tru"), ROW("truee"), ROW("fals"), ROW("True"), ROW("TRUE"),
    ROW("NULL"), ROW("[nul]"), ROW("[truth]"), ROW("[fals]"), ROW("[undefined]"), ROW("nan"),
    ROW("[NaN]"), ROW("[-NaN]"), ROW("[Inf]"), ROW("[Infinity]"), ROW("[-Infinity]"), ROW("[inf]"),
    ROW("[t"), ROW("[n"), ROW("[+Inf]"),
    /* numbers */
    ROW("[++1234]"), ROW("[+1]"), ROW("[-01]"), ROW("[-1.0.]"), ROW("[-2.]"), ROW("[.-1]"),
    ROW("[.2e-3]"), ROW("[0.1.2]"), ROW("[0.3e+]"), ROW("[0.3e]"), ROW("[0.e1]"), ROW("[0E+]"),
    ROW("[0E]"), ROW("[0e+]"), ROW("[0e]"), ROW("[1.0e+]"), ROW("[1.0e-]"), ROW("[1.0e]"),
    ROW("[1 000.0]"), ROW("[1eE2]"), ROW("[2.e+3]"), ROW("[2.e-3]"), ROW("[2.e3]"), ROW("[9.e+]"),
    ROW("[\xef\xbc\x91]"), ROW("[1+2]"), ROW("[0x1]"), ROW("[0x42]"), ROW("[0e+-1]"), ROW("[-foo]"),
    ROW("[- 1]"), ROW("[-012]"), ROW("[-.123]"), ROW("[-1x]"), ROW("[1ea]"), ROW("[1.]"),
    ROW("[1.a]"), ROW("[.123]"), ROW("[1.2a-3]"), ROW("[012]"), ROW("[1.8011670033376514H-308]"),
    ROW("-"), ROW("[-]"), ROW("00"), ROW("0x"), ROW("1e"), ROW("1."), ROW("-a"), ROW("01"),
    ROW("[1_000]"), ROW("[1,000"), ROW("[-\xe5]"), ROW("[0\xe5]"), ROW("[1e1\xe5]"),
    ROW("[123\xe5]"), ROW("2@"),
    /* strings */
    ROW("[\"\\uD800\\\"]"), ROW("[\"\\uD800\\u\"]"), ROW("[\"\\uD800\\u1\"]"),
    ROW("[\"\\uD800\\u1x\"]"), ROW("[\"\\uD800\"]"), ROW("[\"\\uDC00\"]"),
    ROW("[\"\\uD800\\uD800\"]"), ROW("[\"\\uDFAA\"]"), ROW("[\"\\uD888\\u1234\"]"),
    ROW("[\"\\uDd1e\\uD834\"]"), ROW("[\"\\uD834abc\"]"), ROW("[\xc3\xa9]"), ROW("[\"\\\x00\"]"),
    ROW("[\"\\x00\"]"), ROW("[\"\\\\\\\"]"), ROW("[\"\\\t\"]"), ROW("[\"\\u00A\"]"),
    ROW("[\"\\u00AG\"]"), ROW("[\"\\uD834\\uDd\"]"), ROW("[\"\\a\"]"), ROW("[\"\\uqqqq\"]"),
    ROW("[\"\\\xe5\"]"), ROW("[\\u0020\"asd\"]"), ROW("[\\n]"), ROW("\""), ROW("['single quote']"),
    ROW("abc"), ROW("[\"\\"),
    ROW("[\"a\x00"
        "a\"]"),
    ROW("[\"new\nline\"]"), ROW("[\"\t\"]"), ROW("[\"\x1f\"]"), ROW("\"\\UA66D\""), ROW("\"\"x"),
    ROW("[\"\\u"), ROW("\"\\u12"), ROW("[\"a"), ROW("\"\\'\""), ROW("[\"\\v\"]"), ROW("[\"\\0\"]"),
    ROW("[\"\\u{20}\"]"), ROW("[\"\\u 123\"]"), ROW("[\"\\u-123\"]"),
    ROW("\"0123456789abcdef\n0123456789\""),
    ROW("\"01234567\x01"
        "89abcdef\""),
    ROW("\"0123456789abcdef"),
    /* UTF-8 */
    ROW("[\"\x80\"]"), ROW("[\"\xbf\"]"), ROW("[\"\xc0\xaf\"]"), ROW("[\"\xc1\xbf\"]"),
    ROW("[\"\xc2\"]"), ROW("[\"\xc2\x41\"]"), ROW("[\"\xe0\x80\xaf\"]"), ROW("[\"\xe0\x9f\xbf\"]"),
    ROW("[\"\xe4\xb8\"]"), ROW("[\"\xed\xa0\x80\"]"), ROW("[\"\xed\xbf\xbf\"]"),
    ROW("[\"\xf0\x80\x80\xaf\"]"), ROW("[\"\xf0\x8f\xbf\xbf\"]"), ROW("[\"\xf4\x90\x80\x80\"]"),
    ROW("[\"\xf5\x80\x80\x80\"]"), ROW("[\"\xf8\x88\x80\x80\x80\"]"),
    ROW("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"), ROW("[\"\xfe\"]"), ROW("[\"\xff\"]"), ROW("[\"\xe9\"]"),
    ROW("[\"\xf0\x9f\x98\"]"), ROW("[\"\xe2\x82\x28\"]"), ROW("[\"\xf0\x28\x8c\xbc\"]"),
    ROW("[\"\xf0\x90\x28\xbc\"]"), ROW("[\"\xf0\x90\x8c\x28\"]"), ROW("\"\xe4\xb8"),
    ROW("\"\xf0\x9f\x98"), ROW("\xff\xfe[\0\"\0\xe9\0\"\0]\0"), ROW("{\"\xff\":1}"),
    ROW("\"abcdefgh\xc3\"")};

static bool scan_accepts(struct span text)
{
    size_t bad_at;
    return json_scan(text, NULL, NULL, &bad_at) != JSON_BROKEN;
}

static bool yyjson_accepts(struct span text)
{
    yyjson_doc *doc = yyjson_read(text.at, text.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_doc_free(doc);
    return doc != NULL;
}

static void test_what_must_be_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++) {
        if (!scan_accepts(accepted[i]) || !yyjson_accepts(accepted[i]))
            fail_msg("row %zu is JSON: %.*s", i, SPAN_PRINT(accepted[i]));
    }
}

static void test_what_must_be_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        if (scan_accepts(refused[i]) || yyjson_accepts(refused[i]))
            fail_msg("row %zu is no JSON: %.*s", i, SPAN_PRINT(refused[i]));
    }
}

/* Copies of exact size, so that the sanitizer sees a read past the end. */
static void test_every_beginning_agrees_with_yyjson(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++)
        for (size_t size = 0; size <= accepted[i].size; size++) {
            char *copy = malloc(size + 1);
            memcpy(copy, accepted[i].at, size);
            char *exact = realloc(copy, size ? size : 1);
            struct span text = {exact, size};
            if (scan_accepts(text) != yyjson_accepts(text))
                fail_msg("first %zu bytes of row %zu", size, i);
            free(exact);
        }
}

static void test_every_byte_in_every_place_agrees_with_yyjson(void **state)
{
    (void)state;
    const struct span base =
        SPAN("{\"a\":[1.5e3,\"x\\u00e9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\n\",true],\"b\":null}");
    char text[128];
    for (size_t at = 0; at < base.size; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(text, base.at, base.size);
            text[at] = (char)byte;
            struct span changed = {text, base.size};
            if (scan_accepts(changed) != yyjson_accepts(changed))
                fail_msg("byte %02x at %zu", byte, at);
        }
}

static void test_a_special_byte_is_seen_at_every_distance(void **state)
{
    (void)state;
    const char specials[] = {'\n', '\0', '\x1f', '\x80', '\xff'};
    for (size_t length = 1; length < 40; length++)
        for (size_t at = 0; at < length; at++)
            for (size_t i = 0; i < sizeof(specials); i++) {
                char text[64];
                memset(text, '~', sizeof(text));
                text[0] = text[length + 1] = '"';
                text[1 + at] = specials[i];
                size_t bad_at = 0;
                assert_int_equal(json_scan((struct span){text, length + 2}, NULL, NULL, &bad_at),
                                 JSON_BROKEN);
                assert_int_equal(bad_at, 1 + at);
            }
}

struct seen {
    struct json_member members[8];
    size_t count, stop_after;
};

static bool note(const struct json_member *member, void *context)
{
    struct seen *seen = context;
    assert_true(seen->count < 8);
    seen->members[seen->count++] = *member;
    return seen->count != seen->stop_after;
}

static void test_members_are_told_raw_and_in_order(void **state)
{
    (void)state;
    struct seen seen = {.count = 0};
    struct span text = SPAN(" { \"model\" : \"a\\/b\" , \"n\":-1.5e3,\"list\":[ {\"model\":1}, 2 "
                            "],\"o\" : {\"user\":{}} ,"
                            "\"t\":true,\"f\":false,\"mod\\u0065l\":null, \"\":\"\"} ");
    assert_int_equal(json_scan(text, note, &seen, NULL), JSON_FINE);
    static const struct {
        const char *name, *value;
        enum json_kind kind;
        bool escaped;
    } want[] = {
        {"model", "\"a\\/b\"", JSON_STRING, false},
        {"n", "-1.5e3", JSON_NUMBER, false},
        {"list", "[ {\"model\":1}, 2 ]", JSON_ARRAY, false},
        {"o", "{\"user\":{}}", JSON_OBJECT, false},
        {"t", "true", JSON_TRUE, false},
        {"f", "false", JSON_FALSE, false},
        {"mod\\u0065l", "null", JSON_NULL, true},
        {"", "\"\"", JSON_STRING, false},
    };
    assert_int_equal(seen.count, sizeof(want) / sizeof(*want));
    for (size_t i = 0; i < seen.count; i++) {
        assert_span(seen.members[i].name, want[i].name);
        assert_span(seen.members[i].value, want[i].value);
        assert_int_equal(seen.members[i].kind, want[i].kind);
        assert_int_equal(seen.members[i].name_escaped, want[i].escaped);
    }
}

static void test_visit_can_stop(void **state)
{
    (void)state;
    struct seen seen = {.stop_after = 2};
    assert_int_equal(json_scan(SPAN("{\"a\":1,\"b\":2,\"c\":3,broken"), note, &seen, NULL),
                     JSON_FINE);
    assert_int_equal(seen.count, 2);
}

static void test_members_of_other_levels_are_not_told(void **state)
{
    (void)state;
    struct seen seen = {.count = 0};
    size_t bad_at;
    assert_int_equal(json_scan(SPAN("[{\"a\":1},{\"b\":{\"c\":2}}]"), note, &seen, &bad_at),
                     JSON_NOT_OBJECT);
    assert_int_equal(json_scan(SPAN("\"{}\""), note, &seen, &bad_at), JSON_NOT_OBJECT);
    assert_int_equal(json_scan(SPAN("12"), note, &seen, &bad_at), JSON_NOT_OBJECT);
    assert_int_equal(seen.count, 0);
}

static void test_where_it_is_broken(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        size_t bad_at;
    } rows[] = {
        {ROW(""), 0},
        {ROW("{"), 1},
        {ROW("{\"a\":1,}"), 7},
        {ROW("{\"a\":01}"), 6},
        {ROW("{\"a\":tru}"), 8},
        {ROW("{} x"), 3},
        {ROW("{\"a\":\"\x01\"}"), 6},
        {ROW("{\"a\":\"\xc3\"}"), 6},
        {ROW("{\"a\" 1}"), 5},
        {ROW("{\"a\":\"bc"), 8},
        {ROW("{\"a\":\"b\\q\"}"), 7},
        {ROW("{\"a\":1.}"), 7},
        {ROW("[1]]"), 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t bad_at = 999;
        assert_int_equal(json_scan(rows[i].text, NULL, NULL, &bad_at), JSON_BROKEN);
        if (bad_at != rows[i].bad_at)
            fail_msg("row %zu: %zu", i, bad_at);
    }
}

/* Arrays and objects by turns. */
static enum json_verdict scan_levels(size_t levels, size_t *ret_bad_at)
{
    char *text = malloc(levels * 8 + 8);
    size_t size = 0;
    for (size_t i = 0; i < levels; i++) {
        const char *open = i % 2 ? "[" : "{\"a\":";
        memcpy(text + size, open, strlen(open));
        size += strlen(open);
    }
    text[size++] = '1';
    for (size_t i = levels; i-- > 0;)
        text[size++] = i % 2 ? ']' : '}';
    enum json_verdict verdict = json_scan((struct span){text, size}, NULL, NULL, ret_bad_at);
    free(text);
    return verdict;
}

static void test_depth_has_a_cap(void **state)
{
    (void)state;
    size_t bad_at = 0;
    assert_int_equal(scan_levels(JSON_DEPTH_MAX, &bad_at), JSON_FINE);
    assert_int_equal(scan_levels(JSON_DEPTH_MAX + 1, &bad_at), JSON_BROKEN);
    assert_int_equal(bad_at, JSON_DEPTH_MAX / 2 * 6); /* the bracket that is one too many */
    assert_int_equal(scan_levels(1000000, &bad_at), JSON_BROKEN);
}

static void test_sixteen_megabytes_in_one_pass(void **state)
{
    (void)state;
    size_t size = 16u << 20;
    char *text = malloc(size);
    memset(text, 'a', size);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + size - 2, "\"}", 2);
    struct seen seen = {.count = 0};
    assert_int_equal(json_scan((struct span){text, size}, note, &seen, NULL), JSON_FINE);
    assert_int_equal(seen.members[0].value.size, size - 6);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_must_be_accepted),
        cmocka_unit_test(test_what_must_be_refused),
        cmocka_unit_test(test_every_beginning_agrees_with_yyjson),
        cmocka_unit_test(test_every_byte_in_every_place_agrees_with_yyjson),
        cmocka_unit_test(test_a_special_byte_is_seen_at_every_distance),
        cmocka_unit_test(test_members_are_told_raw_and_in_order),
        cmocka_unit_test(test_visit_can_stop),
        cmocka_unit_test(test_members_of_other_levels_are_not_told),
        cmocka_unit_test(test_where_it_is_broken),
        cmocka_unit_test(test_depth_has_a_cap),
        cmocka_unit_test(test_sixteen_megabytes_in_one_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

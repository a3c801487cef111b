#include "unit.h"

static void test_equality_is_of_bytes(void **state)
{
    (void)state;
    assert_true(span_equal(SPAN("a\0b"), SPAN("a\0b")));
    assert_false(span_equal(SPAN("a\0b"), SPAN("a\0c")));
    assert_false(span_equal(SPAN("ab"), SPAN("abc")));
    assert_true(span_equal(SPAN_NONE, SPAN("")));
    assert_false(span_equal(SPAN_NONE, SPAN("a")));
}

static void test_case_is_folded_for_ascii_only(void **state)
{
    (void)state;
    assert_true(span_equal_nocase(SPAN("Content-Type"), SPAN("cONTENT-tYPE")));
    assert_false(span_equal_nocase(SPAN("\xc4"), SPAN("\xe4")));
    assert_false(
        span_equal_nocase(SPAN("@"), SPAN("`"))); /* differ by the same bit as letters do */
    assert_false(span_equal_nocase(SPAN("["), SPAN("{")));
    assert_false(span_equal_nocase(SPAN("a"), SPAN("ab")));
}

static void test_parts(void **state)
{
    (void)state;
    assert_true(span_starts(SPAN("/v1/chat"), SPAN("/v1/")));
    assert_false(span_starts(SPAN("/v"), SPAN("/v1/")));
    assert_true(span_starts(SPAN_NONE, SPAN("")));
    assert_true(span_ends(SPAN("model:free"), SPAN(":free")));
    assert_false(span_ends(SPAN("free"), SPAN(":free")));
    assert_true(span_contains(SPAN("abcabd"), SPAN("abd")));
    assert_false(span_contains(SPAN("abcab"), SPAN("abd")));
    assert_true(span_contains(SPAN_NONE, SPAN("")));
    assert_false(span_contains(SPAN_NONE, SPAN("a")));
}

/* Each byte at each place of a text long enough for whole words and a rest. */
static void test_what_may_stand_in_a_line(void **state)
{
    char text[19];

    (void)state;
    for (size_t at = 0; at < sizeof(text); at++) {
        for (unsigned c = 0; c < 256; c++) {
            memset(text, 'a', sizeof(text));
            text[at] = (char)c;
            struct span line = {text, sizeof(text)};
            bool is_text = (c >= 0x20 && c != 0x7f) || c == '\t';
            assert_int_equal(span_text_size(line), is_text ? sizeof(text) : at);
            assert_int_equal(span_is_text(line), is_text);
            assert_int_equal(span_is_visible(line), c > ' ' && c <= '~');
        }
    }
    assert_true(span_is_text(SPAN_NONE));
    assert_true(span_is_visible(SPAN_NONE));
}

static void test_cutting_stays_inside(void **state)
{
    (void)state;
    assert_span(span_from(SPAN("abc"), 1), "bc");
    assert_span(span_from(SPAN("abc"), 3), "");
    assert_span(span_from(SPAN("abc"), SIZE_MAX), "");
    assert_null(span_from(SPAN_NONE, 5).at);
    assert_span(span_first(SPAN("abc"), 2), "ab");
    assert_span(span_first(SPAN("abc"), SIZE_MAX), "abc");
    assert_span(span_trim(SPAN(" \t\r\n a b \n")), "a b");
    assert_span(span_trim(SPAN(" \t ")), "");
    assert_span(span_trim(SPAN("\va\v")), "\va\v");
    assert_null(span_trim(SPAN_NONE).at);
}

static void assert_pieces(struct span text, const char *joined)
{
    char all[64] = "";
    struct span piece;
    while (span_split(&text, ',', &piece)) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "<%.*s>", SPAN_PRINT(piece));
    }
    assert_null(text.at);
    assert_string_equal(all, joined);
}

static void test_split_gives_every_piece(void **state)
{
    (void)state;
    assert_pieces(SPAN("a,b"), "<a><b>");
    assert_pieces(SPAN(",a,,"), "<><a><><>");
    assert_pieces(SPAN("a"), "<a>");
    assert_pieces(SPAN(""), "<>");
    assert_pieces(SPAN_NONE, "");
}

static void test_split_reads_a_line(void **state)
{
    struct span line = SPAN("ada\t-7\t8 \tlong"), bad = SPAN("x");
    char text[4];
    int64_t number = 0;

    (void)state;
    assert_true(span_split_text(&line, '\t', text, sizeof(text)));
    assert_string_equal(text, "ada");
    assert_true(span_split_i64(&line, '\t', &number));
    assert_int_equal(number, -7);
    assert_false(span_split_i64(&line, '\t', &number)); /* a blank is no digit */
    assert_int_equal(number, -7);
    assert_false(span_split_text(&line, '\t', text, sizeof(text))); /* too long */
    assert_false(span_split_text(&line, '\t', text, sizeof(text))); /* there is no more */
    assert_false(span_split_i64(&bad, '\t', &number));
}

static void test_unsigned_limits(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(span_u64(SPAN("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(span_u64(SPAN("0"), &value) && value == 0);
    assert_true(span_u64(SPAN("00018446744073709551614"), &value) && value == UINT64_MAX - 1);
    value = 7;
    static const char *const wrong[] = {"",
                                        "18446744073709551616",
                                        "18446744073709551620",
                                        "28446744073709551615",
                                        "99999999999999999999999",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1a",
                                        "0x10",
                                        "1.0"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(span_u64(span_of(wrong[i]), &value));
    assert_false(span_u64(SPAN_NONE, &value));
    assert_false(span_u64(SPAN("1\0"), &value));
    assert_true(value == 7);
}

static void test_signed_limits(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_true(span_i64(SPAN("9223372036854775807"), &value) && value == INT64_MAX);
    assert_true(span_i64(SPAN("-9223372036854775808"), &value) && value == INT64_MIN);
    assert_true(span_i64(SPAN("-9223372036854775807"), &value) && value == -INT64_MAX);
    assert_true(span_i64(SPAN("-0"), &value) && value == 0);
    value = 7;
    assert_false(span_i64(SPAN("9223372036854775808"), &value));
    assert_false(span_i64(SPAN("-9223372036854775809"), &value));
    assert_false(span_i64(SPAN("-"), &value));
    assert_false(span_i64(SPAN("--1"), &value));
    assert_false(span_i64(SPAN("+1"), &value));
    assert_false(span_i64(SPAN_NONE, &value));
    assert_true(value == 7);
}

static void test_text_fits_or_is_empty(void **state)
{
    (void)state;
    char text[4] = "xxx";
    assert_true(span_text(SPAN("abc"), text, sizeof(text)));
    assert_string_equal(text, "abc");
    assert_false(span_text(SPAN("abcd"), text, sizeof(text)));
    assert_string_equal(text, "");
    assert_false(span_text(SPAN("a\0b"), text, sizeof(text)));
    assert_string_equal(text, "");
    assert_true(span_text(SPAN_NONE, text, 1));
    assert_string_equal(text, "");
}

static void test_of(void **state)
{
    (void)state;
    assert_null(span_of(NULL).at);
    assert_span(span_of("abc"), "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality_is_of_bytes),
        cmocka_unit_test(test_case_is_folded_for_ascii_only),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_what_may_stand_in_a_line),
        cmocka_unit_test(test_cutting_stays_inside),
        cmocka_unit_test(test_split_gives_every_piece),
        cmocka_unit_test(test_split_reads_a_line),
        cmocka_unit_test(test_unsigned_limits),
        cmocka_unit_test(test_signed_limits),
        cmocka_unit_test(test_text_fits_or_is_empty),
        cmocka_unit_test(test_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

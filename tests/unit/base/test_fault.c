#include "unit.h"

#include <ctype.h>

#include "base/fault.h"

static void test_every_row_is_sane(void **state)
{
    (void)state;
    static const char *const names[FAULT_COUNT] = {
#define ROW(name, word, status, type, code, retry, after, message) [FAULT_##name] = #name,
        FAULTS(ROW)
#undef ROW
    };
    for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        const struct fault_row *row = fault_row((enum fault)fault);
        assert_int_equal(strlen(row->name), strlen(names[fault]));
        for (size_t i = 0; row->name[i]; i++)
            assert_int_equal(row->name[i], tolower((unsigned char)names[fault][i]));
        assert_in_range(row->status, 400, 599);
        assert_true(strlen(row->message) > 20 && row->message[strlen(row->message) - 1] == '.');
        assert_true(strlen(row->code) > 0 && !strchr(row->code, ' '));
        assert_true(strlen(row->type) > 0 && !strchr(row->type, ' '));
        assert_in_range(row->retry_after_s, 0, 60);
        assert_true(row->retry || row->retry_after_s == 0); /* no time to wait for what is over */
        assert_true(row->status != 503 || row->retry_after_s > 0);
    }
}

static void test_rows_are_where_their_names_say(void **state)
{
    (void)state;
    assert_int_equal(fault_row(FAULT_BAD_FRAMING)->status, 400);
    assert_int_equal(fault_row(FAULT_UPSTREAM_SLOW)->status, 504);
    assert_int_equal(fault_row(FAULT_OUT_OF_CREDITS)->retry_after_s, 60);
    assert_string_equal(fault_row(FAULT_STORE_DOWN)->name, "store_down");
}

static void test_the_body(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1000);
    assert_true(fault_body(&out, FAULT_WRONG_METHOD, SPAN_NONE, SPAN_NONE, SPAN("req_1")));
    assert_span(
        buffer_view(&out),
        "{\"error\":{\"message\":\"This route exists but not with this method; see the "
        "Allow header.\",\"type\":\"invalid_request_error\",\"code\":\"method_not_allowed\","
        "\"param\":null,\"request_id\":\"req_1\"}}");
    buffer_consume(&out, buffer_size(&out));
    assert_true(fault_body(&out, FAULT_BAD_REQUEST, SPAN("Field \"x\" is no number."), SPAN("x"),
                           SPAN("req_2")));
    assert_span(buffer_view(&out),
                "{\"error\":{\"message\":\"Field \\\"x\\\" is no number.\","
                "\"type\":\"invalid_request_error\",\"code\":\"invalid_request\",\"param\":\"x\","
                "\"request_id\":\"req_2\"}}");
    buffer_done(&out);
    buffer_init(&out, 100);
    assert_false(fault_body(&out, FAULT_BAD_REQUEST, SPAN_NONE, SPAN_NONE, SPAN("req_3")));
    buffer_done(&out);
}

static void ask_for_none(void)
{
    fault_row(FAULT_NONE);
}

static void test_no_fault_has_no_row(void **state)
{
    (void)state;
    assert_true(stops(ask_for_none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_sane),
        cmocka_unit_test(test_rows_are_where_their_names_say),
        cmocka_unit_test(test_the_body),
        cmocka_unit_test(test_no_fault_has_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

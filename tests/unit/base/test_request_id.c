#include "unit.h"

#include "base/request_id.h"

static void test_ids_count_up(void **state)
{
    (void)state;
    struct request_ids ids = {0x0123456789abcdef, 0};
    char id[REQUEST_ID_MAX + 1];
    assert_span(request_id_next(&ids, id), "req_0123456789abcdef00000001");
    assert_span(request_id_next(&ids, id), "req_0123456789abcdef00000002");
    assert_string_equal(id, "req_0123456789abcdef00000002");
    ids.counter = 0xffffffff;
    assert_span(request_id_next(&ids, id), "req_0123456789abcdef100000000");
    ids = (struct request_ids){UINT64_MAX, UINT64_MAX - 1};
    struct span longest = request_id_next(&ids, id);
    assert_span(longest, "req_ffffffffffffffffffffffffffffffff");
    assert_true(request_id_is_fine(longest));
}

static void test_what_a_caller_may_send(void **state)
{
    (void)state;
    char text[REQUEST_ID_MAX + 2];
    memset(text, 'a', sizeof(text));
    assert_true(request_id_is_fine((struct span){text, REQUEST_ID_MAX}));
    assert_false(request_id_is_fine((struct span){text, REQUEST_ID_MAX + 1}));
    assert_false(request_id_is_fine(SPAN("")));
    assert_false(request_id_is_fine(SPAN_NONE));
    for (int c = 0; c < 256; c++) {
        char one[3] = {'a', (char)c, 'z'};
        bool fine = c > 0 && strchr("0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-",
                                    c);
        assert_int_equal(request_id_is_fine((struct span){one, 3}), fine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_count_up),
        cmocka_unit_test(test_what_a_caller_may_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

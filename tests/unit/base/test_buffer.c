#include "unit.h"

#include "base/buffer.h"

static void test_nothing_costs_nothing(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    assert_null(b.memory);
    assert_span(buffer_view(&b), "");
    assert_true(buffer_append(&b, SPAN_NONE));
    assert_null(b.memory);
    buffer_shrink(&b);
    buffer_wipe(&b);
    buffer_done(&b);
}

static void test_the_cap_is_exact_and_refuses_whole(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10);
    assert_true(buffer_append(&b, SPAN("0123456")));
    assert_false(buffer_append(&b, SPAN("7890")));
    assert_span(buffer_view(&b), "0123456");
    assert_false(buffer_format(&b, "%d", 7890));
    assert_true(buffer_format(&b, "%d", 789));
    assert_span(buffer_view(&b), "0123456789");
    assert_null(buffer_room(&b, 1));
    buffer_consume(&b, 4);
    assert_non_null(buffer_room(&b, 4));
    assert_null(buffer_room(&b, 5));
    assert_null(buffer_room(&b, SIZE_MAX));
    assert_true(buffer_append(&b, SPAN("abcd")));
    assert_span(buffer_view(&b), "456789abcd");
    buffer_done(&b);
}

static void test_long_formats(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 5000);
    assert_true(buffer_format(&b, "%1023d", 1));
    assert_true(buffer_format(&b, "%1024d", 2));
    assert_true(buffer_format(&b, "%2953d", 3)); /* to the cap exactly */
    assert_false(buffer_format(&b, "%2000d", 4));
    assert_int_equal(buffer_size(&b), 5000);
    assert_int_equal(b.memory[1022], '1');
    assert_int_equal(b.memory[2046], '2');
    assert_int_equal(b.memory[4999], '3');
    buffer_done(&b);
}

/* What goes in comes out, in order, however it is cut. */
static void test_a_stream_through_it(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 3000);
    unsigned in = 0, out = 0, turn = 1;
    while (out < 200000) {
        turn = turn * 1103515245u + 12345u;
        size_t size = turn >> 16 & 1023;
        char *room = size ? buffer_room(&b, size) : NULL;
        for (size_t i = 0; room && i < size; i++)
            room[i] = (char)(in++ * 7 % 251);
        if (room)
            buffer_grew(&b, size);
        size_t taken = (turn >> 8 & 2047) % (buffer_size(&b) + 1);
        struct span view = span_first(buffer_view(&b), taken);
        for (size_t i = 0; i < view.size; i++)
            assert_int_equal((unsigned char)view.at[i], out++ * 7 % 251);
        buffer_consume(&b, taken);
        assert_int_equal(buffer_size(&b), in - out);
        assert_true(b.capacity <= 2 * b.limit_bytes);
    }
    buffer_done(&b);
}

static void test_what_only_grows_stays_within_the_cap(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    while (buffer_append(&b, SPAN("x")))
        assert_true(b.capacity <= 1000);
    assert_int_equal(buffer_size(&b), 1000);
    buffer_done(&b);
}

/* A nearly full buffer that goes round gets room to do so, instead of being moved for each byte. */
static void test_going_round_when_nearly_full_is_cheap(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    assert_true(buffer_format(&b, "%999d", 1));
    for (int i = 0; i < 3000; i++) {
        buffer_consume(&b, 1);
        assert_true(buffer_append(&b, SPAN("x")));
    }
    assert_int_equal(b.capacity, 2000);
    buffer_consume(&b, buffer_size(&b));
    assert_int_equal(b.head, 0);
    buffer_done(&b);
}

static void test_shrink_gives_back_only_when_empty(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    buffer_append(&b, SPAN("ab"));
    buffer_consume(&b, 1);
    buffer_shrink(&b);
    assert_span(buffer_view(&b), "b");
    buffer_consume(&b, 1);
    buffer_shrink(&b);
    assert_null(b.memory);
    assert_int_equal(b.limit_bytes, 1000);
    assert_true(buffer_append(&b, SPAN("again")));
    assert_span(buffer_view(&b), "again");
    buffer_wipe(&b);
    assert_null(b.memory);
}

static void consume_too_much(void)
{
    struct buffer b;
    buffer_init(&b, 10);
    buffer_append(&b, SPAN("ab"));
    buffer_consume(&b, 3);
}

static void grow_too_much(void)
{
    struct buffer b;
    buffer_init(&b, 10);
    if (buffer_room(&b, 10))
        buffer_grew(&b, 11);
}

static void test_misuse_stops(void **state)
{
    (void)state;
    assert_true(stops(consume_too_much));
    assert_true(stops(grow_too_much));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_costs_nothing),
        cmocka_unit_test(test_the_cap_is_exact_and_refuses_whole),
        cmocka_unit_test(test_long_formats),
        cmocka_unit_test(test_a_stream_through_it),
        cmocka_unit_test(test_what_only_grows_stays_within_the_cap),
        cmocka_unit_test(test_going_round_when_nearly_full_is_cheap),
        cmocka_unit_test(test_shrink_gives_back_only_when_empty),
        cmocka_unit_test(test_misuse_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

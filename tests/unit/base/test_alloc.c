#include "unit.h"

#include "base/alloc.h"

static void test_memory_is_zeroed(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        unsigned char *memory = must_alloc(300);
        for (int k = 0; k < 300; k++)
            assert_int_equal(memory[k], 0);
        memset(memory, 0xaa, 300);
        must_free(memory);
    }
}

static void test_nothing_is_something_to_free(void **state)
{
    (void)state;
    void *memory = must_alloc(0);
    assert_non_null(memory);
    memory = must_resize(memory, 0);
    assert_non_null(memory);
    must_free(memory);
    must_free(NULL);
}

static void test_resize_keeps_what_was_there(void **state)
{
    (void)state;
    char *text = must_copy("four");
    text = must_resize(text, 100000);
    assert_string_equal(text, "four");
    must_free(text);
}

static void test_giving_back_leaves_what_is_used(void **state)
{
    (void)state;
    enum { PIECES = 64, PIECE_BYTES = 20000 };
    char *pieces[PIECES];

    for (int i = 0; i < PIECES; i++)
        memset(pieces[i] = must_alloc(PIECE_BYTES), i, PIECE_BYTES);
    for (int i = 0; i < PIECES; i += 2)
        must_free(pieces[i]);
    alloc_give_back();
    for (int i = 1; i < PIECES; i += 2) {
        for (int k = 0; k < PIECE_BYTES; k++)
            assert_int_equal(pieces[i][k], i);
        must_free(pieces[i]);
    }
}

static void take_everything(void)
{
    volatile size_t size = PTRDIFF_MAX;
    must_free(must_alloc(size));
}

static void test_running_out_stops(void **state)
{
    (void)state;
    assert_true(stops(take_everything));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed),
        cmocka_unit_test(test_nothing_is_something_to_free),
        cmocka_unit_test(test_resize_keeps_what_was_there),
        cmocka_unit_test(test_giving_back_leaves_what_is_used),
        cmocka_unit_test(test_running_out_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

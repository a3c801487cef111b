#include "unit.h"

#include "base/arena.h"

static void test_pieces_are_apart_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena;
    unsigned char *pieces[300];
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 300; i++) {
        size_t size = i * 7 % 5000;
        pieces[i] = arena_alloc(&arena, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i & 0xff, size);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k < i * 7 % 5000; k++)
            assert_int_equal(pieces[i][k], i & 0xff);
    arena_done(&arena);
}

static void test_the_cap_holds(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_null(arena_alloc(&arena, 65));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 7));
    assert_non_null(arena_alloc(&arena, 33)); /* rounded up to 48 */
    assert_null(arena_alloc(&arena, 17));
    assert_null(arena_copy(&arena, SPAN("0123456789abcdef")).at); /* and its NUL */
    assert_span(arena_copy(&arena, SPAN("0123456789abcde")), "0123456789abcde");
    assert_null(arena_format(&arena, "%d", 1).at);
    assert_null(arena_join(&arena, SPAN(""), SPAN("")).at); /* and its NUL */
    assert_null(arena_join(&arena, SPAN("a"), (struct span){"", SIZE_MAX}).at);
    assert_int_equal(arena.used_bytes, 64);
    arena_done(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_non_null(arena_alloc(&arena, 64));
    arena_wipe(&arena);
    arena_init(&arena, 60);
    assert_null(arena_alloc(&arena, 50)); /* takes 64 */
    assert_non_null(arena_alloc(&arena, 48));
    arena_done(&arena);
}

static void test_reset_keeps_one_chunk_and_zeroes_it(void **state)
{
    (void)state;
    struct arena arena;
    char *first, *again;

    arena_init(&arena, 1 << 20);
    arena_reset(&arena); /* nothing there */
    first = arena_alloc(&arena, 100);
    memset(first, 1, 100);
    assert_non_null(arena_alloc(&arena, 50000));
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    again = arena_alloc(&arena, 100);
    assert_ptr_equal(again, first);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(again[i], 0);
    arena_done(&arena);
    assert_non_null(arena_alloc(&arena, 50000)); /* a large one alone is not kept */
    arena_reset(&arena);
    assert_null(arena.chunks);
    arena_done(&arena);
}

static void test_reset_keeps_what_was_filled_last(void **state)
{
    (void)state;
    struct arena arena;
    char *first, *second;

    arena_init(&arena, 1 << 20);
    first = arena_alloc(&arena, 800);
    second = arena_alloc(&arena, 800); /* no more room in the first, small chunk */
    assert_false(second >= first && second < first + 1024);
    memset(second, 1, 800);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 2000), second);
    for (size_t i = 0; i < 800; i++)
        assert_int_equal(second[i], 0);
    arena_done(&arena);
}

static void test_texts_end_with_a_nul(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    struct span copy = arena_copy(&arena, span_first(SPAN("abcdef"), 3));
    assert_span(copy, "abc");
    assert_int_equal(copy.at[3], '\0');
    struct span text = arena_format(&arena, "%s-%d", "key", 42);
    assert_span(text, "key-42");
    assert_int_equal(text.at[6], '\0');
    assert_span(arena_format(&arena, "%s", ""), "");
    assert_span(arena_copy(&arena, SPAN("")), "");
    assert_null(arena_copy(&arena, SPAN_NONE).at);
    text = arena_join(&arena, SPAN("ab"), SPAN("cd"));
    assert_span(text, "abcd");
    assert_int_equal(text.at[4], '\0');
    assert_span(arena_join(&arena, SPAN_NONE, SPAN("d")), "d");
    assert_span(arena_join(&arena, SPAN("a"), SPAN_NONE), "a");
    assert_int_equal(arena_format(&arena, "%9000d", 1).size, 9000);
    assert_span(copy, "abc"); /* a large piece disturbs none */
    arena_done(&arena);
}

static void test_large_pieces_waste_no_chunk(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *first = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 8000));
    char *second = arena_alloc(&arena, 16);
    assert_ptr_equal(second, first + 16);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_apart_zeroed_and_aligned),
        cmocka_unit_test(test_the_cap_holds),
        cmocka_unit_test(test_reset_keeps_one_chunk_and_zeroes_it),
        cmocka_unit_test(test_reset_keeps_what_was_filled_last),
        cmocka_unit_test(test_texts_end_with_a_nul),
        cmocka_unit_test(test_large_pieces_waste_no_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

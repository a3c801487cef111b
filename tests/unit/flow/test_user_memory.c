/* What is remembered of users: the tier, what is due, and how many requests came lately. */
#include "flow/user_memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint64_t seed[2] = {1, 2};
static const struct tier pro = {.name = "Pro"};

static int open_memory(void **state)
{
    static struct user_memory memory;

    user_memory_open(&memory, 2, seed);
    *state = &memory;
    return 0;
}

static int close_memory(void **state)
{
    user_memory_close(*state);
    return 0;
}

static void test_the_oldest_goes(void **state)
{
    struct user_memory *memory = *state;

    assert_null(user_memory_find(memory, SPAN("ada")));
    user_memory_set(memory, SPAN("ada"), &pro);
    user_memory_set(memory, SPAN("bob"), &pro);
    user_memory_set(memory, SPAN("eve"), &pro);
    assert_null(user_memory_find(memory, SPAN("ada")));
    assert_ptr_equal(user_memory_find(memory, SPAN("eve")), &pro);
}

static void test_requests_are_counted(void **state)
{
    struct user_memory *memory = *state;

    assert_int_equal(user_memory_count(memory, SPAN("ada"), 1000), 0); /* nobody knows her */
    user_memory_set(memory, SPAN("ada"), &pro);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(user_memory_count(memory, SPAN("ada"), 1000 + i), i);
    assert_int_equal(user_memory_count(memory, SPAN("ada"), 1499), 6);
    assert_int_equal(user_memory_count(memory, SPAN("ada"), 1501), 7); /* the half second before */
    assert_int_equal(user_memory_count(memory, SPAN("ada"), 2000), 8);
    assert_int_equal(user_memory_count(memory, SPAN("ada"), 2001), 3);
    assert_int_equal(user_memory_count(memory, SPAN("ada"), 3001), 1); /* a second without any */
}

static void test_what_is_due(void **state)
{
    struct user_memory *memory = *state;

    assert_true(user_memory_note(memory, SPAN("ada"), 1000, 100)); /* not remembered: always */
    user_memory_set(memory, SPAN("ada"), &pro);
    assert_true(user_memory_note(memory, SPAN("ada"), 1000, 100));
    assert_false(user_memory_note(memory, SPAN("ada"), 1099, 100));
    assert_true(user_memory_note(memory, SPAN("ada"), 1100, 100));
    user_memory_note_failed(memory, SPAN("ada"));
    assert_true(user_memory_note(memory, SPAN("ada"), 1101, 100));
    assert_false(user_memory_look(memory, SPAN("ada"), 2000, 500)); /* first after a whole period */
    assert_false(user_memory_look(memory, SPAN("ada"), 2499, 500));
    assert_true(user_memory_look(memory, SPAN("ada"), 2500, 500));
    assert_false(user_memory_look(memory, SPAN("ada"), 2999, 500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_oldest_goes, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(test_requests_are_counted, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(test_what_is_due, open_memory, close_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

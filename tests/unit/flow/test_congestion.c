/* How much may be open: more while answers come in time, less when they are late. */
#include "flow/settlement/congestion.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FULL = 32, IN_TIME_US = 500, LATE_US = LATE_MS * 1000 + 1, ENOUGH = 100 };

static struct congestion congestion;
static uint64_t now_us;

static int begin(void **state)
{
    (void)state;
    congestion_init(&congestion);
    now_us = 1000000;
    return 0;
}

static size_t ask_all(struct congestion_call *calls)
{
    size_t count = 0;

    while (congestion_has_room(&congestion))
        congestion_asked(&congestion, &calls[count++], FULL, now_us);
    return count;
}

static void answer_all(const struct congestion_call *calls, size_t count, uint64_t after_us,
                       size_t waiting)
{
    now_us += after_us;
    for (size_t i = 0; i < count; i++)
        congestion_answered(&congestion, &calls[i], now_us, waiting);
}

static void grow_to_the_most(void)
{
    struct congestion_call calls[ENOUGH];

    for (size_t i = 0; i < ENOUGH; i++)
        answer_all(calls, ask_all(calls), IN_TIME_US, 0);
    assert_int_equal(congestion.room, ROOM_MOST);
}

static void test_a_call_always_has_room(void **state)
{
    struct congestion_call calls[ENOUGH];

    (void)state;
    for (size_t i = 0; i < ENOUGH; i++) {
        size_t count = ask_all(calls);
        assert_true(count > 0);
        answer_all(calls, count, LATE_US, 0);
        assert_int_equal(congestion.open, 0);
    }
    assert_int_equal(congestion.room, ROOM_LEAST);
}

static void test_what_is_used_and_answered_in_time_grows(void **state)
{
    struct congestion_call calls[ENOUGH];
    size_t count = ask_all(calls);

    (void)state;
    assert_int_equal(count, 1);
    answer_all(calls, count, IN_TIME_US, 0);
    assert_int_equal(congestion.room, ROOM_LEAST + CALL_WEIGHT);
    grow_to_the_most();
}

static void test_what_is_not_used_does_not_grow(void **state)
{
    struct congestion_call call;

    (void)state;
    grow_to_the_most();
    congestion.room = ROOM_MOST / 2;
    congestion_asked(&congestion, &call, FULL, now_us);
    answer_all(&call, 1, IN_TIME_US, 0);
    assert_int_equal(congestion.room, ROOM_MOST / 2);
}

static void test_late_answers_to_one_bunch_halve_once(void **state)
{
    struct congestion_call calls[ENOUGH];

    (void)state;
    grow_to_the_most();
    answer_all(calls, ask_all(calls), LATE_US, 0);
    assert_int_equal(congestion.room, ROOM_MOST / 2);
    answer_all(calls, ask_all(calls), LATE_US, 0);
    assert_int_equal(congestion.room, ROOM_MOST / 4);
}

static void test_what_was_asked_before_a_cut_does_not_cut_again(void **state)
{
    struct congestion_call early, later;

    (void)state;
    grow_to_the_most();
    congestion_asked(&congestion, &early, FULL, now_us);
    now_us += LATE_US / 2;
    congestion_asked(&congestion, &later, FULL, now_us);
    answer_all(&early, 1, LATE_US, 0);
    answer_all(&later, 1, LATE_US, 0);
    assert_int_equal(congestion.room, ROOM_MOST / 2);
}

/* A Redis that is slow for reasons of its own gets what waits all the same. */
static void test_the_more_waits_the_later_is_late(void **state)
{
    struct congestion_call calls[ENOUGH];

    (void)state;
    answer_all(calls, ask_all(calls), LATE_US, LATE_PART);
    assert_int_equal(congestion.room, ROOM_LEAST + CALL_WEIGHT);
    answer_all(calls, ask_all(calls), LATE_US + 1000, LATE_PART);
    assert_int_equal(congestion.room, ROOM_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_call_always_has_room, begin),
        cmocka_unit_test_setup(test_what_is_used_and_answered_in_time_grows, begin),
        cmocka_unit_test_setup(test_what_is_not_used_does_not_grow, begin),
        cmocka_unit_test_setup(test_late_answers_to_one_bunch_halve_once, begin),
        cmocka_unit_test_setup(test_what_was_asked_before_a_cut_does_not_cut_again, begin),
        cmocka_unit_test_setup(test_the_more_waits_the_later_is_late, begin),
    };

    return cmocka_run_group_tests_name("congestion", tests, NULL, NULL);
}

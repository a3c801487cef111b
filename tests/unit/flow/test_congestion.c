/* How much may be open: more while answers come in time, less when they are late. */
#include "flow/congestion.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    FULL = 32,
    LEAST = FULL_CALL_WEIGHT,
    MOST = 12 * FULL_CALL_WEIGHT,
    BASE_US = 500,
    IN_TIME_US = BASE_US,
    LATE_US = BASE_US + LATE_MS * 1000 + 1,
    ENOUGH = 100
};

static struct congestion congestion;
static uint64_t now_us;

static void answer_one(uint64_t after_us, bool is_fine)
{
    struct congestion_call call;

    congestion_asked(&congestion, &call, FULL, now_us);
    now_us += after_us;
    congestion_answered(&congestion, &call, is_fine, now_us, 0);
}

static int begin(void **state)
{
    (void)state;
    congestion_init(&congestion, LEAST, MOST);
    now_us = 1000000;
    answer_one(BASE_US, true);
    congestion.room = LEAST;
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
        congestion_answered(&congestion, &calls[i], true, now_us, waiting);
}

static void grow_to_the_most(void)
{
    struct congestion_call calls[ENOUGH];

    for (size_t i = 0; i < ENOUGH; i++)
        answer_all(calls, ask_all(calls), IN_TIME_US, 0);
    assert_int_equal(congestion.room, MOST);
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
    assert_int_equal(congestion.room, LEAST);
}

static void test_what_is_used_and_answered_in_time_grows(void **state)
{
    struct congestion_call calls[ENOUGH];
    size_t count = ask_all(calls);

    (void)state;
    assert_int_equal(count, 1);
    answer_all(calls, count, IN_TIME_US, 0);
    assert_int_equal(congestion.room, LEAST + CALL_WEIGHT);
    grow_to_the_most();
}

static void test_what_is_not_used_does_not_grow(void **state)
{
    struct congestion_call call;

    (void)state;
    grow_to_the_most();
    congestion.room = MOST / 2;
    congestion_asked(&congestion, &call, FULL, now_us);
    answer_all(&call, 1, IN_TIME_US, 0);
    assert_int_equal(congestion.room, MOST / 2);
}

static void test_late_answers_to_one_bunch_halve_once(void **state)
{
    struct congestion_call calls[ENOUGH];

    (void)state;
    grow_to_the_most();
    answer_all(calls, ask_all(calls), LATE_US, 0);
    assert_int_equal(congestion.room, MOST / 2);
    answer_all(calls, ask_all(calls), LATE_US, 0);
    assert_int_equal(congestion.room, MOST / 4);
    assert_int_equal(congestion.late, 2);
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
    assert_int_equal(congestion.room, MOST / 2);
}

/* A Redis that is slow for reasons of its own gets what waits all the same. */
static void test_the_more_waits_the_later_is_late(void **state)
{
    struct congestion_call calls[ENOUGH];

    (void)state;
    answer_all(calls, ask_all(calls), LATE_US, LATE_PART);
    assert_int_equal(congestion.room, LEAST + CALL_WEIGHT);
    answer_all(calls, ask_all(calls), LATE_US + 1000, LATE_PART);
    assert_int_equal(congestion.room, LEAST);
}

/* A Redis that is far away answers everything as late, and that is no lateness. */
static void test_what_is_far_away_is_not_late(void **state)
{
    enum { FAR_US = 40000 };
    struct congestion_call calls[ENOUGH];

    (void)state;
    congestion_init(&congestion, LEAST, MOST);
    for (size_t i = 0; i < ENOUGH; i++)
        answer_all(calls, ask_all(calls), FAR_US, 0);
    assert_int_equal(congestion.room, MOST);
    answer_all(calls, ask_all(calls), FAR_US + LATE_MS * 1000 + 1, 0);
    assert_int_equal(congestion.room, MOST / 2);
}

/* One that moved away is far away from then on. */
static void test_the_shortest_answer_is_forgotten(void **state)
{
    (void)state;
    answer_one(LATE_US, true);
    assert_int_equal(congestion.late, 1);
    now_us += BASE_MS * 1000;
    answer_one(LATE_US, true);
    assert_int_equal(congestion.late, 2);
    now_us += BASE_MS * 1000;
    answer_one(LATE_US, true);
    assert_int_equal(congestion.late, 2);
}

/* An outage is over in no time for whoever asks meanwhile. */
static void test_a_call_that_fails_earns_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < ENOUGH; i++)
        answer_one(0, false);
    assert_int_equal(congestion.room, LEAST);
    answer_one(IN_TIME_US, true);
    assert_int_equal(congestion.room, LEAST + CALL_WEIGHT);
    answer_one(LATE_US, false);
    assert_int_equal(congestion.late, 1);
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
        cmocka_unit_test_setup(test_what_is_far_away_is_not_late, begin),
        cmocka_unit_test_setup(test_the_shortest_answer_is_forgotten, begin),
        cmocka_unit_test_setup(test_a_call_that_fails_earns_nothing, begin),
    };

    return cmocka_run_group_tests_name("congestion", tests, NULL, NULL);
}

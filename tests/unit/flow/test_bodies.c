/* Memory of large bodies: kept while it is needed, within its cap, given back when it is not. */
#include "../base/unit.h"

#include "flow/bodies.h"

enum { KIB = 1024, LIMIT_BYTES = 1024 * KIB, SHORT_TRIM_MS = 20 };

static struct loop *loop;
static struct bodies bodies;

static int setup(void **state)
{
    (void)state;
    loop = loop_open(NULL);
    bodies_open(&bodies, loop, 1000 * KIB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bodies_close(&bodies);
    loop_close(loop);
    return 0;
}

static struct buffer body_of(size_t capacity)
{
    struct buffer body;

    buffer_init(&body, capacity);
    assert_non_null(buffer_room(&body, capacity));
    assert_int_equal(body.capacity, capacity);
    body.limit_bytes = LIMIT_BYTES;
    return body;
}

static char *keep(size_t capacity)
{
    struct buffer body = body_of(capacity);
    char *memory = body.memory;

    bodies_take_back(&bodies, &body);
    assert_null(body.memory);
    return memory;
}

static void lends_the_smallest_that_fits(void **state)
{
    char *large = keep(400 * KIB), *small = keep(200 * KIB);
    struct buffer body;

    (void)state;
    buffer_init(&body, LIMIT_BYTES);
    assert_true(bodies_lend(&bodies, &body, 150 * KIB));
    assert_ptr_equal(body.memory, small);
    assert_int_equal(body.limit_bytes, LIMIT_BYTES);
    assert_int_equal(buffer_size(&body), 0);
    memset(buffer_room(&body, 200 * KIB), 'x', 200 * KIB); /* all of it may be used again */
    bodies_take_back(&bodies, &body);
    assert_true(bodies_lend(&bodies, &body, 201 * KIB));
    assert_ptr_equal(body.memory, large);
    assert_int_equal(bodies.bytes, 200 * KIB);
    bodies_take_back(&bodies, &body);
    assert_int_equal(bodies.bytes, 600 * KIB);
}

static void lends_nothing_that_is_too_small(void **state)
{
    struct buffer body;

    (void)state;
    keep(200 * KIB);
    buffer_init(&body, LIMIT_BYTES);
    assert_false(bodies_lend(&bodies, &body, 201 * KIB));
    assert_null(body.memory);
    assert_false(bodies_lend(&bodies, &body, 1 * KIB)); /* that is malloc's */
    assert_int_equal(bodies.count, 1);
}

static void moves_what_is_there_already(void **state)
{
    char *memory = keep(200 * KIB);
    struct buffer body;

    (void)state;
    buffer_init(&body, LIMIT_BYTES);
    assert_true(buffer_append(&body, SPAN("gone, the beginning")));
    buffer_consume(&body, 6);
    assert_true(bodies_lend(&bodies, &body, 150 * KIB));
    assert_ptr_equal(body.memory, memory);
    assert_true(span_equal(buffer_view(&body), SPAN("the beginning")));
    assert_true(buffer_append(&body, SPAN(" and the rest")));
    assert_true(span_equal(buffer_view(&body), SPAN("the beginning and the rest")));
    bodies_take_back(&bodies, &body);
}

static void keeps_neither_the_small_nor_what_is_over_the_cap(void **state)
{
    struct buffer nothing;

    (void)state;
    keep(BODIES_LEAST_BYTES - 1);
    keep(1001 * KIB);
    buffer_init(&nothing, LIMIT_BYTES);
    bodies_take_back(&bodies, &nothing);
    assert_int_equal(bodies.count, 0);
    assert_int_equal(bodies.bytes, 0);
}

static void the_oldest_go_when_the_cap_is_met(void **state)
{
    struct buffer body;

    (void)state;
    keep(400 * KIB);
    keep(300 * KIB);
    keep(200 * KIB);
    keep(700 * KIB);
    assert_int_equal(bodies.count, 2);
    assert_int_equal(bodies.bytes, 900 * KIB);
    buffer_init(&body, LIMIT_BYTES);
    assert_true(bodies_lend(&bodies, &body, 201 * KIB));
    assert_int_equal(body.capacity, 700 * KIB);
    bodies_take_back(&bodies, &body);
}

static void so_many_at_most(void **state)
{
    struct bodies many;

    (void)state;
    bodies_open(&many, loop, SIZE_MAX);
    for (int i = 0; i < BODIES_KEPT_MAX + 3; i++) {
        struct buffer body = body_of(BODIES_LEAST_BYTES);
        bodies_take_back(&many, &body);
    }
    assert_int_equal(many.count, BODIES_KEPT_MAX);
    bodies_close(&many);
}

static void gives_back_what_was_not_needed(void **state)
{
    struct buffer body;

    (void)state;
    buffer_init(&body, LIMIT_BYTES);
    for (int i = 0; i < 3; i++)
        keep(200 * KIB);
    assert_true(deadline_is_set(&bodies.trim));
    bodies.turn.run(&bodies.turn); /* they just came back */
    assert_int_equal(bodies.count, 3);
    assert_true(bodies_lend(&bodies, &body, 200 * KIB));
    bodies_take_back(&bodies, &body);
    bodies.turn.run(&bodies.turn); /* one was in use */
    assert_int_equal(bodies.count, 1);
    bodies.turn.run(&bodies.turn);
    assert_int_equal(bodies.count, 0);
    assert_int_equal(bodies.bytes, 0);
}

static void an_idle_loop_is_left_alone(void **state)
{
    uint64_t begun_ms = loop_now_ms(loop);

    (void)state;
    bodies.trims.duration_ms = SHORT_TRIM_MS;
    keep(200 * KIB);
    while (bodies.count)
        loop_turn(loop);
    assert_false(deadline_is_set(&bodies.trim));
    assert_true(loop_now_ms(loop) - begun_ms >= 2 * SHORT_TRIM_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lends_the_smallest_that_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(lends_nothing_that_is_too_small, setup, teardown),
        cmocka_unit_test_setup_teardown(moves_what_is_there_already, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_neither_the_small_nor_what_is_over_the_cap, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_oldest_go_when_the_cap_is_met, setup, teardown),
        cmocka_unit_test_setup_teardown(so_many_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_back_what_was_not_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_loop_is_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Memory between two uses: kept while it is needed, given back when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/server/spares.h"

static struct spares spares;

static void lends_what_was_given_back(void **state)
{
    struct buffer b;
    char *memory;

    (void)state;
    spares_init(&spares, 4096);
    buffer_init(&b, 1000);
    spares_lend(&spares, &b);
    assert_null(b.memory);
    assert_true(buffer_append(&b, SPAN("left over")));
    memory = b.memory;
    spares_take_back(&spares, &b);
    assert_null(b.memory);
    b.limit_bytes = 500;
    spares_lend(&spares, &b);
    assert_ptr_equal(b.memory, memory);
    assert_int_equal(buffer_size(&b), 0);
    assert_int_equal(b.limit_bytes, 500);
    buffer_done(&b);
    spares_done(&spares);
}

static void keeps_no_large_ones(void **state)
{
    struct buffer b;

    (void)state;
    spares_init(&spares, 100);
    buffer_init(&b, 1000);
    assert_non_null(buffer_room(&b, 1000));
    spares_take_back(&spares, &b);
    assert_int_equal(spares.count, 0);
    spares_done(&spares);
}

static void trims_what_was_not_needed(void **state)
{
    struct buffer b[3];

    (void)state;
    spares_init(&spares, 4096);
    for (int i = 0; i < 3; i++) {
        buffer_init(&b[i], 1000);
        buffer_append(&b[i], SPAN("x"));
    }
    for (int i = 0; i < 3; i++)
        spares_take_back(&spares, &b[i]);
    spares_trim(&spares); /* just came back */
    assert_int_equal(spares.count, 3);
    spares_lend(&spares, &b[0]);
    spares_take_back(&spares, &b[0]);
    spares_trim(&spares); /* one was in use */
    assert_int_equal(spares.count, 1);
    spares_trim(&spares);
    assert_int_equal(spares.count, 0);
    spares_done(&spares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lends_what_was_given_back),
        cmocka_unit_test(keeps_no_large_ones),
        cmocka_unit_test(trims_what_was_not_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

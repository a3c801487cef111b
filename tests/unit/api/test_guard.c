#include "../base/unit.h"

#include "api/guard.h"

static enum fault guarded(const char *key, const char *first, const char *second)
{
    struct secret secret = {0};
    struct header rows[] = {{SPAN("Authorization"), span_of(first)},
                            {SPAN("authorization"), span_of(second)}};
    size_t count = second ? 2 : first ? 1 : 0;
    enum fault fault;

    if (key)
        secret_set(&secret, span_of(key));
    fault = guard_admin(key ? &secret : NULL, (struct headers){rows, count});
    secret_done(&secret);
    return fault;
}

static void test_bearer(void **state)
{
    (void)state;
    assert_int_equal(guarded("s3cret", "Bearer s3cret", NULL), FAULT_NONE);
    assert_int_equal(guarded("s3cret", "bearer  s3cret ", NULL), FAULT_NONE);
    assert_int_equal(guarded("s3cret", NULL, NULL), FAULT_NO_CREDENTIAL);
    assert_int_equal(guarded("s3cret", "Bearer s3cre", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("s3cret", "Bearer s3cretx", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("s3cret", "Bearer S3cret", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("s3cret", "Basic s3cret", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("s3cret", "s3cret", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("s3cret", "", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("s3cret", "Bearer s3cret", "Bearer s3cret"), FAULT_BAD_CREDENTIAL);
}

static void test_without_a_key_nobody_may(void **state)
{
    (void)state;
    assert_int_equal(guarded(NULL, "Bearer ", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded(NULL, "Bearer x", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("", "Bearer ", NULL), FAULT_BAD_CREDENTIAL);
    assert_int_equal(guarded("", "Bearer x", NULL), FAULT_BAD_CREDENTIAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_without_a_key_nobody_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

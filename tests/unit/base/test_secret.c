#include "unit.h"

#include "base/secret.h"

static void test_set_reveal_and_end(void **state)
{
    (void)state;
    struct secret s = {NULL, 0};
    assert_false(secret_is_set(&s));
    assert_span(secret_reveal(&s), "");
    secret_set(&s, SPAN("sk-or-v1-abc"));
    assert_true(secret_is_set(&s));
    assert_span(secret_reveal(&s), "sk-or-v1-abc");
    assert_int_equal(s.bytes[s.size], '\0');
    secret_set(&s, SPAN("another"));
    assert_span(secret_reveal(&s), "another");
    secret_set(&s, span_from(secret_reveal(&s), 3)); /* out of itself */
    assert_span(secret_reveal(&s), "ther");
    secret_set(&s, SPAN_NONE);
    assert_true(secret_is_set(&s));
    assert_span(secret_reveal(&s), "");
    secret_done(&s);
    assert_false(secret_is_set(&s));
    secret_done(&s);
}

static void assert_mask(struct span bytes, const char *expected)
{
    char mask[SECRET_MASK_SIZE];
    struct secret s = {NULL, 0};
    secret_set(&s, bytes);
    secret_mask(&s, mask);
    assert_string_equal(mask, expected);
    secret_done(&s);
}

static void test_the_mask_shows_four_at_most(void **state)
{
    (void)state;
    assert_mask(SPAN("sk-or-v1-0123456789b465"), "***************b465");
    assert_mask(SPAN("0123456789ab"), "***************89ab");
    assert_mask(SPAN("0123456789a"), "***************");
    assert_mask(SPAN(""), "***************");
    assert_mask(SPAN("0123456789a\n\x1b\0b"), "******************b");
    struct secret none = {NULL, 0};
    char mask[SECRET_MASK_SIZE];
    secret_mask(&none, mask);
    assert_string_equal(mask, "***************");
}

static void test_wipe(void **state)
{
    (void)state;
    char bytes[] = "secret";
    wipe(bytes, 4);
    assert_memory_equal(bytes, "\0\0\0\0et", 7);
    wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_reveal_and_end),
        cmocka_unit_test(test_the_mask_shows_four_at_most),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

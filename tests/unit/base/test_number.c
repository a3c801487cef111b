#include "unit.h"

#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>

static void test_as_printf_writes_it(void **state)
{
    static const int64_t edges[] = {0, 1, -1, 9, 10, 99, 100, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    char text[NUMBER_TEXT_SIZE], expected[32];
    uint64_t number = 88172645463325252;

    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        int64_t shown = i < sizeof(edges) / sizeof(*edges) ? edges[i] : (int64_t)(number >> i % 64);
        struct span told = number_text(shown, text);
        snprintf(expected, sizeof(expected), "%" PRId64, shown);
        assert_string_equal(text, expected);
        assert_int_equal(told.size, strlen(expected));
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_printf_writes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/time.h>

#include "crypto/random.h"

static void test_no_two_are_the_same(void **state)
{
    (void)state;
    uint64_t numbers[200];
    for (int i = 0; i < 200; i++) {
        numbers[i] = random_u64();
        for (int k = 0; k < i; k++)
            assert_true(numbers[k] != numbers[i]);
    }
}

static size_t zeros_in(const unsigned char *bytes, size_t size)
{
    size_t zeros = 0;
    for (size_t i = 0; i < size; i++)
        zeros += bytes[i] == 0;
    return zeros;
}

static void ring(int signal)
{
    (void)signal;
}

/* A signal ends a large getrandom early; still every part is written and nothing after. */
static void test_interrupted_requests_are_whole(void **state)
{
    (void)state;
    const size_t size = 16 * 1024 * 1024, part = 64 * 1024;
    unsigned char *bytes = calloc(1, size + 1);
    struct sigaction act = {.sa_handler = ring}, before;
    struct itimerval each_ms = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &act, &before);
    setitimer(ITIMER_REAL, &each_ms, NULL);
    random_bytes(bytes, size);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    for (size_t at = 0; at < size; at += part)
        assert_true(zeros_in(bytes + at, part) < part / 64);
    assert_int_equal(bytes[size], 0);
    random_bytes(bytes + size, 0);
    assert_int_equal(bytes[size], 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_two_are_the_same),
        cmocka_unit_test(test_interrupted_requests_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

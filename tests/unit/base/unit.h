/* unit.h: what every unit test here includes, in the order cmocka wants it, and a question it has no answer to:
 * does this stop the process? */
#ifndef KEYTURN_TESTS_UNIT_H
#define KEYTURN_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/span.h"

#define assert_span(actual, text) assert_true(span_is((actual), (text)))

static inline bool span_is(struct span actual, const char *text)
{
    if (actual.at && actual.size == strlen(text) && memcmp(actual.at, text, actual.size) == 0)
        return true;
    print_error("got      <%.*s>\nexpected <%s>\n", SPAN_PRINT(actual), text);
    return false;
}

/* True when act does not return. Its complaint on stderr is not shown. */
static inline bool stops(void (*act)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(0);
        act();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif

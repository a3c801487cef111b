#include "../base/unit.h"

#include "io/journal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(struct span line, void *context)
{
    char *all = context;

    snprintf(all + strlen(all), 256 - strlen(all), "%.*s;", SPAN_PRINT(line));
}

static void assert_lines(struct journal *journal, const char *expected)
{
    char all[256] = "";

    journal_each(journal, note, all);
    assert_string_equal(all, expected);
}

static void test_lines_stay_until_it_is_emptied(void **state)
{
    char path[] = "/tmp/keyturn-journal-XXXXXX", error[160];
    struct journal *journal;

    (void)state;
    close(mkstemp(path));
    journal = journal_open(path, error);
    assert_non_null(journal);
    assert_true(journal_append(journal, SPAN("one\n")) && journal_append(journal, SPAN("two\n")));
    assert_lines(journal, "one;two;");
    assert_null(journal_open(path, error)); /* one keeper at a time */
    journal_close(journal);
    journal = journal_open(path, error);
    assert_lines(journal, "one;two;");
    journal_empty(journal);
    assert_lines(journal, "");
    journal_close(journal);
    unlink(path);
}

static void test_a_piece_of_a_line_does_not_stay(void **state)
{
    char path[] = "/tmp/keyturn-journal-XXXXXX", error[160];
    struct rlimit small = {10, RLIM_INFINITY};
    struct journal *journal;
    struct stat file;

    (void)state;
    close(mkstemp(path));
    journal = journal_open(path, error);
    signal(SIGXFSZ, SIG_IGN);
    assert_true(journal_append(journal, SPAN("one\n")));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0); /* as if the disk were full */
    assert_false(journal_append(journal, SPAN("longer than that\n")));
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_size, 4);
    assert_true(journal_append(journal, SPAN("two\n")));
    assert_lines(journal, "one;two;");
    small.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    journal_close(journal);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_stay_until_it_is_emptied),
        cmocka_unit_test(test_a_piece_of_a_line_does_not_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

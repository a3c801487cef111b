#include "unit.h"

#include "base/word.h"

static void test_distances(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t edits;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"abc", "", 3},
        {"tier", "tier", 0},
        {"tier", "TIER", 0},
        {"tier", "teir", 2},
        {"tier", "tir", 1},
        {"tir", "tier", 1},
        {"kitten", "sitting", 3},
        {"Pro", "Pro+", 1},
        {"flaw", "lawn", 2},
        {"limit", "limit_usd", 4},
        {"gumbo", "gambol", 2},
        {"saturday", "sunday", 3},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t edits = word_distance(span_of(rows[i].a), span_of(rows[i].b));
        if (edits != rows[i].edits)
            fail_msg("%s to %s: %zu", rows[i].a, rows[i].b, edits);
        assert_int_equal(word_distance(span_of(rows[i].b), span_of(rows[i].a)), edits);
    }
}

static void test_only_the_beginning_of_a_long_word_counts(void **state)
{
    char a[1000], b[1000];

    (void)state;
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    assert_int_equal(word_distance((struct span){a, sizeof(a)}, (struct span){b, sizeof(b)}), 64);
}

static const char *near_of(const char *word)
{
    static const char *const known[] = {"Free", "Standard", "Pro", "Pro+", "BYOK"};
    struct word_search search = {.word = span_of(word)};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        word_compare(&search, known[i]);
    return search.near ? search.near : "";
}

static void test_the_nearest_is_meant(void **state)
{
    (void)state;
    assert_string_equal(near_of("pro"), "Pro");
    assert_string_equal(near_of("PRO+"), "Pro+");
    assert_string_equal(near_of("Prox"), "Pro"); /* as near to Pro+: the first stays */
    assert_string_equal(near_of("standrad"), "Standard");
    assert_string_equal(near_of("fre"), "Free");
    assert_string_equal(near_of("byok"), "BYOK");
    assert_string_equal(near_of("Enterprise"), "");
    assert_string_equal(near_of(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_only_the_beginning_of_a_long_word_counts),
        cmocka_unit_test(test_the_nearest_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

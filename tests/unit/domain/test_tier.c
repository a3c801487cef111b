/* What tiers include and which names their patterns reach. */
#include "../base/unit.h"

#include "domain/tier.h"

static struct tiers tiers;
static char fault[TIER_FAULT_SIZE];

static int begin(void **state)
{
    (void)state;
    tiers_init(&tiers);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tiers_done(&tiers);
    return 0;
}

/* models and includes: separated by blanks. */
static void add(const char *name, const char *models, const char *includes)
{
    struct tier *tier = tiers_add(&tiers, span_of(name));
    struct span list = span_of(models), word;

    while (span_split(&list, ' ', &word))
        tier_add_model(tier, word);
    for (list = span_of(includes); span_split(&list, ' ', &word);)
        tier_add_include(tier, word);
}

static bool reaches(const char *pattern, const char *name)
{
    tiers_done(&tiers);
    add("T", pattern, NULL);
    assert_true(tiers_seal(&tiers, fault));
    return tier_reaches(&tiers.rows[0], span_of(name));
}

static void test_a_new_tier_is_unlimited(void **state)
{
    (void)state;
    struct tier *tier = tiers_add(&tiers, SPAN("Pro+"));

    assert_string_equal(tier->name, "Pro+");
    assert_int_equal(tier->limit_nano_usd, UNLIMITED);
    assert_int_equal(tier->messages_per_day, UNLIMITED);
    assert_int_equal(tier->requests_per_minute, UNLIMITED);
    assert_int_equal(tier->max_concurrent, UNLIMITED);
    assert_int_equal(tier->max_output_tokens, UNLIMITED);
    assert_int_equal(tier->unknown_model_hold_nano_usd, 1000000000);
    assert_int_equal(tier->limit_reset, LIMIT_RESET_MONTHLY);
    assert_int_equal(tier->key, TIER_KEY_PROVISIONED);
    assert_false(tier->shared_on_failure || tier->overage_allowed);
}

static void add_a_name_too_long(void)
{
    static const char name[] = "12345678901234567890123456789012345678901234567890123456789012345";
    tiers_add(&tiers, span_of(name));
}

static void test_a_name_fits_or_it_is_a_bug(void **state)
{
    (void)state;
    tiers_add(&tiers, SPAN("1234567890123456789012345678901234567890123456789012345678901234"));
    assert_true(stops(add_a_name_too_long));
}

static void test_includes_are_transitive(void **state)
{
    (void)state;
    add("A", "a/*", NULL);
    add("B", "b/* a/*", "A");
    add("C", "c/*", "B A");
    add("D", NULL, "C");
    assert_true(tiers_seal(&tiers, fault));
    assert_int_equal(tiers.rows[0].model_count, 1);
    assert_int_equal(tiers.rows[1].model_count, 2);
    assert_int_equal(tiers.rows[2].model_count, 3);
    assert_int_equal(tiers.rows[3].model_count, 3);
    assert_true(tier_reaches(&tiers.rows[3], SPAN("a/x")));
    assert_true(tier_reaches(&tiers.rows[2], SPAN("b/x")));
    assert_false(tier_reaches(&tiers.rows[0], SPAN("b/x")));
    assert_true(tiers_seal(&tiers, fault)); /* again changes nothing */
    assert_int_equal(tiers.rows[3].model_count, 3);
}

/* The lower tier may come later in the file. */
static void test_includes_look_forward(void **state)
{
    (void)state;
    add("Big", "big/*", "Middle");
    add("Middle", "middle/*", "Small");
    add("Small", "small/*", NULL);
    assert_true(tiers_seal(&tiers, fault));
    assert_true(tier_reaches(&tiers.rows[0], SPAN("small/x")));
    assert_false(tier_reaches(&tiers.rows[2], SPAN("middle/x")));
}

static void test_faults(void **state)
{
    (void)state;
    assert_false(tiers_seal(&tiers, fault));
    assert_string_equal(fault, "there is no tier; write at least one");
    add("A", "*", NULL);
    add("B", "*", "A pro");
    assert_false(tiers_seal(&tiers, fault));
    assert_string_equal(fault, "tier B includes pro, which is no tier");
    end(NULL);
    add("A", "*", NULL);
    add("A", "*", NULL);
    assert_false(tiers_seal(&tiers, fault));
    assert_string_equal(fault, "tier A is here twice; keep one");
    end(NULL);
    add("A", "*", "A");
    assert_false(tiers_seal(&tiers, fault));
    assert_string_equal(fault, "tier A includes itself, by way of its includes");
    end(NULL);
    add("Outside", "*", "A");
    add("A", "*", "B");
    add("B", "*", "C");
    add("C", "*", "A");
    assert_false(tiers_seal(&tiers, fault));
    assert_string_equal(fault, "tier A includes itself, by way of its includes");
}

static void test_find_and_next(void **state)
{
    (void)state;
    add("Free", "*", NULL);
    add("Pro", "*", NULL);
    assert_ptr_equal(tiers_find(&tiers, SPAN("Pro")), &tiers.rows[1]);
    assert_null(tiers_find(&tiers, SPAN("pro")));
    assert_null(tiers_find(&tiers, SPAN("")));
    assert_null(tiers_find(&tiers, SPAN_NONE));
    assert_ptr_equal(tiers_next(&tiers, &tiers.rows[0]), &tiers.rows[1]);
    assert_null(tiers_next(&tiers, &tiers.rows[1]));
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool reaches;
    } cases[] = {
        {"openai/gpt-4o", "openai/gpt-4o", true},
        {"openai/gpt-4o", "openai/gpt-4o-mini", false},
        {"openai/gpt-4o", "OpenAI/gpt-4o", false},
        {"openai/gpt-4o*", "openai/gpt-4o", true},
        {"openai/*", "openai/gpt-4o", true},
        {"openai/*", "openai2/gpt-4o", false},
        {"*-mini", "openai/gpt-4o-mini", true},
        {"*-mini", "openai/gpt-4o-mini-x", false},
        {"*-mini", "a-mini-b-mini", true},
        {"a*b*c", "axxbyyc", true},
        {"a*b*c", "acb", false},
        {"a**c", "abc", true},
        {"a*", "", false},
        {"", "a", false},
        {"a?c", "abc", false},
        {"a[b]c", "abc", false},
        {"\\*", "*", false},
        {"anthropic/claude-*haiku*", "anthropic/claude-3.5-haiku:beta", true},
        /* a routing suffix is the same model, another one is not */
        {"openai/gpt-4o", "openai/gpt-4o:nitro", true},
        {"openai/gpt-4o", "openai/gpt-4o:floor", true},
        {"openai/gpt-4o", "openai/gpt-4o:exacto", true},
        {"openai/gpt-4o", "openai/gpt-4o:online", false},
        {"openai/gpt-4o", "openai/gpt-4o:free", false},
        {"openai/gpt-4o", "openai/gpt-4o:thinking", false},
        {"openai/gpt-4o", "openai/gpt-4o:extended", false},
        {"openai/gpt-4o", "openai/gpt-4o:NITRO", false},
        {"*:free", "deepseek/r1:free", true},
        {"*:free", "deepseek/r1:free:nitro", true},
        {"*:free", "deepseek/r1", false},
        {"*:free", "deepseek/r1:free:online", false},
        {"*:free", "deepseek/r1:nitro:free", false},
        {"*:free", "deepseek/r1:online:free", false},
        {"*:free", "deepseek/r1:thinking:free", false},
        {"*:free", "deepseek/r1:free:free", false},
        {"deepseek/*", "deepseek/r1:free:online", true},
        {"*:free", ":free", true},
        /* aliases, presets, routers and extras are asked for by name */
        {"*latest", "~openai/gpt-latest", false},
        {"openai/*", "~openai/gpt-latest", false},
        {"~openai/*", "~openai/gpt-latest", true},
        {"~openai/*", "~anthropic/opus-latest", false},
        {"*preset/mine", "@preset/mine", false},
        {"@preset/mine", "@preset/mine", true},
        {"@preset/*", "@preset/mine", true},
        {"@preset/*", "openai/gpt-4o@preset/mine", false},
        {"openai/*", "openai/gpt-4o@preset/mine", false},
        {"openai/gpt-4o*", "openai/gpt-4o@preset/x:free", false},
        {"*:free", "openai/gpt-4o@preset/x:free", false},
        {"openai/*@preset/*", "openai/gpt-4o@preset/mine", true},
        {"*auto", "openrouter/auto", false},
        {"*free", "openrouter/free", false},
        {"openrouter/*", "openrouter/auto", true},
        {"openrouter/auto", "openrouter/auto", true},
        {"*web", "plugin:web", false},
        {"*:free", "plugin:free", false},
        {"plugin:web", "plugin:web", true},
        {"plugin:*", "plugin:fusion", true},
        {"plugin:web", "plugin:web:nitro", false},
        {"tool:web_search*", "tool:web_search_20250305", true},
        {"*search", "tool:web_search", false},
        {"tool:*", "plugin:web", false},
        /* a name that is a pattern itself: what an auto router may choose from */
        {"anthropic/*", "anthropic/*", true},
        {"anthropic/claude-*-haiku", "anthropic/*", false},
        {"*:free", "*", false},
        {"*:free", "*:free", true},
    };
    static const char *const everything[] = {"openai/gpt-4o",   "~openai/gpt-latest",
                                             "@preset/x",       "a/b@preset/x",
                                             "openrouter/auto", "*",
                                             "plugin:web",      "tool:fusion",
                                             "a/b:nitro:free",  ""};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (reaches(cases[i].pattern, cases[i].name) != cases[i].reaches)
            fail_msg("%s reaches %s", cases[i].pattern, cases[i].name);
    for (size_t i = 0; i < sizeof(everything) / sizeof(*everything); i++) {
        assert_true(reaches("x/y *", everything[i]));
        assert_true(reaches("**", everything[i]));
        assert_false(reaches("", everything[i]) && everything[i][0]);
    }
}

static void test_everything(void **state)
{
    (void)state;
    add("A", "x/* y*", NULL);
    add("B", "x/* *", NULL);
    add("C", NULL, "B");
    add("D", NULL, NULL);
    assert_true(tiers_seal(&tiers, fault));
    assert_false(tier_reaches_everything(&tiers.rows[0]));
    assert_true(tier_reaches_everything(&tiers.rows[1]));
    assert_true(tier_reaches_everything(&tiers.rows[2]));
    assert_false(tier_reaches_everything(&tiers.rows[3]));
    assert_false(tier_reaches(&tiers.rows[3], SPAN("x/y")));
}

/* A pattern of many stars is no way to stop the loop. */
static void test_matching_is_not_exponential(void **state)
{
    (void)state;
    assert_false(reaches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void test_cutting_suffixes(void **state)
{
    (void)state;
    struct span name = SPAN("a/b:free:online:nitro");

    assert_true(model_name_cut(&name, false));
    assert_span(name, "a/b:free:online");
    assert_false(model_name_cut(&name, false));
    assert_true(model_name_cut(&name, true));
    assert_span(name, "a/b:free");
    assert_false(model_name_cut(&name, true));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_tier_is_unlimited),
        TEST(test_a_name_fits_or_it_is_a_bug),
        TEST(test_includes_are_transitive),
        TEST(test_includes_look_forward),
        TEST(test_faults),
        TEST(test_find_and_next),
        TEST(test_patterns),
        TEST(test_everything),
        TEST(test_matching_is_not_exponential),
        TEST(test_cutting_suffixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which names count against the account's free limits. */
#include "../base/unit.h"

#include "domain/free_model.h"

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_free;
    } cases[] = {
        {"deepseek/deepseek-r1:free", true},
        {"a/b:free@preset/x", true},
        {"a/b:free:online", true},
        {"a/b:online:free", true},
        {"a/b:nitro:free@preset/x:y", true},
        {"a/b:FREE", true},
        {"~a/b-latest:free", true},
        {"*:free", true},
        {"openrouter/free", true},
        {"openrouter/free:online", true},
        {"openrouter/free@preset/x", true},
        {"a/b", false},
        {"", false},
        {":", false},
        {"a/b:", false},
        {"a/free", false},
        {"a/b-free", false},
        {"a/b:freedom", false},
        {"a/b:nofree", false},
        {"a/b@preset/x:free", false},
        {"@preset/free", false},
        {"openrouter/auto", false},
        {"openrouter/freeform", false},
        {"x/openrouter/free", false},
        {"free", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (model_is_free(span_of(cases[i].name)) != cases[i].is_free)
            fail_msg("%s", cases[i].name);
    assert_false(model_is_free(SPAN_NONE));
}

static bool have_free(const char *body)
{
    static struct model_names names;

    assert_int_equal(model_names_read(span_of(body), &names), NAMES_FINE);
    return model_names_have_free(&names);
}

/* Any of them may run; what only searches or draws beside it does not count. */
static void test_bodies(void **state)
{
    (void)state;
    assert_true(have_free("{\"model\":\"a/b:free\"}"));
    assert_true(have_free("{\"model\":\"a/b\\u003afree\"}"));
    assert_true(have_free("{\"model\":\"a/b:free@preset/x\"}"));
    assert_true(have_free("{\"model\":\"a/b\",\"models\":[\"c/d\",\"e/f:free\"]}"));
    assert_true(have_free("{\"model\":\"a/b\",\"fallbacks\":[{\"model\":\"c/d:free\"}]}"));
    assert_true(have_free("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"fusion\",\"model\":"
                          "\"openrouter/free\"}]}"));
    assert_false(have_free("{\"model\":\"a/b\",\"messages\":[{\"content\":\"c/d:free\"}]}"));
    assert_false(have_free("{\"model\":\"a/b\",\"tools\":[{\"type\":\"openrouter:free\"}]}"));
    assert_false(have_free("{\"model\":\"a/b\",\"preset\":\"x:free\"}"));
    assert_false(have_free("{}"));
}

static void test_tiers(void **state)
{
    (void)state;
    char fault[TIER_FAULT_SIZE];
    struct tiers tiers;

    tiers_init(&tiers);
    tier_add_model(tiers_add(&tiers, SPAN("Free")), SPAN("*:free"));
    tier_add_model(&tiers.rows[0], SPAN("openrouter/free"));
    tier_add_model(&tiers.rows[0], SPAN("plugin:web"));
    tier_add_model(&tiers.rows[0], SPAN("tool:*"));
    tier_add_model(tiers_add(&tiers, SPAN("Paid")), SPAN("openai/gpt-4o-mini"));
    tier_add_include(&tiers.rows[1], SPAN("Free"));
    tier_add_model(tiers_add(&tiers, SPAN("All")), SPAN("*"));
    tiers_add(&tiers, SPAN("None"));
    assert_true(tiers_seal(&tiers, fault));
    assert_false(tier_has_paid_models(&tiers.rows[0]));
    assert_true(tier_has_paid_models(&tiers.rows[1]));
    assert_true(tier_has_paid_models(&tiers.rows[2]));
    assert_false(tier_has_paid_models(&tiers.rows[3]));
    tiers_done(&tiers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_tiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

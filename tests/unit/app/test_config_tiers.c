/* The section tiers: its values, every fault with its place, the built-in ones and the examples. */
#include "../base/unit.h"

#include "app/config.h"
#include "app/config_tiers.h"

static struct buffer faults;
static struct config config;
static char directory[] = "/tmp/keyturn-test-XXXXXX";
static char repository[512];
static const char *default_tier; /* the variable's value, or NULL */

static const char *variable(const char *name)
{
    return strcmp(name, "KEYTURN_KEYS_DEFAULT_TIER") == 0 ? default_tier : NULL;
}

static int enter(void **state)
{
    (void)state;
    return !getcwd(repository, sizeof(repository)) || !mkdtemp(directory) || chdir(directory);
}

static int leave(void **state)
{
    (void)state;
    return chdir("/") || rmdir(directory);
}

static int end(void **state)
{
    (void)state;
    default_tier = NULL;
    buffer_done(&faults);
    config_done(&config);
    return 0;
}

static bool load(const char *text)
{
    FILE *file = fopen("k.yaml", "w");
    bool fine;

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    buffer_init(&faults, 1 << 16);
    fine = config_load(&config, "k.yaml", variable, &faults);
    assert_int_equal(fine, buffer_size(&faults) == 0);
    unlink("k.yaml");
    return fine;
}

/* The tiers alone; whoever is made on first sight is refused. */
static void says(const char *tiers, const char *expected)
{
    default_tier = "";
    load(tiers);
    assert_span(buffer_view(&faults), expected);
    end(NULL);
}

static const struct tier *tier(const char *name)
{
    const struct tier *found = tiers_find(&config.tiers, span_of(name));
    assert_non_null(found);
    return found;
}

static void test_the_built_in_ones(void **state)
{
    (void)state;
    static const char *const names[] = {"Free", "Standard", "Pro", "Pro+", "BYOK"};

    buffer_init(&faults, 1 << 16);
    assert_true(config_load(&config, NULL, variable, &faults));
    assert_int_equal(config.tiers.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(config.tiers.rows[i].name, names[i]);
        assert_int_equal(config.tiers.rows[i].limit_reset, LIMIT_RESET_MONTHLY);
    }
    assert_int_equal(tier("Free")->limit_nano_usd, INT64_C(2000000000));
    assert_int_equal(tier("Free")->messages_per_day, 20);
    assert_int_equal(tier("Free")->key, TIER_KEY_SHARED);
    assert_int_equal(tier("Standard")->limit_nano_usd, INT64_C(10000000000));
    assert_int_equal(tier("Standard")->messages_per_day, 500);
    assert_int_equal(tier("Standard")->key, TIER_KEY_PROVISIONED);
    assert_int_equal(tier("Standard")->expires_after_ms, INT64_C(90) * 24 * 3600 * 1000);
    assert_int_equal(tier("Pro")->limit_nano_usd, INT64_C(50000000000));
    assert_int_equal(tier("Pro")->messages_per_day, 2000);
    assert_int_equal(tier("Pro+")->limit_nano_usd, INT64_C(200000000000));
    assert_int_equal(tier("Pro+")->messages_per_day, UNLIMITED);
    assert_true(tier_reaches_everything(tier("Pro+")));
    assert_int_equal(tier("BYOK")->limit_nano_usd, UNLIMITED);
    assert_int_equal(tier("BYOK")->messages_per_day, UNLIMITED);
    assert_int_equal(tier("BYOK")->key, TIER_KEY_OWN);
    assert_true(tier_reaches_everything(tier("BYOK")));
}

static void test_what_the_built_in_ones_reach(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        bool free, standard, pro;
    } cases[] = {
        {"deepseek/deepseek-r1:free", true, true, true},
        {"openrouter/free", true, true, true},
        {"plugin:context-compression", true, true, true},
        {"openai/gpt-4o-mini", false, true, true},
        {"openai/gpt-4o-mini:nitro", false, true, true},
        {"openai/gpt-5-mini-2025-08-07", false, true, true},
        {"openai/text-embedding-3-small", false, true, true},
        {"anthropic/claude-haiku-4.5", false, true, true},
        {"google/gemini-2.5-flash-lite", false, true, true},
        {"mistralai/mistral-small-3.2", false, true, true},
        {"openai/gpt-4o", false, false, true},
        {"anthropic/claude-sonnet-4.5", false, false, true},
        {"x-ai/grok-4", false, false, true},
        {"~anthropic/claude-sonnet-latest", false, false, true},
        {"plugin:web", false, false, true},
        {"tool:web_search_20250305", false, false, true},
        {"tool:subagent", false, false, false},
        {"plugin:fusion", false, false, false},
        {"openrouter/auto", false, false, false},
        {"@preset/x", false, false, false},
        {"openai/gpt-4o@preset/x", false, false, false},
    };

    buffer_init(&faults, 1 << 16);
    assert_true(config_load(&config, NULL, variable, &faults));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct span model = span_of(cases[i].model);
        if (tier_reaches(tier("Free"), model) != cases[i].free ||
            tier_reaches(tier("Standard"), model) != cases[i].standard ||
            tier_reaches(tier("Pro"), model) != cases[i].pro)
            fail_msg("%s", cases[i].model);
        assert_true(tier_reaches(tier("Pro+"), model));
    }
}

static void test_every_field(void **state)
{
    (void)state;
    assert_true(load("keys: {default_tier: One}\n"
                     "tiers:\n"
                     "  One: {models: \"*\"}\n"
                     "  Zwei \xc3\xa4, \"2\":\n"
                     "    limit_usd: 12.5\n"
                     "    limit_reset: weekly\n"
                     "    messages_per_day: 0\n"
                     "    requests_per_minute: 60\n"
                     "    max_concurrent: 4\n"
                     "    key: own\n"
                     "    models: [a/*, 'plugin:web', \"*:free\"]\n"
                     "    includes: One\n"
                     "    max_output_tokens: 1000\n"
                     "    expires_after: 0\n"
                     "    on_provisioning_failure: shared\n"
                     "    overage: allow\n"
                     "    unknown_model_hold_usd: 0.25\n"));
    const struct tier *one = &config.tiers.rows[0], *two = &config.tiers.rows[1];

    assert_int_equal(config.tiers.count, 2);
    assert_int_equal(one->limit_nano_usd, UNLIMITED);
    assert_int_equal(one->requests_per_minute, UNLIMITED);
    assert_int_equal(one->max_concurrent, UNLIMITED);
    assert_int_equal(one->max_output_tokens, UNLIMITED);
    assert_int_equal(one->unknown_model_hold_nano_usd, 1000000000);
    assert_int_equal(one->expires_after_ms, INT64_C(90) * 24 * 3600 * 1000);
    assert_int_equal(one->key, TIER_KEY_PROVISIONED);
    assert_false(one->shared_on_failure || one->overage_allowed);
    assert_string_equal(two->name, "Zwei \xc3\xa4, \"2\"");
    assert_int_equal(two->limit_nano_usd, INT64_C(12500000000));
    assert_int_equal(two->limit_reset, LIMIT_RESET_WEEKLY);
    assert_int_equal(two->messages_per_day, 0);
    assert_int_equal(two->requests_per_minute, 60);
    assert_int_equal(two->max_concurrent, 4);
    assert_int_equal(two->key, TIER_KEY_OWN);
    assert_int_equal(two->own_model_count, 3);
    assert_int_equal(two->model_count, 4);
    assert_string_equal(two->models[2], "*:free");
    assert_string_equal(two->models[3], "*");
    assert_int_equal(two->max_output_tokens, 1000);
    assert_int_equal(two->expires_after_ms, 0);
    assert_true(two->shared_on_failure && two->overage_allowed);
    assert_int_equal(two->unknown_model_hold_nano_usd, 250000000);
}

static void test_own_tiers_replace_the_built_in_ones(void **state)
{
    (void)state;
    assert_true(load("tiers: {Standard: {models: [a/b]}, Big: {includes: [Standard]}}\n"));
    assert_int_equal(config.tiers.count, 2);
    assert_true(tier_reaches(tier("Big"), SPAN("a/b")));
}

static void test_wrong_values(void **state)
{
    (void)state;
    static const struct {
        const char *field, *wanted;
    } cases[] = {
        {"limit_usd: 1x", "limit_usd is \"1x\"; it must be an amount in USD such as 10 or 0.5, "
                          "from 0 to 1000000, or -1 for no limit"},
        {"limit_usd: -2", "limit_usd is \"-2\"; it must be an amount in USD such as 10 or 0.5, "
                          "from 0 to 1000000, or -1 for no limit"},
        {"limit_usd: 1000001", "limit_usd is \"1000001\"; it must be an amount in USD such as 10 "
                               "or 0.5, from 0 to 1000000, or -1 for no limit"},
        {"messages_per_day: 1.5", "messages_per_day is \"1.5\"; it must be a number, from 0 to "
                                  "1000000000, or -1 for no limit"},
        {"requests_per_minute: 0", "requests_per_minute is \"0\"; it must be a number, from 1 to "
                                   "1000000, or -1 for no limit"},
        {"max_concurrent: many", "max_concurrent is \"many\"; it must be a number, from 1 to "
                                 "1000000, or -1 for no limit"},
        {"max_output_tokens: 0", "max_output_tokens is \"0\"; it must be a number, from 1 to "
                                 "100000000, or -1 for no limit"},
        {"expires_after: 90", "expires_after is \"90\"; it must be a duration such as 250ms, 10s, "
                              "5m, 24h or 90d, from 0ms to 3650d"},
        {"unknown_model_hold_usd: -1", "unknown_model_hold_usd is \"-1\"; it must be an amount in "
                                       "USD such as 10 or 0.5, from 0 to 1000000"},
        {"limit_reset: none", "limit_reset is \"none\"; it must be one of daily, weekly, monthly"},
        {"key: mine", "key is \"mine\"; it must be one of provisioned, shared, own"},
        {"on_provisioning_failure: ask",
         "on_provisioning_failure is \"ask\"; it must be one of refuse, shared"},
        {"overage: \"\"", "overage is \"\"; it must be one of refuse, allow"},
    };
    char text[256], expected[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t column = strcspn(cases[i].field, ":") + 3;
        snprintf(text, sizeof(text), "tiers:\n  A:\n    models: \"*\"\n    %s\n", cases[i].field);
        snprintf(expected, sizeof(expected), "k.yaml:4:%zu: tiers.A.%s\n", column + 4,
                 cases[i].wanted);
        says(text, expected);
    }
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    says("tiers: [A]\n", "k.yaml:1:8: tiers is a map: each tier's name with a colon, its fields "
                         "below it, indented\n");
    says("tiers: Free\n", "k.yaml:1:8: tiers is a map: each tier's name with a colon, its fields "
                          "below it, indented\n");
    says("tiers:\n", "k.yaml:1:1: tiers has no tier; write at least one, or take the section out "
                     "for the built-in ones\n");
    says("tiers: {}\n", "k.yaml:1:1: tiers has no tier; write at least one, or take the section "
                        "out for the built-in ones\n");
    says("tiers:\n  A: 5\n", "k.yaml:2:6: tiers.A is a tier: its fields, such as models, follow "
                             "below it, indented\n");
    says("tiers:\n  A:\n", "k.yaml:2:5: tiers.A is a tier: its fields, such as models, follow "
                           "below it, indented\n");
    says("tiers:\n  A: {key: own}\n", "k.yaml:2:3: tiers.A has neither models nor includes, so it "
                                      "reaches nothing; write models: [\"*\"] for all of them\n");
    says("tiers:\n  [A]: {models: x}\n",
         "k.yaml:2:3: a name must stand here, not a list or a map\n");
}

static void test_wrong_fields(void **state)
{
    (void)state;
    says("tiers:\n  A: {models: x, limit_ust: 5}\n",
         "k.yaml:2:18: unknown key tiers.A.limit_ust; did you mean tiers.A.limit_usd?\n");
    says("tiers:\n  A: {model: [x], key: own}\n",
         "k.yaml:2:7: unknown key tiers.A.model; did you mean tiers.A.models?\n"
         "k.yaml:2:3: tiers.A has neither models nor includes, so it reaches nothing; write "
         "models: [\"*\"] for all of them\n");
    says("tiers:\n  A: {models: x, whatever: {a: [b]}}\n",
         "k.yaml:2:18: unknown key tiers.A.whatever; a tier has limit_usd, limit_reset, "
         "messages_per_day, requests_per_minute, max_concurrent, max_output_tokens, key, "
         "expires_after, on_provisioning_failure, overage, unknown_model_hold_usd, models, "
         "includes\n");
    says("tiers:\n  A: {models: x, key: [own]}\n",
         "k.yaml:2:23: tiers.A.key is a list; it must be a single value\n");
    says("tiers:\n  A: {models: x, key: {}}\n",
         "k.yaml:2:23: tiers.A.key is a map; it must be a single value\n");
    says("tiers:\n  A: {models: x, key: }\n",
         "k.yaml:2:23: tiers.A.key has no value; write one or take the line out\n");
    says("tiers:\n  A: {models: x, key: !!str own}\n",
         "k.yaml:2:23: a tag is not understood here; write the value itself\n");
    says("tiers:\n  A:\n    models: x\n    key: own\n    key: shared\n    models: y\n",
         "k.yaml:5:5: tiers.A.key is set twice, first in line 4; keep one\n"
         "k.yaml:6:5: tiers.A.models is set twice, first in line 3; keep one\n");
}

static void test_wrong_names(void **state)
{
    (void)state;
    says("tiers:\n  A: {models: x}\n  A: {models: y}\n",
         "k.yaml:3:3: tier A is here twice, first in line 2; keep one\n");
    says("tiers: {A: {models: x}}\ntiers: {B: {models: x}}\n",
         "k.yaml:2:1: section tiers is here twice, first in line 1; join them\n");
    says("tiers:\n  A: {models: x}\n  \"\": {models: x}\n",
         "k.yaml:3:3: \"\" is no name for a tier; it must be 1 to 64 bytes on one line, without "
         "blanks around it\n");
    says("tiers:\n  A: {models: x}\n  \" B\": {models: x}\n",
         "k.yaml:3:3: \" B\" is no name for a tier; it must be 1 to 64 bytes on one line, without "
         "blanks around it\n");
    says("tiers:\n  A: {models: x}\n  \"B\\nC\": {models: x}\n",
         "k.yaml:3:3: \"B?C\" is no name for a tier; it must be 1 to 64 bytes on one line, without "
         "blanks around it\n");
    default_tier = "";
    assert_true(load("tiers: {aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234: "
                     "{models: x}}\n"));
    end(NULL);
    default_tier = "";
    assert_false(load("tiers: {aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345: "
                      "{models: x}}\n"));
    end(NULL);
    default_tier = "";
    assert_false(load("tiers: {aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
                      "aaaaaaaaaabbbbbbbbbbcccccccccc: {models: x}}\n"));
    end(NULL);
    says("tires: {A: {models: x}}\n", "k.yaml:1:1: unknown section tires; did you mean tiers?\n");
}

static void test_wrong_lists(void **state)
{
    (void)state;
    static const char no_model[] = " is no model; write author/name, in which * stands for any run "
                                   "of characters, or plugin:<id> or tool:<name>\n";
    char expected[512];

    snprintf(expected, sizeof(expected),
             "k.yaml:4:9: tiers.A.models: \"a b\"%sk.yaml:5:9: tiers.A.models: \"\"%s"
             "k.yaml:6:8: tiers.A.models: \"\"%s",
             no_model, no_model, no_model);
    says("tiers:\n  A:\n    models:\n      - a b\n      - \"\"\n      -\n      - x/y\n", expected);
    snprintf(expected, sizeof(expected), "k.yaml:2:15: tiers.A.models: \"\"%s", no_model);
    says("tiers:\n  A: {models: {a: b}}\n", expected);
    snprintf(expected, sizeof(expected), "k.yaml:2:16: tiers.A.models: \"\"%s", no_model);
    says("tiers:\n  A: {models: [[a]]}\n", expected);
    says("tiers:\n  A: {models: []}\n",
         "k.yaml:2:15: tiers.A.models is empty; write something or take the line out\n");
    says("tiers:\n  A: {models: x, includes: []}\n",
         "k.yaml:2:28: tiers.A.includes is empty; write something or take the line out\n");
    says("tiers:\n  A: {models: [*x]}\n",
         "k.yaml:2:16: an alias is not understood here; write the value itself\n");
    says("tiers:\n  A: {models: x, includes: [{}]}\n",
         "k.yaml:2:29: tiers.A.includes: \"\" is no tier; write a tier's name\n");
    /* only this fault: what stands behind it is not read */
    says("tiers:\n  A: {models: *:free}\n",
         "k.yaml:2:16: this is not YAML: did not find expected alphabetic or numeric character "
         "while scanning an alias; text that begins with * needs quotes, such as \"*:free\"\n");
}

static void test_wrong_includes(void **state)
{
    (void)state;
    says("tiers:\n  Free: {models: x}\n  Pro: {includes: [Fee]}\n",
         "k.yaml:3:20: tiers.Pro includes Fee, which is no tier; did you mean Free?\n");
    says("tiers:\n  Free: {models: x}\n  Pro: {includes: [Free, Basic]}\n",
         "k.yaml:3:26: tiers.Pro includes Basic, which is no tier; there are Free, Pro\n");
    says("tiers:\n  A: {includes: A}\n",
         "k.yaml:2:17: tier A includes itself, by way of its includes; take one of these includes "
         "out\n");
    says("tiers:\n  A: {models: x}\n  B: {includes: [A, C]}\n  C: {includes: D}\n"
         "  D: {includes: B}\n",
         "k.yaml:3:18: tier B includes itself, by way of its includes; take one of these includes "
         "out\n");
}

static void test_the_default_tier(void **state)
{
    (void)state;
    load("keys:\n  default_tier: standart\n");
    assert_span(buffer_view(&faults), "k.yaml:2:17: keys.default_tier is standart, which is no "
                                      "tier; did you mean Standard?\n");
    end(NULL);
    default_tier = "Gold";
    load("");
    assert_span(buffer_view(&faults),
                "KEYTURN_KEYS_DEFAULT_TIER: keys.default_tier is Gold, which is no tier; set it to "
                "one of Free, Standard, Pro, Pro+, BYOK, or to \"\" to refuse unknown users\n");
    end(NULL);
    /* nobody chose one: the table's first */
    default_tier = NULL;
    assert_true(load("tiers: {Basic: {models: x}, More: {models: x}}\n"));
    assert_string_equal(config.keys_default_tier, "Basic");
    end(NULL);
    default_tier = "";
    assert_true(load("tiers: {Basic: {models: x}}\n"));
    end(NULL);
    /* a broken file does not tell which tiers there are */
    load("tiers: {Basic: {models: x}, ]\n");
    assert_false(span_contains(buffer_view(&faults), SPAN("default_tier")));
}

static void test_every_row_is_sound(void **state)
{
    (void)state;
    const struct tier_field *fields = config_tier_fields();
    char wanted[TIER_WANTED_SIZE];
    struct tiers tiers;

    tiers_init(&tiers);
    struct tier *made = tiers_add(&tiers, SPAN("A"));
    for (size_t i = 0; i < TIER_FIELD_COUNT; i++) {
        assert_true(strlen(fields[i].text) > 10);
        assert_true(config_tier_set(made, i, span_of(fields[i].preset), wanted));
        assert_false(config_tier_set(made, i, SPAN("-2"), wanted));
        assert_true(strlen(wanted) > 10);
        if (fields[i].type == CONFIG_CHOICE)
            continue;
        assert_true(config_tier_set(made, i, span_of(fields[i].min), wanted));
        assert_true(config_tier_set(made, i, span_of(fields[i].max), wanted));
        assert_int_equal(config_tier_set(made, i, SPAN("-1"), wanted), fields[i].may_be_unlimited);
    }
    tiers_done(&tiers);
}

static void test_print(void **state)
{
    (void)state;
    struct buffer out;

    buffer_init(&out, 1 << 16);
    assert_true(config_print_tiers(&out));
    assert_true(span_contains(buffer_view(&out), SPAN("| Free | 2 monthly | 20 | shared | "
                                                      "`*:free`, `openrouter/free`, ")));
    assert_true(span_contains(buffer_view(&out), SPAN("| Standard | 10 monthly | 500 | own "
                                                      "sub-key | those of Free, `openai/")));
    assert_true(span_contains(buffer_view(&out),
                              SPAN("| BYOK | no limit | no limit | the user's own | `*` |\n\n")));
    assert_true(span_contains(buffer_view(&out),
                              SPAN("| `limit_usd` | `-1` | 0 to 1000000, -1: no limit | Budget ")));
    assert_true(span_contains(buffer_view(&out),
                              SPAN("| `key` | `provisioned` | provisioned, shared, own | ")));
    buffer_done(&out);
    buffer_init(&out, 100);
    assert_false(config_print_tiers(&out));
    buffer_done(&out);
    buffer_init(&out, 1000);
    assert_false(config_print_tiers(&out));
    buffer_done(&out);
}

static void test_the_examples_load(void **state)
{
    (void)state;
    static const char *const files[] = {"keyturn.example.yaml",
                                        "docker/tiers-free-pro-enterprise.yaml"};
    static const size_t counts[] = {5, 3};
    char path[640];

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", repository, files[i]);
        buffer_init(&faults, 1 << 16);
        config_load(&config, path, variable, &faults);
        assert_span(buffer_view(&faults), "");
        assert_int_equal(config.tiers.count, counts[i]);
        end(NULL);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, end)
    const struct CMUnitTest tests[] = {
        TEST(test_the_built_in_ones),
        TEST(test_what_the_built_in_ones_reach),
        TEST(test_every_field),
        TEST(test_own_tiers_replace_the_built_in_ones),
        TEST(test_wrong_values),
        TEST(test_wrong_shapes),
        TEST(test_wrong_fields),
        TEST(test_wrong_names),
        TEST(test_wrong_lists),
        TEST(test_wrong_includes),
        TEST(test_the_default_tier),
        TEST(test_every_row_is_sound),
        TEST(test_print),
        cmocka_unit_test(test_the_examples_load),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}

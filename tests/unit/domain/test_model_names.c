/* Every place a model can hide in. */
#include "../base/unit.h"

#include "domain/model_names.h"

static struct model_names names;

/* The names in order, those billed with a ! behind; "-" when none names the model that runs. */
static void reads(const char *body, const char *expected)
{
    char found[4096];
    size_t size = 0;

    assert_int_equal(model_names_read(span_of(body), &names), NAMES_FINE);
    if (names.none)
        size += (size_t)snprintf(found, sizeof(found), "-");
    for (size_t i = 0; i < names.count; i++)
        size += (size_t)snprintf(found + size, sizeof(found) - size, "%s%s%s", size ? " " : "",
                                 names.names[i], names.billed[i] ? "!" : "");
    found[size] = '\0';
    if (strcmp(found, expected) != 0)
        fail_msg("%s\nreads    <%s>\nexpected <%s>", body, found, expected);
}

static void is(const char *body, enum names_verdict verdict)
{
    if (model_names_read(span_of(body), &names) != verdict)
        fail_msg("not %d: %s", (int)verdict, body);
}

static void test_models(void **state)
{
    (void)state;
    reads("{\"model\":\"openai/gpt-4o\",\"messages\":[]}", "openai/gpt-4o!");
    reads("{\"model\":\"openai\\/gpt-4\\u006f\"}", "openai/gpt-4o!");
    reads("{\"m\\u006fdel\":\"a/b\"}", "a/b!");
    reads("{\"model\":\"a/b\",\"models\":[\"c/d\",\"a/b\",\"e\\/f\"]}", "a/b! c/d! e/f!");
    reads("{\"models\":[\"c/d\"]}", "c/d!");
    reads("{\"model\":null,\"models\":null,\"plugins\":null,\"tools\":null,\"preset\":null}", "-");
    reads("{\"models\":[]}", "-");
    reads("{}", "-");
    reads("{\"Model\":\"a/b\",\"model_\":\"c\",\"messages\":[{\"model\":\"x/y\"}]}", "-");
    reads("{\"model\":\"a/b\",\"fallbacks\":[{\"model\":\"c/d\"},\"e/f\"]}", "a/b! c/d! e/f!");
    reads("{\"fallbacks\":[{\"model\":\"c/d\"}]}", "- c/d!");
    reads("{\"model\":\"a/b\",\"fallbacks\":[{\"model\":\"c/d\",\"tools\":[{\"type\":"
          "\"openrouter:fusion\"}]}]}",
          "a/b! c/d! tool:fusion");
    reads("{\"model\":\"~openai/gpt-latest\",\"route\":\"fallback\"}", "~openai/gpt-latest!");
}

static void test_presets(void **state)
{
    (void)state;
    reads("{\"preset\":\"mine\"}", "@preset/mine!");
    reads("{\"preset\":\"@preset/mine\"}", "@preset/mine!");
    reads("{\"preset\":\"mine\",\"model\":\"a/b\"}", "a/b! @preset/mine");
    reads("{\"model\":\"@preset/mine\"}", "@preset/mine!");
    reads("{\"model\":\"a/b@preset/mine\"}", "a/b@preset/mine!");
    reads("{\"preset\":\"mine\",\"plugins\":[{\"id\":\"x\",\"model\":\"c/d\"}]}",
          "plugin:x c/d! @preset/mine!");
}

static void test_plugins(void **state)
{
    (void)state;
    reads("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"web\",\"max_results\":1e999}]}",
          "a/b! plugin:web");
    reads("{\"model\":\"a/b\",\"plugins\":[{\"\\u0069d\":\"\\u0077eb\"}]}", "a/b! plugin:web");
    reads("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"fusion\",\"model\":\"j/k\","
          "\"analysis_models\":[\"l/m\",\"n/o\"]},{\"id\":\"auto-router\",\"allowed_models\":"
          "[\"anthropic/*\"]},{\"id\":\"x\",\"models\":[\"p/q\"],\"judge_model\":\"r/s\"}]}",
          "a/b! plugin:fusion j/k! l/m! n/o! plugin:auto-router anthropic/*! plugin:x p/q! r/s!");
    reads("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"fusion\",\"preset\":\"general\",\"deep\":"
          "[{\"er\":{\"model\":\"j/k\",\"tools\":[{\"type\":\"openrouter:shell\"}]}}]}]}",
          "a/b! plugin:fusion j/k! tool:shell");
    reads("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"web\",\"enabled\":false,\"model\":\"c/d\"}]}",
          "a/b!");
    reads("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"web\",\"enabled\":true}]}", "a/b! plugin:web");
    reads("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"web\",\"enabled\":0}]}", "a/b! plugin:web");
    reads("{\"plugins\":[{\"id\":\"x\",\"model\":\"a/b\"}]}", "- plugin:x a/b!");
    reads("{\"model\":\"a/b\",\"plugins\":[]}", "a/b!");
    reads("{\"model\":\"a/b\",\"web_search_options\":{}}", "a/b! plugin:web");
    reads("{\"model\":\"a/b\",\"web_search_options\":null}", "a/b!");
    reads("{\"model\":\"a/b:online\"}", "a/b:online! plugin:web");
    reads("{\"models\":[\"a/b:free:online\",\"a/b:online:nitro\"]}",
          "a/b:free:online! plugin:web a/b:online:nitro!");
}

static void test_tools(void **state)
{
    (void)state;
    reads("{\"model\":\"a/b\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
          "\"parameters\":{\"properties\":{\"model\":{\"type\":\"string\"}}}}},"
          "{\"type\":\"custom\",\"name\":\"x\"},{\"name\":\"y\",\"input_schema\":{}},"
          "{\"type\":null,\"name\":\"z\"},{\"type\":\"bash_20250124\"},"
          "{\"type\":\"text_editor_20250728\"},{\"type\":\"computer_use_preview\"}]}",
          "a/b!");
    reads("{\"model\":\"a/b\",\"tools\":[{\"type\":\"openrouter:web_search\"},"
          "{\"type\":\"web_search_20250305\"},{\"type\":\"image_generation\",\"model\":\"c/d\"}]}",
          "a/b! tool:web_search tool:web_search_20250305 tool:image_generation c/d!");
    reads("{\"model\":\"a/b\",\"tools\":[{\"type\":\"openrouter:subagent\",\"parameters\":{"
          "\"model\":\"c/d\",\"tools\":[{\"type\":\"openrouter:advisor\",\"parameters\":{\"model\":"
          "\"e/f\",\"tools\":[{\"type\":\"function\",\"model\":\"not/one\"}]}}],\"plugins\":"
          "[{\"id\":\"web\"}]}}]}",
          "a/b! tool:subagent c/d! tool:advisor e/f! plugin:web");
    reads("{\"tools\":[{\"type\":\"openrouter:advisor\",\"parameters\":{\"model\":\"c/d\"}}]}",
          "- tool:advisor c/d!");
    reads("{\"model\":\"a/b\",\"tools\":[{\"type\":\"openrouter:image_generation\",\"parameters\":"
          "{\"model\":null,\"models\":[],\"preset\":{}}}]}",
          "a/b! tool:image_generation");
    reads("{\"model\":\"a/b\",\"tools\":[{\"t\\u0079pe\":\"openrouter:fusion\"}]}",
          "a/b! tool:fusion");
    reads("{\"model\":\"a/b\",\"tools\":[{\"type\":\"Function\"}]}", "a/b! tool:Function");
}

static void test_billed_once_is_billed(void **state)
{
    (void)state;
    reads("{\"plugins\":[{\"id\":\"web\"},{\"id\":\"web\"}],\"model\":\"a/b:online\"}",
          "plugin:web a/b:online!");
    reads("{\"preset\":\"p\",\"models\":[\"@preset/p\"]}", "@preset/p!");
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "{\"model\":5}",
        "{\"model\":\"\"}",
        "{\"model\":[\"a/b\"]}",
        "{\"model\":{\"id\":\"a/b\"}}",
        "{\"model\":true}",
        "{\"model\":\"a/b \"}",
        "{\"model\":\"a/b\\u0000:free\"}",
        "{\"model\":\"a/b\\n\"}",
        "{\"model\":\"\\u00e4/b\"}",
        "{\"model\":\"plugin:web\"}",
        "{\"model\":\"tool:shell\"}",
        "{\"models\":\"a/b\"}",
        "{\"models\":[\"a/b\",null]}",
        "{\"models\":[[\"a/b\"]]}",
        "{\"models\":{}}",
        "{\"fallbacks\":{}}",
        "{\"fallbacks\":[{}]}",
        "{\"fallbacks\":[{\"model\":null}]}",
        "{\"fallbacks\":[{\"model\":5}]}",
        "{\"fallbacks\":[5]}",
        "{\"fallbacks\":[{\"model\":\"a/b\",\"model\":\"c/d\"}]}",
        "{\"preset\":5}",
        "{\"preset\":\"\"}",
        "{\"preset\":\"a b\"}",
        "{\"preset\":\"a\",\"preset\":\"b\"}",
        "{\"plugins\":{}}",
        "{\"plugins\":\"web\"}",
        "{\"plugins\":[\"web\"]}",
        "{\"plugins\":[{}]}",
        "{\"plugins\":[{\"id\":5}]}",
        "{\"plugins\":[{\"id\":\"\"}]}",
        "{\"plugins\":[{\"id\":\"a b\"}]}",
        "{\"plugins\":[{\"id\":\"web\",\"id\":\"x\"}]}",
        "{\"plugins\":[{\"id\":\"web\",\"enabled\":false,\"enabled\":true}]}",
        "{\"plugins\":[{\"id\":\"x\",\"model\":5}]}",
        "{\"plugins\":[{\"id\":\"x\",\"allowed_models\":\"a/b\"}]}",
        "{\"plugins\":[{\"id\":\"x\",\"analysis_models\":[5]}]}",
        "{\"tools\":{}}",
        "{\"tools\":[5]}",
        "{\"tools\":[{\"type\":5}]}",
        "{\"tools\":[{\"type\":\"\"}]}",
        "{\"tools\":[{\"type\":\"openrouter:\"}]}",
        "{\"tools\":[{\"type\":\"function\",\"type\":\"openrouter:shell\"}]}",
        "{\"tools\":[{\"type\":\"openrouter:subagent\",\"parameters\":{\"model\":5}}]}",
        "{\"tools\":[{\"type\":\"openrouter:subagent\",\"parameters\":{\"tools\":5}}]}",
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
        is(bodies[i], NAMES_MALFORMED);
}

static void test_lengths(void **state)
{
    (void)state;
    char body[400], name[MODEL_NAME_MAX + 2];

    memset(name, 'x', sizeof(name));
    for (int more = 0; more < 2; more++) {
        enum names_verdict expected = more ? NAMES_MALFORMED : NAMES_FINE;
        int size = MODEL_NAME_MAX + more;
        snprintf(body, sizeof(body), "{\"model\":\"%.*s\"}", size, name);
        is(body, expected);
        snprintf(body, sizeof(body), "{\"models\":[\"%.*s\"]}", size, name);
        is(body, expected);
        snprintf(body, sizeof(body), "{\"preset\":\"%.*s\"}", size - 8, name);
        is(body, expected);
        snprintf(body, sizeof(body), "{\"plugins\":[{\"id\":\"%.*s\"}]}", size - 7, name);
        is(body, expected);
    }
    /* more escapes than a name has bytes */
    char *at = body + snprintf(body, sizeof(body), "{\"model\":\"");
    for (int i = 0; i < 40; i++)
        at += snprintf(at, 8, "\\u0061");
    snprintf(at, 8, "\"}");
    is(body, NAMES_FINE);
    assert_int_equal(strlen(names.names[0]), 40);
}

static void test_too_many(void **state)
{
    (void)state;
    char body[2048];

    for (int more = 0; more < 2; more++) {
        char *at = body + snprintf(body, sizeof(body), "{\"models\":[\"m/first\"");
        for (int i = 1; i < MODEL_NAMES_MAX + more; i++)
            at += snprintf(at, 16, ",\"m/%d\",\"m/%d\"", i, i);
        snprintf(at, 8, "]}");
        is(body, more ? NAMES_TOO_MANY : NAMES_FINE);
        assert_int_equal(names.count, MODEL_NAMES_MAX);
    }
    for (int more = 0; more < 2; more++) {
        char *at = body + snprintf(body, sizeof(body), "{\"preset\":\"p\",\"models\":[\"m/first\"");
        for (int i = 2; i < MODEL_NAMES_MAX + more; i++)
            at += snprintf(at, 16, ",\"m/%d\"", i);
        snprintf(at, 8, "]}");
        is(body, more ? NAMES_TOO_MANY : NAMES_FINE);
    }
}

static void test_deep(void **state)
{
    (void)state;
    char body[2048], *at = body + snprintf(body, sizeof(body),
                                           "{\"model\":\"a/b\",\"tools\":[{"
                                           "\"type\":\"openrouter:x\",\"p\":");
    for (int i = 0; i < 240; i++)
        *at++ = '[';
    at += snprintf(at, 32, "{\"model\":\"deep/one\"}");
    for (int i = 0; i < 240; i++)
        *at++ = ']';
    snprintf(at, 8, "}]}");
    reads(body, "a/b! tool:x deep/one!");
}

static void test_refused(void **state)
{
    (void)state;
    char fault[TIER_FAULT_SIZE];
    struct tiers tiers;
    const struct tier *small, *all;

    tiers_init(&tiers);
    struct tier *tier = tiers_add(&tiers, SPAN("Small"));
    tier_add_model(tier, SPAN("a/*"));
    tier_add_model(tier, SPAN("plugin:context-compression"));
    tier_add_model(tiers_add(&tiers, SPAN("All")), SPAN("*"));
    assert_true(tiers_seal(&tiers, fault));
    small = &tiers.rows[0];
    all = &tiers.rows[1];

    reads("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"context-compression\"}]}",
          "a/b! plugin:context-compression");
    assert_null(model_names_refused(&names, small));
    reads("{\"model\":\"a/b\",\"models\":[\"c/d\"]}", "a/b! c/d!");
    assert_string_equal(model_names_refused(&names, small), "c/d");
    assert_null(model_names_refused(&names, all));
    reads("{\"model\":\"a/b:online\"}", "a/b:online! plugin:web");
    assert_string_equal(model_names_refused(&names, small), "plugin:web");
    reads("{}", "-");
    assert_string_equal(model_names_refused(&names, small), "the account's default model");
    assert_null(model_names_refused(&names, all));
    tiers_done(&tiers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_plugins),
        cmocka_unit_test(test_tools),
        cmocka_unit_test(test_billed_once_is_billed),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

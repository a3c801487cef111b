#include "../base/unit.h"

#include "api/user_patch.h"

#define NOW_MS INT64_C(1795184334000) /* 2026-11-20T14:18:54Z */

static struct tiers tiers;

static int open_tiers(void **state)
{
    static const char *const names[] = {"Free", "Standard", "Pro", "Pro+"};
    char fault[TIER_FAULT_SIZE];

    (void)state;
    tiers_init(&tiers);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        tier_add_model(tiers_add(&tiers, span_of(names[i])), SPAN("*"));
    return tiers_seal(&tiers, fault) ? 0 : -1;
}

static int close_tiers(void **state)
{
    (void)state;
    tiers_done(&tiers);
    return 0;
}

static struct user_patch read_text(enum user_body body, struct span text, bool *ret_fine)
{
    struct user_patch patch = {.body = body};

    *ret_fine = user_patch_read(&patch, text) && user_patch_seal(&patch, &tiers, NOW_MS);
    return patch;
}

/* fields: "name=value name=value", as they are written. */
static void takes(enum user_body body, const char *text, const char *fields)
{
    bool fine;
    struct user_patch patch = read_text(body, span_of(text), &fine);
    char written[400] = "";

    if (!fine)
        fail_msg("%s: %s", text, patch.detail);
    for (size_t i = 0; i < patch.change.count; i++) {
        size_t used = strlen(written);
        snprintf(written + used, sizeof(written) - used, "%s%s=%s", i ? " " : "",
                 user_field_name(patch.change.writes[i].field), patch.change.writes[i].value);
    }
    assert_string_equal(written, fields);
    assert_string_equal(patch.change.make_with, "");
}

static void refuses_span(enum user_body body, struct span text, const char *param, const char *word)
{
    bool fine;
    struct user_patch patch = read_text(body, text, &fine);

    if (fine)
        fail_msg("%.*s was taken", SPAN_PRINT(text));
    if (!strstr(patch.detail, word) || strcmp(patch.param, param) != 0)
        fail_msg("%.*s: %s: %s", SPAN_PRINT(text), patch.param, patch.detail);
    assert_int_equal(patch.detail[strlen(patch.detail) - 1], '.');
}

static void refuses(enum user_body body, const char *text, const char *param, const char *word)
{
    refuses_span(body, span_of(text), param, word);
}

static void test_fields(void **state)
{
    (void)state;
    takes(USER_BODY_FIELDS, "{}", "");
    takes(USER_BODY_FIELDS, "{\"status\":\"active\"}", "status=active");
    takes(USER_BODY_FIELDS, " {\"status\" : \"disabled\"}\n", "status=disabled");
    takes(USER_BODY_FIELDS, "{\"tier\":\"Pro+\"}", "tier=Pro+");
    takes(USER_BODY_FIELDS, "{\"ti\\u0065r\":\"Pro\\u002b\"}", "tier=Pro+");
    takes(USER_BODY_FIELDS,
          "{\"tier\":\"Pro\",\"limit_usd\":7.5,\"messages_per_day\":0,\"requests_per_minute\":1,"
          "\"max_concurrent\":1000000,\"status\":\"active\"}",
          "tier=Pro o_limit_nano_usd=7500000000 o_messages_per_day=0 o_requests_per_minute=1 "
          "o_max_concurrent=1000000 status=active");
    takes(USER_BODY_FIELDS,
          "{\"limit_usd\":null,\"messages_per_day\":null,\"requests_per_minute\":null,"
          "\"max_concurrent\":null}",
          "o_limit_nano_usd= o_messages_per_day= o_requests_per_minute= o_max_concurrent=");
    takes(USER_BODY_FIELDS,
          "{\"limit_usd\":-1,\"messages_per_day\":-1,\"requests_per_minute\":-1,"
          "\"max_concurrent\":-1}",
          "o_limit_nano_usd=-1 o_messages_per_day=-1 o_requests_per_minute=-1 "
          "o_max_concurrent=-1");
}

static void test_amounts_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text, *nano_usd; /* NULL: refused */
    } rows[] = {
        {"0", "0"},
        {"0.000000001", "1"},
        {"0.1", "100000000"},
        {"0.3", "300000000"},
        {"16.777217", "16777217000"},
        {"999999.999999999", "999999999999999"},
        {"1000000", "1000000000000000"},
        {"1e3", "1000000000000"},
        {"3E-7", "300"},
        {"1000000.000000001", NULL},
        {"1e300", NULL},
        {"-0.5", NULL},
        {"-1.0", NULL},
        {"-2", NULL},
        {"\"5\"", NULL},
        {"true", NULL},
        {"[5]", NULL},
        {"{}", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[80], fields[80];
        snprintf(text, sizeof(text), "{\"limit_usd\":%s}", rows[i].text);
        snprintf(fields, sizeof(fields), "o_limit_nano_usd=%s", rows[i].nano_usd);
        if (rows[i].nano_usd)
            takes(USER_BODY_FIELDS, text, fields);
        else
            refuses(USER_BODY_FIELDS, text, "limit_usd",
                    "limit_usd must be an amount in USD from 0 to 1000000, -1 for no limit, or "
                    "null for that of the tier.");
    }
}

static void test_counts_are_whole(void **state)
{
    (void)state;
    static const char *const wrong[] = {"-2",         "1.5",    "20.0",  "1e3",
                                        "1000000001", "\"20\"", "false", "99999999999999999999"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        char text[80];
        snprintf(text, sizeof(text), "{\"messages_per_day\":%s}", wrong[i]);
        refuses(USER_BODY_FIELDS, text, "messages_per_day",
                "messages_per_day must be a whole number from 0 to 1000000000");
    }
    refuses(USER_BODY_FIELDS, "{\"requests_per_minute\":0}", "requests_per_minute", "from 1 to");
    refuses(USER_BODY_FIELDS, "{\"max_concurrent\":0}", "max_concurrent", "from 1 to");
    refuses(USER_BODY_FIELDS, "{\"max_concurrent\":1000001}", "max_concurrent", "from 1 to");
    takes(USER_BODY_FIELDS, "{\"messages_per_day\":1000000000}", "o_messages_per_day=1000000000");
}

static void test_words(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\"on\"", "\"Active\"", "\"\"", "null", "true", "1"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        char text[80];
        snprintf(text, sizeof(text), "{\"status\":%s}", wrong[i]);
        refuses(USER_BODY_FIELDS, text, "status", "status must be active or disabled.");
    }
}

static void test_tiers_that_are_not_there(void **state)
{
    char text[300];

    (void)state;
    refuses(USER_BODY_TIER, "{\"tier\":\"pro\"}", "tier",
            "There is no tier 'pro'; did you mean Pro? The tiers are: Free, Standard, Pro, Pro+.");
    refuses(USER_BODY_FIELDS, "{\"tier\":\"Standrad\"}", "tier", "did you mean Standard?");
    refuses(USER_BODY_TIER, "{\"tier\":\"Enterprise\"}", "tier",
            "There is no tier 'Enterprise'. The tiers are: Free,");
    refuses(USER_BODY_TIER, "{\"tier\":\"a\\u001b[31m\"}", "tier", "There is no tier 'a?[31m'");
    refuses(USER_BODY_TIER, "{\"tier\":\"\"}", "tier", "must be the name of a tier");
    refuses(USER_BODY_TIER, "{\"tier\":\"Pro\\u0000\"}", "tier", "must be the name of a tier");
    refuses(USER_BODY_TIER, "{\"tier\":null}", "tier", "must be the name of a tier");
    refuses(USER_BODY_TIER, "{}", "tier", "tier is missing");
    snprintf(text, sizeof(text), "{\"tier\":\"%0200d\"}", 7);
    refuses(USER_BODY_TIER, text, "tier", "must be the name of a tier");
    takes(USER_BODY_TIER, "{\"tier\":\"Pro\"}", "tier=Pro");
}

static void test_a_long_list_of_tiers_is_cut_between_names(void **state)
{
    struct user_patch patch = {.body = USER_BODY_TIER};
    struct tiers many;
    char name[40], fault[TIER_FAULT_SIZE];

    (void)state;
    tiers_init(&many);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "Tier number %02d", i);
        tier_add_model(tiers_add(&many, span_of(name)), SPAN("*"));
    }
    assert_true(tiers_seal(&many, fault));
    assert_true(user_patch_read(&patch, SPAN("{\"tier\":\"Gold\"}")));
    assert_false(user_patch_seal(&patch, &many, NOW_MS));
    assert_non_null(strstr(patch.detail, "Tier number 00, Tier number 01, "));
    assert_true(span_ends(span_of(patch.detail), SPAN("Tier number 18, ....")));
    tiers_done(&many);
}

static void test_boosts(void **state)
{
    (void)state;
    takes(USER_BODY_BOOST, "{\"limit_usd\":5,\"until\":\"2026-12-01T00:00:00Z\"}",
          "boost_nano_usd=5000000000 boost_until_ms=1796083200000");
    takes(USER_BODY_BOOST, "{\"until\":\"2026-11-20T15:18:54.001+01:00\",\"limit_usd\":0.25}",
          "boost_until_ms=1795184334001 boost_nano_usd=250000000");
    takes(USER_BODY_BOOST, "{\"limit_usd\":0}", "boost_nano_usd= boost_until_ms=");
    takes(USER_BODY_BOOST, "{\"limit_usd\":0,\"until\":\"2020-01-01T00:00:00Z\"}",
          "boost_nano_usd= boost_until_ms=");
    refuses(USER_BODY_BOOST, "{\"limit_usd\":5}", "until", "until is missing; it must be a time");
    refuses(USER_BODY_BOOST, "{\"until\":\"2026-12-01T00:00:00Z\"}", "limit_usd", "is missing");
    refuses(USER_BODY_BOOST, "{\"limit_usd\":5,\"until\":\"2026-11-20T14:18:54Z\"}", "until",
            "must be in the future");
    refuses(USER_BODY_BOOST, "{\"limit_usd\":5,\"until\":\"2026-12-01\"}", "until",
            "until must be a time such as");
    refuses(USER_BODY_BOOST, "{\"limit_usd\":5,\"until\":1796083200}", "until", "must be a time");
    refuses(USER_BODY_BOOST, "{\"limit_usd\":5,\"until\":null}", "until", "must be a time");
    refuses(USER_BODY_BOOST, "{\"limit_usd\":-1,\"until\":\"2026-12-01T00:00:00Z\"}", "limit_usd",
            "(0 ends a boost).");
    refuses(USER_BODY_BOOST, "{\"limit_usd\":null}", "limit_usd", "limit_usd must be");
}

static void test_fields_that_are_not_there(void **state)
{
    (void)state;
    refuses(USER_BODY_FIELDS, "{\"teir\":\"Pro\"}", "teir",
            "There is no field 'teir'; did you mean tier? The fields are: status, tier, limit_usd, "
            "messages_per_day, requests_per_minute, max_concurrent.");
    refuses(USER_BODY_FIELDS, "{\"plan\":\"Pro\"}", "plan", "There is no field 'plan'. The fields");
    refuses(USER_BODY_FIELDS, "{\"until\":\"2026-12-01T00:00:00Z\"}", "until", "no field 'until'");
    refuses(USER_BODY_TIER, "{\"status\":\"active\"}", "status", "The fields are: tier.");
    refuses(USER_BODY_BOOST, "{\"tier\":\"Pro\"}", "tier", "The fields are: limit_usd, until.");
    refuses(USER_BODY_FIELDS, "{\"a\\nb\\u0007\":1}", "a\\nb\\u0007", "There is no field");
    refuses(USER_BODY_FIELDS, "{\"\":1}", "", "There is no field ''");
    refuses(USER_BODY_FIELDS, "{\"tier\":\"Pro\",\"t\\u0069er\":\"Free\"}", "tier",
            "tier is given twice; keep one.");
    refuses(USER_BODY_FIELDS, "{\"limit_usd\":null,\"limit_usd\":1}", "limit_usd", "twice");
    refuses(USER_BODY_FIELDS,
            "{\"a_name_that_is_longer_than_any_sentence_should_be_and_goes_on_and_on_and_on\":1}",
            "a_name_that_is_longer_than_any_sentence_", "There is no field 'a_name");
}

static void test_what_is_no_object(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "", "{", "{\"tier\"}", "tier", "{\"limit_usd\":01}", "{} x", "{\"tier\":\"\xff\"}"};
    static const char *const others[] = {"[]", "null", "\"Pro\"", "5"};

    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        refuses(USER_BODY_FIELDS, broken[i], "", "not valid JSON");
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        refuses(USER_BODY_TIER, others[i], "",
                "a JSON object with one or more of the fields tier.");
    refuses_span(USER_BODY_FIELDS, SPAN("{\"tier\":\"Pro\"}\0"), "", "not valid JSON");
}

static void test_a_new_user_has_a_tier(void **state)
{
    const struct tier *preset = tiers_find(&tiers, SPAN("Standard"));
    struct user_patch patch = {.body = USER_BODY_FIELDS};

    (void)state;
    assert_true(user_patch_seal(&patch, &tiers, NOW_MS));
    assert_true(user_patch_make(&patch, preset));
    assert_string_equal(patch.change.make_with, "Standard");
    assert_false(user_patch_make(&patch, NULL));
    assert_non_null(strstr(patch.detail, "keys.default_tier"));
    assert_string_equal(patch.param, "tier");
    patch = (struct user_patch){.body = USER_BODY_FIELDS};
    assert_true(user_patch_read(&patch, SPAN("{\"tier\":\"Pro\"}")));
    assert_true(user_patch_make(&patch, NULL));
    assert_string_equal(patch.change.make_with, "Pro");
}

static size_t option_index(const struct user_patch *patch, const char *wanted)
{
    const char *option;

    for (size_t i = 0; (option = user_patch_option(patch, i)); i++)
        if (strcmp(option, wanted) == 0)
            return i;
    return SIZE_MAX;
}

static void test_options_of_the_shell(void **state)
{
    struct user_patch patch = {.body = USER_BODY_FIELDS, .shell = true};

    (void)state;
    assert_int_equal(option_index(&patch, "--until"), SIZE_MAX);
    assert_true(user_patch_set_option(&patch, option_index(&patch, "--tier"), SPAN("none")));
    assert_true(user_patch_set_option(&patch, option_index(&patch, "--limit-usd"), SPAN("none")));
    assert_true(
        user_patch_set_option(&patch, option_index(&patch, "--messages-per-day"), SPAN("-1")));
    assert_int_equal(patch.change.count, 3);
    assert_string_equal(patch.change.writes[0].value, "none"); /* a tier may be called so */
    assert_string_equal(patch.change.writes[1].value, "");
    assert_string_equal(patch.change.writes[2].value, "-1");
    assert_false(
        user_patch_set_option(&patch, option_index(&patch, "--max-concurrent"), SPAN("few")));
    assert_string_equal(patch.detail, "--max-concurrent must be a whole number from 1 to 1000000, "
                                      "-1 for no limit, or none for that of the tier.");
    assert_false(user_patch_set_option(&patch, option_index(&patch, "--tier"), SPAN("Pro")));
    assert_string_equal(patch.detail, "--tier is given twice; keep one.");

    patch = (struct user_patch){.body = USER_BODY_BOOST, .shell = true};
    assert_true(user_patch_set_option(&patch, option_index(&patch, "--limit-usd"), SPAN("0.5")));
    assert_false(user_patch_whole(&patch));
    assert_string_equal(patch.detail,
                        "--until is missing; it must be a time such as 2026-12-01T00:00:00Z.");
    assert_false(user_patch_set_option(&patch, option_index(&patch, "--until"), SPAN("")));
    patch = (struct user_patch){.body = USER_BODY_BOOST, .shell = true};
    assert_true(user_patch_set_option(&patch, option_index(&patch, "--limit-usd"), SPAN("0.0")));
    assert_true(user_patch_whole(&patch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_amounts_are_exact),
        cmocka_unit_test(test_counts_are_whole),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_tiers_that_are_not_there),
        cmocka_unit_test(test_a_long_list_of_tiers_is_cut_between_names),
        cmocka_unit_test(test_boosts),
        cmocka_unit_test(test_fields_that_are_not_there),
        cmocka_unit_test(test_what_is_no_object),
        cmocka_unit_test(test_a_new_user_has_a_tier),
        cmocka_unit_test(test_options_of_the_shell),
    };
    return cmocka_run_group_tests(tests, open_tiers, close_tiers);
}

#include "../base/unit.h"

#include "domain/key_record.h"

static void test_resets(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "daily", "weekly", "monthly"};
    for (int i = LIMIT_RESET_NONE; i <= LIMIT_RESET_MONTHLY; i++) {
        enum limit_reset reset = LIMIT_RESET_NONE;
        if (!names[i]) {
            assert_null(limit_reset_name((enum limit_reset)i));
            continue;
        }
        assert_string_equal(limit_reset_name((enum limit_reset)i), names[i]);
        assert_true(limit_reset_parse(span_of(names[i]), &reset));
        assert_int_equal(reset, i);
    }
    enum limit_reset reset = LIMIT_RESET_DAILY;
    assert_true(limit_reset_parse(SPAN("none"), &reset));
    assert_int_equal(reset, LIMIT_RESET_NONE);
    reset = LIMIT_RESET_DAILY;
    assert_true(limit_reset_parse(SPAN(""), &reset));
    assert_int_equal(reset, LIMIT_RESET_NONE);
    reset = LIMIT_RESET_WEEKLY;
    assert_false(limit_reset_parse(SPAN("Daily"), &reset));
    assert_false(limit_reset_parse(SPAN("day"), &reset));
    assert_false(limit_reset_parse(SPAN("yearly"), &reset));
    assert_int_equal(reset, LIMIT_RESET_WEEKLY);
}

static void test_states(void **state)
{
    (void)state;
    static const char *const names[] = {"absent", "active", "disabled"};
    for (int i = KEY_ABSENT; i <= KEY_DISABLED; i++) {
        enum key_state key_state = KEY_ABSENT;
        assert_string_equal(key_state_name((enum key_state)i), names[i]);
        assert_true(key_state_parse(span_of(names[i]), &key_state));
        assert_int_equal(key_state, i);
    }
    enum key_state key_state = KEY_ACTIVE;
    assert_false(key_state_parse(SPAN(""), &key_state));
    assert_false(key_state_parse(SPAN("Active"), &key_state));
    assert_int_equal(key_state, KEY_ACTIVE);
}

static void test_names_round_trip(void **state)
{
    (void)state;
    const struct key_name name = {SPAN("prod-eu.1"), SPAN("u_5Kd9-x"), SPAN("n0nce"), 12,
                                  9007199254740993};
    char text[KEY_NAME_MAX + 1];
    assert_true(key_name_compose(&name, text));
    assert_string_equal(text, "keyturn/prod-eu.1/u_5Kd9-x/v12/9007199254740993/n0nce");
    struct key_name parsed;
    assert_true(key_name_parse(span_of(text), &parsed));
    assert_span(parsed.deployment, "prod-eu.1");
    assert_span(parsed.pseudonym, "u_5Kd9-x");
    assert_span(parsed.nonce, "n0nce");
    assert_int_equal(parsed.version, 12);
    assert_int_equal(parsed.fence, 9007199254740993);

    const struct key_name most = {SPAN("d"), SPAN("p"), SPAN("n"), INT64_MAX, INT64_MAX};
    assert_true(key_name_compose(&most, text));
    assert_true(key_name_parse(span_of(text), &parsed));
    assert_true(parsed.version == INT64_MAX && parsed.fence == INT64_MAX);
}

static void test_names_that_are_not_ours(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "keyturn",
        "my key",
        "keyturn/",
        "keyturn/d/p/v1/2",
        "keyturn/d/p/v1/2/n/x",
        "keyturn/d/p/v1/2/n/",
        "keyturn/d/p/v1/2/",
        "Keyturn/d/p/v1/2/n",
        " keyturn/d/p/v1/2/n",
        "keyturn//p/v1/2/n",
        "keyturn/d//v1/2/n",
        "keyturn/d/p/1/2/n",
        "keyturn/d/p/v/2/n",
        "keyturn/d/p/v-1/2/n",
        "keyturn/d/p/v+1/2/n",
        "keyturn/d/p/v01/2/n",
        "keyturn/d/p/v1/02/n",
        "keyturn/d/p/v1/-2/n",
        "keyturn/d/p/v1//n",
        "keyturn/d/p/v9223372036854775808/2/n",
        "keyturn/d/p/v1/9223372036854775808/n",
        "keyturn/d/p/vx/2/n",
        "keyturn/d/p/v1/2/a b",
        "keyturn/d\n/p/v1/2/n",
        "keyturn/d/\xc3\xa9/v1/2/n",
        "xkeyturn/d/p/v1/2/n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct key_name name = {.version = -7};
        if (key_name_parse(span_of(rows[i]), &name) || name.version != -7)
            fail_msg("row %zu: %s", i, rows[i]);
    }
    struct key_name name;
    assert_false(key_name_parse(SPAN_NONE, &name));
    assert_false(key_name_parse(SPAN("keyturn/d/p/v1/2/n\0n"), &name));
}

static void test_names_that_cannot_be(void **state)
{
    (void)state;
    char text[KEY_NAME_MAX + 1], pseudonym[KEY_NAME_MAX + 1];
    struct key_name name = {SPAN("d"), SPAN("p"), SPAN("n"), 1, 2};
    assert_true(key_name_compose(&name, text));
    static const char *const wrong[] = {"", "a/b", "a b", "\n", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        for (size_t part = 0; part < 3; part++) {
            struct key_name bad = name;
            *(part == 0   ? &bad.deployment
              : part == 1 ? &bad.pseudonym
                          : &bad.nonce) = span_of(wrong[i]);
            assert_false(key_name_compose(&bad, text));
            assert_string_equal(text, "");
        }
    struct key_name bad = name;
    bad.version = -1;
    assert_false(key_name_compose(&bad, text));
    bad = name;
    bad.fence = -1;
    assert_false(key_name_compose(&bad, text));

    /* "keyturn/d/" and "/v1/2/n" leave 143 characters. */
    memset(pseudonym, 'p', sizeof(pseudonym));
    name.pseudonym = (struct span){pseudonym, 143};
    assert_true(key_name_compose(&name, text));
    assert_int_equal(strlen(text), KEY_NAME_MAX);
    struct key_name parsed;
    assert_true(key_name_parse(span_of(text), &parsed));
    name.pseudonym.size = 144;
    assert_false(key_name_compose(&name, text));
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_names_round_trip),
        cmocka_unit_test(test_names_that_are_not_ours),
        cmocka_unit_test(test_names_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

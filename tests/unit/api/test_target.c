#include "../base/unit.h"

#include "api/target.h"

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *path, *pattern;
        bool matches;
        const char *parameter;
    } rows[] = {
        {"/v1/me", "/v1/me", true, NULL},
        {"/v1/me/", "/v1/me", false, NULL},
        {"/v1/me/usage", "/v1/me", false, NULL},
        {"/v1", "/v1/me", false, NULL},
        {"", "/v1/me", false, NULL},
        {"//v1/me", "/v1/me", false, NULL},
        {"/v1/Me", "/v1/me", false, NULL},
        {"/admin/users/ann/usage", "/admin/users/{id}/usage", true, "ann"},
        {"/admin/users/a%2Fb/usage", "/admin/users/{id}/usage", true, "a%2Fb"},
        {"/admin/users/a/b/usage", "/admin/users/{id}/usage", false, NULL},
        {"/admin/users//usage", "/admin/users/{id}/usage", false, NULL},
        {"/admin/users/ann", "/admin/users/{id}/usage", false, NULL},
        {"/admin/users/ann/usage/", "/admin/users/{id}/usage", false, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct span parameter;
        bool matches = target_matches(span_of(rows[i].path), rows[i].pattern, &parameter);
        if (matches != rows[i].matches)
            fail_msg("%s against %s", rows[i].path, rows[i].pattern);
        if (matches && rows[i].parameter)
            assert_span(parameter, rows[i].parameter);
        else if (matches)
            assert_null(parameter.at);
    }
}

static void test_queries(void **state)
{
    (void)state;
    struct span query = SPAN("a=1&&b&c==2&=3&"), name, value;

    assert_true(query_next(&query, &name, &value));
    assert_span(name, "a");
    assert_span(value, "1");
    assert_true(query_next(&query, &name, &value));
    assert_span(name, "b");
    assert_null(value.at);
    assert_true(query_next(&query, &name, &value));
    assert_span(name, "c");
    assert_span(value, "=2");
    assert_true(query_next(&query, &name, &value));
    assert_span(name, "");
    assert_span(value, "3");
    assert_false(query_next(&query, &name, &value));
    query = SPAN_NONE;
    assert_false(query_next(&query, &name, &value));
    query = SPAN("");
    assert_false(query_next(&query, &name, &value));
}

static void test_decoding(void **state)
{
    (void)state;
    static const struct {
        const char *text, *decoded; /* NULL: refused */
    } rows[] = {
        {"", ""},         {"ann", "ann"},     {"a%2Fb", "a/b"},
        {"a%2fb", "a/b"}, {"a+b", "a+b"},     {"%41%42", "AB"},
        {"%2541", "%41"}, {"12345678", NULL}, {"1234567", "1234567"},
        {"%", NULL},      {"%4", NULL},       {"%4g", NULL},
        {"a%00b", NULL},  {"%-1", NULL},      {"%C3%A4", "\xc3\xa4"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[8];
        bool fine = percent_decode(span_of(rows[i].text), text, sizeof(text));
        if (fine != (rows[i].decoded != NULL))
            fail_msg("%s", rows[i].text);
        if (fine)
            assert_string_equal(text, rows[i].decoded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

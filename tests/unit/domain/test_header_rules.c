#include "../base/unit.h"

#include "domain/header_rules.h"

static void test_what_goes_up(void **state)
{
    (void)state;
    static const char *const pass[] = {
        "accept",
        "Accept",
        "x-session-id",
        "X-OpenRouter-Cache",
        "x-openrouter-cache-ttl",
        "x-openrouter-cache-clear",
        "X-OpenRouter-Metadata",
        "x-openrouter-experimental-metadata",
        "anthropic-version",
        "anthropic-beta",
        "x-anthropic-beta",
    };
    static const char *const stay[] = {
        "authorization",
        "Authorization",
        "x-api-key",
        "cookie",
        "http-referer",
        "referer",
        "x-title",
        "x-openrouter-title",
        "x-openrouter-categories",
        "accept-encoding",
        "accept-language",
        "x-forwarded-for",
        "x-forwarded-host",
        "forwarded",
        "via",
        "x-keyturn-user",
        "x-keyturn-anything",
        "x-keyturn-quota-comment",
        "idempotency-key",
        "openai-beta",
        "openai-organization",
        "host",
        "connection",
        "content-type",
        "content-length",
        "transfer-encoding",
        "content-encoding",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "origin",
        "user-agent",
        "x-request-id",
        "traceparent",
        "x-user",
        "proxy-authorization",
        "keep-alive",
        "",
        "accept ",
        " accept",
        "accep",
        "x-openrouter-cachex",
        "x_session_id",
    };
    for (size_t i = 0; i < sizeof(pass) / sizeof(*pass); i++)
        if (!header_passes_up(span_of(pass[i])))
            fail_msg("%s stays", pass[i]);
    for (size_t i = 0; i < sizeof(stay) / sizeof(*stay); i++)
        if (header_passes_up(span_of(stay[i])))
            fail_msg("%s passes", stay[i]);
    assert_false(header_passes_up(SPAN("accept\0")));
    assert_false(header_passes_up(SPAN_NONE));
}

static void test_what_goes_down(void **state)
{
    (void)state;
    static const char *const pass[] = {
        "content-type",
        "Retry-After",
        "X-Generation-Id",
        "x-openrouter-cache-status",
        "x-openrouter-cache-age",
        "x-openrouter-cache-ttl",
        "x-openrouter-cache-source-id",
        "X-Provider-Name",
        "Cache-Control",
    };
    static const char *const stay[] = {
        "set-cookie",
        "server",
        "alt-svc",
        "cf-ray",
        "x-accel-redirect",
        "x-accel-buffering",
        "content-length",
        "connection",
        "transfer-encoding",
        "content-encoding",
        "date",
        "via",
        "location",
        "www-authenticate",
        "strict-transport-security",
        "access-control-allow-origin",
        "x-ratelimit-limit",
        "x-request-id",
        "x-keyturn-renewed",
        "x-should-retry",
        "trailer",
        "vary",
        "x-clerk-auth-status",
        "x-openrouter-cache",
        "report-to",
        "nel",
        "link",
        "refresh",
        "age",
        "",
        "upgrade",
        "keep-alive",
    };
    for (size_t i = 0; i < sizeof(pass) / sizeof(*pass); i++)
        if (!header_passes_down(span_of(pass[i])))
            fail_msg("%s stays", pass[i]);
    for (size_t i = 0; i < sizeof(stay) / sizeof(*stay); i++)
        if (header_passes_down(span_of(stay[i])))
            fail_msg("%s passes", stay[i]);
}

static void test_values(void **state)
{
    (void)state;
    assert_true(header_value_is_fine(SPAN("")));
    assert_true(header_value_is_fine(SPAN("text/event-stream; charset=utf-8")));
    assert_true(header_value_is_fine(SPAN("\xc3\xa9 \xff")));
    for (unsigned byte = 0; byte < 256; byte++) {
        char value[3] = {'a', (char)byte, 'b'};
        assert_int_equal(header_value_is_fine((struct span){value, 3}),
                         byte >= 0x20 && byte != 0x7f);
        assert_int_equal(header_value_is_fine((struct span){value, 2}),
                         byte >= 0x20 && byte != 0x7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_up),
        cmocka_unit_test(test_what_goes_down),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

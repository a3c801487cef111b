
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/origin.h"

static void good_ones(void **state)
{
    static const struct {
        const char *text, *url, *host, *base;
    } rows[] = {
        {"https://openrouter.ai", "https://openrouter.ai:443", "openrouter.ai", ""},
        {"https://OpenRouter.AI/", "https://openrouter.ai:443", "openrouter.ai", ""},
        {"https://openrouter.ai/api", "https://openrouter.ai:443", "openrouter.ai", "/api"},
        {"http://localhost:8090/api/v1/", "http://localhost:8090", "localhost", "/api/v1"},
        {"http://127.0.0.1:1", "http://127.0.0.1:1", "127.0.0.1", ""},
        {"https://[::1]:8443/x", "https://[::1]:8443", "::1", "/x"},
        {"http://[2001:db8::1]", "http://[2001:db8::1]:80", "2001:db8::1", ""},
        {"https://a-b.c1.example:65535", "https://a-b.c1.example:65535", "a-b.c1.example", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct origin origin;
        char error[ORIGIN_ERROR_SIZE];
        assert_true(origin_parse(rows[i].text, &origin, error));
        assert_string_equal(origin.url, rows[i].url);
        assert_string_equal(origin.host, rows[i].host);
        assert_string_equal(origin.base, rows[i].base);
        assert_int_equal(origin.host_is_v4, rows[i].host[0] == '1');
        assert_int_equal(origin.host_is_v6, strchr(rows[i].host, ':') != NULL);
    }
}

static void bad_ones(void **state)
{
    static const char *const rows[] = {
        "",
        "openrouter.ai",
        "ftp://x.org",
        "HTTPS://x.org",
        "https:/x.org",
        "https://",
        "https:///path",
        "https://:443",
        "https://user@x.org",
        "https://user:pw@x.org",
        "https://x.org:",
        "https://x.org:0",
        "https://x.org:65536",
        "https://x.org:44a",
        "https://x.org:-1",
        "https://x.org?q",
        "https://x.org/?q=1",
        "https://x.org/#f",
        "https://x.org#f",
        "https://x.org/../y",
        "https://x.org/./y",
        "https://x.org//y",
        "https://x.org/a b",
        "https://x org",
        "https://x.org\r\n",
        "https://-x.org",
        "https://x-.org",
        "https://x..org",
        "https://.x.org",
        "https://x.org.",
        "https://x_y.org",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.1",
        "https://127.0.0.1.",
        "https://1.2.3.4.5",
        "https://[::1",
        "https://[]",
        "https://[127.0.0.1]",
        "https://[::1]x",
        "https://::1",
        "https://[fe80::1%25eth0]",
        "https://%6f.org",
        "https://x.org\\@y.org",
        "https://\xc3\xb6.org",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct origin origin = {.port = 7};
        char error[ORIGIN_ERROR_SIZE] = "";
        if (origin_parse(rows[i], &origin, error))
            fail_msg("taken: %s", rows[i]);
        assert_int_equal(origin.port, 7);
        assert_true(strlen(error) > 10);
    }
    assert_false(origin_parse(NULL, &(struct origin){0}, (char[ORIGIN_ERROR_SIZE]){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_ones), cmocka_unit_test(bad_ones)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

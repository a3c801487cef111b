/* Values, limits, variables, precedence and what settings say about each other. */
#include "../base/unit.h"

#include "app/config.h"
#include "app/config_reader.h"
#include "app/config_value.h"

static const char *names[8], *values[8];
static struct buffer faults;
static struct config config;

static const char *variable(const char *name)
{
    for (size_t i = 0; i < 8; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return values[i];
    return NULL;
}

static void set(const char *name, const char *value)
{
    size_t i = 0;
    while (names[i])
        i++;
    names[i] = name;
    values[i] = value;
}

static int begin(void **state)
{
    (void)state;
    memset(names, 0, sizeof(names));
    buffer_init(&faults, 1 << 16);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buffer_done(&faults);
    config_done(&config);
    return 0;
}

static bool load(const char *text)
{
    char path[64];
    FILE *file;
    bool fine;

    snprintf(path, sizeof(path), "/tmp/keyturn-test-config-%d.yaml", (int)getpid());
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    fine = config_load(&config, path, variable, &faults);
    unlink(path);
    return fine;
}

static void test_presets(void **state)
{
    (void)state;
    assert_true(config_load(&config, NULL, variable, &faults));
    assert_span(buffer_view(&faults), "");
    assert_string_equal(config.server_listen, "127.0.0.1:8080");
    assert_int_equal(config.server_connections_max, 0);
    assert_int_equal(config.server_head_max, 32 * 1024);
    assert_int_equal(config.server_body_max, 20 * 1024 * 1024);
    assert_int_equal(config.server_drain_timeout, 120000);
    assert_int_equal(config.keys_renew_ahead, INT64_C(24) * 3600 * 1000);
    assert_int_equal(config.quota_hold_lease, 30000);
    assert_int_equal(config.free_models_requests_per_minute, 20);
    assert_int_equal(config.free_models_requests_per_day, 1000);
    assert_int_equal(config.redis_command_timeout, 250);
    assert_string_equal(config.upstream_ca_file, "");
}

static void test_every_row_is_sound(void **state)
{
    (void)state;
    size_t count;
    const struct config_row *rows = config_rows(&count);
    int64_t min, max, preset;
    char name[CONFIG_VARIABLE_SIZE];

    assert_true(count >= 30);
    for (size_t i = 0; i < count; i++) {
        config_variable(&rows[i], name);
        assert_true(strncmp(name, "KEYTURN_", 8) == 0);
        assert_true(strlen(rows[i].text) > 10);
        if (rows[i].type == CONFIG_TEXT || rows[i].type == CONFIG_CHOICE)
            continue;
        assert_true(config_value_parse(rows[i].type, span_of(rows[i].min), &min));
        assert_true(config_value_parse(rows[i].type, span_of(rows[i].max), &max));
        assert_true(config_value_parse(rows[i].type, span_of(rows[i].preset), &preset));
        assert_true(min <= preset && preset <= max);
    }
}

/* The limits themselves are fine, the next number beyond is not, and the fault names them. */
static void test_every_limit(void **state)
{
    (void)state;
    size_t count;
    const struct config_row *rows = config_rows(&count);
    char name[CONFIG_VARIABLE_SIZE], beyond[64], said[128];
    int64_t max;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].type == CONFIG_TEXT || rows[i].type == CONFIG_CHOICE ||
            strcmp(rows[i].section, "renewal") == 0)
            continue;
        config_variable(&rows[i], name);
        memset(names, 0, sizeof(names));
        set(name, rows[i].min);
        assert_true(config_load(&config, NULL, variable, &faults));
        config_done(&config);
        values[0] = rows[i].max;
        assert_true(config_load(&config, NULL, variable, &faults));
        config_done(&config);
        config_value_parse(rows[i].type, span_of(rows[i].max), &max);
        snprintf(beyond, sizeof(beyond), "%lld%s", (long long)max + 1,
                 rows[i].type == CONFIG_DURATION ? "ms" : "");
        values[0] = beyond;
        assert_false(config_load(&config, NULL, variable, &faults));
        config_done(&config);
        snprintf(said, sizeof(said), ", from %s to %s\n", rows[i].min, rows[i].max);
        assert_true(span_starts(buffer_view(&faults), span_of(name)));
        assert_true(span_ends(buffer_view(&faults), span_of(said)));
        buffer_done(&faults);
    }
    memset(names, 0, sizeof(names));
    set("KEYTURN_FREE_MODELS_REQUESTS_PER_DAY", "-2");
    assert_false(config_load(&config, NULL, variable, &faults));
    assert_span(buffer_view(&faults),
                "KEYTURN_FREE_MODELS_REQUESTS_PER_DAY: free_models.requests_per_day is \"-2\"; it "
                "must be a number, from -1 to 10000000\n");
    config_done(&config);
    buffer_done(&faults);
    memset(names, 0, sizeof(names));
    set("KEYTURN_SERVER_FIELDS_MAX", "-1");
    assert_false(config_load(&config, NULL, variable, &faults));
    config_done(&config);
    buffer_done(&faults);
    memset(names, 0, sizeof(names));
    set("KEYTURN_SERVER_FIELDS_MAX", "7");
    assert_false(config_load(&config, NULL, variable, &faults));
    assert_span(buffer_view(&faults), "KEYTURN_SERVER_FIELDS_MAX: server.fields_max is \"7\"; it "
                                      "must be a number, from 8 to 256\n");
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        enum config_type type;
        const char *text;
        int64_t value; /* -1: none */
    } cases[] = {
        {CONFIG_DURATION, "250ms", 250},
        {CONFIG_DURATION, "10s", 10000},
        {CONFIG_DURATION, "5m", 300000},
        {CONFIG_DURATION, "24h", 86400000},
        {CONFIG_DURATION, "90d", INT64_C(7776000000)},
        {CONFIG_DURATION, "0", 0},
        {CONFIG_DURATION, "10", -1},
        {CONFIG_DURATION, "1.5s", -1},
        {CONFIG_DURATION, "-1s", -1},
        {CONFIG_DURATION, "10 s", -1},
        {CONFIG_DURATION, "10S", -1},
        {CONFIG_DURATION, "s", -1},
        {CONFIG_DURATION, "", -1},
        {CONFIG_DURATION, "106751991168d", -1},
        {CONFIG_BYTES, "256", 256},
        {CONFIG_BYTES, "64KiB", 65536},
        {CONFIG_BYTES, "20MiB", 20971520},
        {CONFIG_BYTES, "1GiB", 1073741824},
        {CONFIG_BYTES, "64KB", -1},
        {CONFIG_BYTES, "64k", -1},
        {CONFIG_BYTES, "9223372036854775807KiB", -1},
        {CONFIG_COUNT, "100000", 100000},
        {CONFIG_COUNT, "1e3", -1},
        {CONFIG_COUNT, "0x10", -1},
        {CONFIG_COUNT, "-2", -1},
        {CONFIG_COUNT, "99999999999999999999", -1},
        {CONFIG_USD, "10", INT64_C(10000000000)},
        {CONFIG_USD, "0.5", 500000000},
        {CONFIG_USD, "$5", -1},
        {CONFIG_USD, "-1", -1},
    };
    char text[CONFIG_VALUE_TEXT_SIZE];
    int64_t value;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool is_one = config_value_parse(cases[i].type, span_of(cases[i].text), &value);
        assert_int_equal(is_one ? value : -1, cases[i].value);
    }
    assert_true(config_value_parse(CONFIG_COUNT, SPAN("-1"), &value)); /* where the limits say so */
    assert_int_equal(value, UNLIMITED);
    config_value_text(CONFIG_DURATION, 90000, text);
    assert_string_equal(text, "90s");
    config_value_text(CONFIG_DURATION, 86400000, text);
    assert_string_equal(text, "1d");
    config_value_text(CONFIG_DURATION, 0, text);
    assert_string_equal(text, "0ms");
    config_value_text(CONFIG_BYTES, 20971520, text);
    assert_string_equal(text, "20MiB");
    config_value_text(CONFIG_USD, 12500000000, text);
    assert_string_equal(text, "12.5");
}

static void test_the_variable_wins_over_the_file_over_the_preset(void **state)
{
    (void)state;
    set("KEYTURN_SERVER_HEAD_TIMEOUT", "3s");
    set("KEYTURN_KEYS_DEFAULT_TIER", "");
    assert_true(load("server:\n  head_timeout: 2s\n  body_timeout: 2s\n"
                     "keys: {default_tier: Pro, cache_max: 250}\nlog: {format: logfmt}\n"));
    assert_int_equal(config.server_head_timeout, 3000);
    assert_int_equal(config.server_body_timeout, 2000);
    assert_int_equal(config.server_idle_timeout, 75000);
    assert_int_equal(config.keys_cache_max, 250);
    assert_string_equal(config.log_format, "logfmt");
    assert_string_equal(config.keys_default_tier, "");
}

static void test_a_bad_file_value_is_a_fault_even_if_overridden(void **state)
{
    (void)state;
    set("KEYTURN_SERVER_HEAD_TIMEOUT", "3s");
    assert_false(load("server:\n  head_timeout: soon\n"));
}

static void test_faults_of_variables_name_them(void **state)
{
    (void)state;
    set("KEYTURN_LOG_FORMAT", "xml\n");
    set("KEYTURN_UPSTREAM_TITLE", "a\r\nb: c");
    set("KEYTURN_KEYS_CACHE_MAX", "ten");
    set("KEYTURN_SERVER_HEAD_TIMEOUT", "");
    assert_false(config_load(&config, NULL, variable, &faults));
    assert_span(
        buffer_view(&faults),
        "KEYTURN_SERVER_HEAD_TIMEOUT: server.head_timeout is \"\"; it must be a duration "
        "such as 250ms, 10s, 5m, 24h or 90d, from 100ms to 10m\n"
        "KEYTURN_UPSTREAM_TITLE: upstream.title must be one line of text without control "
        "characters\n"
        "KEYTURN_KEYS_CACHE_MAX: keys.cache_max is \"ten\"; it must be a number, from 100 to "
        "10000000\n"
        "KEYTURN_LOG_FORMAT: log.format is \"xml?\"; it must be one of json, logfmt\n");
    assert_string_equal(config.log_format, "json"); /* what it was */
}

static void test_what_must_fit_together(void **state)
{
    (void)state;
    set("KEYTURN_RENEWAL_LEASE", "5s");
    assert_false(config_load(&config, NULL, variable, &faults));
    assert_span(buffer_view(&faults),
                "KEYTURN_RENEWAL_LEASE: renewal.call_timeout is 8s; it must be shorter than "
                "renewal.lease, which is 5s\n");
    config_done(&config);
    buffer_done(&faults);
    values[0] = "8s"; /* equal is not shorter */
    assert_false(config_load(&config, NULL, variable, &faults));
    config_done(&config);
    values[0] = "20s"; /* as long as the sweep's age is fine */
    buffer_done(&faults);
    assert_true(config_load(&config, NULL, variable, &faults));
    config_done(&config);
    assert_false(load("renewal:\n  sweep_age: 10s\n"));
    assert_true(span_contains(buffer_view(&faults),
                              SPAN("renewal.lease is 20s; it must be shorter than or equal to "
                                   "renewal.sweep_age, which is 10s")));
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:8080", "[::1]:80", "unix:/run/keyturn.sock",
                                       "0.0.0.0:1, [::]:2 ,unix:/x"};
    static const char *const bad[] = {
        "", "8080", "127.0.0.1", "127.0.0.1:99999", "unix:x", "127.0.0.1:1,,127.0.0.1:2", "::1:80"};

    set("KEYTURN_SERVER_LISTEN", "");
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        values[0] = good[i];
        assert_true(config_load(&config, NULL, variable, &faults));
        config_done(&config);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        buffer_done(&faults);
        values[0] = bad[i];
        assert_false(config_load(&config, NULL, variable, &faults));
        assert_true(
            span_starts(buffer_view(&faults), SPAN("KEYTURN_SERVER_LISTEN: server.listen: '")));
        config_done(&config);
    }
    buffer_done(&faults);
    assert_false(load("server:\n  admin_listen: nowhere\n"));
    assert_true(span_contains(buffer_view(&faults),
                              SPAN(".yaml:2:17: server.admin_listen: 'nowhere' is no address")));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_presets),
        TEST(test_every_row_is_sound),
        TEST(test_every_limit),
        TEST(test_values),
        TEST(test_the_variable_wins_over_the_file_over_the_preset),
        TEST(test_a_bad_file_value_is_a_fault_even_if_overridden),
        TEST(test_faults_of_variables_name_them),
        TEST(test_what_must_fit_together),
        TEST(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Variables that nothing reads, and what they may be slips of. */
#include "../base/unit.h"

#include "app/stray_variables.h"

enum { SHOWN_MAX = 32 };

struct shown {
    size_t count;
    char names[SHOWN_MAX][64], nears[SHOWN_MAX][64];
};

static void note(void *context, const struct stray_variable *stray)
{
    struct shown *shown = context;

    assert_true(shown->count < SHOWN_MAX);
    span_text(stray->name, shown->names[shown->count], 64);
    snprintf(shown->nears[shown->count++], 64, "%s", stray->near ? stray->near : "-");
}

#define STRAYS(ret_shown, ...) \
    stray_variables_visit((char *const[]){__VA_ARGS__, NULL}, note, (ret_shown))

static void test_what_is_read_is_not_told(void **state)
{
    struct shown shown = {0};

    (void)state;
    STRAYS(&shown, "HOME=/", "KEYTURN=1", "OPENROUTER_PROVISIONING_KEYS=x",
           "KEYTURN_ENV=production", "KEYTURN_CONFIG=a", "KEYTURN_ADMIN_KEY=b",
           "KEYTURN_ADMIN_KEY_FILE=c", "KEYTURN_REDIS_URL=d", "KEYTURN_SERVER_LISTEN=e",
           "KEYTURN_QUOTA_HOLDS_AHEAD=");
    assert_int_equal(shown.count, 0);
}

static void test_a_slip_is_told_with_what_is_meant(void **state)
{
    struct shown shown = {0};

    (void)state;
    STRAYS(&shown, "KEYTURN_SERVER_LISEN=127.0.0.1:1", "KEYTURN_ADMIN_KEY_FIEL=x",
           "KEYTURN_log_level=debug", "KEYTURN_SERVICE_HOST=10.0.0.1", "KEYTURN_PORT=tcp://x=y",
           "KEYTURN_ENTRYPOINT_WHATEVER=");
    assert_int_equal(shown.count, 6);
    assert_string_equal(shown.names[0], "KEYTURN_SERVER_LISEN");
    assert_string_equal(shown.nears[0], "KEYTURN_SERVER_LISTEN");
    assert_string_equal(shown.nears[1], "KEYTURN_ADMIN_KEY_FILE");
    assert_string_equal(shown.nears[2], "KEYTURN_LOG_LEVEL");
    assert_string_equal(shown.names[4], "KEYTURN_PORT");
    assert_string_equal(shown.nears[4], "-");
    assert_string_equal(shown.nears[5], "-");
}

static void test_many_are_not_all_told(void **state)
{
    struct shown shown = {0};
    static char texts[SHOWN_MAX][32];
    char *environment[SHOWN_MAX + 1] = {0};

    (void)state;
    for (size_t i = 0; i < SHOWN_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), "KEYTURN_X%zu=1", i);
        environment[i] = texts[i];
    }
    stray_variables_visit(environment, note, &shown);
    assert_int_equal(shown.count, STRAYS_TOLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read_is_not_told),
        cmocka_unit_test(test_a_slip_is_told_with_what_is_meant),
        cmocka_unit_test(test_many_are_not_all_told),
    };

    return cmocka_run_group_tests_name("stray_variables", tests, NULL, NULL);
}

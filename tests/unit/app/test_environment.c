/* Modes, secrets, files, .env and the base URL. */
#include "../base/unit.h"

#include <sys/stat.h>

#include "app/dotenv.h"
#include "app/environment.h"

enum { VARIABLES_MAX = 16 };

static const char *names[VARIABLES_MAX], *values[VARIABLES_MAX];
static struct buffer faults;
static struct environment environment;
static char directory[] = "/tmp/keyturn-test-XXXXXX";

static const char *variable(const char *name)
{
    for (size_t i = 0; i < VARIABLES_MAX; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return values[i];
    return NULL;
}

static void set(const char *name, const char *value)
{
    size_t i = 0;
    while (names[i] && strcmp(names[i], name) != 0)
        i++;
    assert_true(i < VARIABLES_MAX);
    names[i] = name;
    values[i] = value;
}

static int enter(void **state)
{
    (void)state;
    return !mkdtemp(directory) || chdir(directory);
}

static int leave(void **state)
{
    (void)state;
    return chdir("/") || rmdir(directory);
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
    environment_done(&environment);
    unlink(".env");
    unlink("secret");
    return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

/* Reads anew; what was said before is forgotten. */
static bool read_it(void)
{
    bool fine;

    environment_done(&environment);
    buffer_done(&faults);
    fine = environment_read(&environment, variable, ".env", true, &faults);
    assert_int_equal(fine, buffer_size(&faults) == 0);
    return fine;
}

static void says(const char *expected)
{
    read_it();
    assert_span(buffer_view(&faults), expected);
}

static void production(void)
{
    set("KEYTURN_ENV", "production");
    set("OPENROUTER_PROVISIONING_KEY", "sk-or-v1-management");
    set("KEYTURN_ENCRYPTION_SECRET", "k1:AAAA");
}

static void test_modes(void **state)
{
    (void)state;
    enum { DEV, PROD, NO };
    static const struct {
        const char *env, *debug, *deploy;
        int mode;
    } cases[] = {
        {NULL, NULL, NULL, DEV},
        {NULL, NULL, "eu", NO},
        {NULL, "true", NULL, DEV},
        {NULL, "true", "eu", DEV},
        {NULL, "false", NULL, NO},
        {NULL, "false", "eu", PROD},
        {NULL, "FALSE", "eu", PROD},
        {NULL, "1", NULL, NO},
        {NULL, "", NULL, NO},
        {NULL, "false", "", NO},
        {NULL, NULL, "", NO},
        {"development", NULL, NULL, DEV},
        {"development", NULL, "eu", DEV},
        {"development", "true", NULL, DEV},
        {"development", "true", "eu", DEV},
        {"development", "false", NULL, NO},
        {"development", "false", "eu", NO},
        {"production", NULL, NULL, PROD},
        {"production", NULL, "eu", PROD},
        {"production", "false", NULL, PROD},
        {"production", "false", "eu", PROD},
        {"production", "true", NULL, NO},
        {"production", "true", "eu", NO},
        {"staging", NULL, NULL, NO},
        {"staging", "false", "eu", NO},
        {"", NULL, NULL, NO},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        production();
        set("KEYTURN_ENV", cases[i].env);
        set("DEBUG", cases[i].debug);
        set("DEPLOY_ENV", cases[i].deploy);
        assert_int_equal(read_it(), cases[i].mode != NO);
        assert_int_equal(environment.mode,
                         cases[i].mode == DEV ? MODE_DEVELOPMENT : MODE_PRODUCTION);
    }
}

static void test_what_modes_say(void **state)
{
    (void)state;
    set("DEBUG", "false");
    says("DEBUG=false asks for production but DEPLOY_ENV is not set; set DEPLOY_ENV or "
         "KEYTURN_ENV=production, or DEBUG=true for development.\n");
    set("DEBUG", NULL);
    set("DEPLOY_ENV", "eu");
    says("DEPLOY_ENV is set but neither DEBUG nor KEYTURN_ENV says which mode is meant; set "
         "KEYTURN_ENV=production or KEYTURN_ENV=development.\n");
    production();
    set("DEBUG", "true");
    says("KEYTURN_ENV=production contradicts DEBUG=true; take one of them away.\n");
    set("KEYTURN_ENV", "prod");
    set("DEBUG", "yes");
    set("DEPLOY_ENV", "");
    says("KEYTURN_ENV must be development or production; correct it.\n"
         "DEBUG must be true or false; correct it or unset it.\n"
         "DEPLOY_ENV is empty; name the deployment or unset it.\n");
}

static void test_development_stays_on_loopback(void **state)
{
    (void)state;
    assert_false(environment_read(&environment, variable, NULL, false, &faults));
    assert_span(buffer_view(&faults),
                "Development mode lets anybody in and so listens on loopback addresses only; "
                "listen on 127.0.0.1 or set KEYTURN_ENV=production.\n");
    environment_done(&environment);
    buffer_done(&faults);
    production();
    assert_true(environment_read(&environment, variable, NULL, false, &faults));
}

static void test_production_needs_its_secrets(void **state)
{
    (void)state;
    set("KEYTURN_ENV", "production");
    says("OPENROUTER_PROVISIONING_KEY is not set and production needs it; set it or the variable "
         "with _FILE behind its name.\n"
         "KEYTURN_ENCRYPTION_SECRET is not set and production needs it; set it or the variable "
         "with _FILE behind its name.\n");
    production();
    assert_true(read_it());
    assert_span(secret_reveal(&environment.management_key), "sk-or-v1-management");
    assert_false(secret_is_set(&environment.admin_key));
    assert_string_equal(environment.base_url, "https://openrouter.ai/api/v1");
}

static void test_bad_secrets(void **state)
{
    (void)state;
    set("KEYTURN_ADMIN_KEY", "");
    set("OPENROUTER_API_KEY", "sk-or-v1-abc def");
    set("KEYTURN_REDIS_URL", "redis://:password@host\r\n");
    says("OPENROUTER_API_KEY holds a blank or a control character, which no secret here has; "
         "correct it.\n"
         "KEYTURN_ADMIN_KEY is empty; give it a value or unset it.\n"
         "KEYTURN_REDIS_URL holds a blank or a control character, which no secret here has; "
         "correct it.\n");
}

static void test_secrets_in_files(void **state)
{
    (void)state;
    set("KEYTURN_ADMIN_KEY_FILE", "secret");
    write_file("secret", "adm\n", 0600);
    assert_true(read_it());
    assert_span(secret_reveal(&environment.admin_key), "adm");
    write_file("secret", "adm", 0600);
    assert_true(read_it());
    assert_span(secret_reveal(&environment.admin_key), "adm");
    write_file("secret", "adm\r\n", 0600);
    assert_true(read_it());
    assert_span(secret_reveal(&environment.admin_key), "adm");
    write_file("secret", "adm\n\n", 0600);
    says("KEYTURN_ADMIN_KEY_FILE holds a blank or a control character, which no secret here has; "
         "correct it.\n");
    write_file("secret", "\n", 0600);
    says("KEYTURN_ADMIN_KEY_FILE is empty; give it a value or unset it.\n");
    set("KEYTURN_ADMIN_KEY", "other");
    says("KEYTURN_ADMIN_KEY is set and its _FILE variable too; take one of them away.\n");
    set("KEYTURN_ADMIN_KEY", NULL);
    set("KEYTURN_ADMIN_KEY_FILE", "nowhere");
    says("KEYTURN_ADMIN_KEY_FILE names a file that cannot be opened: No such file or directory; "
         "correct that.\n");
    set("KEYTURN_ADMIN_KEY_FILE", "");
    assert_false(read_it());
}

static void test_files_for_all_are_refused_in_production(void **state)
{
    (void)state;
    set("KEYTURN_ADMIN_KEY_FILE", "secret");
    write_file("secret", "adm\n", 0644);
    assert_true(read_it());
    production();
    says("KEYTURN_ADMIN_KEY_FILE names a file that every user of this machine can read or change; "
         "chmod it to 0400.\n");
    write_file("secret", "adm\n", 0602);
    assert_false(read_it());
    write_file("secret", "adm\n", 0440);
    assert_true(read_it());
}

static void test_dotenv(void **state)
{
    (void)state;
    struct dotenv dotenv;

    write_file(".env",
               "# words\n\n"
               "OPENROUTER_API_KEY = sk-1 # a comment\r\n"
               "export OPENROUTER_PROVISIONING_KEY=\"sk \\\"2\\\\ \\x\" # a comment\n"
               "KEYTURN_ADMIN_KEY='a\\n#b'\n"
               "KEYTURN_REDIS_URL=redis://h/0#not-a-comment\n"
               "KEYTURN_ENCRYPTION_SECRET=\n"
               "OPENROUTER_BASE_URL=http://localhost:9090/api/v1/\n"
               "OPENROUTER_OTHER=x\n"
               "SOMETHING='open\n"
               "DEBUG=false",
               0600);
    assert_true(dotenv_read(&dotenv, ".env", &faults));
    assert_true(dotenv.was_there);
    assert_string_equal(dotenv_find(&dotenv, "OPENROUTER_API_KEY"), "sk-1");
    assert_string_equal(dotenv_find(&dotenv, "OPENROUTER_PROVISIONING_KEY"), "sk \"2\\ \\x");
    assert_string_equal(dotenv_find(&dotenv, "KEYTURN_ADMIN_KEY"), "a\\n#b");
    assert_string_equal(dotenv_find(&dotenv, "KEYTURN_REDIS_URL"), "redis://h/0#not-a-comment");
    assert_string_equal(dotenv_find(&dotenv, "KEYTURN_ENCRYPTION_SECRET"), "");
    assert_string_equal(dotenv_find(&dotenv, "OPENROUTER_BASE_URL"),
                        "http://localhost:9090/api/v1/");
    assert_null(dotenv_find(&dotenv, "OPENROUTER_OTHER"));
    assert_null(dotenv_find(&dotenv, "SOMETHING"));
    assert_null(dotenv_find(&dotenv, "DEBUG"));
    dotenv_done(&dotenv);
    assert_true(dotenv_read(&dotenv, "nowhere", &faults));
    assert_false(dotenv.was_there);
    assert_true(dotenv_read(&dotenv, NULL, &faults));
    assert_false(dotenv_read(&dotenv, "/tmp", &faults));
    assert_span(buffer_view(&faults),
                "/tmp cannot be read: Is a directory; correct that or take the file away\n");
}

static void test_faults_of_dotenv_show_no_value(void **state)
{
    (void)state;
    write_file(".env",
               "OPENROUTER_API_KEY sk-secret\n"
               "=sk-secret\n"
               "KEYTURN_ADMIN_KEY=\"sk-secret\n"
               "KEYTURN_REDIS_URL='a' sk-secret\n"
               "OPENROUTER_PROVISIONING_KEY=one\n"
               "OPENROUTER_PROVISIONING_KEY=two\n"
               "sk-secret\n",
               0600);
    says(".env:1: this is not NAME=VALUE; write it so, or put # in front\n"
         ".env:2: this is not NAME=VALUE; write it so, or put # in front\n"
         ".env:3: the quote is not closed in this line; close it\n"
         ".env:4: something follows the closing quote; take it out, or escape the quote inside as "
         "\\\"\n"
         ".env:6: this name was set above; keep one of the lines\n"
         ".env:7: this is not NAME=VALUE; write it so, or put # in front\n");
}

static void test_dotenv_never_overrides(void **state)
{
    (void)state;
    assert_true(read_it());
    assert_false(environment.used_dotenv);
    write_file("secret", "file\n", 0600);
    write_file(".env",
               "OPENROUTER_API_KEY=dotenv\nKEYTURN_ADMIN_KEY_FILE=secret\n"
               "OPENROUTER_PROVISIONING_KEY_FILE=nowhere\n"
               "OPENROUTER_BASE_URL=http://127.0.0.1:1/a\n",
               0600);
    set("OPENROUTER_PROVISIONING_KEY", "environment");
    assert_true(read_it());
    assert_true(environment.used_dotenv);
    assert_span(secret_reveal(&environment.shared_key), "dotenv");
    assert_span(secret_reveal(&environment.admin_key), "file");
    assert_span(secret_reveal(&environment.management_key), "environment");
    assert_string_equal(environment.base_url, "http://127.0.0.1:1/a");
    set("OPENROUTER_API_KEY", "environment");
    assert_true(read_it());
    assert_span(secret_reveal(&environment.shared_key), "environment");
    production(); /* no .env there, not even a broken one */
    write_file(".env", "KEYTURN_ADMIN_KEY=dotenv\nbroken", 0600);
    assert_true(read_it());
    assert_false(environment.used_dotenv);
    assert_false(secret_is_set(&environment.admin_key));
}

static void test_dotenv_does_not_decide_the_mode(void **state)
{
    (void)state;
    write_file(".env", "KEYTURN_ENV=production\n", 0600);
    says("KEYTURN_ENV cannot be decided in .env, which is read in development only; set it in the "
         "environment.\n");
    write_file(".env", "KEYTURN_ENV=development\nKEYTURN_ADMIN_KEY=\n", 0600);
    says("KEYTURN_ADMIN_KEY is empty; give it a value or unset it.\n");
}

static struct buffer put_down;
static int put(const char *name, const char *value, int overwrite)
{
    buffer_format(&put_down, "%s=%s %d\n", name, value, overwrite);
    return 0;
}

static void test_settings_of_dotenv(void **state)
{
    (void)state;
    buffer_init(&put_down, 1000);
    write_file(".env",
               "KEYTURN_SERVER_LISTEN=127.0.0.1:1\nKEYTURN_LOG_LEVEL=debug\nKEYTURN_ADMIN_KEY=a\n"
               "KEYTURN_REDIS_URL_FILE=b\nKEYTURN_ENV=development\nOPENROUTER_BASE_URL=c\n"
               "OPENROUTER_API_KEY=d\n",
               0600);
    set("KEYTURN_LOG_LEVEL", "info");
    environment_put_settings(variable, ".env", put);
    assert_span(buffer_view(&put_down), "KEYTURN_SERVER_LISTEN=127.0.0.1:1 0\n");
    buffer_done(&put_down);
    production();
    environment_put_settings(variable, ".env", put);
    assert_span(buffer_view(&put_down), "");
}

static void test_base_urls(void **state)
{
    (void)state;
    static const struct {
        const char *given, *kept; /* NULL: refused */
    } cases[] = {
        {"https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"},
        {"https://eu.openrouter.ai", "https://eu.openrouter.ai"},
        {"https://10.0.0.1:8443/x//", "https://10.0.0.1:8443/x"},
        {"http://localhost:9090/api/v1", "http://localhost:9090/api/v1"},
        {"http://LOCALHOST", "http://LOCALHOST"},
        {"http://127.8.9.1:1/", "http://127.8.9.1:1"},
        {"http://[::1]:1/", "http://[::1]:1"},
        {"http://openrouter.ai/api/v1", NULL},
        {"http://localhost.evil.example/", NULL},
        {"http://10.0.0.1/", NULL},
        {"http://0.0.0.0/", NULL},
        {"http://[fe80::1]/", NULL},
        {"http://localhost@evil.example/", NULL},
        {"https://user:password@openrouter.ai/", NULL},
        {"https://openrouter.ai/api?key=password", NULL},
        {"https://openrouter.ai/api#password", NULL},
        {"ftp://password/", NULL},
        {"sk-or-v1-password", NULL},
        {"", NULL},
    };

    production();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        set("OPENROUTER_BASE_URL", cases[i].given);
        assert_int_equal(read_it(), cases[i].kept != NULL);
        assert_string_equal(environment.base_url,
                            cases[i].kept ? cases[i].kept : "https://openrouter.ai/api/v1");
        assert_false(span_contains(buffer_view(&faults), SPAN("password")));
    }
    set("OPENROUTER_BASE_URL", "http://openrouter.ai");
    says("OPENROUTER_BASE_URL would send keys unencrypted; write https://, http:// is for loopback "
         "hosts only.\n");
}

static void test_tables(void **state)
{
    (void)state;
    assert_true(environment_print_markdown(&faults));
    assert_true(span_contains(buffer_view(&faults),
                              SPAN("| `KEYTURN_ENCRYPTION_SECRET` | required | root of")));
    buffer_done(&faults);
    assert_true(environment_print_help(&faults));
    assert_true(span_starts(buffer_view(&faults), SPAN("  OPENROUTER_PROVISIONING_KEY  Open")));
}

static void test_ending_twice_and_without_a_beginning(void **state)
{
    (void)state;
    environment_done(&environment);
    set("KEYTURN_ADMIN_KEY", "adm");
    read_it();
    environment_done(&environment);
    environment_done(&environment);
    assert_false(secret_is_set(&environment.admin_key));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_modes),
        TEST(test_what_modes_say),
        TEST(test_development_stays_on_loopback),
        TEST(test_production_needs_its_secrets),
        TEST(test_bad_secrets),
        TEST(test_secrets_in_files),
        TEST(test_files_for_all_are_refused_in_production),
        TEST(test_dotenv),
        TEST(test_faults_of_dotenv_show_no_value),
        TEST(test_dotenv_never_overrides),
        TEST(test_dotenv_does_not_decide_the_mode),
        TEST(test_settings_of_dotenv),
        TEST(test_base_urls),
        TEST(test_tables),
        TEST(test_ending_twice_and_without_a_beginning),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}

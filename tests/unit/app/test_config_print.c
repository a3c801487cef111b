/* What is printed from the table. `KEYTURN_WRITE_EXAMPLE=1 <this program>` in the repository's root writes
 * keyturn.example.yaml anew. */
#include "../base/unit.h"

#include "app/config.h"

static const char example_path[] = "keyturn.example.yaml";

static const char *nothing_set(const char *name)
{
    (void)name;
    return NULL;
}

static size_t lines_of(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.at[i] == '\n';
    return count;
}

static void print_example(struct buffer *out)
{
    buffer_init(out, 1 << 16);
    assert_true(config_print_example(out));
}

static void write_file(const char *path, struct span text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.size, file), text.size);
    fclose(file);
}

static void test_the_example_is_in_step(void **state)
{
    (void)state;
    struct buffer expected;
    static char found[1 << 16];
    FILE *file;

    print_example(&expected);
    if (getenv("KEYTURN_WRITE_EXAMPLE"))
        write_file(example_path, buffer_view(&expected));
    file = fopen(example_path, "r");
    assert_non_null(file);
    found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
    fclose(file);
    assert_span(buffer_view(&expected), found);
    buffer_done(&expected);
}

/* As it is, and with every setting's # taken out, it says what the table says. */
static void test_the_example_is_the_presets(void **state)
{
    (void)state;
    char path[64];
    struct buffer text, open, faults;
    struct config config;
    struct span rest, line;
    size_t count, settings = 0;

    snprintf(path, sizeof(path), "/tmp/keyturn-test-example-%d.yaml", (int)getpid());
    print_example(&text);
    buffer_init(&open, 1 << 16);
    buffer_init(&faults, 1 << 16);
    for (rest = buffer_view(&text); span_split(&rest, '\n', &line);) {
        bool setting = span_starts(line, SPAN("  #")) && !span_starts(line, SPAN("  # "));
        settings += setting;
        buffer_format(&open, "%s%.*s\n", setting ? "  " : "",
                      SPAN_PRINT(span_from(line, setting ? 3 : 0)));
    }
    config_rows(&count);
    assert_int_equal(settings, count);
    for (int i = 0; i < 2; i++) {
        write_file(path, buffer_view(i ? &open : &text));
        assert_true(config_load(&config, path, nothing_set, &faults));
        assert_span(buffer_view(&faults), "");
        assert_string_equal(config.server_listen, "127.0.0.1:8080");
        assert_int_equal(config.keys_cache_max, 100000);
        config_done(&config);
    }
    unlink(path);
    buffer_done(&text);
    buffer_done(&open);
    buffer_done(&faults);
}

static void test_tables(void **state)
{
    (void)state;
    struct buffer out;
    size_t count;

    config_rows(&count);
    buffer_init(&out, 1 << 16);
    assert_true(config_print_markdown(&out));
    assert_int_equal(lines_of(buffer_view(&out)), count + 2);
    assert_true(
        span_contains(buffer_view(&out),
                      SPAN("| `server.head_max` | `32KiB` | 1KiB to 64KiB | A request's whole")));
    assert_true(span_contains(buffer_view(&out), SPAN("| `upstream.ca_file` |  |  | Cert")));
    assert_true(span_contains(buffer_view(&out),
                              SPAN("| `log.level` | `info` | debug, info, warn, error | ")));
    buffer_done(&out);
    assert_true(config_print_help(&out));
    assert_true(
        span_starts(buffer_view(&out), SPAN("server:\n  listen           127.0.0.1:8080 ")));
    assert_int_equal(lines_of(buffer_view(&out)), count + 10);
    buffer_done(&out);
    buffer_init(&out, 100);
    assert_false(config_print_markdown(&out));
    assert_false(config_print_help(&out));
    assert_false(config_print_example(&out));
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_is_in_step),
        cmocka_unit_test(test_the_example_is_the_presets),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The file's faults, each with its place. */
#include "../base/unit.h"

#include "app/config.h"
#include "base/alloc.h"

static struct buffer faults;
static struct config config;
static char directory[] = "/tmp/keyturn-test-XXXXXX";

static const char *nothing_set(const char *name)
{
    (void)name;
    return NULL;
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

static int end(void **state)
{
    (void)state;
    buffer_done(&faults);
    config_done(&config);
    return 0;
}

static bool load_bytes(struct span text)
{
    FILE *file = fopen("k.yaml", "w");
    bool fine;

    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.size, file), text.size);
    fclose(file);
    buffer_init(&faults, 1 << 16);
    fine = config_load(&config, "k.yaml", nothing_set, &faults);
    assert_int_equal(fine, buffer_size(&faults) == 0);
    unlink("k.yaml");
    return fine;
}

static void says(const char *text, const char *expected)
{
    load_bytes(span_of(text));
    assert_span(buffer_view(&faults), expected);
    end(NULL);
}

static void test_nothing_is_fine(void **state)
{
    (void)state;
    says("", "");
    says("# only words\n", "");
    says("---\n", "");
    says("server:\nlog:\n  # format: json\n", "");
    says("{}", "");
    says("\xef\xbb\xbf"
         "log:\n  format: logfmt\n",
         "");
}

static void test_unknown_names(void **state)
{
    (void)state;
    says("server:\n  listen: 127.0.0.1:1\n  lissten: 1\n",
         "k.yaml:3:3: unknown key server.lissten; did you mean server.listen?\n");
    says("sever:\n  listen: [1, {a: b}]\nlog:\n  levle: info\n",
         "k.yaml:1:1: unknown section sever; did you mean server?\n"
         "k.yaml:4:3: unknown key log.levle; did you mean log.level?\n");
    says(
        "server:\n  connect_timeout: 1s\n",
        "k.yaml:2:3: unknown key server.connect_timeout; did you mean upstream.connect_timeout?\n");
    says("log:\n  colour: {deep: [er]}\n",
         "k.yaml:2:3: unknown key log.colour; log has format, level\n");
    says("gadgets: 1\n", "k.yaml:1:1: unknown section gadgets; there are server, upstream, keys, "
                         "renewal, quota, free_models, models, redis, data, log, tiers\n");
    says("\"ser\\nver\": 1\n", "k.yaml:1:1: unknown section ser?ver; did you mean server?\n");
    says("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: "
         "1\n",
         "k.yaml:1:1: unknown section "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
         "; there are server, upstream, keys, renewal, quota, free_models, models, redis, data, "
         "log, tiers\n");
}

static void test_wrong_values(void **state)
{
    (void)state;
    says("server:\n  head_timeout: 5ms\n",
         "k.yaml:2:17: server.head_timeout is \"5ms\"; it must be a duration such as 250ms, 10s, "
         "5m, 24h or 90d, from 100ms to 10m\n");
    says("server:\n  head_max: 1MiB\n",
         "k.yaml:2:13: server.head_max is \"1MiB\"; it must be a size in bytes such as 512, 64KiB "
         "or 20MiB, from 1KiB to 64KiB\n");
    says(
        "server:\n  connections_max: yes\n",
        "k.yaml:2:20: server.connections_max is \"yes\"; it must be a number, from 0 to 1000000\n");
    says("log:\n  format: xml\n",
         "k.yaml:2:11: log.format is \"xml\"; it must be one of json, logfmt\n");
    says("upstream:\n  title: |\n    two\n    lines\n",
         "k.yaml:2:10: upstream.title must be one line of text without control characters\n");
    says("upstream:\n  title: \"a\\0b\"\n",
         "k.yaml:2:10: upstream.title must be one line of text without control characters\n");
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    says("server:\n  listen: [a, b]\nlog:\n  level: {a: b}\n",
         "k.yaml:2:11: server.listen is a list; it must be a single value\n"
         "k.yaml:4:10: log.level is a map; it must be a single value\n");
    says("server:\n  listen:\n  head_max: ~\n",
         "k.yaml:2:10: server.listen has no value; write one (\"\" is the empty text) or take the "
         "line out\n"
         "k.yaml:3:13: server.head_max has no value; write one or take the line out\n");
    says("server: 8080\nlog: [a]\n",
         "k.yaml:1:9: server is a section: its settings follow below it, indented\n"
         "k.yaml:2:6: log is a section: its settings follow below it, indented\n");
    says("- server\n", "k.yaml:1:1: the file must consist of sections such as \"server:\"\n");
    says("just words\n", "k.yaml:1:1: the file must consist of sections such as \"server:\"\n");
    says("? [a, b]\n: c\nlog:\n  {x: y}: z\n",
         "k.yaml:1:3: a name must stand here, not a list or a map\n"
         "k.yaml:4:3: a name must stand here, not a list or a map\n");
    says("log: {}\n---\nlog: {}\n",
         "k.yaml:2:1: a second document begins here; put everything into one\n");
}

static void test_twice(void **state)
{
    (void)state;
    says("log:\n  level: info\n  format: json\n  level: warn\n",
         "k.yaml:4:3: log.level is set twice, first in line 2; keep one\n");
    says("log:\n  level: odd\n  level: warn\n",
         "k.yaml:2:10: log.level is \"odd\"; it must be one of debug, info, warn, error\n"
         "k.yaml:3:3: log.level is set twice, first in line 2; keep one\n");
    says("log:\n  level: info\nserver: {}\nlog:\n  format: json\n",
         "k.yaml:4:1: section log is here twice, first in line 1; join them\n");
}

static void test_anchors_aliases_and_tags(void **state)
{
    (void)state;
    says("log: &here\n  level: info\nserver: *here\n",
         "k.yaml:1:6: an anchor is not understood here; write the value itself\n"
         "k.yaml:3:9: an alias is not understood here; write the value itself\n");
    says("log:\n  level: &x info\n  format: *x\n",
         "k.yaml:2:10: an anchor is not understood here; write the value itself\n"
         "k.yaml:3:11: an alias is not understood here; write the value itself\n");
    says("server:\n  head_max: !!str 8KiB\n  listen: &l [a]\n  &k line_max: 1KiB\n",
         "k.yaml:2:13: a tag is not understood here; write the value itself\n"
         "k.yaml:3:11: an anchor is not understood here; write the value itself\n"
         "k.yaml:4:3: an anchor is not understood here; write the value itself\n");
    says("&all\nlog: {}\n",
         "k.yaml:1:1: an anchor is not understood here; write the value itself\n");
}

static void test_what_is_not_yaml(void **state)
{
    (void)state;
    says("log:\n  level: info\n   format: json\n",
         "k.yaml:2:10: log.level is \"info format\"; it must be one of debug, info, warn, error\n"
         "k.yaml:3:10: this is not YAML: mapping values are not allowed in this context; look at "
         "the indentation, colons and quotes here\n");
    says("log:\n\tlevel: info\n",
         "k.yaml:2:1: this is not YAML: found character that cannot start any token while scanning "
         "for the next token; look at the indentation, colons and quotes here\n");
    says("log:\n  lissten: 1\n  level: \"info\n",
         "k.yaml:2:3: unknown key log.lissten; log has format, level\n"
         "k.yaml:4:1: this is not YAML: found unexpected end of stream while scanning a quoted "
         "scalar; look at the indentation, colons and quotes here\n");
    says("log:\n  level: \xff\n",
         "k.yaml:2:10: this is not YAML: invalid leading UTF-8 octet; look at the indentation, "
         "colons and quotes here\n");
    load_bytes(SPAN("log:\n  level: a\0b\n"));
    assert_true(span_starts(buffer_view(&faults), SPAN("k.yaml:2:11: this is not YAML: ")));
    end(NULL);
}

static void test_all_faults_are_collected(void **state)
{
    (void)state;
    says("sever: {}\nserver:\n  head_max: 1\n  lissten: x\nlog:\n  level: no\nlog: {}\n",
         "k.yaml:1:1: unknown section sever; did you mean server?\n"
         "k.yaml:3:13: server.head_max is \"1\"; it must be a size in bytes such as 512, 64KiB or "
         "20MiB, from 1KiB to 64KiB\n"
         "k.yaml:4:3: unknown key server.lissten; did you mean server.listen?\n"
         "k.yaml:6:10: log.level is \"no\"; it must be one of debug, info, warn, error\n"
         "k.yaml:7:1: section log is here twice, first in line 5; join them\n");
    says("renewal:\n  lease: 10s\n  call_timeout: 10s\n",
         "k.yaml:3:17: renewal.call_timeout is 10s; it must be shorter than renewal.lease, which "
         "is 10s\n");
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    char *large = must_alloc((1 << 20) + 1);

    buffer_init(&faults, 4096);
    assert_false(config_load(&config, "nowhere.yaml", nothing_set, &faults));
    assert_span(buffer_view(&faults),
                "nowhere.yaml: cannot be opened: No such file or directory; correct that, or name "
                "another file with --config or KEYTURN_CONFIG\n");
    end(NULL);
    buffer_init(&faults, 4096);
    assert_false(config_load(&config, "/tmp", nothing_set, &faults));
    assert_true(span_starts(buffer_view(&faults), SPAN("/tmp: cannot be read: Is a directory; ")));
    end(NULL);
    memset(large, '#', 1 << 20);
    says(large, "");
    large[1 << 20] = '#';
    load_bytes((struct span){large, (1 << 20) + 1});
    assert_true(span_starts(buffer_view(&faults), SPAN("k.yaml: is larger than 1048576 bytes; ")));
    end(NULL);
    must_free(large);
}

/* No input crashes it: every prefix of a file, and the file with each byte replaced. */
static void test_broken_files(void **state)
{
    (void)state;
    static const char text[] = "server: {listen: \"127.0.0.1:1\", head_max: 8KiB}\n"
                               "log: &a\n  level: [*a, !x {b: c}]\n? - d\n: 'e'\n--- |\n f\n";
    static const char odd[] = "\0:[{&*!'\"|-?,]}\n\t\x80";
    char copy[sizeof(text)];

    for (size_t size = 0; size < sizeof(text); size++) {
        load_bytes((struct span){text, size});
        end(NULL);
    }
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        memcpy(copy, text, sizeof(text));
        copy[at] = odd[at % (sizeof(odd) - 1)];
        load_bytes((struct span){copy, sizeof(text) - 1});
        end(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_fine),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_anchors_aliases_and_tags),
        cmocka_unit_test(test_what_is_not_yaml),
        cmocka_unit_test(test_all_faults_are_collected),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_broken_files),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}

#include "unit.h"

#include <fcntl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

enum { OUTPUT_MAX = 4 * 1024 * 1024 };

/* A pipe with a log at its end; what came through it gathers in output. */
struct sink {
    int ends[2];
    struct log *log;
    char *output;
    size_t size;
};

static struct sink sink_open(enum log_format format, enum log_level least)
{
    struct sink s = {.output = must_alloc(OUTPUT_MAX)};
    assert_int_equal(pipe2(s.ends, O_NONBLOCK), 0);
    s.log = log_open(s.ends[1], format, least);
    return s;
}

static void sink_read(struct sink *s)
{
    ssize_t got;
    while ((got = read(s->ends[0], s->output + s->size, OUTPUT_MAX - 1 - s->size)) > 0)
        s->size += (size_t)got;
    s->output[s->size] = '\0';
}

static void sink_drain(struct sink *s)
{
    size_t before;
    do {
        before = s->size;
        log_flush(s->log);
        sink_read(s);
    } while (s->size > before);
}

static void sink_close(struct sink *s)
{
    log_close(s->log);
    close(s->ends[0]);
    close(s->ends[1]);
    must_free(s->output);
}

/* The line without its time, which is checked on the way. */
static void assert_line(struct sink *s, const char *before, const char *after)
{
    sink_drain(s);
    struct span line = {s->output, s->size};
    assert_true(span_starts(line, span_of(before)));
    line = span_from(line, strlen(before));
    int64_t then = 0;
    assert_true(clock_parse(span_first(line, 24), &then));
    assert_true(then <= clock_wall_ms() && then > clock_wall_ms() - 60000);
    assert_span(span_from(line, 24), after);
    s->size = 0;
}

static void test_json_lines(void **state)
{
    (void)state;
    struct sink s = sink_open(LOG_JSON, LOG_DEBUG);
    log_info(s.log, "request", log_text("user", "u_1"), log_int("status", -200),
             log_bool("retry", true), log_bool("gone", false), log_span("model", SPAN_NONE),
             log_text("route", NULL), log_span("empty", SPAN("")));
    assert_line(&s, "{\"time\":\"",
                "\",\"level\":\"info\",\"msg\":\"request\",\"user\":\"u_1\",\"status\":-200,"
                "\"retry\":true,\"gone\":false,\"empty\":\"\"}\n");
    log_write(s.log, LOG_ERROR, "bare", NULL, 0);
    assert_line(&s, "{\"time\":\"", "\",\"level\":\"error\",\"msg\":\"bare\"}\n");
    sink_close(&s);
}

static void test_logfmt_lines(void **state)
{
    (void)state;
    struct sink s = sink_open(LOG_LOGFMT, LOG_DEBUG);
    log_warn(s.log, "key renewed", log_text("user", "u_1"), log_int("status", 200),
             log_bool("retry", true), log_text("a", "x=y"), log_text("b", "say \"hi\"\\"),
             log_text("c", ""), log_text("d", "two\r\nlines\x1b[0m"), log_text("e", "\xc3\xa4"),
             log_span("f", SPAN_NONE));
    assert_line(&s, "time=",
                " level=warn msg=\"key renewed\" user=u_1 status=200 retry=true a=\"x=y\" "
                "b=\"say \\\"hi\\\"\\\\\" c=\"\" d=\"two\\r\\nlines\\u001b[0m\" "
                "e=\"\xc3\xa4\"\n");
    sink_close(&s);
}

static void test_nothing_raw_ever_leaves(void **state)
{
    (void)state;
    for (int format = LOG_JSON; format <= LOG_LOGFMT; format++) {
        struct sink s = sink_open(format, LOG_DEBUG);
        for (int c = 0; c < 256; c++) {
            char text[2] = {(char)c, 'x'}, high[3] = {'\xc2', (char)c, 'y'};
            log_info(s.log, "byte", log_span("value", (struct span){text, 2}),
                     log_span("high", (struct span){high, 3}));
        }
        sink_drain(&s);
        size_t lines = 0;
        for (size_t i = 0; i < s.size; i++) {
            unsigned char c = (unsigned char)s.output[i], next = (unsigned char)s.output[i + 1];
            lines += c == '\n';
            assert_true(c == '\n' || (c >= 0x20 && c != 0x7f));
            assert_false(c == 0xc2 && next >= 0x80 && next <= 0x9f);
        }
        assert_int_equal(lines, 256);
        sink_close(&s);
    }
}

static void test_levels(void **state)
{
    (void)state;
    struct sink s = sink_open(LOG_JSON, LOG_WARN);
    assert_false(log_wants(s.log, LOG_INFO));
    assert_true(log_wants(s.log, LOG_WARN));
    log_info(s.log, "no", log_int("a", 1));
    log_debug(s.log, "no", log_int("a", 1));
    sink_drain(&s);
    assert_int_equal(s.size, 0);
    assert_false(log_wants(NULL, LOG_ERROR));
    log_error(NULL, "nowhere", log_int("a", 1));
    log_flush(NULL);
    log_close(NULL);
    sink_close(&s);
}

static void test_long_values_and_lines_are_cut_and_marked(void **state)
{
    (void)state;
    struct sink s = sink_open(LOG_JSON, LOG_DEBUG);
    char value[3000], expected[3000];
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    log_info(s.log, "long", log_text("a", value), log_int("b", 1));
    snprintf(expected, sizeof(expected),
             "\",\"level\":\"info\",\"msg\":\"long\",\"a\":\"%.1024s\",\"b\":1,\"cut\":true}\n",
             value);
    assert_line(&s, "{\"time\":\"", expected);

    struct log_field fields[40];
    for (size_t i = 0; i < 40; i++)
        fields[i] = log_span("wild", (struct span){"\0\1\2\3\4\5\6\7", 8});
    fields[20] = log_span("full", (struct span){value, 1024});
    memset(value, '\1', sizeof(value));
    for (size_t count = 0; count <= 40; count++) {
        log_write(s.log, LOG_INFO, "wild", fields, count);
        log_write(s.log, LOG_INFO, "wild", fields + 15, count > 25 ? 25 : count);
    }
    fields[0] = fields[20];
    log_write(s.log, LOG_INFO, "wild", fields, 40);
    sink_drain(&s);
    struct span all = {s.output, s.size}, line, last = SPAN_NONE;
    while (span_split(&all, '\n', &line) && line.size > 0) {
        assert_true(line.size < 8192 && span_ends(line, SPAN("}")));
        last = line;
    }
    assert_true(span_ends(last, SPAN(",\"cut\":true}")));
    sink_close(&s);
}

/* Nobody reads: the sink fills, counts what it loses, and says so when there is room again. */
static void test_losses_are_counted(void **state)
{
    (void)state;
    enum { LINES = 3000 };
    struct sink s = sink_open(LOG_LOGFMT, LOG_DEBUG);
    char value[1001];
    memset(value, 'v', 1000);
    value[1000] = '\0';
    for (int i = 0; i < LINES; i++) {
        log_info(s.log, "flood", log_int("n", i), log_text("v", value));
        log_flush(s.log);
    }
    sink_drain(&s);
    log_info(s.log, "after", log_int("n", LINES));
    sink_drain(&s);

    int arrived = 0, lost = 0, next = 0;
    struct span all = {s.output, s.size}, line;
    while (span_split(&all, '\n', &line) && line.size > 0) {
        char text[2048];
        assert_true(span_text(line, text, sizeof(text)));
        const char *said = strstr(text, "msg=log_lines_lost lines=");
        if (said) {
            int now_lost = atoi(strstr(said, "lines=") + 6);
            lost += now_lost;
            next += now_lost;
            continue;
        }
        int number = atoi(strstr(text, " n=") + 3);
        assert_int_equal(number, next); /* whole, in order, none twice */
        next++;
        arrived++;
    }
    assert_int_equal(arrived + lost, LINES + 1);
    assert_true(lost > 500 && arrived > 900);
    assert_int_equal(next, LINES + 1);
    sink_close(&s);
}

static void test_close_writes_what_is_left(void **state)
{
    (void)state;
    int ends[2];
    char text[200];
    assert_int_equal(pipe(ends), 0);
    struct log *log = log_open(ends[1], LOG_LOGFMT, LOG_INFO);
    log_info(log, "last words", log_int("n", 1));
    log_close(log);
    close(ends[1]);
    ssize_t got = read(ends[0], text, sizeof(text));
    assert_true(got > 0);
    assert_true(span_ends((struct span){text, (size_t)got}, SPAN("msg=\"last words\" n=1\n")));
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_logfmt_lines),
        cmocka_unit_test(test_nothing_raw_ever_leaves),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_values_and_lines_are_cut_and_marked),
        cmocka_unit_test(test_losses_are_counted),
        cmocka_unit_test(test_close_writes_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

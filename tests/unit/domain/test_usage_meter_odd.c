/* Odd, broken and hostile texts. */
#include "../base/unit.h"

#include "domain/usage_meter.h"

/* The same whole, byte by byte and in pieces of seven; end or not. */
static struct usage read_steps(enum dialect dialect, bool stream, struct span bytes, size_t step)
{
    struct usage_meter meter;
    usage_meter_init(&meter, dialect, stream);
    for (; bytes.size > 0; bytes = span_from(bytes, step))
        usage_meter_feed(&meter, span_first(bytes, step));
    usage_meter_end(&meter);
    return meter.usage;
}

static struct usage read_as(enum dialect dialect, bool stream, struct span bytes)
{
    struct usage whole = read_steps(dialect, stream, bytes, bytes.size + 1);
    static const size_t steps[] = {1, 7, 64};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct usage other = read_steps(dialect, stream, bytes, steps[i]);
        assert_int_equal(whole.cost_nano_usd, other.cost_nano_usd);
        assert_int_equal(whole.upstream_nano_usd, other.upstream_nano_usd);
        assert_int_equal(whole.prompt_tokens, other.prompt_tokens);
        assert_int_equal(whole.is_byok, other.is_byok);
        assert_int_equal(whole.failed, other.failed);
        assert_int_equal(whole.delivered, other.delivered);
        assert_int_equal(whole.finished, other.finished);
        assert_int_equal(whole.malformed, other.malformed);
        assert_string_equal(whole.id, other.id);
        assert_string_equal(whole.model, other.model);
        assert_string_equal(whole.provider, other.provider);
    }
    return whole;
}

static struct usage read_json(const char *text)
{
    return read_as(DIALECT_CHAT, false, span_of(text));
}

static struct usage read_stream(const char *text)
{
    return read_as(DIALECT_CHAT, true, span_of(text));
}

static void test_costs(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        int64_t cost;
    } rows[] = {
        {"\"cost\":3E-7", 300},
        {"\"cost\":3e-7", 300},
        {"\"cost\":1E+3", 1000000000000},
        {"\"cost\":0.00158142", 1581420},
        {"\"cost\":0", 0},
        {"\"cost\":0.0", 0},
        {"\"cost\" :\t1 ", 1000000000},
        {"\"\\u0063os\\u0074\":1", 1000000000},
        {"\"cost\":9223372036.854775807", INT64_MAX},
        {"", -1},
        {"\"cost\":null", -1},
        {"\"cost\":true", -1},
        {"\"cost\":-0.1", -1},
        {"\"cost\":-1", -1},
        {"\"cost\":1e308", -1},
        {"\"cost\":1e999999999999999999999", -1},
        {"\"cost\":9223372036.854775808", -1},
        {"\"cost\":18446744073709551616", -1},
        {"\"cost\":\"0.1\"", -1},
        {"\"cost\":\"NaN\"", -1},
        {"\"cost\":{\"cost\":1}", -1},
        {"\"cost\":[1]", -1},
        {"\"Cost\":1", -1},
        {"\"cost \":1", -1},
        {"\"cos\":1,\"costs\":1,\"\":1", -1},
        {"\"cost_details\":{\"cost\":1}", -1},
        {"\"cost\":1,\"cost\":2", 2000000000},
        {"\"cost\":2,\"cost\":0", 0},
        {"\"cost\":2,\"cost\":null", 2000000000},
        {"\"cost\":2,\"cost\":-1", 2000000000},
        {"\"cost\":2,\"cost\":\"1\"", 2000000000},
        {"\"cost\":2}, \"usage\":{", 2000000000},
        {"\"cost\":2}, \"usage\":{\"cost\":3", 3000000000},
        {"\"cost\":2}, \"usage\":null, \"x\":{", 2000000000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"choices\":[1],\"usage\":{%s}}", rows[i].members);
        struct usage usage = read_json(text);
        if (usage.cost_nano_usd != rows[i].cost || usage.malformed || !usage.finished)
            fail_msg("%s gave %lld", text, (long long)usage.cost_nano_usd);
    }
}

static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        int64_t tokens;
    } rows[] = {
        {"0", 0},      {"12", 12},     {"1.2E1", 12}, {"1e3", 1000},
        {"12.0", 12},  {"-1", -1},     {"-0", -1},    {"1.5", -1},
        {"null", -1},  {"\"12\"", -1}, {"1e308", -1}, {"9223372036854775807", INT64_MAX},
        {"false", -1}, {"[12]", -1},   {"{}", -1},    {"9223372036854775808", -1},
        {"1e-3", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"usage\":{\"prompt_tokens\":%s}}", rows[i].number);
        struct usage usage = read_json(text);
        if (usage.prompt_tokens != rows[i].tokens || usage.malformed)
            fail_msg("%s gave %lld", text, (long long)usage.prompt_tokens);
    }
}

static void test_long_numbers(void **state)
{
    (void)state;
    char text[400] = "{\"usage\":{\"cost\":0.5";
    memset(text + strlen(text), '0', METER_TEXT_MAX - 3);
    struct usage usage = read_json(strcat(text, "}}"));
    assert_int_equal(usage.cost_nano_usd, 500000000);
    text[strlen(text) - 2] = '\0';
    usage = read_json(strcat(text, "0}}"));
    assert_int_equal(usage.cost_nano_usd, -1);
    assert_true(usage.finished && !usage.malformed);
    char error[400] = "{\"error\":0.";
    memset(error + strlen(error), '1', METER_TEXT_MAX);
    assert_true(read_json(strcat(error, "}")).failed);
}

static void test_byok(void **state)
{
    (void)state;
    struct usage usage = read_json("{\"usage\":{\"cost\":0,\"is_byok\":true,\"cost_details\":"
                                   "{\"upstream_inference_cost\":0.02}}}");
    assert_int_equal(usage_bill(&usage), 20000000);
    usage = read_json("{\"usage\":{\"cost\":0.001,\"is_byok\":false,\"cost_details\":"
                      "{\"upstream_inference_cost\":0.001}}}");
    assert_int_equal(usage_bill(&usage), 1000000);
    assert_false(read_json("{\"usage\":{\"is_byok\":\"true\"}}").is_byok);
    assert_false(read_json("{\"usage\":{\"is_byok\":1}}").is_byok);
    assert_true(read_json("{\"usage\":{\"is_byok\":true},\"usage\":{\"is_byok\":null}}").is_byok);
    assert_false(read_json("{\"usage\":{\"is_byok\":true,\"is_byok\":false}}").is_byok);
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *members, *id;
    } rows[] = {
        {"\"id\":\"gen-1\"", "gen-1"},
        {"\"id\":\"chatcmpl-1\"", "chatcmpl-1"},
        {"\"id\":\"chatcmpl-1\",\"id\":\"gen-1\"", "gen-1"},
        {"\"id\":\"gen-1\",\"id\":\"chatcmpl-1\"", "gen-1"},
        {"\"id\":\"gen-1\",\"id\":\"gen-2\"", "gen-2"},
        {"\"id\":\"gen-1\",\"response\":{\"id\":\"resp_1\"}", "gen-1"},
        {"\"id\":\"evt_1\",\"response\":{\"id\":\"gen-1\"}", "gen-1"},
        {"\"message\":{\"id\":\"gen-1\"}", "gen-1"},
        {"\"id\":\"gen-1\",\"id\":\"\"", "gen-1"},
        {"\"id\":\"gen-1\",\"id\":null,\"id\":7", "gen-1"},
        {"\"id\":\"a\\u0000b\"", ""},
        {"\"id\":\"x\",\"id\":\"a\\u0000b\"", "x"},
        {"\"id\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\uD83D\\uDE00\"",
         "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\"id\":\"\\ud83dx\"", "\xef\xbf\xbdx"},
        {"\"id\":\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"id\":\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\"id\":\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\\u0069d\":\"x\"", "x"},
        {"\"\\u0069\\u0064\":\"x\"", "x"},
        {"\"user\":{\"id\":\"gen-9\"},\"choices\":[{\"id\":\"gen-8\",\"message\":{\"id\":\"gen-7\"}"
         "}]",
         ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{%s}", rows[i].members);
        struct usage usage = read_json(text);
        if (strcmp(usage.id, rows[i].id) != 0 || usage.malformed)
            fail_msg("%s gave %s", text, usage.id);
    }
}

static void test_long_texts(void **state)
{
    (void)state;
    char text[600] = "{\"id\":\"";
    memset(text + strlen(text), 'x', METER_TEXT_MAX);
    assert_int_equal(strlen(read_json(strcat(text, "\"}")).id), METER_TEXT_MAX);
    text[strlen(text) - 2] = '\0';
    assert_string_equal(read_json(strcat(text, "x\"}")).id, "");
    text[strlen(text) - 3] = '\0';
    assert_string_equal(read_json(strcat(text, "\\u00e4\",\"model\":\"m\"}")).id, "");
    assert_string_equal(read_json(text).model, "m");
    /* A name that begins like one that matters, with its long rest in a piece of its own. */
    struct usage_meter meter;
    usage_meter_init(&meter, DIALECT_CHAT, false);
    usage_meter_feed(&meter, SPAN("{\"id"));
    memset(text, 'x', METER_TEXT_MAX);
    usage_meter_feed(&meter, (struct span){text, METER_TEXT_MAX});
    usage_meter_feed(&meter, SPAN("\":\"y\"}"));
    assert_string_equal(meter.usage.id, "");
}

static void test_failed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool failed, delivered;
    } rows[] = {
        {"{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", false, true},
        {"{\"choices\":[{\"message\":{\"content\":[{}]}}]}", false, true},
        {"{\"choices\":[{\"message\":{\"content\":[ ],\"role\":\"x\"}}]}", false, false},
        {"{\"choices\":[{\"message\":{\"content\":12,\"x\":true}}]}", false, false},
        {"{\"choices\":[{\"text\":\"\\u0020\"}]}", false, true},
        {"{\"choices\":[{\"text\":\"\"}]}", false, false},
        {"{\"choices\":[]}", true, false},
        {"{\"choices\":{}}", true, false},
        {"{\"choices\":null}", true, false},
        {"{}", true, false},
        {"[]", true, false},
        {"12", true, false},
        {"{\"choices\":[{}],\"error\":null}", false, false},
        {"{\"choices\":[{}],\"error\":false}", false, false},
        {"{\"choices\":[{}],\"error\":\"\"}", false, false},
        {"{\"choices\":[{}],\"error\":\"no\"}", true, false},
        {"{\"choices\":[{}],\"error\":{}}", true, false},
        {"{\"choices\":[{}],\"error\":[]}", true, false},
        {"{\"choices\":[{}],\"error\":500}", true, false},
        {"{\"choices\":[{\"error\":{\"code\":1}}]}", true, false},
        {"{\"choices\":[{\"finish_reason\":\"error\"}]}", true, false},
        {"{\"choices\":[{\"native_finish_reason\":\"error\",\"finish_reason\":\"stop\"}]}", false,
         false},
        {"{\"choices\":[{\"message\":{\"error\":\"x\"}}],\"x\":{\"error\":1}}", false, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct usage usage = read_json(rows[i].text);
        if (usage.failed != rows[i].failed || usage.delivered != rows[i].delivered ||
            !usage.finished || usage.malformed)
            fail_msg("%s", rows[i].text);
    }
    assert_false(read_as(DIALECT_MESSAGES, false, SPAN("{}")).failed);
    assert_false(read_as(DIALECT_EMBEDDINGS, false, SPAN("{\"data\":[]}")).delivered);
    assert_true(read_stream(": x\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n").failed);
}

static void test_malformed_documents(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "<html>",
        "{\"usage\":{\"cost\":1}]",
        "{\"usage\" {\"cost\":1}}",
        "{]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"usage\":{\"cost\":1x}}",
        "{\"choices\":[}",
        "{\"choices\":[{},]}",
        "{\"choices\":[{} {}]}",
        "{} {}",
        "{}x",
        "{\"a\":[}]}",
        "{\"a\":{\"b\":1]}",
        "{\"\\x\":1}",
        "{\"id\":\"\\u12g4\"}",
        "\xef\xbbx{}",
        "{\"a\":1\"b\":2}",
        "{\"a\":1:2}",
        "{\"a\":NaN}",
        "]",
        "{\"error\":1} x",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct usage usage = read_json(rows[i]);
        if (!usage.malformed || usage.finished || usage.failed != !!strstr(rows[i], "error"))
            fail_msg("%s", rows[i]);
    }
}

static void test_cut_documents(void **state)
{
    (void)state;
    const struct span whole =
        SPAN("{\"choices\":[{\"message\":{\"content\":\"a\\nb\"}}],\"id\":\"x\\n\",\"a\":[{}]}");
    for (size_t size = 0; size < whole.size; size++) {
        struct usage usage = read_as(DIALECT_CHAT, false, span_first(whole, size));
        assert_false(usage.finished || usage.malformed);
    }
    assert_true(read_as(DIALECT_CHAT, false, whole).finished);
}

static void test_lines_recover(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t cost;
        bool malformed;
    } rows[] = {
        {"data: {\"usage\":{\"cost\":x\n\ndata: {\"usage\":{\"cost\":1}}\n\n", 1000000000, true},
        {"data: {\"id\":\"x\ndata: {\"usage\":{\"cost\":1}}\n\n", 1000000000, true},
        {"data: {\"a\":\"x\\\ndata: {\"usage\":{\"cost\":1}}\n\n", 1000000000, true},
        {"data: {\"a\":[\"x\ndata: {\"usage\":{\"cost\":1}}\n\n", 1000000000, true},
        {"data: {\"usage\":{\"cost\":1}\n\ndata: {}\n\n", 1000000000, true},
        {"data: {\"usage\":{\"cost\":1\n", 1000000000, false},
        {"data: [DONE\n\ndata: [1,2]\n\ndata: [D\n\n", -1, true},
        {"data: [\ndata: 1]\ndata: {\"usage\":{\"cost\":1}}\n\n", 1000000000, false},
        {"data: [1,2]\n\ndata: [D\n\n", -1, true},
        {"data: [1,2]\n\n", -1, false},
        {"\rdata: {\"usage\":{\"cost\":1}\ndata: }\n\n", 1000000000, false},
        {"\xef\xbb"
         "data: {\"usage\":{\"cost\":1}}\n",
         -1, false},
        {"data: {\"a\":[[}\n\ndata: {\"a\":[1],\"usage\":{\"cost\":1}}\n\n", 1000000000, true},
        {"data: {\"type\":\"message_stop\" x\n\ndata: {}\n\n", -1, true},
        {"data: {\"a\":\"x\\\n\ndata: {\"a\":\"\",\"usage\":{\"cost\":1}}\n\n", 1000000000, true},
        {"data: [\n\ndata: {\"usage\":{\"cost\":1}}\n\n", 1000000000, true},
        {"data: null\n\ndata: \"x\"\n\ndata: 12\n\ndata:\n\n", -1, false},
        {"data: {\"usage\":{\"cost\":1}} x\n\ndata: {\"usage\":{\"prompt_tokens\":1}}\n\n",
         1000000000, true},
        {"\xef\xbb"
         "data: {\"usage\":{\"cost\":1}}\ndata: {\"usage\":{\"cost\":2}}\n",
         2000000000, false},
        {"\xef\xbb\xbf\xef\xbb\xbf"
         "data: {\"usage\":{\"cost\":1}}\n",
         -1, false},
        {"data: {}\n\n\xef\xbb\xbf"
         "data: {\"usage\":{\"cost\":1}}\n",
         -1, false},
        {"Data: {\"usage\":{\"cost\":1}}\n data: {\"usage\":{\"cost\":1}}\n", -1, false},
        {"datadata: {\"usage\":{\"cost\":1}}\ndat\na: {\"usage\":{\"cost\":1}}\n", -1, false},
        {"data: {\"usage\":\r\ndata: {\"cost\":1}}\r\n\r\n", 1000000000, false},
        {"data: {\"usage\":\r\rdata: {\"cost\":1}}\r\r", -1, true},
        {"\r\n\n\rdata: {\"usage\":{\"cost\":1}}\r", 1000000000, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct usage usage = read_stream(rows[i].text);
        if (usage.cost_nano_usd != rows[i].cost || usage.malformed != rows[i].malformed ||
            usage.finished)
            fail_msg("%s gave %lld, malformed %d, finished %d", rows[i].text,
                     (long long)usage.cost_nano_usd, usage.malformed, usage.finished);
    }
}

static void test_nul_bytes(void **state)
{
    (void)state;
    const struct span inside =
        SPAN("data: {\"choices\":[{\"delta\":{\"content\":\"\0\"}}],\"id\":\"a\0b\","
             "\"usage\":{\"cost\":1}}\n\ndata: [DONE]\n\n");
    struct usage usage = read_as(DIALECT_CHAT, true, inside);
    assert_true(usage.delivered && usage.finished && !usage.malformed);
    assert_int_equal(usage.cost_nano_usd, 1000000000);
    assert_string_equal(usage.id, "");
    assert_true(read_as(DIALECT_CHAT, false, SPAN("{\"a\":1\0}")).malformed);
    assert_true(read_as(DIALECT_CHAT, false, SPAN("\0{}")).malformed);
    assert_true(read_as(DIALECT_CHAT, false, SPAN("{\"id\":\"\\\0\"}")).malformed);
}

/* A megabyte of one thing between a beginning and an end. */
static struct usage read_mega(bool stream, const char *before, const char *unit, const char *after)
{
    enum { MEGA = 1 << 20 };
    size_t size = strlen(unit), used = strlen(before);
    char *text = malloc(MEGA + 4096);
    memcpy(text, before, used);
    for (; used < MEGA; used += size)
        memcpy(text + used, unit, size);
    memcpy(text + used, after, strlen(after));
    struct usage usage = read_as(DIALECT_CHAT, stream, (struct span){text, used + strlen(after)});
    free(text);
    return usage;
}

static void test_megabytes(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\\n", "\\\"", "\\\\", "\xf0\x9f\x98\x80", "\\ud83d"};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        struct usage usage = read_mega(true, "data: {\"choices\":[{\"delta\":{\"content\":\"",
                                       units[i], "\"}}],\"usage\":{\"cost\":1}}\n\n");
        assert_true(usage.delivered && !usage.malformed);
        assert_int_equal(usage.cost_nano_usd, 1000000000);
        usage = read_mega(false, "{\"id\":\"", units[i], "\",\"usage\":{\"cost\":1}}");
        assert_true(usage.finished && !usage.malformed && usage.id[0] == '\0');
        assert_int_equal(usage.cost_nano_usd, 1000000000);
    }
    struct usage usage = read_mega(true, ": ", "x", "\ndata: {\"usage\":{\"cost\":1}}\n");
    assert_int_equal(usage.cost_nano_usd, 1000000000);
    usage = read_mega(false, "{\"usage\":{\"cost\":1", "0", "}}");
    assert_true(usage.cost_nano_usd == -1 && usage.finished);
    usage = read_mega(false, "", " ", "{\"usage\":{\"cost\":1}}");
    assert_int_equal(usage.cost_nano_usd, 1000000000);
}

static void test_depth(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    static const char ends[] = "],\"usage\":{\"cost\":1}}";
    char *text = malloc(2 * DEPTH + 100);
    size_t used = (size_t)sprintf(text, "{\"a\":[");
    memset(text + used, '[', DEPTH);
    memset(text + used + DEPTH, ']', DEPTH);
    memcpy(text + used + 2 * DEPTH, ends, sizeof(ends));
    struct usage usage = read_json(text);
    assert_true(usage.finished && !usage.malformed);
    assert_int_equal(usage.cost_nano_usd, 1000000000);
    /* METER_DEPTH_MAX levels are checked, deeper ones counted */
    char *outermost = text + used + 2 * DEPTH - METER_DEPTH_MAX + 1;
    outermost[0] = '}';
    assert_true(read_json(text).malformed);
    outermost[0] = ']';
    outermost[-1] = '}';
    assert_false(read_json(text).malformed);
    text[used + DEPTH] = '\0';
    usage = read_json(text);
    assert_false(usage.finished || usage.malformed);
    free(text);
}

/* Deep inside of what does not matter nothing is found. */
static void test_places(void **state)
{
    (void)state;
    struct usage usage = read_json("{\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":{"
                                   "\\\"cost\\\":5}\",\"usage\":{\"cost\":6}},"
                                   "\"usage\":{\"cost\":7}}],\"metadata\":{\"usage\":{\"cost\":8},"
                                   "\"id\":\"gen-1\"},\"usage\":[{\"cost\":9}],"
                                   "\"response\":{\"response\":{\"usage\":{\"cost\":10}},\"usage\":"
                                   "{\"usage\":{\"cost\":11}}}}");
    assert_int_equal(usage.cost_nano_usd, -1);
    assert_string_equal(usage.id, "");
    assert_true(usage.finished && usage.delivered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs),         cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_long_numbers),  cmocka_unit_test(test_byok),
        cmocka_unit_test(test_texts),         cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_failed),        cmocka_unit_test(test_malformed_documents),
        cmocka_unit_test(test_cut_documents), cmocka_unit_test(test_lines_recover),
        cmocka_unit_test(test_nul_bytes),     cmocka_unit_test(test_megabytes),
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

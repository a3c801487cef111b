/* A line of the journal comes back as it was written, whatever its fields hold. */
#include "../base/unit.h"

#include "flow/settlement.h"

enum { LINES_MAX = 8192 };

static struct settlement_record usual(void)
{
    return (struct settlement_record){.user = "ada",
                                      .request_id = "req_1",
                                      .tier = "Pro",
                                      .model = "maker/model",
                                      .generation_id = "gen-1",
                                      .budget_period = "2026-11",
                                      .day = "2026-11-20",
                                      .cost_nano_usd = 1234567,
                                      .prompt_tokens = 100,
                                      .cached_tokens = 0,
                                      .completion_tokens = 20,
                                      .reasoning_tokens = -1,
                                      .key_version = 3,
                                      .finished_ms = INT64_C(1795132800000),
                                      .source = COST_FROM_KEY,
                                      .delivered = true};
}

static struct settlement_record there_and_back(const struct settlement_record *record)
{
    struct settlement_record read;
    struct buffer line;
    struct span text;

    buffer_init(&line, LINES_MAX);
    assert_true(settlement_write(record, &line));
    text = buffer_view(&line);
    assert_true(text.size > 0 && text.at[text.size - 1] == '\n');
    assert_true(memchr(text.at, '\n', text.size) == text.at + text.size - 1);
    assert_true(settlement_read(span_first(text, text.size - 1), &read));
    buffer_done(&line);
    return read;
}

static void assert_same(const struct settlement_record *a, const struct settlement_record *b)
{
    assert_string_equal(a->user, b->user);
    assert_string_equal(a->request_id, b->request_id);
    assert_string_equal(a->tier, b->tier);
    assert_string_equal(a->model, b->model);
    assert_string_equal(a->generation_id, b->generation_id);
    assert_string_equal(a->budget_period, b->budget_period);
    assert_string_equal(a->day, b->day);
    assert_int_equal(a->cost_nano_usd, b->cost_nano_usd);
    assert_int_equal(a->prompt_tokens, b->prompt_tokens);
    assert_int_equal(a->cached_tokens, b->cached_tokens);
    assert_int_equal(a->completion_tokens, b->completion_tokens);
    assert_int_equal(a->reasoning_tokens, b->reasoning_tokens);
    assert_int_equal(a->key_version, b->key_version);
    assert_int_equal(a->finished_ms, b->finished_ms);
    assert_int_equal(a->source, b->source);
    assert_int_equal(a->delivered, b->delivered);
}

static void test_the_line(void **state)
{
    struct settlement_record record = usual();
    struct buffer line;

    (void)state;
    buffer_init(&line, LINES_MAX);
    assert_true(settlement_write(&record, &line));
    assert_true(
        span_equal(buffer_view(&line),
                   SPAN("ada\treq_1\tPro\tmaker/model\tgen-1\t2026-11\t2026-11-20\t1234567\t"
                        "100\t0\t20\t-1\t3\t1795132800000\t2\t1\n")));
    buffer_done(&line);
}

static void test_there_and_back(void **state)
{
    struct settlement_record record = usual(), read;

    (void)state;
    read = there_and_back(&record);
    assert_same(&read, &record);
    for (int source = COST_FROM_USAGE; source <= COST_NOTHING_SENT; source++) {
        record.source = (enum cost_source)source;
        record.delivered = !record.delivered;
        read = there_and_back(&record);
        assert_same(&read, &record);
    }
}

/* As long as they can be, and empty. */
static void test_the_longest_and_the_shortest(void **state)
{
    struct settlement_record record = usual(), read;

    (void)state;
    memset(record.user, 'u', sizeof(record.user) - 1);
    memset(record.request_id, 'r', sizeof(record.request_id) - 1);
    memset(record.tier, 't', sizeof(record.tier) - 1);
    memset(record.model, 'm', sizeof(record.model) - 1);
    memset(record.generation_id, 'g', sizeof(record.generation_id) - 1);
    memset(record.budget_period, 'p', sizeof(record.budget_period) - 1);
    memset(record.day, 'd', sizeof(record.day) - 1);
    record.cost_nano_usd = record.key_version = record.finished_ms = INT64_MIN;
    record.prompt_tokens = record.cached_tokens = record.completion_tokens = INT64_MIN;
    record.reasoning_tokens = INT64_MIN;
    read = there_and_back(&record);
    assert_same(&read, &record);
    record.cost_nano_usd = INT64_MAX;
    record.tier[0] = record.model[0] = record.generation_id[0] = '\0';
    read = there_and_back(&record);
    assert_same(&read, &record);
}

static void test_what_would_break_the_line_is_left_out(void **state)
{
    struct settlement_record record = usual(), read;

    (void)state;
    snprintf(record.model, sizeof(record.model), "a\tb\nc\x01\xc3\xa4");
    read = there_and_back(&record);
    assert_string_equal(read.model, "abc\xc3\xa4");
}

static void test_a_line_that_does_not_fit_is_refused_whole(void **state)
{
    struct settlement_record record = usual();
    struct buffer line;
    size_t size;

    (void)state;
    buffer_init(&line, LINES_MAX);
    assert_true(settlement_write(&record, &line));
    size = buffer_size(&line);
    buffer_done(&line);
    buffer_init(&line, size - 1);
    assert_false(settlement_write(&record, &line));
    assert_int_equal(buffer_size(&line), 0);
    buffer_done(&line);
}

static void test_other_lines_are_none(void **state)
{
    static const char *const wrong[] = {
        "",
        "ada",
        "\treq_1\tPro\tm\tg\t2026-11\t2026-11-20\t1\t1\t1\t1\t1\t1\t1\t0\t1",
        "ada\t\tPro\tm\tg\t2026-11\t2026-11-20\t1\t1\t1\t1\t1\t1\t1\t0\t1",
        "ada\treq_1\tPro\tm\tg\t2026-11\t2026-11-20\t1\t1\t1\t1\t1\t1\t1\t5\t1",
        "ada\treq_1\tPro\tm\tg\t2026-11\t2026-11-20\t1\t1\t1\t1\t1\t1\t1\t-1\t1",
        "ada\treq_1\tPro\tm\tg\t2026-11\t2026-11-20\t1\t1\t1\t1\t1\t1\t0\t1",
        "ada\treq_1\tPro\tm\tg\t2026-11\t2026-11-20\tmuch\t1\t1\t1\t1\t1\t1\t0\t1",
    };
    struct settlement_record record;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (settlement_read(span_of(wrong[i]), &record))
            fail_msg("read: %s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_line),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_the_longest_and_the_shortest),
        cmocka_unit_test(test_what_would_break_the_line_is_left_out),
        cmocka_unit_test(test_a_line_that_does_not_fit_is_refused_whole),
        cmocka_unit_test(test_other_lines_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

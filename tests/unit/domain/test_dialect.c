#include "../base/unit.h"

#include <yyjson.h>

#include "domain/dialect.h"

static const struct span request_id = SPAN("req_0123456789abcdef1");

static void test_rows(void **state)
{
    (void)state;
    static const struct dialect_row want[DIALECT_COUNT] = {
        {"chat", "/chat/completions", CAP_MAX_TOKENS, true},
        {"text", "/completions", CAP_MAX_TOKENS, true},
        {"responses", "/responses", CAP_MAX_OUTPUT_TOKENS, true},
        {"messages", "/messages", CAP_MAX_TOKENS, false},
        {"embeddings", "/embeddings", CAP_COUNT, false},
    };
    for (unsigned i = 0; i < DIALECT_COUNT; i++) {
        const struct dialect_row *row = dialect_row((enum dialect)i);
        assert_string_equal(row->name, want[i].name);
        assert_string_equal(row->path, want[i].path);
        assert_int_equal(row->cap, want[i].cap);
        assert_int_equal(row->done_after_error, want[i].done_after_error);
    }
}

/* Events as a client dispatches them: https://html.spec.whatwg.org/multipage/server-sent-events.html */
struct sse_event {
    char name[32], data[4096];
};

static size_t sse_read(struct span stream, struct sse_event *ret_events, size_t most)
{
    struct sse_event now = {"", ""};
    size_t count = 0;
    struct span line;
    while (stream.at && memchr(stream.at, '\n', stream.size) && span_split(&stream, '\n', &line)) {
        line = span_ends(line, SPAN("\r")) ? span_first(line, line.size - 1) : line;
        if (line.size == 0 && now.data[0]) {
            assert_true(count < most);
            ret_events[count++] = now;
        }
        if (line.size == 0)
            now = (struct sse_event){"", ""};
        else if (span_starts(line, SPAN("event: ")))
            span_text(span_from(line, 7), now.name, sizeof(now.name));
        else if (span_starts(line, SPAN("data: "))) {
            assert_string_equal(now.data, ""); /* one line of data each */
            assert_true(span_text(span_from(line, 6), now.data, sizeof(now.data)));
        }
    }
    return count;
}

static struct buffer must_compose(enum dialect dialect, enum fault fault, struct span detail)
{
    struct buffer out;
    buffer_init(&out, 4096);
    assert_true(stream_error_event(dialect, fault, detail, request_id, &out));
    return out;
}

static void assert_text(yyjson_val *object, const char *name, const char *text)
{
    const char *value = yyjson_get_str(yyjson_obj_get(object, name));
    if (!value || strcmp(value, text) != 0)
        fail_msg("%s is %s, not %s", name, value ? value : "(none)", text);
}

static void test_chat_and_text_streams_end_with_a_failed_choice(void **state)
{
    (void)state;
    for (int text = 0; text < 2; text++) {
        struct buffer out =
            must_compose(text ? DIALECT_TEXT : DIALECT_CHAT, FAULT_UPSTREAM_BAD, SPAN_NONE);
        struct sse_event events[4];
        assert_int_equal(sse_read(buffer_view(&out), events, 4), 2);
        assert_string_equal(events[0].name, "");
        assert_string_equal(events[1].data, "[DONE]");
        yyjson_doc *doc = yyjson_read(events[0].data, strlen(events[0].data), 0);
        yyjson_val *root = yyjson_doc_get_root(doc), *error = yyjson_obj_get(root, "error");
        assert_text(root, "object", text ? "text_completion" : "chat.completion.chunk");
        assert_text(error, "message", fault_row(FAULT_UPSTREAM_BAD)->message);
        assert_text(error, "type", "server_error");
        assert_text(error, "code", "upstream_error");
        assert_text(error, "request_id", request_id.at);
        yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(root, "choices"));
        assert_text(choice, "finish_reason", "error");
        if (text)
            assert_text(choice, "text", "");
        else
            assert_text(yyjson_obj_get(choice, "delta"), "content", "");
        yyjson_doc_free(doc);
        buffer_done(&out);
    }
}

static void test_responses_streams_end_with_an_error_event(void **state)
{
    (void)state;
    struct buffer out = must_compose(DIALECT_RESPONSES, FAULT_UPSTREAM_SLOW, SPAN_NONE);
    struct sse_event events[4];
    assert_int_equal(sse_read(buffer_view(&out), events, 4), 2);
    assert_string_equal(events[0].name, "error");
    assert_string_equal(events[1].data, "[DONE]");
    yyjson_doc *doc = yyjson_read(events[0].data, strlen(events[0].data), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_text(root, "type", "error");
    assert_text(root, "code", "upstream_timeout");
    assert_text(root, "message", fault_row(FAULT_UPSTREAM_SLOW)->message);
    assert_true(yyjson_is_null(yyjson_obj_get(root, "param")));
    assert_true(yyjson_is_int(yyjson_obj_get(root, "sequence_number")));
    assert_text(yyjson_obj_get(root, "error"), "code", "upstream_timeout");
    yyjson_doc_free(doc);
    buffer_done(&out);
}

static void test_messages_streams_end_with_anthropic_s_shape(void **state)
{
    (void)state;
    static const struct {
        enum fault fault;
        const char *type;
    } rows[] = {
        {FAULT_UPSTREAM_BAD, "api_error"},
        {FAULT_UPSTREAM_SLOW, "timeout_error"},
        {FAULT_DRAINING, "overloaded_error"},
        {FAULT_INTERNAL, "api_error"},
        {FAULT_NO_CREDENTIAL, "authentication_error"},
        {FAULT_BODY_TOO_LARGE, "request_too_large"},
        {FAULT_BAD_REQUEST, "invalid_request_error"},
        {FAULT_WRONG_METHOD, "invalid_request_error"},
        {FAULT_USER_DISABLED, "permission_error"},
        {FAULT_NO_SUCH_ROUTE, "not_found_error"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buffer out = must_compose(DIALECT_MESSAGES, rows[i].fault, SPAN_NONE);
        struct sse_event events[4];
        assert_int_equal(sse_read(buffer_view(&out), events, 4), 1); /* no [DONE] */
        assert_string_equal(events[0].name, "error");
        yyjson_doc *doc = yyjson_read(events[0].data, strlen(events[0].data), 0);
        yyjson_val *root = yyjson_doc_get_root(doc), *error = yyjson_obj_get(root, "error");
        assert_text(root, "type", "error");
        assert_text(root, "request_id", request_id.at);
        assert_text(error, "type", rows[i].type);
        assert_text(error, "message", fault_row(rows[i].fault)->message);
        yyjson_doc_free(doc);
        buffer_done(&out);
    }
}

static void test_it_stands_alone_wherever_the_stream_broke(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "data: {\"a\":1}\n\n",
        "data: {\"a\":1}\n",
        "data: {\"a",
        ": OPENROUTER PROC",
        "event: x\ndata: {",
        "data: {}\r\n\r\n",
        "event: message_delta\n",
        "dat",
    };
    for (unsigned dialect = 0; dialect < DIALECT_COUNT; dialect++)
        for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
            struct buffer out;
            buffer_init(&out, 8192);
            assert_true(buffer_append(&out, span_of(broken[i])));
            assert_true(stream_error_event((enum dialect)dialect, FAULT_UPSTREAM_BAD,
                                           SPAN("Lost \"it\"\nhere."), request_id, &out));
            struct sse_event events[4];
            size_t count = sse_read(buffer_view(&out), events, 4);
            size_t error_at = count - 1 - dialect_row((enum dialect)dialect)->done_after_error;
            yyjson_doc *doc = yyjson_read(events[error_at].data, strlen(events[error_at].data), 0);
            assert_non_null(doc);
            assert_text(yyjson_obj_get(yyjson_doc_get_root(doc), "error"), "message",
                        "Lost \"it\"\nhere.");
            yyjson_doc_free(doc);
            buffer_done(&out);
        }
}

static void test_a_full_buffer_is_told(void **state)
{
    (void)state;
    struct buffer out = must_compose(DIALECT_CHAT, FAULT_UPSTREAM_BAD, SPAN_NONE);
    size_t size = buffer_size(&out);
    buffer_done(&out);
    for (size_t limit = 0; limit < size; limit += 7) {
        buffer_init(&out, limit);
        assert_false(
            stream_error_event(DIALECT_CHAT, FAULT_UPSTREAM_BAD, SPAN_NONE, request_id, &out));
        buffer_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_chat_and_text_streams_end_with_a_failed_choice),
        cmocka_unit_test(test_responses_streams_end_with_an_error_event),
        cmocka_unit_test(test_messages_streams_end_with_anthropic_s_shape),
        cmocka_unit_test(test_it_stands_alone_wherever_the_stream_broke),
        cmocka_unit_test(test_a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

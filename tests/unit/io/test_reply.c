/* The bytes of replies, for each framing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/server/reply.h"

struct row {
    int status;
    int64_t body_size;
    struct reply_manner manner;
    const char *first, *second; /* body pieces */
    const char *bytes;
    bool broken;
};

/* clang-format off */
static const struct row rows[] = {
    {200, 2, {HTTP_GET_METHOD, 1, false}, "hi", NULL, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", false},
    {200, 0, {HTTP_GET_METHOD, 1, false}, NULL, NULL, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false},
    {200, 2, {HTTP_GET_METHOD, 1, true}, "h", "i",
     "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi", false},
    {200, 2, {HTTP_GET_METHOD, 0, false}, "hi", NULL,
     "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nhi", false},
    {200, -1, {HTTP_GET_METHOD, 1, false}, "hi", "0123456789abcdef!",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n", false},
    {200, -1, {HTTP_GET_METHOD, 1, false}, "", NULL,
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", false},
    {200, -1, {HTTP_GET_METHOD, 0, false}, "hi", NULL, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi", false},
    {200, 2, {HTTP_HEAD_METHOD, 1, false}, "hi", NULL, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", false},
    {200, -1, {HTTP_HEAD_METHOD, 1, false}, "hi", NULL, "HTTP/1.1 200 OK\r\n\r\n", false},
    {204, 0, {HTTP_GET_METHOD, 1, false}, NULL, NULL, "HTTP/1.1 204 No Content\r\n\r\n", false},
    {304, -1, {HTTP_GET_METHOD, 1, false}, "hi", NULL, "HTTP/1.1 304 Not Modified\r\n\r\n", false},
    {599, 0, {HTTP_GET_METHOD, 1, false}, NULL, NULL, "HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n", false},
    {200, 3, {HTTP_GET_METHOD, 1, false}, "hi", NULL, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi", true},
    {200, 1, {HTTP_GET_METHOD, 1, false}, "hi", NULL, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nh", true},
};
/* clang-format on */

static void writes_each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reply reply = {0};
        struct reply_head head = {rows[i].status, {NULL, 0}, rows[i].body_size};
        struct buffer out;

        buffer_init(&out, 4096);
        reply_head_write(&reply, &out, &head, rows[i].manner);
        reply_body_write(&reply, &out, span_of(rows[i].first));
        reply_body_write(&reply, &out, span_of(rows[i].second));
        reply_end_write(&reply, &out);
        if (!span_equal(buffer_view(&out), span_of(rows[i].bytes)))
            fail_msg("row %zu: %.*s", i, SPAN_PRINT(buffer_view(&out)));
        assert_int_equal(reply.broken, rows[i].broken);
        buffer_done(&out);
    }
}

static void fields_cannot_break_out(void **state)
{
    const struct header fields[] = {
        {SPAN("a"), SPAN("1")},  {SPAN("b"), SPAN("1\r\nx: y")}, {SPAN("c\n"), SPAN("1")},
        {SPAN("d"), {"1\0", 2}}, {SPAN(""), SPAN("1")},          {SPAN("e"), SPAN("")},
    };
    struct reply reply = {0};
    struct buffer out;

    (void)state;
    buffer_init(&out, 4096);
    reply_head_write(&reply, &out, &(struct reply_head){200, {fields, 6}, 0},
                     (struct reply_manner){HTTP_GET_METHOD, 1, false});
    assert_true(span_equal(buffer_view(&out),
                           SPAN("HTTP/1.1 200 OK\r\na: 1\r\ne: \r\ncontent-length: 0\r\n\r\n")));
    buffer_done(&out);
}

static void faults_are_whole_replies(void **state)
{
    (void)state;
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        struct buffer out;
        struct span body;
        uint64_t size;

        buffer_init(&out, 4096);
        reply_fault_write(&out, fault, SPAN("req_1"));
        assert_true(span_contains(buffer_view(&out),
                                  SPAN("\r\nconnection: close\r\n\r\n{\"error\":{\"message\":\"")));
        assert_int_equal(span_contains(buffer_view(&out), SPAN("\r\nretry-after: ")),
                         fault_row(fault)->retry_after_s > 0);
        assert_int_equal(span_contains(buffer_view(&out), SPAN("\r\nallow: ")),
                         fault == FAULT_WRONG_METHOD);
        body = buffer_view(&out);
        while (!span_starts(body, SPAN("\r\ncontent-length: ")))
            body = span_from(body, 1);
        body = span_from(body, 18);
        assert_true(span_u64(span_first(body, 3), &size));
        while (!span_starts(body, SPAN("\r\n\r\n")))
            body = span_from(body, 1);
        assert_int_equal(body.size - 4, size);
        buffer_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_row),
        cmocka_unit_test(fields_cannot_break_out),
        cmocka_unit_test(faults_are_whole_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

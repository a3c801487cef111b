/* What the guard lets through and what it refuses, each row whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/server/head_guard.h"

#include <stdio.h>

#define FINE FAULT_NONE
#define BAD FAULT_BAD_FRAMING
#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define BYTES(literal) \
    { \
        (literal), sizeof(literal) - 1 \
    }

struct row {
    enum fault expected;
    struct span head;
};

/* clang-format off */
static const struct row rows[] = {
    {FINE, BYTES(GET H "\r\n")},
    {FINE, BYTES("HEAD /a?b=c HTTP/1.1\r\n" H "\r\n")},
    {FINE, BYTES("OPTIONS / HTTP/1.1\r\n" H "\r\n")},
    {FINE, BYTES("DELETE /v1/me/keys/x HTTP/1.1\r\n" H "\r\n")},
    {FINE, BYTES("PATCH / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n")},
    {FINE, BYTES("PUT / HTTP/1.1\r\n" H "Content-Length: 999999999999999\r\n\r\n")},
    {FINE, BYTES("GET / HTTP/1.0\r\n\r\n")},
    {FINE, BYTES("GET / HTTP/1.0\r\n" H "\r\n")},
    {FINE, BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n")},
    {FINE, BYTES("POST / HTTP/1.1\r\n" H "transfer-encoding:  Chunked \t\r\n\r\n")},
    {FINE, BYTES(GET "host:[::1]:8080\r\n\r\n")},
    {FINE, BYTES(GET "HOST: a_b-c.example:1\r\n\r\n")},
    {FINE, BYTES(GET H "X:\r\n\r\n")},
    {FINE, BYTES(GET H "X: a\tb\r\n\r\n")},
    {FINE, BYTES(GET H "X-Title: caf\xc3\xa9\r\n\r\n")},
    {FINE, BYTES(GET H "Expect: 100-Continue\r\n\r\n")},
    {FINE, BYTES(GET H "Connection: keep-alive, TE\r\n\r\n")},
    {FINE, BYTES("GET /!$&'()*+,;=:@%7E~-._[]{}|\\^`\"<> HTTP/1.1\r\n" H "\r\n")},

    /* lines */
    {BAD, BYTES("GET / HTTP/1.1\n" H "\r\n")},
    {BAD, BYTES(GET "Host: a\n\r\n")},
    {BAD, BYTES(GET H "\n")},
    {BAD, BYTES(GET H "X: a\rb\r\n\r\n")},
    {BAD, BYTES(GET H "X: a\r\r\n\r\n")},
    {BAD, BYTES(GET H "\r\r\n\r\n")},
    {BAD, BYTES("GET / HTTP/1.1\r\r\n" H "\r\n")},
    {BAD, BYTES("\r\n" GET H "\r\n")},
    {BAD, BYTES(" " GET H "\r\n")},
    {BAD, BYTES(GET " Host: a\r\n\r\n")},
    {BAD, BYTES(GET H "X: a\r\n b\r\n\r\n")},
    {BAD, BYTES(GET H "X: a\r\n\tContent-Length: 3\r\n\r\n")},
    {BAD, BYTES(GET H "X: a\r\n \r\n\r\n")},

    /* the request line */
    {BAD, BYTES("GET /\r\n" H "\r\n")},
    {BAD, BYTES("GET  / HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET /  HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET\t/ HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET / HTTP/1.1 \r\n" H "\r\n")},
    {BAD, BYTES("GET / HTTP/0.9\r\n" H "\r\n")},
    {BAD, BYTES("GET / HTTP/1.2\r\n" H "\r\n")},
    {BAD, BYTES("GET / HTTP/2.0\r\n" H "\r\n")},
    {BAD, BYTES("GET / HTTP/1.10\r\n" H "\r\n")},
    {BAD, BYTES("GET / HTTP/11\r\n" H "\r\n")},
    {BAD, BYTES("GET / http/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET / XHTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET http://a/ HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET a HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("OPTIONS * HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET /a#b HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET /\xff HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET /\x7f HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("GET /\0 HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("G@T / HTTP/1.1\r\n" H "\r\n")},
    {BAD, BYTES("get / HTTP/1.1\r\n" H "\r\n")},
    {FAULT_WRONG_METHOD, BYTES("Get / HTTP/1.1\r\n" H "\r\n")},
    {FAULT_WRONG_METHOD, BYTES("TRACE / HTTP/1.1\r\n" H "\r\n")},
    {FAULT_WRONG_METHOD, BYTES("CONNECT a:443 HTTP/1.1\r\n" H "\r\n")},
    {FAULT_WRONG_METHOD, BYTES("PRI * HTTP/2.0\r\n\r\n")},
    {FAULT_WRONG_METHOD, BYTES("GETX / HTTP/1.1\r\n" H "\r\n")},

    /* names and values */
    {BAD, BYTES(GET H ": a\r\n\r\n")},
    {BAD, BYTES(GET H "X : a\r\n\r\n")},
    {BAD, BYTES(GET H "X\t: a\r\n\r\n")},
    {BAD, BYTES(GET H "X\r\n\r\n")},
    {BAD, BYTES(GET H "X Y: a\r\n\r\n")},
    {BAD, BYTES(GET H "X\xe9: a\r\n\r\n")},
    {BAD, BYTES(GET H "X\0: a\r\n\r\n")},
    {BAD, BYTES(GET H "\"X\": a\r\n\r\n")},
    {BAD, BYTES(GET H "X: a\0b\r\n\r\n")},
    {BAD, BYTES(GET H "X: a\x01\r\n\r\n")},
    {BAD, BYTES(GET H "X: 12345678901234567\x7f\r\n\r\n")},
    {BAD, BYTES(GET H "X: 1234567890\x0b" "1234567\r\n\r\n")},

    /* Host */
    {BAD, BYTES(GET "\r\n")},
    {BAD, BYTES(GET H H "\r\n")},
    {BAD, BYTES(GET H "host: b\r\n\r\n")},
    {BAD, BYTES("GET / HTTP/1.0\r\n" H H "\r\n")},
    {BAD, BYTES(GET "Host:\r\n\r\n")},
    {BAD, BYTES(GET "Host: a b\r\n\r\n")},
    {BAD, BYTES(GET "Host: a/b\r\n\r\n")},
    {BAD, BYTES(GET "Host: a@b\r\n\r\n")},
    {BAD, BYTES(GET "Host: a\\b\r\n\r\n")},

    /* where the body ends */
    {BAD, BYTES(GET H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: 1, 1\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: +1\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: -1\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: 0x1\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: 1 1\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length:\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: 1000000000000000\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: 18446744073709551617\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length : 1\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n")},
    {BAD, BYTES(GET H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: chunked, chunked\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: gzip, chunked\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: ,chunked\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: identity\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding:\r\nContent-Length: 1\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: \x0b" "chunked\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: chunke\r\n\r\n")},
    {BAD, BYTES(GET H "Transfer-Encoding: chunked;a=b\r\n\r\n")},
    {BAD, BYTES("GET / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n")},
    {BAD, BYTES(GET H "Upgrade: h2c\r\n\r\n")},
    {FAULT_BAD_EXPECTATION, BYTES(GET H "Expect: 200-ok\r\n\r\n")},
    {FAULT_BAD_EXPECTATION, BYTES(GET H "Expect:\r\n\r\n")},
};
/* clang-format on */

static const struct head_limits limits = {1024, 256, 10};
static struct header fields[16];

static enum fault examine(struct span bytes, struct guarded_head *ret_head)
{
    struct head_search search = {0};
    size_t size;
    enum fault fault = head_search(&search, bytes, &limits, &size);

    if (fault)
        return fault;
    assert_int_equal(size, bytes.size);
    return head_guard(bytes, fields, ret_head);
}

static void decides_each_row(void **state)
{
    struct guarded_head head;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (examine(rows[i].head, &head) != rows[i].expected)
            fail_msg("row %zu: %.*s", i, SPAN_PRINT(rows[i].head));
}

/* A byte that is not there yet never changes the verdict on those that are. */
static void finds_the_end_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct head_search whole = {0}, pieces = {0};
        size_t whole_size, size = 0;
        enum fault whole_fault = head_search(&whole, rows[i].head, &limits, &whole_size),
                   fault = FAULT_NONE;

        for (size_t end = 1; end <= rows[i].head.size && !fault && !size; end++)
            fault = head_search(&pieces, span_first(rows[i].head, end), &limits, &size);
        assert_int_equal(fault, whole_fault);
        assert_int_equal(size, whole_size);
    }
}

static void says_what_was_asked(void **state)
{
    struct guarded_head head;

    (void)state;
    assert_int_equal(
        examine(SPAN("POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nA-b:  c d \t\r\nExpect: 100-continue\r\n"
                     "Content-Length: 012\r\nX-Long: 0123456789abcdef\t0123456789\r\n\r\n"),
                &head),
        FINE);
    assert_int_equal(head.method, HTTP_POST_METHOD);
    assert_true(span_equal(head.method_name, SPAN("POST")));
    assert_true(span_equal(head.target, SPAN("/a/b?c=d")));
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.body_size, 12);
    assert_true(head.keeps_alive && head.awaits_continue);
    assert_int_equal(head.headers.count, 5);
    assert_true(span_equal(header_find(head.headers, SPAN("a-B")), SPAN("c d")));
    assert_true(span_equal(header_find(head.headers, SPAN("x-long")),
                           SPAN("0123456789abcdef\t0123456789")));
}

static void knows_whether_the_connection_stays(void **state)
{
    struct guarded_head head;

    (void)state;
    examine(SPAN("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"), &head);
    assert_false(head.keeps_alive);
    examine(
        SPAN("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"),
        &head);
    assert_false(head.keeps_alive);
    examine(SPAN("GET / HTTP/1.0\r\n\r\n"), &head);
    assert_false(head.keeps_alive);
    examine(SPAN("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nExpect: 100-continue\r\n\r\n"),
            &head);
    assert_true(head.keeps_alive);
    assert_false(head.awaits_continue);
}

static void every_control_byte_is_found_anywhere(void **state)
{
    char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789012345678901234567890\r\n\r\n";
    struct guarded_head head;

    (void)state;
    for (size_t at = 28; at < sizeof(text) - 5; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char before = text[at];
            bool odd = (byte < 0x20 && byte != '\t') || byte == 0x7f;
            text[at] = (char)byte;
            assert_int_equal(examine((struct span){text, sizeof(text) - 1}, &head),
                             odd ? BAD : FINE);
            text[at] = before;
        }
    }
}

static void caps_line_head_and_fields(void **state)
{
    static char text[2048];
    struct head_search search = {0};
    size_t size;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    assert_int_equal(head_search(&search, (struct span){text, 255}, &limits, &size), FAULT_NONE);
    assert_int_equal(head_search(&search, (struct span){text, 256}, &limits, &size),
                     FAULT_TARGET_TOO_LONG);
    memcpy(text, "GET / HTTP/1.1\r\nA: ", 19);
    search = (struct head_search){0};
    assert_int_equal(head_search(&search, (struct span){text, 1023}, &limits, &size), FAULT_NONE);
    assert_int_equal(head_search(&search, (struct span){text, 1024}, &limits, &size),
                     FAULT_HEAD_TOO_LARGE);
    search = (struct head_search){0};
    memcpy(text + 1020, "\r\n\r\n", 4);
    assert_int_equal(head_search(&search, (struct span){text, 2048}, &limits, &size), FAULT_NONE);
    assert_int_equal(size, 1024); /* just fits, whatever comes behind */
    search = (struct head_search){0};
    for (int i = 0; i < 11; i++)
        memcpy(text + 16 + 6 * i, "A: b\r\n", 6);
    assert_int_equal(head_search(&search, (struct span){text, 16 + 6 * 10}, &limits, &size),
                     FAULT_NONE);
    assert_int_equal(head_search(&search, (struct span){text, 16 + 6 * 11}, &limits, &size),
                     FAULT_HEAD_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_each_row),
        cmocka_unit_test(finds_the_end_at_every_split),
        cmocka_unit_test(says_what_was_asked),
        cmocka_unit_test(knows_whether_the_connection_stays),
        cmocka_unit_test(every_control_byte_is_found_anywhere),
        cmocka_unit_test(caps_line_head_and_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

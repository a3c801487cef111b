/* Heads and bodies at every split point, alone and pipelined behind a valid request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front_reader.h"

#include <stdio.h>

#define BYTES(literal) \
    { \
        (literal), sizeof(literal) - 1 \
    }
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define SIZED(size) "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " size "\r\n\r\n"
#define BAD FAULT_BAD_FRAMING

struct row {
    struct span bytes;
    const char *bodies; /* of the requests that ended, each with a '|' */
    enum fault fault;
};

/* clang-format off */
static const struct row rows[] = {
    {BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "|", 0},
    {BYTES("GET / HTTP/1.0\r\n\r\n"), "|", 0},
    {BYTES(SIZED("3") "abc"), "abc|", 0},
    {BYTES(SIZED("3") "abcGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "abc||", 0},
    {BYTES(SIZED("3") "ab"), "ab", 0},
    {BYTES(SIZED("0") "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "||", 0},
    {BYTES("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "||", 0},
    {BYTES(CHUNKED "0\r\n\r\n"), "|", 0},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\n\r\n"), "abc|", 0},
    {BYTES(CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" SIZED("1") "x"), "abcde|x|", 0},
    {BYTES(CHUNKED "00003\r\nabc\r\n000\r\n\r\n"), "abc|", 0},
    {BYTES(CHUNKED "3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n"), "abc|", 0},
    {BYTES(CHUNKED "1\r\na\r\n0\r\nA: b\r\nHost: evil\r\nConnection: close\r\n\r\n" SIZED("1") "x"), "a|x|", 0},
    {BYTES(CHUNKED "A\r\n0123456789\r\n0\r\n\r\n"), "0123456789|", 0},

    /* Chunks another reader may see differently. */
    {BYTES(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\n\n"), NULL, BAD},
    {BYTES(CHUNKED "3\rXabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3;a\nb\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3;a\rb\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3 \r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED " 3\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "+3\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "-1\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3_0\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "\r\nabc\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED ";a=b\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n\r\n0\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\nA b\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\nA: b\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\n: b\r\n\r\n"), NULL, BAD},
    {BYTES(CHUNKED "3\r\nabc\r\n0\r\n\rX"), NULL, BAD}, /* CVE-2025-23167 */
    {BYTES("GET / HTTP/1.1\r\nHost: a\r\nX:\rContent-Length: 1\r\n\r\n"), NULL, BAD}, /* CVE-2023-30589 */
    {BYTES("GET / HTTP/1.1\r\nHost: a\r\n\rContent-Length: 1\r\n\r\n"), NULL, BAD},
    {BYTES("GET / HTTP/1.1\r\nHost: a\r\n Content-Length: 1\r\n\r\n"), NULL, BAD}, /* CVE-2024-27982 */
    {BYTES(CHUNKED "10000000000000000\r\n"), NULL, BAD},
    {BYTES(CHUNKED "1001\r\n"), NULL, FAULT_BODY_TOO_LARGE},
    {BYTES(CHUNKED "fff\r\n"), "", 0},
    {BYTES(SIZED("4097") "a"), NULL, FAULT_BODY_TOO_LARGE},
};
/* clang-format on */

static void expect(const struct reader *r, const struct row *row, size_t ahead, size_t split)
{
    struct span bodies = span_from(buffer_view(&r->bodies), ahead);

    if (r->fault != row->fault || (row->bodies && !span_equal(bodies, span_of(row->bodies))))
        fail_msg("row %zu split at %zu: fault %d, bodies %.*s", (size_t)(row - rows), split,
                 r->fault, SPAN_PRINT(bodies));
    if (row->fault)
        assert_int_equal(r->requests, ahead); /* nothing ends behind a fault */
}

static void reads_each_row_at_every_split(void **state)
{
    struct reader r;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t split = 0; split <= rows[i].bytes.size; split++) {
            reader_init(&r);
            reader_feed(&r, span_first(rows[i].bytes, split));
            reader_feed(&r, span_from(rows[i].bytes, split));
            expect(&r, &rows[i], 0, split);
            reader_done(&r);
        }
    }
}

static void reads_each_row_byte_by_byte(void **state)
{
    struct reader r;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reader_init(&r);
        for (size_t at = 0; at < rows[i].bytes.size; at++)
            reader_feed(&r, (struct span){rows[i].bytes.at + at, 1});
        expect(&r, &rows[i], 0, 1);
        reader_done(&r);
    }
}

static void reads_each_row_behind_a_valid_request(void **state)
{
    struct reader r;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t split = 0; split <= rows[i].bytes.size; split++) {
            reader_init(&r);
            buffer_append(&r.in, SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
            reader_feed(&r, span_first(rows[i].bytes, split));
            reader_feed(&r, span_from(rows[i].bytes, split));
            expect(&r, &rows[i], 1, split);
            reader_done(&r);
        }
    }
}

static void feed_times(struct reader *r, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        reader_feed(r, span_of(text));
}

static void caps_what_is_around_the_body(void **state)
{
    static char extension[300];
    struct reader r;

    (void)state;
    reader_init(&r); /* chunks of one byte: seven bytes on the wire for one */
    reader_feed(&r, SPAN(CHUNKED));
    feed_times(&r, "01\r\na\r\n", 4000);
    assert_int_equal(r.fault, BAD);
    reader_done(&r);

    reader_init(&r); /* few of them are harmless, also many in one piece */
    buffer_append(&r.in, SPAN(CHUNKED));
    for (int i = 0; i < 500; i++)
        buffer_append(&r.in, SPAN("1\r\na\r\n"));
    reader_feed(&r, SPAN("0\r\n\r\n"));
    assert_int_equal(r.fault, FAULT_NONE);
    assert_int_equal(buffer_size(&r.bodies), 501);
    reader_done(&r);

    memset(extension, 'x', 257);
    reader_init(&r);
    reader_feed(&r, SPAN(CHUNKED "1;"));
    reader_feed(&r, (struct span){extension, 257});
    assert_int_equal(r.fault, BAD);
    reader_done(&r);

    reader_init(&r); /* the cap is for one chunk */
    reader_feed(&r, SPAN(CHUNKED));
    for (int i = 0; i < 10; i++) {
        reader_feed(&r, SPAN("1;"));
        reader_feed(&r, (struct span){extension, 200});
        reader_feed(&r, SPAN("\r\na\r\n"));
    }
    assert_int_equal(r.fault, FAULT_NONE);
    reader_done(&r);

    reader_init(&r);
    reader_feed(&r, SPAN(CHUNKED "0\r\n"));
    feed_times(&r, "Trailer: 0123456789012345678901234567890123456789\r\n", 100);
    assert_int_equal(r.fault, BAD);
    reader_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_row_at_every_split),
        cmocka_unit_test(reads_each_row_byte_by_byte),
        cmocka_unit_test(reads_each_row_behind_a_valid_request),
        cmocka_unit_test(caps_what_is_around_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

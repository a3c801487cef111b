/* Requests the server does not like: malformed, too large, too slow. */
#include "front_stage.h"

#define HOST "Host: a\r\n"

static const char hello[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";

static void refuses_by_itself(void **state)
{
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\nHost: a\n\n", 400},
        {"\x16\x03\x01 tls", 400},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 400},
    };
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *p = peer_open(s);
        char line[32];
        snprintf(line, sizeof(line), "HTTP/1.1 %d ", rows[i].status);
        peer_send(p, rows[i].request);
        peer_awaits_end(s, p);
        assert_true(span_starts(buffer_view(&p->got), span_of(line)));
        assert_true(span_contains(buffer_view(&p->got), SPAN("connection: close\r\n")));
        assert_true(
            span_contains(buffer_view(&p->got), SPAN("x-request-id: req_0000000000000007")));
        assert_true(
            span_contains(buffer_view(&p->got), SPAN("\"request_id\":\"req_0000000000000007")));
        peer_close(p);
    }
    assert_int_equal(s->ask_count, 0);
    assert_int_equal(server_stats(s->server).heads_refused, sizeof(rows) / sizeof(rows[0]));
    stage_close(s);
}

static void refuses_what_is_too_long(void **state)
{
    static char text[16384];
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *line = peer_open(s), *head = peer_open(s), *fields = peer_open(s);

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "GET /", 5);
    peer_send_span(line, (struct span){text, 3000});
    peer_awaits(s, line, "HTTP/1.1 414 ");
    memcpy(text, "GET / HTTP/1.1\r\nA: ", 19);
    peer_send_span(head, (struct span){text, 9000});
    peer_awaits(s, head, "HTTP/1.1 431 ");
    peer_send(fields, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 21; i++)
        peer_send(fields, "A: b\r\n");
    peer_awaits(s, fields, "HTTP/1.1 431 ");
    peer_close(line);
    peer_close(head);
    peer_close(fields);
    stage_close(s);
}

static void takes_large_bodies(void **state)
{
    static char body[300000];
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    memset(body, 'b', sizeof(body));
    for (int i = 0; i < 3; i++) {
        peer_send(p, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n");
        for (size_t at = 0; at < sizeof(body); at += 30000) {
            peer_send_span(p, (struct span){body + at, 30000});
            stage_reaches(s, ask_came, s);
        }
        s->awaited = s->ask_count;
        while (buffer_size(&p->got) < sizeof(body))
            peer_awaits(s, p, "b");
        assert_true(span_ends(buffer_view(&p->got), (struct span){body, sizeof(body)}));
        peer_forgets(p);
    }
    assert_int_equal(server_stats(s->server).accepted, 1);
    peer_close(p);
    stage_close(s);
}

static void tells_of_bodies_too_large(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *sized = peer_open(s), *chunked = peer_open(s), *bad = peer_open(s);

    (void)state;
    peer_send(sized, "POST /want HTTP/1.1\r\n" HOST
                     "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n");
    peer_awaits_end(s, sized);
    assert_true(span_starts(buffer_view(&sized->got), SPAN("HTTP/1.1 413 ")));
    assert_int_equal(stage_last(s)->fault, FAULT_BODY_TOO_LARGE);
    peer_send(chunked,
              "POST /want HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n100001\r\n");
    peer_awaits_end(s, chunked);
    assert_true(span_starts(buffer_view(&chunked->got), SPAN("HTTP/1.1 413 ")));
    peer_send(bad, "POST /want HTTP/1.1\r\n" HOST
                   "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n");
    peer_awaits_end(s, bad);
    assert_true(span_starts(buffer_view(&bad->got), SPAN("HTTP/1.1 400 ")));
    assert_true(span_contains(buffer_view(&bad->got), SPAN("connection: close\r\n")));
    peer_close(sized);
    peer_close(chunked);
    peer_close(bad);
    stage_close(s);
}

static void early_answer_arrives_although_the_body_was_not_read(void **state)
{
    static char body[200000];
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    peer_send(p, "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 400000\r\n\r\n");
    peer_send_span(p, (struct span){body, sizeof(body)});
    peer_awaits(s, p, "\r\n\r\nno");
    peer_awaits_end(s, p);
    assert_true(span_starts(buffer_view(&p->got), SPAN("HTTP/1.1 401 ")));
    assert_true(span_contains(buffer_view(&p->got), SPAN("connection: close\r\n")));
    peer_close(p);
    stage_close(s);
}

static void slow_ones_are_told(void **state)
{
    struct server_settings settings = stage_settings();
    struct stage *s;
    struct peer *head, *body, *silent;

    (void)state;
    settings.head_ms = settings.body_ms = 50;
    s = stage_open(settings, "127.0.0.1:0");
    head = peer_open(s);
    body = peer_open(s);
    silent = peer_open(s);
    peer_send(head, "GET / HT");
    peer_send(body, "POST /want HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nab");
    peer_awaits_end(s, head);
    assert_true(span_starts(buffer_view(&head->got), SPAN("HTTP/1.1 408 ")));
    peer_awaits_end(s, body);
    assert_true(span_starts(buffer_view(&body->got), SPAN("HTTP/1.1 408 ")));
    assert_int_equal(stage_last(s)->fault, FAULT_SLOW_REQUEST);
    peer_awaits_end(s, silent);
    assert_int_equal(buffer_size(&silent->got), 0);
    peer_close(head);
    peer_close(body);
    peer_close(silent);
    stage_close(s);
}

static bool dribbles_until_answered(const void *context)
{
    struct peer *p = ((const struct peer_wait *)context)->peer;

    peer_read(p);
    if (!buffer_size(&p->got))
        peer_send(p, "x");
    return p->ended;
}

static void a_byte_now_and_then_is_no_progress(void **state)
{
    struct server_settings settings = stage_settings();
    struct stage *s;
    struct peer *body, *head;

    (void)state;
    settings.head_ms = settings.body_ms = 60;
    s = stage_open(settings, "127.0.0.1:0");
    head = peer_open(s);
    peer_send(head, "GET / HTTP/1.1\r\nX: ");
    assert_true(stage_reaches(s, dribbles_until_answered, &(struct peer_wait){head, NULL}));
    assert_true(span_starts(buffer_view(&head->got), SPAN("HTTP/1.1 408 ")));
    body = peer_open(s);
    peer_send(body, "POST /want HTTP/1.1\r\n" HOST "Content-Length: 99999\r\n\r\n");
    assert_true(stage_reaches(s, dribbles_until_answered, &(struct peer_wait){body, NULL}));
    assert_true(span_starts(buffer_view(&body->got), SPAN("HTTP/1.1 408 ")));
    peer_close(head);
    peer_close(body);
    stage_close(s);
}

static void idle_ones_are_closed(void **state)
{
    struct server_settings settings = stage_settings();
    struct stage *s;
    struct peer *p;

    (void)state;
    settings.idle_ms = 30;
    s = stage_open(settings, "127.0.0.1:0");
    p = peer_open(s);
    peer_send(p, hello);
    peer_awaits_end(s, p);
    assert_true(span_ends(buffer_view(&p->got), SPAN("\r\n\r\nhi")));
    peer_close(p);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_by_itself),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(takes_large_bodies),
        cmocka_unit_test(tells_of_bodies_too_large),
        cmocka_unit_test(early_answer_arrives_although_the_body_was_not_read),
        cmocka_unit_test(slow_ones_are_told),
        cmocka_unit_test(a_byte_now_and_then_is_no_progress),
        cmocka_unit_test(idle_ones_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The server over real sockets: what a client sees and what the caller is told. */
#include "front_stage.h"

#define HOST "Host: a\r\n"

static const char hello[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";

static size_t count_of(const struct peer *p, const char *text)
{
    struct span left = buffer_view(&p->got), part = span_of(text);
    size_t count = 0;

    for (; left.size >= part.size; left = span_from(left, 1))
        count += span_starts(left, part);
    return count;
}

static void keeps_the_connection(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    for (int i = 0; i < 3; i++) {
        peer_send(p, hello);
        peer_awaits(s, p, "\r\n\r\nhi");
        assert_true(span_starts(buffer_view(&p->got),
                                SPAN("HTTP/1.1 200 OK\r\nx-test: 1\r\ncontent-length: 2\r\n\r\n")));
        peer_forgets(p);
    }
    assert_int_equal(server_stats(s->server).accepted, 1);
    assert_int_equal(server_stats(s->server).idle_connections, 1);
    assert_true(s->asks[0]->local);
    assert_false(s->asks[0]->over_unix);
    peer_close(p);
    stage_close(s);
}

static void answers_pipelined_requests_in_order(void **state)
{
    struct stage *s = stage_open(stage_settings(), "localhost:0");
    struct peer *p = peer_open(s);

    (void)state;
    peer_send(p, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
                 "POST /echo HTTP/1.1\r\n" HOST
                 "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\ntw\r\n1\r\no\r\n0\r\nA: b\r\n\r\n"
                 "GET /hello HTTP/1.1\r\n" HOST "\r\n"
                 "HEAD /hello HTTP/1.1\r\n" HOST "\r\n"
                 "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
                 "GET /never HTTP/1.1\r\n" HOST "\r\n");
    shutdown(p->fd, SHUT_WR);
    peer_awaits_end(s, p);
    assert_int_equal(s->ask_count, 5);
    assert_true(span_contains(buffer_view(&p->got),
                              SPAN("content-length: 3\r\n\r\noneHTTP/1.1 200 OK\r\n")));
    assert_true(span_contains(buffer_view(&p->got),
                              SPAN("content-length: 3\r\n\r\ntwoHTTP/1.1 200 OK\r\n")));
    assert_true(span_contains(buffer_view(&p->got),
                              SPAN("content-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n")));
    assert_true(span_ends(buffer_view(&p->got),
                          SPAN("content-length: 2\r\n\r\nHTTP/1.1 200 OK\r\nx-test: 1\r\n"
                               "content-length: 2\r\nconnection: close\r\n\r\nhi")));
    peer_close(p);
    stage_close(s);
}

static void many_pipelined_requests_wait_for_a_reader(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    for (int i = 0; i < 1000; i++)
        peer_send(p, hello);
    shutdown(p->fd, SHUT_WR);
    peer_awaits_end(s, p);
    assert_int_equal(count_of(p, "HTTP/1.1 200 OK"), 1000);
    peer_close(p);
    stage_close(s);
}

static void says_continue_when_the_body_is_wanted(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    peer_send(p,
              "POST /later HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    stage_awaits_ask(s);
    peer_read(p);
    assert_int_equal(buffer_size(&p->got), 0);
    client_want_body(stage_last(s)->client);
    peer_awaits(s, p, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_send(p, "ab");
    stage_last(s)->path[0] = 0;
    snprintf(stage_last(s)->path, sizeof(stage_last(s)->path), "/echo");
    peer_awaits(s, p, "content-length: 2\r\n\r\nab");
    peer_send(p, hello);
    peer_awaits(s, p, "\r\n\r\nhi");
    peer_close(p);
    stage_close(s);
}

static void half_closed_client_gets_its_reply(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    peer_send(p, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    shutdown(p->fd, SHUT_WR);
    stage_awaits_ask(s);
    ask_reply(stage_last(s), 200, "late");
    peer_awaits_end(s, p);
    assert_true(span_ends(buffer_view(&p->got), SPAN("late")));
    assert_false(stage_last(s)->gone);
    peer_close(p);
    stage_close(s);
}

static void half_closed_within_the_body_is_a_fault(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    peer_send(p, "POST /want HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nab");
    shutdown(p->fd, SHUT_WR);
    peer_awaits_end(s, p);
    assert_int_equal(stage_last(s)->fault, FAULT_BAD_FRAMING);
    assert_true(span_starts(buffer_view(&p->got), SPAN("HTTP/1.1 400 ")));
    peer_close(p);
    stage_close(s);
}

static void reset_client_is_gone(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *p = peer_open(s);

    (void)state;
    peer_send(p, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    stage_awaits_ask(s);
    peer_reset(p);
    assert_true(stage_reaches(s, ask_is_gone, stage_last(s)));
    stage_close(s);
}

static void caller_can_cut_a_reply(void **state)
{
    struct stage *s = stage_open(stage_settings(), "127.0.0.1:0");
    struct peer *chunked = peer_open(s), *old = peer_open(s);

    (void)state;
    peer_send(chunked, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    stage_awaits_ask(s);
    ask_stream(stage_last(s));
    client_reply_body(stage_last(s)->client, SPAN("part"));
    peer_awaits(s, chunked, "4\r\npart\r\n");
    client_reply_cut(stage_last(s)->client);
    peer_awaits_end(s, chunked);
    assert_true(span_ends(buffer_view(&chunked->got), SPAN("4\r\npart\r\n")));

    s->awaited = s->ask_count;
    peer_send(old, "GET /hold HTTP/1.0\r\n\r\n");
    stage_awaits_ask(s);
    ask_stream(stage_last(s));
    client_reply_body(stage_last(s)->client, SPAN("part"));
    peer_awaits(s, old, "\r\n\r\npart");
    client_reply_cut(stage_last(s)->client);
    assert_true(stage_reaches(s, peer_is_over, &(struct peer_wait){old, NULL}));
    assert_true(old->reset); /* the only way to say so without framing */
    peer_close(chunked);
    peer_close(old);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_connection),
        cmocka_unit_test(answers_pipelined_requests_in_order),
        cmocka_unit_test(many_pipelined_requests_wait_for_a_reader),
        cmocka_unit_test(says_continue_when_the_body_is_wanted),
        cmocka_unit_test(half_closed_client_gets_its_reply),
        cmocka_unit_test(half_closed_within_the_body_is_a_fault),
        cmocka_unit_test(reset_client_is_gone),
        cmocka_unit_test(caller_can_cut_a_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The link to Redis against a peer that misbehaves: garbage, halves, refusals, floods. */
#include "test_redis_rig.h"

enum { PEER_STREAMS_MAX = 64 };

/* Answers the greeting (one read), then each read with the next answer; the last one stays. */
struct peer {
    uv_tcp_t listener;
    uv_tcp_t streams[PEER_STREAMS_MAX];
    unsigned stream_count, reads_after_greeting, handles_closed;
    size_t bytes_after_greeting;
    bool greeted[PEER_STREAMS_MAX];
    const char *greeting, *answer;
    size_t answer_size;
    bool hangs_up, byte_by_byte;
    char memory[65536];
};

static void put(uv_stream_t *stream, const char *bytes, size_t size)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)size);

    while (buf.len > 0) {
        int sent = uv_try_write(stream, &buf, 1);
        if (sent == UV_EAGAIN)
            continue;
        if (sent < 0)
            return;
        buf.base += sent;
        buf.len -= (size_t)sent;
    }
}

static void peer_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_room)
{
    struct peer *peer = handle->data;

    (void)wanted;
    *ret_room = uv_buf_init(peer->memory, sizeof(peer->memory));
}

static void peer_answer(struct peer *peer, uv_stream_t *stream)
{
    size_t piece = peer->byte_by_byte ? 1 : peer->answer_size;

    for (size_t at = 0; at < peer->answer_size; at += piece)
        put(stream, peer->answer + at, piece);
    if (peer->hangs_up)
        uv_tcp_close_reset((uv_tcp_t *)stream, NULL);
}

static void peer_got(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
    struct peer *peer = stream->data;
    size_t number = (size_t)((uv_tcp_t *)stream - peer->streams);

    (void)room;
    if (size < 0)
        return;
    if (!peer->greeted[number]) {
        peer->greeted[number] = true;
        put(stream, peer->greeting, strlen(peer->greeting));
        return;
    }
    peer->reads_after_greeting++;
    peer->bytes_after_greeting += (size_t)size;
    peer_answer(peer, stream);
}

static void peer_connected(uv_stream_t *listener, int status)
{
    struct peer *peer = listener->data;
    uv_tcp_t *stream = &peer->streams[peer->stream_count];

    assert_int_equal(status, 0);
    if (peer->stream_count == PEER_STREAMS_MAX)
        return;
    peer->greeted[peer->stream_count++] = false;
    uv_tcp_init(listener->loop, stream);
    stream->data = peer;
    uv_accept(listener, (uv_stream_t *)stream);
    uv_tcp_nodelay(stream, 1);
    uv_read_start((uv_stream_t *)stream, peer_room, peer_got);
}

static void open_peer(struct rig *rig, struct peer *peer, const char *greeting, const char *answer)
{
    struct sockaddr_storage name;
    struct sockaddr_in address;
    int size = sizeof(name);

    rig_open(rig);
    memset(peer, 0, sizeof(*peer));
    peer->greeting = greeting;
    peer->answer = answer;
    peer->answer_size = strlen(answer);
    uv_tcp_init(loop_uv(rig->loop), &peer->listener);
    peer->listener.data = peer;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&peer->listener, (struct sockaddr *)&address, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&peer->listener, 16, peer_connected), 0);
    uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&name, &size);
    rig->settings = (struct redis_settings){.host = "localhost",
                                            .command_ms = 250,
                                            .connect_ms = 2000,
                                            .calls_max = 100,
                                            .port = ntohs(((struct sockaddr_in *)&name)->sin_port)};
}

static void open_up(struct rig *rig, struct peer *peer, const char *answer)
{
    open_peer(rig, peer, "+PONG\r\n", answer);
    rig->redis = redis_open(rig->loop, rig->log, &rig->settings, NULL, 0);
    RIG_UNTIL(rig, redis_is_up(rig->redis));
}

static void close_all(struct rig *rig, struct peer *peer)
{
    uv_close((uv_handle_t *)&peer->listener, NULL);
    for (unsigned i = 0; i < peer->stream_count; i++)
        if (!uv_is_closing((uv_handle_t *)&peer->streams[i]))
            uv_close((uv_handle_t *)&peer->streams[i], NULL);
    rig_close(rig);
}

static void test_one_write_for_a_tick(void **state)
{
    struct rig rig;
    static struct peer peer;
    static struct asked asked[50];

    (void)state;
    open_up(&rig, &peer, "+OK\r\n");
    for (int i = 0; i < 50; i++)
        ask(&rig, &asked[i], "SET key value");
    RIG_UNTIL(&rig, asked[0].answers);
    assert_int_equal(peer.reads_after_greeting, 1);
    assert_int_equal(peer.bytes_after_greeting,
                     50 * strlen("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"));
    RIG_UNTIL(&rig, asked[49].answers); /* the peer answered one only: the rest is late */
    assert_int_equal(asked[49].call.end, REDIS_LOST);
    close_all(&rig, &peer);
}

static void test_broken_replies(void **state)
{
    static const struct {
        const char *answer;
        bool hangs_up;
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", false},
        {"$10\r\nabc", false},
        {"$10\r\nabc", true},
        {"", true},
        {"", false},
        {"*3\r\n$1\r\na\r\n", true},
        {"*99999999\r\n", false},
        {"$-7\r\n", false},
        {":12x\r\n", false},
        {"\0", false},
        {"*-2\r\n", false},
        {"$99999999999999999999\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        static struct peer peer;
        struct asked asked;
        open_up(&rig, &peer, rows[i].answer);
        peer.hangs_up = rows[i].hangs_up;
        assert_int_equal(ask_and_wait(&rig, &asked, "INCR n"), REDIS_LOST);
        peer.hangs_up = false;
        peer.answer = ":7\r\n";
        peer.answer_size = 4;
        RIG_UNTIL(&rig, redis_is_up(rig.redis));
        assert_int_equal(ask_and_wait(&rig, &asked, "INCR n"), REDIS_ANSWERED);
        assert_int_equal(asked.number, 7);
        close_all(&rig, &peer);
    }
}

static void depth_got(struct redis_call *call, const struct redis_reply *reply)
{
    struct asked *asked = container_of(call, struct asked, call);

    for (; reply && redis_reply_kind(reply) == REDIS_LIST; reply = redis_reply_item(reply, 0))
        asked->count++;
    asked->number = reply ? redis_reply_number(reply) : -1;
    asked->answers++;
}

static void test_nested_and_slow(void **state)
{
    struct rig rig;
    static struct peer peer;
    static char deep[4 * 60000 + 1];
    struct asked asked;

    (void)state;
    open_up(&rig, &peer, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*2\r\n:42\r\n$1\r\n\n\r\n");
    peer.byte_by_byte = true;
    ask(&rig, &asked, "PING");
    asked.call.on_reply = depth_got;
    RIG_UNTIL(&rig, asked.answers);
    assert_int_equal(asked.call.end, REDIS_ANSWERED);
    assert_int_equal(asked.count, 8);
    assert_int_equal(asked.number, 42);

    for (int i = 0; i < 60000; i++)
        memcpy(deep + 4 * i, "*1\r\n", 4);
    peer.byte_by_byte = false;
    peer.answer = deep;
    peer.answer_size = sizeof(deep) - 1;
    assert_int_equal(ask_and_wait(&rig, &asked, "PING"), REDIS_LOST);
    assert_true(rig_logged(&rig, "nested too deeply"));
    close_all(&rig, &peer);
}

static void test_replies_nobody_asked_for(void **state)
{
    static const char *const answers[] = {
        "+OK\r\n+OK\r\n", "+OK\r\n>1\r\n$10\r\ninvalidate\r\n:1\r\n", "+OK\r\n*0\r\n",
        "+OK\r\n-ERR bye\r\n", "+OK\r\n>0\r\n>3\r\n+subscribe\r\n_\r\n#t\r\n,1.5\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct rig rig;
        static struct peer peer;
        struct asked asked;
        open_up(&rig, &peer, answers[i]);
        assert_int_equal(ask_and_wait(&rig, &asked, "PING"), REDIS_ANSWERED);
        RIG_UNTIL(&rig, rig_logged(&rig, "nobody asked for"));
        RIG_UNTIL(&rig, redis_stats(rig.redis).links_made == 2);
        close_all(&rig, &peer);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *answer;
        enum redis_end end;
    } rows[] = {
        {"-LOADING Redis is loading the dataset in memory\r\n", REDIS_REFUSED},
        {"-READONLY You can't write against a read only replica.\r\n", REDIS_REFUSED},
        {"-MASTERDOWN Link with MASTER is down\r\n", REDIS_REFUSED},
        {"-CLUSTERDOWN x\r\n", REDIS_REFUSED},
        {"-OOM command not allowed\r\n", REDIS_REFUSED},
        {"-NOREPLICAS x\r\n", REDIS_REFUSED},
        {"-BUSY x\r\n", REDIS_REFUSED},
        {"-NOAUTH x\r\n", REDIS_REFUSED},
        {"-NOPERM x\r\n", REDIS_REFUSED},
        {"-MISCONF x\r\n", REDIS_REFUSED},
        {"-MOVED 1 h:1\r\n", REDIS_REFUSED},
        {"-ASK 1 h:1\r\n", REDIS_REFUSED},
        {"-ERR no\r\n", REDIS_ANSWERED},
        {"-BUSYGROUP x\r\n", REDIS_ANSWERED},
        {"-\r\n", REDIS_ANSWERED},
    };
    struct rig rig;
    static struct peer peer;
    struct asked asked;

    (void)state;
    open_up(&rig, &peer, "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        peer.answer = rows[i].answer;
        peer.answer_size = strlen(rows[i].answer);
        assert_int_equal(ask_and_wait(&rig, &asked, "SET a b"), rows[i].end);
        assert_int_equal(asked.has_reply, rows[i].end == REDIS_ANSWERED);
    }
    assert_int_equal(redis_stats(rig.redis).links_made, 1);
    close_all(&rig, &peer);
}

static void test_loading_is_not_up(void **state)
{
    struct rig rig;
    static struct peer peer;
    struct asked asked;

    (void)state;
    open_peer(&rig, &peer, "-LOADING Redis is loading the dataset in memory\r\n", "+OK\r\n");
    rig.redis = redis_open(rig.loop, rig.log, &rig.settings, NULL, 0);
    assert_int_equal(ask_and_wait(&rig, &asked, "PING"), REDIS_DOWN);
    RIG_UNTIL(&rig, peer.stream_count >= 4);
    assert_false(redis_is_up(rig.redis));
    assert_true(rig_logged(&rig, "LOADING"));
    peer.greeting = "+PONG\r\n";
    RIG_UNTIL(&rig, redis_is_up(rig.redis));
    close_all(&rig, &peer);
}

/* What is not Redis, or an old one, repeats what it did not understand. */
static void test_password_is_never_told(void **state)
{
    struct secret password = {0};
    struct rig rig;
    static struct peer peer;

    (void)state;
    secret_set(&password, SPAN("canary-8c1f"));
    open_peer(&rig, &peer,
              "-ERR unknown command `AUTH`, with args beginning with: `canary-8c1f`, \r\n", "");
    rig.settings.password = &password;
    rig.redis = redis_open(rig.loop, rig.log, &rig.settings, NULL, 0);
    RIG_UNTIL(&rig, rig_logged(&rig, "AUTH was refused: ERR"));
    RIG_UNTIL(&rig, peer.stream_count >= 3);
    assert_false(rig_logged(&rig, "canary"));
    close_all(&rig, &peer);
    secret_done(&password);
}

static void test_too_many_calls(void **state)
{
    struct rig rig;
    static struct peer peer;
    static struct asked asked[101];

    (void)state;
    open_up(&rig, &peer, "");
    for (int i = 0; i < 101; i++)
        ask(&rig, &asked[i], "PING");
    RIG_UNTIL(&rig, asked[100].answers);
    assert_int_equal(asked[100].call.end, REDIS_DOWN);
    assert_int_equal(asked[0].answers, 0);
    RIG_UNTIL(&rig, asked[0].answers);
    assert_int_equal(asked[0].call.end, REDIS_LOST);
    close_all(&rig, &peer);
}

enum { STEADY_CALLS = 20000 };

struct steady {
    struct rig rig;
    struct turn turn;
    uv_check_t check;
    struct asked asked[STEADY_CALLS];
    unsigned count;
};

static void run_steady(struct turn *turn)
{
    struct steady *steady = container_of(turn, struct steady, turn);

    if (steady->count < STEADY_CALLS)
        ask(&steady->rig, &steady->asked[steady->count++], "PING");
}

/* After the poll and before the timers: this turn is always ahead of the one of a limit that has passed. */
static void on_steady(uv_check_t *check)
{
    struct steady *steady = check->data;

    loop_post(steady->rig.loop, &steady->turn);
}

static void test_steady_traffic_does_not_put_off_the_limit(void **state)
{
    static struct steady steady;
    static struct peer peer;

    (void)state;
    open_peer(&steady.rig, &peer, "+PONG\r\n", "");
    steady.rig.settings.calls_max = STEADY_CALLS;
    steady.rig.settings.command_ms = 50;
    steady.rig.redis = redis_open(steady.rig.loop, steady.rig.log, &steady.rig.settings, NULL, 0);
    RIG_UNTIL(&steady.rig, redis_is_up(steady.rig.redis));
    turn_init(&steady.turn, run_steady);
    uv_check_init(loop_uv(steady.rig.loop), &steady.check);
    steady.check.data = &steady;
    uv_check_start(&steady.check, on_steady);
    RIG_UNTIL(&steady.rig, steady.asked[0].answers);
    assert_int_equal(steady.asked[0].call.end, REDIS_LOST);
    assert_true(steady.count < STEADY_CALLS);
    uv_close((uv_handle_t *)&steady.check, NULL);
    close_all(&steady.rig, &peer);
}

static void note_blind(struct redis_watch *watch, bool blind)
{
    (void)watch;
    assert_false(blind || !blind); /* it was blind and stays so */
}

static void test_watch_on_an_old_server(void **state)
{
    static const char *const prefixes[] = {"a:"};
    struct redis_watch watch = {.on_blind = note_blind};
    struct rig rig;
    static struct peer peer;

    (void)state;
    open_peer(
        &rig, &peer,
        "+PONG\r\n-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n-ERR no\r\n",
        "");
    rig.redis = redis_open(rig.loop, rig.log, &rig.settings, NULL, 0);
    redis_watch(rig.redis, &watch, prefixes, 1);
    RIG_UNTIL(&rig, rig_logged(&rig, "6 or newer"));
    close_all(&rig, &peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_write_for_a_tick),
        cmocka_unit_test(test_broken_replies),
        cmocka_unit_test(test_nested_and_slow),
        cmocka_unit_test(test_replies_nobody_asked_for),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_loading_is_not_up),
        cmocka_unit_test(test_password_is_never_told),
        cmocka_unit_test(test_too_many_calls),
        cmocka_unit_test(test_steady_traffic_does_not_put_off_the_limit),
        cmocka_unit_test(test_watch_on_an_old_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

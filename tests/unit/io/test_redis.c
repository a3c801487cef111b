/* The link to Redis against a real server. */
#include "test_redis_rig.h"

static const struct redis_script add = {"add", "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
static const struct redis_script two = {"two", "return {ARGV[1], {'field', KEYS[2]}}"};
static const struct redis_script *const scripts[] = {&add, &two};

static void open_with(struct rig *rig, const char *const *more)
{
    rig_open(rig);
    rig_start_server(rig, more);
    rig->redis = redis_open(rig->loop, rig->log, &rig->settings, scripts, 2);
}

static void open_up(struct rig *rig)
{
    open_with(rig, NULL);
    RIG_UNTIL(rig, redis_is_up(rig->redis));
}

static void ask_add(struct rig *rig, struct asked *asked, const char *amount)
{
    struct span key = SPAN("sum"), arg = span_of(amount);

    memset(asked, 0, sizeof(*asked));
    asked->call.on_reply = asked_got;
    redis_eval(rig->redis, &asked->call, &add, &key, 1, &arg, 1);
    assert_int_equal(asked->answers, 0);
}

static void note_latency(void *context, uint64_t microseconds)
{
    (void)microseconds;
    ++*(unsigned *)context;
}

static void test_commands(void **state)
{
    struct rig rig;
    struct asked asked;
    unsigned noted = 0;

    (void)state;
    open_up(&rig);
    redis_on_latency(rig.redis, note_latency, &noted);
    assert_int_equal(ask_and_wait(&rig, &asked, "SET name value"), REDIS_ANSWERED);
    assert_int_equal(asked.kind, REDIS_TEXT);
    assert_string_equal(asked.text, "OK");
    ask_and_wait(&rig, &asked, "GET name");
    assert_string_equal(asked.text, "value");
    ask_and_wait(&rig, &asked, "GET nothing");
    assert_int_equal(asked.kind, REDIS_NIL);
    ask_and_wait(&rig, &asked, "INCRBY n 41");
    assert_int_equal(asked.number, 41);
    ask_and_wait(&rig, &asked, "MGET name nothing n");
    assert_int_equal(asked.kind, REDIS_LIST);
    assert_int_equal(asked.count, 3);
    assert_int_equal(ask_and_wait(&rig, &asked, "INCR name"), REDIS_ANSWERED);
    assert_int_equal(asked.kind, REDIS_ERROR);
    assert_int_equal(noted, 6);
    assert_int_equal(redis_stats(rig.redis).latency_count, 6);
    assert_true(rig_logged(&rig, "redis link up"));
    rig_close(&rig);
}

static void field_got(struct redis_call *call, const struct redis_reply *reply)
{
    struct asked *asked = container_of(call, struct asked, call);
    const struct redis_reply *value = redis_reply_field(redis_reply_item(reply, 1), SPAN("field"));

    asked_got(call, redis_reply_item(reply, 0));
    asked->count = redis_reply_count(reply);
    assert_true(span_equal(redis_reply_text(value), SPAN("b")));
    assert_null(redis_reply_field(redis_reply_item(reply, 1), SPAN("other")));
    assert_null(redis_reply_item(reply, 2));
}

static void test_scripts_and_noscript(void **state)
{
    struct rig rig;
    struct asked asked[3], flushed;
    struct span keys[] = {SPAN("a"), SPAN("b")}, arg = SPAN("x\r\ny");

    (void)state;
    open_up(&rig);
    ask_add(&rig, &asked[0], "5");
    RIG_UNTIL(&rig, asked[0].answers);
    assert_int_equal(asked[0].number, 5);

    assert_int_equal(ask_and_wait(&rig, &flushed, "SCRIPT FLUSH"), REDIS_ANSWERED);
    ask_add(&rig, &asked[0], "1"); /* both find no script; the first repetition loads it again */
    ask_add(&rig, &asked[1], "10");
    memset(&asked[2], 0, sizeof(asked[2]));
    asked[2].call.on_reply = field_got;
    redis_eval(rig.redis, &asked[2].call, &two, keys, 2, &arg, 1);
    RIG_UNTIL(&rig, asked[0].answers && asked[1].answers && asked[2].answers);
    assert_int_equal(asked[0].call.end, REDIS_ANSWERED);
    assert_int_equal(asked[0].number, 6);
    assert_int_equal(asked[1].number, 16);
    assert_string_equal(asked[2].text, "x\r\ny");
    assert_int_equal(asked[2].count, 2);
    ask_add(&rig, &asked[0], "1");
    RIG_UNTIL(&rig, asked[0].answers);
    assert_int_equal(asked[0].number, 17);
    assert_int_equal(redis_stats(rig.redis).links_made, 1);
    rig_close(&rig);
}

static unsigned link_changes;
static void run_link_changed(struct turn *turn)
{
    (void)turn;
    link_changes++;
}

static void test_killed_and_back(void **state)
{
    struct rig rig;
    struct asked asked[20], later;
    struct turn turn;

    (void)state;
    open_up(&rig);
    turn_init(&turn, run_link_changed);
    link_changes = 0;
    redis_on_link(rig.redis, &turn);
    kill(rig.server, SIGSTOP);
    for (int i = 0; i < 20; i++)
        ask_add(&rig, &asked[i], "1");
    rig_pass(&rig, 20);
    rig_kill_server(&rig);
    for (int i = 0; i < 20; i++) {
        RIG_UNTIL(&rig, asked[i].answers);
        assert_int_equal(asked[i].call.end, REDIS_LOST);
        assert_false(asked[i].has_reply);
    }
    assert_false(redis_is_up(rig.redis));
    assert_int_equal(ask_and_wait(&rig, &later, "PING"), REDIS_DOWN);
    rig_pass(&rig, 400);
    assert_true(rig_logged(&rig, "redis link down"));

    rig_start_server(&rig, NULL);
    RIG_UNTIL(&rig, redis_is_up(rig.redis));
    assert_int_equal(ask_and_wait(&rig, &later, "PING"), REDIS_ANSWERED);
    assert_int_equal(redis_stats(rig.redis).links_made, 2);
    assert_int_equal(redis_stats(rig.redis).commands_lost, 20);
    assert_int_equal(redis_stats(rig.redis).calls_open, 0);
    assert_int_equal(link_changes, 2);
    for (int i = 0; i < 20; i++)
        assert_int_equal(asked[i].answers, 1);
    rig_close(&rig);
}

static void test_stopped_server(void **state)
{
    struct rig rig;
    struct asked asked[5];
    uint64_t asked_ms;

    (void)state;
    open_up(&rig);
    kill(rig.server, SIGSTOP);
    uv_update_time(loop_uv(rig.loop));
    asked_ms = loop_now_ms(rig.loop);
    for (int i = 0; i < 5; i++) {
        ask(&rig, &asked[i], "PING");
        rig_pass(&rig, 40); /* traffic must not move the first one's limit */
    }
    RIG_UNTIL(&rig, asked[0].answers);
    assert_int_equal(asked[0].call.end, REDIS_LOST);
    assert_true(loop_now_ms(rig.loop) - asked_ms >= 200);
    assert_true(loop_now_ms(rig.loop) - asked_ms < 5000);
    RIG_UNTIL(&rig, asked[4].answers);
    assert_int_equal(asked[4].call.end, REDIS_LOST);
    assert_true(rig_logged(&rig, "SLOWLOG"));
    rig_pass(&rig, 200); /* it accepts connections still: that is not up */
    assert_false(redis_is_up(rig.redis));
    kill(rig.server, SIGCONT);
    RIG_UNTIL(&rig, redis_is_up(rig.redis));
    rig_close(&rig);
}

static void test_password_and_user(void **state)
{
    static const char *const more[] = {
        "--requirepass", "open%20sesame", "--user", "kt", "on", ">s%s3cret", "~*", "+@all", NULL};
    static const struct {
        const char *user, *password;
        bool fine;
    } rows[] = {{NULL, "open%20sesame", true},
                {"kt", "s%s3cret", true},
                {"kt", "wr0ng-canary", false},
                {NULL, NULL, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secret password = {0};
        struct rig rig;
        struct asked asked;
        rig_open(&rig);
        rig_start_server(&rig, more);
        if (rows[i].password)
            secret_set(&password, span_of(rows[i].password));
        rig.settings.user = rows[i].user;
        rig.settings.password = rows[i].password ? &password : NULL;
        rig.settings.database = 3;
        rig.redis = redis_open(rig.loop, rig.log, &rig.settings, scripts, 2);
        if (rows[i].fine) {
            RIG_UNTIL(&rig, redis_is_up(rig.redis));
            ask_and_wait(&rig, &asked, "CLIENT INFO");
            assert_non_null(strstr(asked.text, "db=3"));
        } else {
            RIG_UNTIL(&rig, rig_logged(&rig, "check the user and the password"));
            assert_false(rig_logged(&rig, "canary"));
            assert_false(redis_is_up(rig.redis));
        }
        rig_close(&rig);
        secret_done(&password);
    }
}

struct seen {
    struct redis_watch watch;
    unsigned changes, sighted, blinded;
    char last[64];
};

static void on_changed(struct redis_watch *watch, struct span key)
{
    struct seen *seen = container_of(watch, struct seen, watch);

    seen->changes++;
    span_text(key, seen->last, sizeof(seen->last));
}

static void on_blind(struct redis_watch *watch, bool blind)
{
    struct seen *seen = container_of(watch, struct seen, watch);

    if (blind)
        seen->blinded++;
    else
        seen->sighted++;
}

static void test_watch(void **state)
{
    static const char *const prefixes[] = {"user:", "token:"};
    struct seen seen = {.watch = {on_changed, on_blind}};
    struct rig rig;
    struct asked asked;

    (void)state;
    open_with(&rig, NULL);
    redis_watch(rig.redis, &seen.watch, prefixes, 2);
    RIG_UNTIL(&rig, redis_is_up(rig.redis) && seen.sighted == 1);
    ask_and_wait(&rig, &asked, "SET other 1");
    ask_and_wait(&rig, &asked, "SET user:7 1");
    RIG_UNTIL(&rig, seen.changes);
    assert_string_equal(seen.last, "user:7");
    assert_int_equal(seen.changes, 1);
    rig_pass(&rig, 2500); /* a PING is answered meanwhile */
    assert_int_equal(seen.blinded, 0);
    ask_and_wait(&rig, &asked, "FLUSHALL");
    RIG_UNTIL(&rig, seen.sighted == 2);
    assert_int_equal(seen.blinded, 1);

    rig_kill_server(&rig);
    RIG_UNTIL(&rig, seen.blinded == 2);
    rig_start_server(&rig, NULL);
    RIG_UNTIL(&rig, seen.sighted == 3 && redis_is_up(rig.redis));
    kill(rig.server, SIGSTOP);
    RIG_UNTIL(&rig, seen.blinded == 3); /* nobody asks anything: the PING finds out */
    kill(rig.server, SIGCONT);
    RIG_UNTIL(&rig, seen.sighted == 4);
    rig_close(&rig);
    assert_int_equal(seen.blinded, 4);
}

static void test_close_with_open_calls(void **state)
{
    struct rig rig;
    struct asked sent, late;

    (void)state;
    open_up(&rig);
    ask_add(&rig, &sent, "1");
    redis_close(rig.redis);
    ask(&rig, &late, "PING");
    RIG_UNTIL(&rig, sent.answers && late.answers);
    assert_int_equal(sent.call.end, REDIS_LOST);
    assert_int_equal(late.call.end, REDIS_DOWN);
    rig_close(&rig);
}

static int free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    close(fd);
    return ntohs(name.sin_port);
}

/* A failed certificate, a wrong name and the right one. */
static void test_tls(void **state)
{
    static const char *const more[] = {"--tls-port",
                                       "0",
                                       "--tls-cert-file",
                                       "c.pem",
                                       "--tls-key-file",
                                       "k.pem",
                                       "--tls-ca-cert-file",
                                       "c.pem",
                                       "--tls-auth-clients",
                                       "no",
                                       "--bind",
                                       "127.0.0.1",
                                       NULL};
    const char *argv[16];
    struct rig rig;
    struct asked asked;
    char command[400], ca[96], port[16];

    (void)state;
    rig_open(&rig);
    snprintf(command, sizeof(command),
             "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
             "-keyout k.pem -out c.pem "
             "-days 2 -subj /CN=x -addext subjectAltName=DNS:localhost 2>/dev/null",
             rig.dir);
    assert_int_equal(system(command), 0);
    memcpy(argv, more, sizeof(more));
    snprintf(port, sizeof(port), "%d", free_port());
    argv[1] = port;
    rig_start_server(&rig, argv);
    snprintf(ca, sizeof(ca), "%s/c.pem", rig.dir);
    rig.settings = (struct redis_settings){.host = "127.0.0.1",
                                           .port = atoi(port),
                                           .tls = true,
                                           .ca_file = ca,
                                           .command_ms = 1000,
                                           .connect_ms = 5000,
                                           .calls_max = 10};
    rig.redis = redis_open(rig.loop, rig.log, &rig.settings, scripts, 2);
    RIG_UNTIL(&rig, rig_logged(&rig, "IP address mismatch"));
    redis_close(rig.redis);
    RIG_UNTIL(&rig, redis_is_closed(rig.redis));
    redis_free(rig.redis);

    rig.settings.host = "localhost";
    rig.settings.ca_file = NULL;
    rig.redis = redis_open(rig.loop, rig.log, &rig.settings, scripts, 2);
    RIG_UNTIL(&rig, rig_logged(&rig, "self-signed") || rig_logged(&rig, "self signed"));
    redis_close(rig.redis);
    RIG_UNTIL(&rig, redis_is_closed(rig.redis));
    redis_free(rig.redis);

    rig.settings.ca_file = ca;
    rig.redis = redis_open(rig.loop, rig.log, &rig.settings, scripts, 2);
    RIG_UNTIL(&rig, redis_is_up(rig.redis));
    assert_int_equal(ask_and_wait(&rig, &asked, "SET a b"), REDIS_ANSWERED);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_scripts_and_noscript),
        cmocka_unit_test(test_killed_and_back),
        cmocka_unit_test(test_stopped_server),
        cmocka_unit_test(test_password_and_user),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_close_with_open_calls),
        cmocka_unit_test(test_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

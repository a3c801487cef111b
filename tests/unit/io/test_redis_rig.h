/* test_redis_rig.h: a loop, a log that can be read, a redis-server of our own in a temporary directory. */
#ifndef KEYTURN_TEST_REDIS_RIG_H
#define KEYTURN_TEST_REDIS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/redis.h"
#include "io/uv_loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RIG_PATIENCE_MS = 20000, RIG_ARGS_MAX = 32 };

struct rig {
    struct loop *loop;
    struct log *log;
    int log_fd;
    uv_timer_t tick; /* so that waiting for a condition looks at it */
    char dir[64], socket_path[96];
    pid_t server;
    struct redis *redis;
    struct redis_settings settings;
};

static inline void rig_on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void rig_open(struct rig *rig)
{
    char path[128];

    memset(rig, 0, sizeof(*rig));
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/keyturn-redis-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->socket_path, sizeof(rig->socket_path), "%s/s", rig->dir);
    snprintf(path, sizeof(path), "%s/log", rig->dir);
    rig->log_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    rig->log = log_open(rig->log_fd, LOG_LOGFMT, LOG_DEBUG);
    rig->loop = loop_open(rig->log);
    uv_timer_init(loop_uv(rig->loop), &rig->tick);
    uv_timer_start(&rig->tick, rig_on_tick, 5, 5);
    rig->settings = (struct redis_settings){
        .path = rig->socket_path, .command_ms = 250, .connect_ms = 2000, .calls_max = 1000};
}

#define RIG_UNTIL(rig, condition) \
    do { \
        uint64_t rig_end_ms = uv_hrtime() / 1000000 + RIG_PATIENCE_MS; \
        while (!(condition)) { \
            assert_true(uv_hrtime() / 1000000 < rig_end_ms); \
            uv_run(loop_uv((rig)->loop), UV_RUN_ONCE); \
        } \
    } while (0)

/* The pause is for things that must not happen. */
static inline void rig_pass(struct rig *rig, uint64_t ms)
{
    uint64_t end_ms = uv_hrtime() / 1000000 + ms;

    RIG_UNTIL(rig, uv_hrtime() / 1000000 >= end_ms);
}

static inline void rig_start_server(struct rig *rig, const char *const *more)
{
    const char *argv[RIG_ARGS_MAX] = {
        "redis-server", "--port", "0",     "--unixsocket", rig->socket_path, "--save",    "",
        "--appendonly", "no",     "--dir", rig->dir,       "--logfile",      "server.log"};
    int count = 13;

    while (more && *more && count < RIG_ARGS_MAX - 1)
        argv[count++] = *more++;
    rig->server = fork();
    assert_true(rig->server >= 0);
    if (rig->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], (char **)argv);
        _exit(127);
    }
}

static inline void rig_kill_server(struct rig *rig)
{
    if (rig->server <= 0)
        return;
    kill(rig->server, SIGKILL);
    waitpid(rig->server, NULL, 0);
    rig->server = 0;
}

static inline bool rig_logged(struct rig *rig, const char *text)
{
    static char all[65536];
    ssize_t size;

    log_flush(rig->log);
    size = pread(rig->log_fd, all, sizeof(all) - 1, 0);
    assert_true(size >= 0);
    all[size] = 0;
    return strstr(all, text) != NULL;
}

static inline void rig_close(struct rig *rig)
{
    char command[128];

    redis_close(rig->redis);
    RIG_UNTIL(rig, redis_is_closed(rig->redis));
    redis_free(rig->redis);
    rig_kill_server(rig);
    uv_close((uv_handle_t *)&rig->tick, NULL);
    loop_close(rig->loop);
    log_close(rig->log);
    close(rig->log_fd);
    snprintf(command, sizeof(command), "rm -rf %s", rig->dir);
    assert_int_equal(system(command), 0);
}

/* A call that keeps what it was told. */
struct asked {
    struct redis_call call;
    unsigned answers;
    bool has_reply;
    enum redis_kind kind;
    char text[256];
    int64_t number;
    size_t count;
};

static inline void asked_got(struct redis_call *call, const struct redis_reply *reply)
{
    struct asked *asked = container_of(call, struct asked, call);

    asked->answers++;
    asked->has_reply = reply != NULL;
    if (!reply)
        return;
    asked->kind = redis_reply_kind(reply);
    asked->number = redis_reply_number(reply);
    asked->count = redis_reply_count(reply);
    span_text(span_first(redis_reply_text(reply), sizeof(asked->text) - 1), asked->text,
              sizeof(asked->text));
}

/* The words of one line, split at blanks. */
static inline void ask(struct rig *rig, struct asked *asked, const char *line)
{
    struct span rest = span_of(line), args[REDIS_ARGS_MAX];
    size_t count = 0;

    memset(asked, 0, sizeof(*asked));
    asked->call.on_reply = asked_got;
    while (span_split(&rest, ' ', &args[count]))
        count++;
    redis_command(rig->redis, &asked->call, args, count);
    assert_int_equal(asked->answers, 0); /* never inline */
}

static inline enum redis_end ask_and_wait(struct rig *rig, struct asked *asked, const char *line)
{
    ask(rig, asked, line);
    RIG_UNTIL(rig, asked->answers);
    return asked->call.end;
}

#endif

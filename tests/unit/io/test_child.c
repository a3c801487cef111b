#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/child.h"
#include "io/uv_loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

struct rig {
    struct loop *loop;
    uv_timer_t tick;
    struct child *child;
    struct turn on_change;
    unsigned changes;
    int output_fd;
    char output_path[64];
};

#define UNTIL(rig, condition) \
    do { \
        uint64_t end_ms = uv_hrtime() / 1000000 + PATIENCE_MS; \
        while (!(condition)) { \
            assert_true(uv_hrtime() / 1000000 < end_ms); \
            uv_run(loop_uv((rig)->loop), UV_RUN_ONCE); \
        } \
    } while (0)

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void run_changed(struct turn *turn)
{
    container_of(turn, struct rig, on_change)->changes++;
}

static void rig_open(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    snprintf(rig->output_path, sizeof(rig->output_path), "/tmp/keyturn-child-XXXXXX");
    rig->output_fd = mkostemp(rig->output_path, O_APPEND | O_CLOEXEC);
    assert_true(rig->output_fd >= 0);
    turn_init(&rig->on_change, run_changed);
    rig->loop = loop_open(NULL);
    uv_timer_init(loop_uv(rig->loop), &rig->tick);
    uv_timer_start(&rig->tick, on_tick, 5, 5);
}

static bool start(struct rig *rig, const char *const *argv, uint64_t grace_ms, char ret_error[160])
{
    struct child_settings settings = {"it", argv, rig->output_fd, grace_ms, &rig->on_change};

    rig->child = child_open(rig->loop, NULL, &settings, ret_error);
    return rig->child != NULL;
}

static const char *output(struct rig *rig)
{
    static char text[4096];
    ssize_t size = pread(rig->output_fd, text, sizeof(text) - 1, 0);

    text[size > 0 ? size : 0] = 0;
    return text;
}

static void rig_close(struct rig *rig)
{
    if (rig->child) {
        child_stop(rig->child);
        UNTIL(rig, child_is_stopped(rig->child));
        assert_int_equal(child_pid(rig->child), 0);
        child_free(rig->child);
    }
    uv_close((uv_handle_t *)&rig->tick, NULL);
    loop_close(rig->loop);
    close(rig->output_fd);
    unlink(rig->output_path);
}

static void test_runs_and_starts_again(void **state)
{
    static const char *const argv[] = {"sh", "-c", "echo begin; exec sleep 100", NULL};
    struct rig rig;
    char error[160];
    int first;

    (void)state;
    rig_open(&rig);
    assert_true(start(&rig, argv, 5000, error));
    first = child_pid(rig.child);
    UNTIL(&rig, strstr(output(&rig), "begin"));
    UNTIL(&rig, rig.changes == 1);
    kill(first, SIGKILL);
    UNTIL(&rig, rig.changes == 2);
    assert_int_equal(child_pid(rig.child), 0);
    UNTIL(&rig, child_pid(rig.child));
    assert_int_not_equal(child_pid(rig.child), first);
    UNTIL(&rig, strstr(output(&rig), "begin\nbegin"));
    assert_int_equal(rig.changes, 3);
    rig_close(&rig);
}

static void test_ends_at_once_again_and_again(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo x; exit 3", NULL};
    struct rig rig;
    char error[160];

    (void)state;
    rig_open(&rig);
    assert_true(start(&rig, argv, 5000, error));
    UNTIL(&rig, strstr(output(&rig), "x\nx\nx\n"));
    rig_close(&rig); /* while it waits */
}

static void test_deaf_child_is_killed(void **state)
{
    static const char *const argv[] = {"sh", "-c",
                                       "trap '' TERM; echo ready; while :; do sleep 1; done", NULL};
    struct rig rig;
    char error[160];

    (void)state;
    rig_open(&rig);
    assert_true(start(&rig, argv, 50, error));
    UNTIL(&rig, strstr(output(&rig), "ready"));
    rig_close(&rig);
}

static void test_cannot_be_started(void **state)
{
    static const char *const missing[] = {"no-such-program-anywhere", NULL};
    static const char *const not_a_program[] = {"/etc/passwd", NULL};
    struct rig rig;
    char error[160];

    (void)state;
    rig_open(&rig);
    assert_false(start(&rig, missing, 50, error));
    assert_non_null(strstr(error, "no-such-program-anywhere"));
    assert_false(start(&rig, not_a_program, 50, error));
    assert_non_null(strstr(error, "/etc/passwd"));
    rig_close(&rig);
}

static void test_inherits_little(void **state)
{
    static const char *const argv[] = {
        "sh", "-c", "env; ls /proc/self/fd | tr '\\n' ' '; echo; echo done; exec sleep 100", NULL};
    struct rig rig;
    char error[160];
    int leaked;

    (void)state;
    setenv("KEYTURN_CANARY", "canary-51", 1);
    signal(SIGPIPE, SIG_IGN);
    leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    rig_open(&rig);
    assert_true(start(&rig, argv, 5000, error));
    UNTIL(&rig, strstr(output(&rig), "done"));
    assert_null(strstr(output(&rig), "canary"));
    assert_non_null(strstr(output(&rig), "PATH="));
    assert_non_null(strstr(output(&rig), "0 1 2 3 \n")); /* 3 is ls' own */
    rig_close(&rig);
    close(leaked);
}

/* A process of ours starts a child and is killed. */
static void test_dies_with_us(void **state)
{
    static const char *const argv[] = {
        "sh", "-c", "trap 'echo ended; exit' TERM; echo ready; while :; do sleep 0.1; done", NULL};
    struct rig rig;
    pid_t middle;

    (void)state;
    rig_open(&rig);
    middle = fork();
    if (middle == 0) {
        struct loop *loop = loop_open(NULL);
        struct child_settings settings = {"it", argv, rig.output_fd, 100, NULL};
        char error[160];
        if (!child_open(loop, NULL, &settings, error))
            _exit(1);
        loop_run(loop);
        _exit(0);
    }
    UNTIL(&rig, strstr(output(&rig), "ready"));
    kill(middle, SIGKILL);
    waitpid(middle, NULL, 0);
    UNTIL(&rig, strstr(output(&rig), "ended"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_and_starts_again),
        cmocka_unit_test(test_ends_at_once_again_and_again),
        cmocka_unit_test(test_deaf_child_is_killed),
        cmocka_unit_test(test_cannot_be_started),
        cmocka_unit_test(test_inherits_little),
        cmocka_unit_test(test_dies_with_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Not uv_spawn: between fork and exec it has no place for PR_SET_PDEATHSIG, without which a killed proxy leaves a
 * Redis behind that holds the data's lock. The order of start() is uv_spawn's.
 */
#include "io/child.h"

#include "base/alloc.h"
#include "io/deadline.h"
#include "io/uv_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RESTART_FIRST_MS = 100,
    RESTART_LAST_MS = 2000,
    STABLE_MS = 10000,
    FIRST_OTHER_FD = 3,
    CLOEXEC_RANGE = 4
};

static const char *const inherited[] = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"};
enum { INHERITED_COUNT = sizeof(inherited) / sizeof(inherited[0]) };

struct child {
    struct loop *loop; /* borrowed, as the log is */
    struct log *log;
    struct child_settings settings;
    char program[PATH_MAX];
    char *environment[INHERITED_COUNT + 1];
    enum { CHILD_RUNNING, CHILD_WAITING, CHILD_STOPPING, CHILD_STOPPED } state;
    pid_t pid; /* 0 while there is none */
    uv_signal_t death;
    bool death_closed;
    struct deadline_class deadlines;
    struct deadline alarm; /* waiting: start again; stopping: SIGKILL */
    struct turn alarm_turn, reap_turn;
    uint64_t started_ms, restart_ms;
};

static bool find_program(const char *name, char ret_path[PATH_MAX]);
static bool is_program(const char *path);
static void copy_environment(struct child *child);
static int start(struct child *child);
static void become(const struct child *child, pid_t parent, int null_fd, int error_fd)
    __attribute__((noreturn));
static void give_descriptors(int null_fd, int output_fd);
static void on_death(uv_signal_t *handle, int number);
static void run_reap(struct turn *turn);
static void died(struct child *child, int status);
static void wait_for_restart(struct child *child);
static void run_alarm(struct turn *turn);
static void finish(struct child *child);
static void on_close(uv_handle_t *handle);
static void tell_change(struct child *child);

struct child *child_open(struct loop *loop, struct log *log, const struct child_settings *settings,
                         char ret_error[160])
{
    struct child *child = must_alloc(sizeof(*child));
    int error = ENOENT;

    child->loop = loop;
    child->log = log;
    child->settings = *settings;
    copy_environment(child);
    if (!find_program(settings->argv[0], child->program) || (error = start(child))) {
        snprintf(ret_error, 160, "%s cannot be started: %.40s: %s", settings->name,
                 settings->argv[0], strerror(error));
        child->state = CHILD_STOPPED;
        child->death_closed = true;
        child_free(child);
        return NULL;
    }
    turn_init(&child->alarm_turn, run_alarm);
    turn_init(&child->reap_turn, run_reap);
    deadline_init(&child->alarm, &child->alarm_turn);
    deadline_class_open(&child->deadlines, loop, settings->grace_ms);
    uv_signal_init(loop_uv(loop), &child->death);
    child->death.data = child;
    uv_signal_start(&child->death, on_death, SIGCHLD);
    loop_post(loop, &child->reap_turn); /* it may have died before we listened */
    return child;
}

int child_pid(const struct child *child)
{
    return child->pid;
}

void child_stop(struct child *child)
{
    if (child->state == CHILD_STOPPING || child->state == CHILD_STOPPED)
        return;
    child->state = CHILD_STOPPING;
    if (!child->pid) {
        finish(child);
        return;
    }
    kill(child->pid, SIGTERM);
    deadline_join(&child->deadlines, &child->alarm);
}

bool child_is_stopped(const struct child *child)
{
    return child->state == CHILD_STOPPED && child->death_closed;
}

void child_free(struct child *child)
{
    assert(child_is_stopped(child));
    for (char **text = child->environment; *text; text++)
        must_free(*text);
    must_free(child);
}

static bool find_program(const char *name, char ret_path[PATH_MAX])
{
    struct span dirs = span_of(getenv("PATH")), dir;

    if (strchr(name, '/'))
        return span_text(span_of(name), ret_path, PATH_MAX) && is_program(ret_path);
    if (!dirs.at)
        dirs = SPAN("/usr/local/bin:/usr/bin:/bin");
    while (span_split(&dirs, ':', &dir)) {
        int size = snprintf(ret_path, PATH_MAX, "%.*s/%s", SPAN_PRINT(dir), name);
        if (dir.size && size < PATH_MAX && is_program(ret_path))
            return true;
    }
    return false;
}

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static void copy_environment(struct child *child)
{
    size_t count = 0;

    for (size_t i = 0; i < INHERITED_COUNT; i++) {
        const char *value = getenv(inherited[i]);
        size_t size = value ? strlen(inherited[i]) + strlen(value) + 2 : 0;
        if (!value)
            continue;
        child->environment[count] = must_alloc(size);
        snprintf(child->environment[count++], size, "%s=%s", inherited[i], value);
    }
}

/* 0 or an errno. The pipe closes itself when the program runs; what comes out of it is why it does not. */
static int start(struct child *child)
{
    sigset_t all, before;
    pid_t parent = getpid(), pid = -1;
    int ends[2] = {-1, -1}, error = 0;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0 || pipe2(ends, O_CLOEXEC)) {
        error = errno;
    } else {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all,
                        &before); /* libuv's handlers must not run in the copy of us */
        pid = fork();
        if (pid == 0)
            become(child, parent, null_fd, ends[1]);
        error = pid < 0 ? errno : 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        close(ends[1]);
        while (pid > 0 && read(ends[0], &error, sizeof(error)) < 0 && errno == EINTR)
            continue;
        close(ends[0]);
    }
    if (null_fd >= 0)
        close(null_fd);
    if (error && pid > 0)
        waitpid(pid, NULL, 0);
    child->pid = error ? 0 : pid;
    child->state = CHILD_RUNNING;
    child->started_ms = loop_now_ms(child->loop);
    if (!error)
        tell_change(child);
    return error;
}

/* After fork: only what is safe in a signal handler. */
static void become(const struct child *child, pid_t parent, int null_fd, int error_fd)
{
    sigset_t none;
    int error;

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before we asked */
        _exit(1);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    give_descriptors(null_fd, child->settings.output_fd);
    execve(child->program, (char *const *)(uintptr_t)child->settings.argv, child->environment);
    error = errno;
    if (write(error_fd, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

static void give_descriptors(int null_fd, int output_fd)
{
    if (output_fd < 0)
        output_fd = null_fd;
    dup2(output_fd, STDOUT_FILENO);
    dup2(output_fd, STDERR_FILENO);
    dup2(null_fd, STDIN_FILENO);
#ifdef SYS_close_range
    syscall(SYS_close_range, FIRST_OTHER_FD, ~0u,
            CLOEXEC_RANGE); /* kernels before 5.11 refuse: ours are CLOEXEC anyway */
#endif
}

static void on_death(uv_signal_t *handle, int number)
{
    struct child *child = handle->data;

    (void)number;
    loop_post(child->loop, &child->reap_turn);
}

static void run_reap(struct turn *turn)
{
    struct child *child = container_of(turn, struct child, reap_turn);
    int status;

    if (child->pid && waitpid(child->pid, &status, WNOHANG) == child->pid)
        died(child, status);
}

static void died(struct child *child, int status)
{
    child->pid = 0;
    tell_change(child);
    if (child->state == CHILD_STOPPING) {
        finish(child);
        return;
    }
    if (loop_now_ms(child->loop) - child->started_ms >= STABLE_MS)
        child->restart_ms = 0;
    wait_for_restart(child);
    log_error(child->log, "a program of ours died and will be started again",
              log_text("program", child->settings.name),
              WIFSIGNALED(status) ? log_int("signal", WTERMSIG(status))
                                  : log_int("exit", WEXITSTATUS(status)),
              log_int("after_ms", (int64_t)child->restart_ms),
              log_text("to_do", "look at its own output for the reason"));
}

static void wait_for_restart(struct child *child)
{
    child->restart_ms = child->restart_ms ? child->restart_ms * 2 : RESTART_FIRST_MS;
    if (child->restart_ms > RESTART_LAST_MS)
        child->restart_ms = RESTART_LAST_MS;
    child->state = CHILD_WAITING;
    deadline_join_in(&child->deadlines, &child->alarm, child->restart_ms);
}

static void run_alarm(struct turn *turn)
{
    struct child *child = container_of(turn, struct child, alarm_turn);
    int error;

    if (!child->alarm.passed)
        return;
    child->alarm.passed = false;
    if (child->state == CHILD_STOPPING && child->pid) {
        log_warn(child->log, "a program of ours did not end in time and is killed",
                 log_text("program", child->settings.name),
                 log_int("grace_ms", (int64_t)child->settings.grace_ms));
        kill(child->pid, SIGKILL);
    } else if (child->state == CHILD_WAITING) {
        error = start(child);
        if (!error)
            return;
        wait_for_restart(child);
        log_error(child->log, "a program of ours cannot be started again",
                  log_text("program", child->settings.name), log_text("reason", strerror(error)),
                  log_int("after_ms", (int64_t)child->restart_ms));
    }
}

static void finish(struct child *child)
{
    child->state = CHILD_STOPPED;
    deadline_class_close(&child->deadlines);
    turn_cancel(&child->alarm_turn);
    turn_cancel(&child->reap_turn);
    uv_close((uv_handle_t *)&child->death, on_close);
}

static void on_close(uv_handle_t *handle)
{
    struct child *child = handle->data;

    child->death_closed = true;
}

static void tell_change(struct child *child)
{
    if (child->settings.on_change)
        loop_post(child->loop, child->settings.on_change);
}

/* child.h: a program run as our child, started again when it dies, stopped when we leave.
 *
 * Owns      the process and its handles; its output goes to the given descriptor. It has a session of its own (a
 *           terminal's Ctrl-C reaches only us), none of our descriptors, and of our environment only PATH, HOME, LANG,
 *           LC_ALL, TZ and TMPDIR: the rest may hold secrets.
 * Runs on   the loop; on_change's turn is posted when it started or died.
 * Fails     child_open: NULL and a sentence when the program cannot be started the first time; later deaths are
 *           logged and answered with a restart after 100 ms, doubling to 2 s.
 * Ends      child_stop sends SIGTERM, after grace_ms SIGKILL; then child_is_stopped and child_free. Should we be
 *           killed, the kernel sends it SIGTERM (PR_SET_PDEATHSIG).
 */
#ifndef KEYTURN_IO_CHILD_H
#define KEYTURN_IO_CHILD_H

#include "io/loop.h"

struct child;

struct child_settings {
    const char *name;        /* for the log */
    const char *const *argv; /* argv[0] is looked up in PATH; NULL-terminated; borrowed */
    int output_fd;           /* stdout and stderr of the child; -1: /dev/null */
    uint64_t grace_ms;
    struct turn *on_change; /* NULL: nobody asks; borrowed */
};

struct child *child_open(struct loop *loop, struct log *log, const struct child_settings *settings,
                         char ret_error[160]);
int child_pid(const struct child *child); /* 0 while it is not running */
void child_stop(struct child *child);
bool child_is_stopped(const struct child *child);
void child_free(struct child *child);

#endif

/* redis_server.h: a private redis-server on a unix socket in a directory of its own, for tests.
 *
 * Owns      the process and the directory.
 * Fails     a server that does not come up stops the test.
 * Ends      redis_server_stop; the server dies with the test in any case.
 */
#ifndef KEYTURN_TESTS_STORE_REDIS_SERVER_H
#define KEYTURN_TESTS_STORE_REDIS_SERVER_H

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REDIS_SERVER_TRIES = 2000 }; /* of 5 ms */

struct redis_server {
    pid_t process;
    char directory[64], socket[80];
};

static inline bool redis_server_listens(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, server->socket, strlen(server->socket) + 1);
    bool listens = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return listens;
}

static inline void redis_server_start(struct redis_server *server)
{
    const char *tmp = getenv("TMPDIR");
    pid_t test = getpid();
    int tries = 0;

    if (!tmp || strlen(tmp) > 30)
        tmp = "/tmp";
    snprintf(server->directory, sizeof(server->directory), "%s/keyturn-redis-XXXXXX", tmp);
    if (!mkdtemp(server->directory))
        abort();
    snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
    server->process = fork();
    if (server->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != test)
            _exit(1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket,
               "--dir", server->directory, "--save", "", "--appendonly", "no", "--loglevel",
               "warning", "--logfile", "/dev/null", (char *)NULL);
        _exit(127);
    }
    while (!redis_server_listens(server)) {
        assert(tries < REDIS_SERVER_TRIES && waitpid(server->process, NULL, WNOHANG) == 0);
        tries++;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static inline void redis_server_stop(struct redis_server *server)
{
    kill(server->process, SIGKILL);
    waitpid(server->process, NULL, 0);
    unlink(server->socket);
    rmdir(server->directory);
}

#endif

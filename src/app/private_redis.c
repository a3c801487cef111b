#include "app/private_redis.h"

#include "app/data_directory.h"
#include "base/alloc.h"
#include "io/child.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 24, GRACE_MS = 5000, AWAIT_STEP_MS = 5 };

struct private_redis {
    struct child *child;
    int lock_fd, output_fd;
    char socket[SOCKET_PATH_MAX], directory[256];
    const char *argv[ARGUMENTS_MAX];
};

static bool absolute(const char *directory, char ret_path[200]);
static bool lock_directory(struct private_redis *redis, const char *directory, char ret_error[160]);
static void fill_arguments(struct private_redis *redis);

bool private_redis_socket(const char *directory, char ret_path[SOCKET_PATH_MAX])
{
    char full[200];

    return absolute(directory, full) &&
           snprintf(ret_path, SOCKET_PATH_MAX, "%s/redis.sock", full) < SOCKET_PATH_MAX;
}

struct private_redis *private_redis_open(struct loop *loop, struct log *log, const char *directory,
                                         char ret_error[160])
{
    struct private_redis *redis = must_alloc(sizeof(*redis));
    struct child_settings settings = {
        .name = "redis-server", .argv = redis->argv, .grace_ms = GRACE_MS};

    redis->lock_fd = redis->output_fd = -1;
    if (!lock_directory(redis, directory, ret_error))
        goto fail;
    fill_arguments(redis);
    settings.output_fd = redis->output_fd;
    redis->child = child_open(loop, log, &settings, ret_error);
    if (redis->child)
        return redis;
fail:
    private_redis_close(redis);
    return NULL;
}

bool private_redis_await(const struct private_redis *redis, int patience_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool listens = false;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis->socket);
    for (int waited_ms = 0; !listens && waited_ms < patience_ms; waited_ms += AWAIT_STEP_MS) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        listens = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (!listens)
            poll(NULL, 0, AWAIT_STEP_MS);
    }
    return listens;
}

void private_redis_stop(struct private_redis *redis)
{
    child_stop(redis->child);
}
bool private_redis_is_stopped(const struct private_redis *redis)
{
    return child_is_stopped(redis->child);
}

void private_redis_close(struct private_redis *redis)
{
    if (redis->child)
        child_free(redis->child);
    if (redis->output_fd >= 0)
        close(redis->output_fd);
    if (redis->lock_fd >= 0)
        close(redis->lock_fd);
    must_free(redis);
}

/* A relative directory belongs to where we were started, not to where Redis changes to. */
static bool absolute(const char *directory, char ret_path[200])
{
    char here[160];

    if (directory[0] == '/')
        return snprintf(ret_path, 200, "%s", directory) < 200;
    return getcwd(here, sizeof(here)) && snprintf(ret_path, 200, "%s/%s", here, directory) < 200;
}

static bool lock_directory(struct private_redis *redis, const char *directory, char ret_error[160])
{
    char full[200], path[256];

    if (!private_redis_socket(directory, redis->socket) || !absolute(directory, full)) {
        snprintf(ret_error, 160,
                 "the path of data.directory is too long for a socket; choose a shorter one");
        return false;
    }
    snprintf(redis->directory, sizeof(redis->directory), "%s/redis", full);
    data_directory_make(redis->directory);
    snprintf(path, sizeof(path), "%s/lock", full);
    redis->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (redis->lock_fd < 0) {
        snprintf(ret_error, 160,
                 "data.directory cannot be written; make it, or set KEYTURN_DATA_DIRECTORY");
        return false;
    }
    if (flock(redis->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(ret_error, 160,
                 "another keyturn keeps its private Redis in data.directory; set KEYTURN_REDIS_URL "
                 "to share one");
        return false;
    }
    snprintf(path, sizeof(path), "%s/redis.log", full);
    redis->output_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return true;
}

static void fill_arguments(struct private_redis *redis)
{
    const char *const arguments[] = {
        "redis-server",   "--port",           "0",   "--unixsocket",
        redis->socket,    "--unixsocketperm", "700", "--dir",
        redis->directory, "--appendonly",     "yes", "--appendfsync",
        "everysec",       "--save",           "",    "--maxmemory-policy",
        "noeviction",     "--daemonize",      "no"};

    for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++)
        redis->argv[i] = arguments[i];
}

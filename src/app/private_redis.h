/* private_redis.h: the redis-server we run for ourselves when none is configured: append-only file, unix socket and data in
 * the data directory, nobody else on it.
 *
 * Owns      the child process; a lock on the directory: one keyturn per private Redis.
 * Fails     private_redis_open: a sentence in ret_error.
 * Ends      private_redis_stop, then private_redis_close when private_redis_is_stopped.
 * Source    design 4.2 (KEYTURN_REDIS_URL); reliability F8, D21 (appendonly, noeviction)
 */
#ifndef KEYTURN_APP_PRIVATE_REDIS_H
#define KEYTURN_APP_PRIVATE_REDIS_H

#include "base/log.h"
#include "io/loop.h"

enum { SOCKET_PATH_MAX = 108 };

struct private_redis;

/* The socket's path for a data directory; false when it is too long for a socket. */
bool private_redis_socket(const char *directory, char ret_path[SOCKET_PATH_MAX]);
struct private_redis *private_redis_open(struct loop *loop, struct log *log, const char *directory,
                                         char ret_error[160]);
/* Waits until it listens, at most patience_ms: the one time before the loop runs when waiting is fine. */
bool private_redis_await(const struct private_redis *redis, int patience_ms);
void private_redis_stop(struct private_redis *redis);
bool private_redis_is_stopped(const struct private_redis *redis);
void private_redis_close(struct private_redis *redis);

#endif

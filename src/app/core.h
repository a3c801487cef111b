/* core.h: what every command stands on: configuration, secrets, log, loop, vault, the link to the store.
 *
 * Owns      all of it; closes in reverse order.
 * Runs on   the main thread; core_open blocks only on files.
 * Fails     core_open prints each fault as a line on stderr and returns false.
 * Ends      core_close; the loop is run until every handle is gone.
 */
#ifndef KEYTURN_APP_CORE_H
#define KEYTURN_APP_CORE_H

#include "app/config.h"
#include "app/environment.h"
#include "app/private_redis.h"
#include "app/redis_url.h"
#include "crypto/vault.h"
#include "io/redis.h"
#include "store/keys.h"
#include "store/store.h"

struct core {
    struct config config;
    struct environment environment;
    struct log *log;
    struct loop *loop;
    struct vault *vault;
    struct redis_url redis_url;
    struct private_redis
        *private_redis; /* NULL when KEYTURN_REDIS_URL is set, or when a command only visits */
    struct redis *redis;
    struct store store;
    char instance[INSTANCE_ID_MAX + 1]; /* this process among its siblings */
};

struct core_options {
    const char *config_file;           /* NULL: KEYTURN_CONFIG, else keyturn.yaml if it is there */
    const char *listen, *admin_listen; /* from the command line; NULL: the configuration's */
    bool keeps_store; /* serve: starts the private Redis; other commands only visit it */
    bool quiet;       /* the log goes to stderr and only from warnings up */
};

/* Configuration and environment alone; a line per fault. */
bool core_read_settings(struct core *core, const struct core_options *options,
                        struct buffer *faults);
bool core_open(struct core *core, const struct core_options *options);
void core_close_redis(struct core *core); /* the link alone; safe twice */
void core_close(struct core *core);

#endif

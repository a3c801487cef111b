/* redis_url.h: KEYTURN_REDIS_URL taken apart: redis://, rediss:// and unix://, as redis-cli and the common clients read it.
 *
 *     redis[s]://[user[:password]@]host[:port][/database]
 *     unix://[user[:password]@]/path/to/socket[?db=number]
 *
 * Owns      the texts and the password.
 * Fails     a sentence in ret_error that never holds the password.
 * Ends      redis_url_done.
 */
#ifndef KEYTURN_APP_REDIS_URL_H
#define KEYTURN_APP_REDIS_URL_H

#include "base/secret.h"
#include "io/redis.h"

struct redis_url {
    char host[256], path[128], user[128];
    int port, database;
    bool tls;
    struct secret password;
};

bool redis_url_parse(struct redis_url *url, struct span text, char ret_error[160]);
void redis_url_done(struct redis_url *url);
/* The settings that stand in the URL; the rest is the caller's. Borrows from url. */
void redis_url_apply(const struct redis_url *url, struct redis_settings *settings);

#endif

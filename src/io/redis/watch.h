/* redis/watch.h: the second link of redis.h, the one that listens for invalidations.
 *
 * Owns      its link and its copy of the prefixes' list.
 * Runs on   the loop; the watch's calls come from inside the link and record only.
 * Fails     blind while the link is not up. A PING every 2 s that is not answered within one more drops the link, so
 *           nobody trusts a silent peer for longer than that.
 * Ends      redis_watcher_close, then redis_watcher_free when its link is closed.
 * Source    https://redis.io/docs/latest/develop/reference/client-side-caching/ (broadcasting mode)
 */
#ifndef KEYTURN_IO_REDIS_WATCH_H
#define KEYTURN_IO_REDIS_WATCH_H

#include "io/redis/link.h"

struct redis_watcher;

struct redis_watcher *redis_watcher_open(struct loop *loop, struct log *log,
                                         const struct redis_settings *settings,
                                         struct redis_tls *tls, struct redis_watch *watch,
                                         const char *const *prefixes, size_t count);
void redis_watcher_close(struct redis_watcher *w);
bool redis_watcher_is_closed(const struct redis_watcher *w);
void redis_watcher_free(struct redis_watcher *w);

#endif

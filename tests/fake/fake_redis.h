/* fake_redis.h: io/redis.h for scenes: a real redis-server (tests/store/redis_server.h, settings.path), but each
 * command is sent and answered only when the scene says so. What the scene chose decides whether it is applied.
 *
 * Owns      copies of the commands that are not answered yet.
 * Runs on   the scene; on_reply is called inside fake_redis_answer, never inside a turn of the asker.
 * Fails     answering when nothing is pending stops the scene.
 * Ends      redis_close answers what is pending with REDIS_DOWN; fake_redis_forget with nothing: the instance died.
 */
#ifndef KEYTURN_TESTS_FAKE_REDIS_H
#define KEYTURN_TESTS_FAKE_REDIS_H

#include "io/redis.h"

enum fake_delivery {
    FAKE_ANSWER,
    FAKE_LOST_APPLIED,   /* applied, and the answer is REDIS_LOST */
    FAKE_LOST_UNAPPLIED, /* not sent, and the answer is REDIS_LOST */
    FAKE_DOWN,           /* not sent, and the answer is REDIS_DOWN */
    FAKE_REFUSED         /* not applied: LOADING, READONLY ... */
};

size_t fake_redis_pending(const struct redis *redis);
/* The script or command that is answered next; NULL when nothing is pending. */
const char *fake_redis_oldest(const struct redis *redis);
void fake_redis_answer(struct redis *redis);     /* the oldest */
void fake_redis_answer_all(struct redis *redis); /* those pending now, oldest first */
/* The oldest, as told; while the link is down every delivery is FAKE_DOWN. */
void fake_redis_deliver(struct redis *redis, enum fake_delivery how);
/* Down: every delivery is FAKE_DOWN. Posts the turns of redis_on_link. */
void fake_redis_set_link(struct redis *redis, bool up);
/* Drops what is pending unanswered, applied or not; its askers may be gone. */
void fake_redis_forget(struct redis *redis, bool applied);

/* Tells the watch, if it asked for the prefix; and that nothing can be told, or can again. */
void fake_redis_changed(struct redis *redis, struct span key);
void fake_redis_blind(struct redis *redis, bool blind);

/* A command of the scene's own, at once: to arrange and to look. The first text or number of the answer ("" for nil). */
struct span fake_redis_look(struct redis *redis, const char *const *words, size_t count,
                            char ret_text[1024]);
#define FAKE_LOOK(redis, ret_text, ...) \
    fake_redis_look(redis, (const char *const[]){__VA_ARGS__}, \
                    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), ret_text)

#endif

/* tidings.h: which watched keys were just written in the private Redis, as client tracking tells them.
 *
 * Owns      a connection of its own.
 * Runs on   the scene: gathers after each delivered command; what is told then is complete. Who has told it on sets
 *           count to 0.
 */
#ifndef KEYTURN_TESTS_SCENE_TIDINGS_H
#define KEYTURN_TESTS_SCENE_TIDINGS_H

#include "base/span.h"

struct redisContext;

enum { TIDINGS_MAX = 32, TIDING_SIZE = 192 };

struct tidings {
    struct redisContext *server;
    size_t count;
    char keys[TIDINGS_MAX][TIDING_SIZE];
};

void tidings_open(struct tidings *tidings, const char *socket);
void tidings_gather(struct tidings *tidings);
void tidings_close(struct tidings *tidings);

#endif

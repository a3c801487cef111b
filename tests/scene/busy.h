/* busy.h: users who send many requests a second. */
#ifndef KEYTURN_TESTS_SCENE_BUSY_H
#define KEYTURN_TESTS_SCENE_BUSY_H

#include "scene/world.h"

enum { UNTIL_BUSY = 8 };

/* Through so many that the next ones are expected. */
struct person *busy(struct world *w, const char *id, const char *tier);
struct asker *sends_one(struct world *w, const struct person *person, unsigned instance);
/* Holds that no running request has: called while none runs. */
long long held_ahead(struct world *w, const struct person *person);
int64_t used_ahead(struct world *w);

#endif

/* pump.h: delivers what is waited for, one wait after the other, and breaks the one that this replay breaks.
 *
 * Runs on   the scene.
 */
#ifndef KEYTURN_TESTS_SCENE_PUMP_H
#define KEYTURN_TESTS_SCENE_PUMP_H

#include "scene/world.h"

/* What the scene itself changed in Redis is told to who watches. */
void pump_changes(struct world *w);
/* Delivers one answer somebody waits for; false when nobody waits for what can come now. */
bool pump_once(struct world *w);
/* Everything that can come, comes; the clock ends ms later. */
void everything_runs(struct world *w, uint64_t ms);
/* ... until every request has its end, for at most ms. */
void everybody_is_answered(struct world *w, uint64_t at_most_ms);

#endif

/* scene.h: a scene is a function that tells a story by vocabulary.h; the table of all of them is in player.c.
 */
#ifndef KEYTURN_TESTS_SCENE_SCENE_H
#define KEYTURN_TESTS_SCENE_SCENE_H

#include "scene/world.h"

struct scene {
    const char *name;
    void (*play)(struct world *w);
    unsigned instances;
    void (*arrange)(struct world *w); /* before the instances open: settings; may be NULL */
    bool plainly;                     /* not replayed with breaks */
};

#endif

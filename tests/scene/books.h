/* books.h: what must hold after every scene, however it was broken.
 *
 * Source    design 5.2, docs/style.md
 */
#ifndef KEYTURN_TESTS_SCENE_BOOKS_H
#define KEYTURN_TESTS_SCENE_BOOKS_H

#include "scene/world.h"

/* Runs on until all is quiet and the sweeper had 60 s, asks once more for everybody, and looks at everything. */
void books_balance(struct world *w);

#endif

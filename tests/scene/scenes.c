#include "scene/scenes.h"

const struct scene scenes[] = {
#define ROW(name, instances, arrange) {#name, name, instances, arrange},
    SCENES(ROW)
#undef ROW
        {NULL, NULL, 0, NULL},
};

#include "scene/scenes.h"

const struct scene scenes[] = {
#define ROW(name, instances, arrange) {#name, name, instances, arrange, false},
    SCENES(ROW)
#undef ROW
#define ROW(name, instances, arrange) {#name, name, instances, arrange, true},
        SCENES_TOLD_PLAINLY(ROW)
#undef ROW
            {NULL, NULL, 0, NULL, false},
};

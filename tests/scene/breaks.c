#include "scene/breaks.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned waits;
} breaks[BREAK_COUNT] = {
    [BREAK_NONE] = {"plain", 0},
#define ROW(name, waits, text) [BREAK_##name] = {#name, waits},
    BREAKS(ROW)
#undef ROW
        [BREAK_SHUFFLE] = {"shuffled", 0},
};

const char *break_name(enum break_kind kind)
{
    return breaks[kind].name;
}

bool break_fits(enum break_kind kind, enum wait_kind wait)
{
    return (breaks[kind].waits & (unsigned)wait) != 0;
}

bool break_find(const char *name, enum break_kind *ret_kind)
{
    for (unsigned i = 0; i < BREAK_COUNT; i++)
        if (strcmp(breaks[i].name, name) == 0) {
            *ret_kind = (enum break_kind)i;
            return true;
        }
    return false;
}

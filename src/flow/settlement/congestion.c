#include "flow/settlement/congestion.h"

#include <assert.h>

static void grow(struct congestion *congestion);
static void halve(struct congestion *congestion);

void congestion_init(struct congestion *congestion)
{
    *congestion = (struct congestion){.room = ROOM_LEAST};
}

bool congestion_has_room(const struct congestion *congestion)
{
    return congestion->open < congestion->room;
}

void congestion_asked(struct congestion *congestion, struct congestion_call *call, size_t count,
                      uint64_t now_us)
{
    *call = (struct congestion_call){CALL_WEIGHT + count, now_us};
    congestion->open += call->weight;
}

void congestion_answered(struct congestion *congestion, const struct congestion_call *call,
                         uint64_t now_us, size_t waiting)
{
    bool is_used = congestion->open >= congestion->room / 2;
    bool is_late = now_us - call->asked_us > (LATE_MS + waiting / LATE_PART) * 1000;

    assert(congestion->open >= call->weight);
    congestion->open -= call->weight;
    if (!is_late && is_used)
        grow(congestion);
    if (is_late && call->asked_us >= congestion->cut_us) {
        halve(congestion);
        congestion->cut_us = now_us;
    }
}

static void grow(struct congestion *congestion)
{
    congestion->room += CALL_WEIGHT;
    if (congestion->room > ROOM_MOST)
        congestion->room = ROOM_MOST;
}

static void halve(struct congestion *congestion)
{
    congestion->room /= 2;
    if (congestion->room < ROOM_LEAST)
        congestion->room = ROOM_LEAST;
}

#include "flow/congestion.h"

#include <assert.h>

static void note_base(struct congestion *congestion, uint64_t took_us, uint64_t now_us);
static uint64_t base_of(const struct congestion *congestion);
static void grow(struct congestion *congestion);
static void halve(struct congestion *congestion);

void congestion_init(struct congestion *congestion, size_t least, size_t most)
{
    *congestion = (struct congestion){.least = least,
                                      .most = most,
                                      .room = least,
                                      .base_us = UINT64_MAX,
                                      .base_before_us = UINT64_MAX};
}

bool congestion_has_room(const struct congestion *congestion)
{
    return congestion->open < congestion->room;
}

bool congestion_has_half(const struct congestion *congestion)
{
    return congestion->open < congestion->room / 2;
}

void congestion_asked(struct congestion *congestion, struct congestion_call *call, size_t count,
                      uint64_t now_us)
{
    *call = (struct congestion_call){CALL_WEIGHT + count, now_us};
    congestion->open += call->weight;
}

void congestion_answered(struct congestion *congestion, const struct congestion_call *call,
                         bool is_fine, uint64_t now_us, size_t waiting)
{
    bool is_used = congestion->open >= congestion->room / 2, is_late;
    uint64_t took_us = now_us - call->asked_us;

    assert(congestion->open >= call->weight);
    congestion->open -= call->weight;
    if (is_fine)
        note_base(congestion, took_us, now_us);
    is_late = took_us > base_of(congestion) + (LATE_MS + waiting / LATE_PART) * 1000;
    if (is_fine && !is_late && is_used)
        grow(congestion);
    if (is_late && call->asked_us >= congestion->cut_us) {
        halve(congestion);
        congestion->cut_us = now_us;
        congestion->late++;
    }
}

static void note_base(struct congestion *congestion, uint64_t took_us, uint64_t now_us)
{
    if (now_us - congestion->base_since_us >= BASE_MS * UINT64_C(1000)) {
        congestion->base_before_us = congestion->base_us;
        congestion->base_us = took_us;
        congestion->base_since_us = now_us;
    } else if (took_us < congestion->base_us)
        congestion->base_us = took_us;
}

static uint64_t base_of(const struct congestion *congestion)
{
    uint64_t base_us = congestion->base_us < congestion->base_before_us
                           ? congestion->base_us
                           : congestion->base_before_us;

    return base_us == UINT64_MAX ? 0 : base_us;
}

static void grow(struct congestion *congestion)
{
    congestion->room += CALL_WEIGHT;
    if (congestion->room > congestion->most)
        congestion->room = congestion->most;
}

static void halve(struct congestion *congestion)
{
    congestion->room /= 2;
    if (congestion->room < congestion->least)
        congestion->room = congestion->least;
}

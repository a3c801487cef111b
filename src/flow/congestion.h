/* congestion.h: how much of one kind of work may be open at Redis. It becomes less when answers come late, so that what
 * somebody waits for is answered in time however many instances share that Redis, and whatever else it does.
 *
 *     an answer in time while at least half of the room is used     the room grows by CALL_WEIGHT
 *     a late answer                                                 the room is halved, once for all that was asked by then
 *     no answer, or one that says no                                neither, unless it was late
 *     no room                                                       nothing more is asked until an answer came
 *
 * Late is what took LATE_MS longer than the shortest answer of the last BASE_MS or twice that, and longer the more waits: a Redis
 * that is far away or busy for others is used all the same.
 *
 * Owns      its numbers; a congestion_call is embedded in who asks.
 * Units     weight: CALL_WEIGHT for a call and one for each item in it; microseconds of the loop's clock.
 * Fails     never; every call is answered within the command deadline (store/store.h) and gives its weight back.
 * Source    RFC 5681 3.1 (additive increase, multiplicative decrease), RFC 7661 (no growth by what is not used), RFC 6817
 *           (delay beyond the base as the sign); docs/decisions/022
 */
#ifndef KEYTURN_FLOW_CONGESTION_H
#define KEYTURN_FLOW_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CALL_WEIGHT = 8,
    FULL_CALL_WEIGHT = 40, /* of 32 items; or five calls of one item */
    LATE_MS = 10,
    LATE_PART = 256, /* a millisecond more for so many that wait */
    BASE_MS = 10000
};

struct congestion {
    size_t least, most; /* of the room */
    size_t room, open;  /* weight */
    uint64_t cut_us;    /* when the room was halved last */
    uint64_t late;      /* bunches that were answered late */
    uint64_t base_us, base_before_us, base_since_us;
};

struct congestion_call {
    size_t weight;
    uint64_t asked_us;
};

void congestion_init(struct congestion *congestion, size_t least, size_t most);
bool congestion_has_room(const struct congestion *congestion);
bool congestion_has_half(const struct congestion *congestion); /* of its room */
void congestion_asked(struct congestion *congestion, struct congestion_call *call, size_t count,
                      uint64_t now_us);
/* is_fine: Redis did it. waiting: items that are due and not done. */
void congestion_answered(struct congestion *congestion, const struct congestion_call *call,
                         bool is_fine, uint64_t now_us, size_t waiting);

#endif

/* settlement/congestion.h: how much of one kind of work that nobody waits for may be open at Redis. It becomes less when answers come
 * late, so that what somebody waits for is answered in time however many instances share that Redis, and whatever else it does.
 *
 *     an answer in time while at least half of the room is used     the room grows by CALL_WEIGHT
 *     a late answer                                                 the room is halved, once for all that was asked by then
 *     no room                                                       nothing more is asked until an answer came
 *
 * Late is what took longer than LATE_MS, and longer the more waits: a Redis that is far away or busy for others is used all
 * the same.
 *
 * Owns      three numbers; a congestion_call is embedded in who asks.
 * Units     weight: CALL_WEIGHT for a call and one for each item in it; microseconds of the loop's clock.
 * Fails     never; every call is answered within the command deadline (store/store.h) and gives its weight back.
 * Source    RFC 5681 3.1 (additive increase, multiplicative decrease), RFC 7661 (no growth by what is not used), RFC 6817
 *           (delay as the sign); docs/decisions/022
 */
#ifndef KEYTURN_FLOW_SETTLEMENT_CONGESTION_H
#define KEYTURN_FLOW_SETTLEMENT_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CALL_WEIGHT = 8,
    ROOM_LEAST = 40, /* a full call of 32, or five of one item */
    ROOM_MOST = 512, /* a dozen full calls: a millisecond or two of Redis */
    LATE_MS = 10,
    LATE_PART = 256 /* a millisecond more for so many that wait */
};

struct congestion {
    size_t room, open; /* weight */
    uint64_t cut_us;   /* when the room was halved last */
};

struct congestion_call {
    size_t weight;
    uint64_t asked_us;
};

void congestion_init(struct congestion *congestion);
bool congestion_has_room(const struct congestion *congestion);
void congestion_asked(struct congestion *congestion, struct congestion_call *call, size_t count,
                      uint64_t now_us);
/* waiting: items that are due and not done. */
void congestion_answered(struct congestion *congestion, const struct congestion_call *call,
                         uint64_t now_us, size_t waiting);

#endif

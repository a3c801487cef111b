/* advance/way.h: what one user has ahead, for the files of advance/. */
#ifndef KEYTURN_FLOW_ADVANCE_WAY_H
#define KEYTURN_FLOW_ADVANCE_WAY_H

#include "flow/advance.h"

enum { ADVANCE_IDLE_MS = 500, ADVANCE_WAIT_MS = 2000 };

struct ahead_hold {
    char id[REQUEST_ID_MAX + 1];
    int64_t until_ms; /* Redis' clock */
};

struct advance {
    struct map_entry by_user;
    struct list link;    /* advances->leaving */
    struct list wants;   /* round->wanting */
    struct list waiting; /* requests */
    struct advances *advances;
    struct turn turn;
    struct deadline due; /* idle; or, leaving, to be given back once more */
    uint64_t used_ms;
    bool leaves;
    bool poor;      /* there was no room for any */
    unsigned tries; /* to give back */

    char user[USER_ID_MAX + 1], model[METER_TEXT_MAX + 1];
    const struct tier *tier; /* borrowed from the configuration */
    bool is_message;
    int64_t amount_nano_usd;

    size_t count;
    struct ahead_hold holds[AHEAD_MAX]; /* the oldest first */
    size_t asked_count, returned_count; /* in the calls that are open */
    char asked[AHEAD_MAX][REQUEST_ID_MAX + 1];
    struct quota_ahead take;
    struct congestion_call take_call;
    struct quota_give_back back;

    struct quota_view view;
    struct period budget, day;
    struct quota_change since_view, since_asked;
};

/* In advance.c. */
struct advance *advance_find(const struct advances *advances, struct span user);
bool advance_is_for(const struct advance *advance, const struct admit_ask *ask);

/* In advance/take.c. */
void advance_round_open(struct advances *advances);
void advance_round_close(struct advances *advances);
void advance_take_more(struct advance *advance, unsigned lately); /* where few are left */
void advance_want_no_more(struct advance *advance);
void advance_got_taken(struct advance *advance);
void advance_wake_waiting(struct advance *advance);

/* In advance/way.c. */
void advance_on_turn(struct turn *turn);
/* No request finds it; in its turn the rest is given back. */
void advance_leave(struct advance *advance);
void advance_carry_on_leaving(struct advance *advance); /* it may be gone afterwards */

#endif

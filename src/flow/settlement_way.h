/* settlement_way.h: one settlement on its way, for the files settlement*.c. */
#ifndef KEYTURN_FLOW_SETTLEMENT_WAY_H
#define KEYTURN_FLOW_SETTLEMENT_WAY_H

#include "flow/settlement.h"

struct settlement {
    struct list link;   /* settlements->under_way */
    struct list gather; /* a list of the round */
    struct turn turn;
    struct settlements *settlements; /* borrowed */
    struct settlement_record record;
    enum { AT_CHARGE, AT_BOOK, AT_FORGET } at;
    struct settle settle;
    struct settled_forget forget;
    struct settlement_wait *wait; /* borrowed; NULL: nobody waits */
    struct deadline pause;
    unsigned tries;
    bool charged, already, journalled;
    bool alone; /* Redis has what we cannot read, perhaps for it alone */
};

/* In settlement.c. */
void settlement_charge(struct settlement *settlement);
void settlement_booked(struct settlement *settlement, enum store_end end);

/* In settlement_round.c. */
void round_open(struct settlements *settlements);
void round_close(struct settlements *settlements);
void round_join(struct settlement *settlement); /* where it belongs by what it is at */
void round_answered(struct settlements *settlements, enum store_end end);
void round_resume(struct settlements *settlements); /* the link is back */

#endif

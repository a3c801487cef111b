/* settlement/way.h: one settlement on its way, for the files of settlement/. */
#ifndef KEYTURN_FLOW_SETTLEMENT_WAY_H
#define KEYTURN_FLOW_SETTLEMENT_WAY_H

#include "flow/settlement.h"

#include <assert.h>

struct settlement {
    struct list link;   /* settlements->under_way */
    struct list gather; /* round->to_book, or its part of a parcel */
    struct turn turn;
    struct settlements *settlements; /* borrowed */
    struct settlement_record record;
    enum settlement_at at;
    struct settlement_wait *wait; /* borrowed; NULL: nobody waits */
    struct deadline pause;
    unsigned tries;
    bool charged, already, is_booked, journalled;
    bool is_again; /* Redis had acknowledged it before it went away */
    bool alone;    /* Redis has what we cannot read, perhaps for it alone */
};

static_assert((int)SETTLE_BATCH_MAX <= (int)BOOK_BATCH_MAX, "a batch has room for any of them");

/* Several that are asked in one call; those that are charged together go together in it. */
struct batch {
    struct list link; /* round->asking */
    struct turn turn;
    struct settlements *settlements; /* borrowed */
    enum settlement_at at;
    bool is_urgent;
    struct congestion_call paced; /* unless it is urgent */
    size_t count;
    struct settlement *items[BOOK_BATCH_MAX]; /* borrowed: they wait for it */
    const struct store_call *call;            /* the one in ask */
    union {
        struct settle settle;
        struct book book;
        struct settled_forget forget;
    } ask;
};

/* In settlement.c. */
void settlement_begin_again(struct settlements *settlements,
                            const struct settlement_record *record);
/* What was asked for it is answered. */
void settlement_charged(struct settlement *settlement, enum store_end end,
                        const struct settled *settled);
void settlement_booked(struct settlement *settlement, enum store_end end);
void settlement_forgotten(struct settlement *settlement, enum store_end end);
void settlement_keep(struct settlement *settlement); /* in the journal, should we not outlive it */

/* In settlement/batch.c: one call of the first that wait and those that go with it: how many it took. */
size_t batch_ask(struct settlements *settlements, enum settlement_at at, struct list *waiting,
                 bool is_urgent);
void batches_close(struct settlements *settlements);

/* In settlement/round.c. */
void round_open(struct settlements *settlements);
void round_close(struct settlements *settlements);
void round_book(struct settlement *settlement);
void round_arm(struct settlements *settlements); /* something waits */
void round_answered(struct settlements *settlements, enum store_end end);
/* The link to Redis is down, or back: what it acknowledged and we did not finish may be lost. */
void round_charge_again(struct settlements *settlements);
void round_resume(struct settlements *settlements); /* the link is back */

/* In settlement/parcel.c: to be charged or forgotten, with others of the same user. */
void parcels_open(struct settlements *settlements, const uint64_t map_seed[2]);
void parcels_close(struct settlements *settlements);
void parcel_join(struct settlement *settlement, enum settle_when when);
/* The first that is due, if there is one and room for it. */
bool parcels_send_next(struct settlements *settlements);
void parcels_charge_again(struct settlements *settlements); /* what was to be forgotten */

#endif

/* settlement_way.h: one settlement on its way, for the files settlement*.c. */
#ifndef KEYTURN_FLOW_SETTLEMENT_WAY_H
#define KEYTURN_FLOW_SETTLEMENT_WAY_H

#include "flow/settlement.h"

#include <assert.h>

struct settlement {
    struct list link;   /* settlements->under_way */
    struct list gather; /* round->to_book */
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
    size_t count;
    struct settlement *items[BOOK_BATCH_MAX]; /* borrowed: they wait for it */
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
void settlement_charge_again(struct settlement *settlement); /* Redis may have lost the charge */

/* In settlement_round.c. */
void round_open(struct settlements *settlements);
void round_close(struct settlements *settlements);
void round_book(struct settlement *settlement);
void round_arm(struct settlements *settlements); /* something waits */
void round_ask(struct batch *batch);             /* takes it */
bool round_has_room(const struct settlements *settlements, enum settlement_at at);
void round_resume(struct settlements *settlements); /* the link is back */
bool round_is_troubled(const struct settlements *settlements);
struct batch *batch_new(struct settlements *settlements, enum settlement_at at);
bool batch_takes(const struct batch *batch, const struct settlement *settlement);
void batch_add(struct batch *batch, struct settlement *settlement);

/* In settlement_parcel.c: to be charged or forgotten, with others of the same user. */
void parcels_open(struct settlements *settlements, const uint64_t map_seed[2]);
void parcels_close(struct settlements *settlements);
void parcel_join(struct settlement *settlement, enum settle_when when);
bool parcels_send_next(
    struct settlements *settlements); /* the first that is due, if there is one */
void parcels_charge_again(struct settlements *settlements); /* those that were to be forgotten */

#endif

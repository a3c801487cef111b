/* settlement.h: what a request cost reaches the quotas and the books, exactly once, whatever Redis does meanwhile.
 *
 *     charge (settle.lua, the user's slot) ─► book (book.lua, many at once) ─► forget (the user's slot knows it is booked)
 *
 * The charge decides: whoever charges first has the figure, and what is to be booked stands in the user's account until it
 * is, so that somebody else books it should we die. Both scripts are idempotent by request id and asked until Redis took
 * them. When a try fails, what is under way is written to the journal, so that it outlives this process; the next one on the
 * same directory takes it up.
 *
 * What a user ended within SOON_MS (LATER_MS for who has many) is charged in one call, and so it is forgotten; the books take
 * what all users ended. Who is near a limit is charged at once, and settlements_hurry charges a user's before anything is
 * asked about what is left to that user. All others are in no hurry: a call every ROUND_MS, more the more wait, and fewer while
 * Redis answers late (flow/congestion.h), so that neither a busy second nor what an outage left behind is in anybody's way.
 *
 * A Redis that writes its log once a second may forget, when it dies, the last it has acknowledged. So what was
 * acknowledged within the last seconds is kept, too, and asked again when the link is back after an outage; what was charged
 * and is not finished is charged again as soon as the link is down.
 *
 * Owns      the settlements under way, the journal, and the lines of those acknowledged just now: at most
 *           SETTLED_KEPT_BYTES of them for SETTLED_KEPT_MS, and the same of the time before.
 * Runs on   the loop.
 * Fails     never for good; flow_is_idle waits for what is not yet journalled.
 * Source    design 5.1, 5.5; reliability D19; docs/decisions/013, 019, 021, 022;
 *           redis.io/docs/latest/operate/oss_and_stack/management/persistence (everysec)
 */
#ifndef KEYTURN_FLOW_SETTLEMENT_H
#define KEYTURN_FLOW_SETTLEMENT_H

#include "base/map.h"
#include "flow/congestion.h"
#include "io/deadline.h"
#include "io/journal.h"
#include "store/books.h"

struct flow;

enum {
    SETTLED_KEPT_MS = 3000,
    SETTLED_KEPT_BYTES = 8 << 20,
    SOON_MS = 2,
    LATER_MS = 500,
    ROUND_MS = 1
};

/* Lines of the journal: acknowledged just now, and before that; and those that are to be asked again. */
struct settled_lines {
    struct buffer now, before, again;
    uint64_t since_ms;       /* of `now` */
    uint64_t up_ms, down_ms; /* the link came up; it is down since (0: it is up) */
    struct turn link;
};

/* What is to be asked, and what is asked. After a failure the next round comes later and later. */
enum settlement_at { AT_CHARGE, AT_BOOK, AT_FORGET, SETTLEMENT_AT_COUNT };
struct settlement_round {
    struct list to_book; /* settlements */
    struct list asking;  /* batches */
    size_t to_book_count;
    struct congestion congestion[SETTLEMENT_AT_COUNT];
    unsigned lonely_rounds; /* something is to be booked, and less than a call takes */
    bool books_are_next;    /* after them the parcels, in turn */
    struct deadline_class rounds;
    struct deadline due;
    struct turn turn;
    unsigned failures; /* in a row */
    bool failed;       /* since the last round */
};

/* What is to be charged or forgotten, by user. */
struct settlement_parcels {
    struct map by_user;
    struct list due;    /* the first leaves next */
    size_t due_count;   /* parcels */
    size_t early_count; /* settlements of those that are not due */
    struct deadline_class soon, later;
};

struct settlements {
    struct flow *flow;       /* borrowed */
    struct journal *journal; /* borrowed; NULL: none is kept */
    struct list under_way;
    size_t count, journalled, again_count;
    size_t behind_count;  /* with so much due we are behind */
    bool journal_is_torn; /* it has lines nobody can read: it is kept for people */
    struct settlement_parcels parcels;
    struct settlement_round round;
    struct settled_lines settled;
};

enum settle_when {
    SETTLE_NOW,  /* somebody waits for what it gives back */
    SETTLE_SOON, /* within SOON_MS */
    SETTLE_LATER /* within LATER_MS, together with the user's next ones: there will be some */
};

void settlements_open(struct settlements *settlements, struct flow *flow, struct journal *journal,
                      const uint64_t map_seed[2]);
/* Takes up what an earlier process left in the journal. */
void settlements_replay(struct settlements *settlements);
void settlements_close(struct settlements *settlements); /* what is under way is in the journal */
void settlement_begin(struct settlements *settlements, const struct settlement_record *record,
                      enum settle_when when);
/* What was charged by somebody who did not live to book it. */
void settlement_begin_charged(struct settlements *settlements,
                              const struct settlement_record *record);
/* The user's settlements that wait for company are charged now: what is asked next finds them done. Not during an outage. */
void settlements_hurry(struct settlements *settlements, struct span user);
/* We stop: nothing waits for company any more. */
void settlements_drain(struct settlements *settlements);
/* What is under way goes to the journal, should we not outlive it. */
void settlements_keep_all(struct settlements *settlements);
/* Due and not done. */
size_t settlements_due_count(const struct settlements *settlements);
/* More is due than Redis takes: whoever makes more settlements without waiting for Redis should wait for it. */
bool settlements_are_behind(const struct settlements *settlements);
struct settlements_stats {
    size_t open, journalled;
    uint64_t late; /* bunches of calls that were answered late */
};
struct settlements_stats settlements_stats(const struct settlements *settlements);
/* What was asked last failed: what waits is in the journal and asked again with growing pauses. */
bool settlements_are_troubled(const struct settlements *settlements);
/* How long the link to Redis has been up without a break. */
uint64_t settlements_up_for_ms(const struct settlements *settlements);

/* Waits for one settlement: embedded in who waits, who leaves unless it is done. */
struct settlement_wait {
    struct settlement *settlement; /* NULL: done, or left */
    struct turn *wake;             /* borrowed; posted when it is done */
    bool already;                  /* somebody else had settled it */
    int64_t cost_nano_usd;         /* what is settled: another's figure where there was one */
};
void settlement_begin_for(struct settlements *settlements, const struct settlement_record *record,
                          struct settlement_wait *wait, struct turn *wake);
void settlement_leave(struct settlement_wait *wait); /* it goes on by itself */

/* One line of the journal, and back. */
bool settlement_write(const struct settlement_record *record, struct buffer *out);
bool settlement_read(struct span line, struct settlement_record *ret_record);

/* For settlement.c: in settlement/again.c. */
void settled_open(struct settlements *settlements);
void settled_close(struct settlements *settlements);
void settled_keep(struct settlements *settlements, const struct settlement_record *record);
void settled_ask_again(struct settlements *settlements); /* some more of them, if there are */

#endif

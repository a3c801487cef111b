/* sweeper.h: looks after renewals and holds that nobody finished: a process was killed, a reply was lost. No key that keyturn made
 * outlives its purpose by more than 60 s.
 *
 * Owns      its questions. One instance sweeps at a time (a lease in Redis); the others look whether it still does.
 * Runs on   the loop, every sweep_every_ms.
 * Source    design 5.2 "a sweeper leaves no orphan longer than 60 s"; reliability D23
 */
#ifndef KEYTURN_FLOW_SWEEPER_H
#define KEYTURN_FLOW_SWEEPER_H

#include "io/deadline.h"
#include "store/keys.h"
#include "store/quota.h"

struct flow;

struct sweeper {
    struct flow *flow; /* borrowed */
    struct turn turn;
    struct deadline_class every;
    struct deadline due;
    struct sweeper_claim claim;
    struct renewal_index old;
    struct holders holders;
    size_t offset;             /* of the page of renewals to be read */
    struct holders_place from; /* and of that of holders */
    enum { SWEEPER_RESTS, SWEEPER_CLAIMS, SWEEPER_READS, SWEEPER_READS_HOLDERS } at;
    bool stopped;
};

void sweeper_open(struct sweeper *sweeper, struct flow *flow);
void sweeper_stop(struct sweeper *sweeper);
bool sweeper_is_idle(const struct sweeper *sweeper);
void sweeper_close(struct sweeper *sweeper);

#endif

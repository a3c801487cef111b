/* money.h: the books with money: what Redis counts, what the ledger says and what OpenRouter charges must be one.
 *
 * Source    docs/store.md; store/quota.h, store/books.h
 */
#ifndef KEYTURN_TESTS_SCENE_MONEY_H
#define KEYTURN_TESTS_SCENE_MONEY_H

#include "scene/world.h"

/* One request in the ledger. */
struct entry {
    unsigned times; /* 0: it is not there */
    char user[64], source[24];
    long long cost_nano_usd;
};

struct entry booked(struct world *w, const struct asker *asker);
/* In the plain run: it is booked once, as this. */
void is_booked_as(struct world *w, const struct asker *asker, enum cost_source source);
/* Once everything is settled and who died is reaped. */
void money_adds_up(struct world *w);

#endif

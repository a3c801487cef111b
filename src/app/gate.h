/* gate.h: the door of the store: waits for Redis, learns whose data it is, proves that we can read it.
 *
 * Owns      its question. The pepper it unseals is copied to the caller.
 * Runs on   the loop; wake is posted when state is no longer GATE_WAITING.
 * Fails     GATE_REFUSED with a sentence: another deployment's store, another schema, roots that cannot read it, no Redis
 *           within the patience.
 * Ends      gate_close, once the core's Redis is closed.
 * Source    the first instance founds the deployment: a random id (part of every key's name at OpenRouter) and a random
 *           pepper, sealed; unsealing it proves the roots and gives users' pseudonyms a key that outlives the roots
 */
#ifndef KEYTURN_APP_GATE_H
#define KEYTURN_APP_GATE_H

#include "app/core.h"
#include "io/deadline.h"
#include "store/meta.h"

enum gate_state { GATE_WAITING, GATE_OPEN, GATE_REFUSED };

struct gate {
    struct core *core; /* borrowed */
    struct turn turn;
    struct turn *wake; /* borrowed */
    struct deadline_class patience;
    struct deadline due, again;
    struct meta_claim claim;
    bool asking, visits;
    enum gate_state state;
    char deployment[33];
    unsigned char pepper[DIGEST_SIZE];
    char error[320];
};

/* visits: a command that speaks to nobody but the store: environment and upstream need not be the server's. */
void gate_open(struct gate *gate, struct core *core, bool visits, uint64_t patience_ms,
               struct turn *wake);
void gate_close(struct gate *gate);

#endif

/* visit.h: what a route's handler attaches to a client: whoever it is, the router reaches it by this table.
 *
 * Runs on   the loop, in the client's turn (io/client.h).
 */
#ifndef KEYTURN_FLOW_VISIT_H
#define KEYTURN_FLOW_VISIT_H

#include "io/client.h"

struct visit;

struct visit_calls {
    void (*on_body)(struct visit *visit, struct span bytes);
    void (*on_body_end)(struct visit *visit);
    void (*on_fault)(struct visit *visit, enum fault fault);
    void (*on_drained)(struct visit *visit);
    void (*on_gone)(struct visit *visit);
};

struct visit {
    const struct visit_calls *calls;
};

#endif

/* limits.h: the process's own limits: descriptors shared out between clients and upstream, no core dumps.
 *
 * Source    reliability F4 (a cap below the descriptor limit), D32
 */
#ifndef KEYTURN_APP_LIMITS_H
#define KEYTURN_APP_LIMITS_H

#include <stddef.h>

struct descriptor_shares {
    size_t clients, upstream_calls;
};

/* Raises the soft descriptor limit to the hard one and tells what it allows: every client may need an upstream
 * connection, and some descriptors are for Redis, listeners, logs. */
struct descriptor_shares limits_share_descriptors(void);
/* No core dump, no ptrace by others: memory holds keys. */
void limits_protect_memory(void);

#endif

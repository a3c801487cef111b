/* request_id.h: the name of one request, unique over all instances: "req_" + 16 hex of the process + a counter.
 *
 * Units     at most REQUEST_ID_MAX characters.
 * Source    a caller's x-request-id is echoed when it is [A-Za-z0-9._-]{1,64}; ours stays the one that money hangs on.
 */
#ifndef KEYTURN_BASE_REQUEST_ID_H
#define KEYTURN_BASE_REQUEST_ID_H

#include "base/span.h"

enum { REQUEST_ID_MAX = 64 };

struct request_ids {
    uint64_t process; /* random, set once at start */
    uint64_t counter;
};

struct span request_id_next(struct request_ids *ids, char ret_id[REQUEST_ID_MAX + 1]);
bool request_id_is_fine(struct span id);

#endif

/* api.h: the routes: what the table below says, everything else is 404 in the one error shape.
 *
 * Owns      nothing; borrows the flow, the two servers and the admin key.
 * Runs on   the loop, in the client's turn.
 * Source    design 4.3, 4.4: /v1/... and /api/v1/... are the same; liveness never touches Redis; readiness is 503 only
 *           before start-up ends and while draining
 */
#ifndef KEYTURN_API_API_H
#define KEYTURN_API_API_H

#include "flow/flow.h"
#include "flow/visit.h"
#include "io/server.h"

enum readiness { API_STARTING, API_READY, API_DRAINING };

struct api {
    struct flow *flow;              /* borrowed */
    struct redis *redis;            /* borrowed */
    struct server *data, *admin;    /* borrowed; admin may be NULL */
    const struct secret *admin_key; /* borrowed; NULL: the guarded routes are shut */
    enum readiness readiness;
    struct visit nobody; /* attached where a reply is over before the body came */
};

/* For server_open: the context is the api itself; one table for each plane. */
const struct client_calls *api_data_plane(void);
const struct client_calls *api_admin_plane(void);
void api_open(struct api *api, struct flow *flow, struct redis *redis);
bool api_print_routes(struct buffer *out); /* Markdown for the README */

#endif

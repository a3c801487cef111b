/* admin_usage.h: GET /admin/usage and GET /admin/users/{id}/usage: what was spent, from the books.
 *
 * Owns      itself: each request is one object that ends with its reply, or after its last answer when the client left.
 * Runs on   the loop.
 * Fails     400 for a query that makes no sense, 503 store_unavailable.
 * Source    design 4.4
 */
#ifndef KEYTURN_API_ADMIN_USAGE_H
#define KEYTURN_API_ADMIN_USAGE_H

#include "api/api.h"

/* In on_request, behind the guard. user: as sent in the path. */
void admin_usage_begin(struct api *api, struct client *client, const struct request_head *head);
void admin_user_usage_begin(struct api *api, struct client *client, const struct request_head *head,
                            struct span user);

#endif

/* admin_users.h: operators see a user and change its tier, limits and status:
 *
 *     GET   /admin/users/{id}         the user, or 404
 *     PUT   /admin/users/{id}         makes it if it is not there; the body is optional, as that of PATCH
 *     PATCH /admin/users/{id}         status, tier, limits of its own (null: the tier's again, -1: no limit)
 *     PUT   /admin/users/{id}/tier    {"tier":"Pro"}
 *     POST  /admin/users/{id}/boost   {"limit_usd":5,"until":"..."}: on top of the limit for a time; 0 ends it
 * All answer the user as it is afterwards, in one shape (user_view.h). All may be repeated.
 *
 * Admission reads the user's hash each time, so the next request on any instance feels the change; what runs goes on
 * under the limits it was let in with. The user's sub-key is not touched here. Its own limit at OpenRouter is the second
 * wall: when a request that the ledger lets through meets it, after a higher tier, an override or a boost, it is raised
 * then, once for everybody who waits (flow/renewal/raise.c, docs/decisions/016). A lower tier lowers no key: the ledger
 * refuses first. A tier that runs on the shared key leaves the sub-key unused.
 *
 * Each change is a line of the log at info: who, which user, what, its old and new value as they stand in the store.
 *
 * Owns      itself: each request is one object that ends with its reply, or after its last answer when the client left.
 *           A change that was sent to the store is applied whether or not the client stays.
 * Runs on   the loop.
 * Fails     400 with what is wrong and what there is, 404 for a user that is not there, 413, 503 store_unavailable.
 * Source    design 4.4, 5.3
 */
#ifndef KEYTURN_API_ADMIN_USERS_H
#define KEYTURN_API_ADMIN_USERS_H

#include "api/api.h"

enum admin_user_act {
    ADMIN_USER_SHOW,
    ADMIN_USER_MAKE,
    ADMIN_USER_PATCH,
    ADMIN_USER_TIER,
    ADMIN_USER_BOOST
};

/* In on_request, behind the guard. user: as sent in the path. */
void admin_user_begin(struct api *api, struct client *client, struct span user,
                      enum admin_user_act act);

#endif

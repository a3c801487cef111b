/* self_service.h: what a caller may know about itself: GET /v1/models, /v1/key, /v1/me, /v1/me/usage.
 *
 * The way is the table below, as that of an exchange. Credentials are those of inference; a user that is not there yet
 * sees the default tier and is not made.
 *
 * Owns      itself: each request is one object that ends with its reply, or after its last answer when the client left.
 * Runs on   the loop.
 * Fails     as inference does: 401, 403 user_disabled, 503 store_unavailable; 503 upstream_unavailable before the first
 *           model catalogue came.
 * Source    design 4.3, 4.5; openrouter-api 2 (the shapes of /models and /key)
 */
#ifndef KEYTURN_API_SELF_SERVICE_H
#define KEYTURN_API_SELF_SERVICE_H

#include "api/api.h"

enum self_page { SELF_MODELS, SELF_KEY, SELF_ME, SELF_USAGE };

#define SELF_WAY(ROW) \
    ROW(ask_identity, "whose token is it: from the cache, or one read in Redis") \
    ROW(got_identity, "the user, or 401") \
    ROW(ask_quota, "the user's tier, limits and what is left, taking nothing") \
    ROW(got_quota, "asked once more when the tier or the clock was another") \
    ROW(ask_key, "the record of the user's sub-key, where the page shows it") \
    ROW(got_key, "its state; the key itself stays sealed") \
    ROW(ask_month, "the user's sums of a month, where the page shows them: the newest first") \
    ROW(got_month, "the month before, or on") \
    ROW(answer, "the page") \
    ROW(answer_fault, "our error")

/* In on_request. */
void self_service_begin(struct api *api, struct client *client, const struct request_head *head,
                        enum self_page page);

#endif

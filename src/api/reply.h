/* reply.h: whole small replies, in the one error shape where they are errors.
 *
 * Runs on   the loop; the client is given back.
 */
#ifndef KEYTURN_API_REPLY_H
#define KEYTURN_API_REPLY_H

#include "api/api.h"

/* In on_request, from a route that answers at once. */
void reply_whole(struct api *api, struct client *client, int status, struct span content_type,
                 struct span body);
/* allow: the methods for a 405, SPAN_NONE otherwise. */
void reply_fault(struct api *api, struct client *client, enum fault fault, struct span allow);
void reply_fault_because(struct api *api, struct client *client, enum fault fault,
                         struct span detail, struct span param);

/* From a visit that is attached; its calls do not come any more. */
void reply_late(struct api *api, struct client *client, struct span content_type, struct span body);
void reply_late_fault(struct api *api, struct client *client, enum fault fault, struct span detail,
                      struct span param);

#endif

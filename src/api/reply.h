/* reply.h: whole small replies for routes that answer at once.
 *
 * Runs on   the loop, in on_request; the client is given back.
 */
#ifndef KEYTURN_API_REPLY_H
#define KEYTURN_API_REPLY_H

#include "api/api.h"

void reply_whole(struct api *api, struct client *client, int status, struct span content_type,
                 struct span body);
/* allow: the methods for a 405, SPAN_NONE otherwise. */
void reply_fault(struct api *api, struct client *client, enum fault fault, struct span allow);

#endif

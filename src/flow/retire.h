/* retire.h: deletes replaced keys at OpenRouter once their successor has answered a request.
 *
 * Owns      one small job per user, which frees itself. What fails is left to the sweeper.
 * Source    design 5.2; openrouter-api 10.7 (404 is success), 10.10
 */
#ifndef KEYTURN_FLOW_RETIRE_H
#define KEYTURN_FLOW_RETIRE_H

#include "store/keys.h"

struct flow;

/* The user's key of that version answered its first request. */
void retire_predecessors(struct flow *flow, struct span user, int64_t version);
/* The sweeper's: deletes these hashes. */
void retire_hashes(struct flow *flow, struct span user, const struct key_list *doomed);

#endif

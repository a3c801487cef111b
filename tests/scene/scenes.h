/* scenes.h: the table of all scenes. */
#ifndef KEYTURN_TESTS_SCENE_SCENES_H
#define KEYTURN_TESTS_SCENE_SCENES_H

#include "scene/scene.h"

/* function, instances; `arrange_<name>` where settings differ */
#define SCENES(ROW) \
    ROW(cached_key, 1, NULL) \
    ROW(first_request_provisions, 1, NULL) \
    ROW(expired_key_is_renewed, 1, NULL) \
    ROW(deleted_key_is_renewed, 1, NULL) \
    ROW(crowd_with_a_dead_key, 2, NULL) \
    ROW(renewal_ahead_of_expiry, 1, NULL) \
    ROW(two_refusals_within_a_minute, 1, NULL) \
    ROW(record_expired_key_did_not, 1, NULL) \
    ROW(create_reply_is_lost, 1, NULL) \
    ROW(create_is_slower_than_clients, 1, NULL) \
    ROW(create_is_put_off_for_an_hour, 1, NULL) \
    ROW(trace_is_lost, 2, NULL) \
    ROW(lease_runs_out, 2, NULL) \
    ROW(many_keys_are_gone, 1, NULL) \
    ROW(outage_opens_the_breaker, 1, NULL) \
    ROW(key_is_disabled_at_openrouter, 1, NULL) \
    ROW(management_key_is_refused, 1, NULL) \
    ROW(no_management_key, 1, arrange_no_management_key) \
    ROW(full_client, 1, NULL) \
    ROW(clients_leave_midway, 1, NULL) \
    ROW(upstream_errors, 1, NULL) \
    ROW(drain_and_cut, 2, NULL) \
    ROW(service_tokens, 1, NULL) \
    ROW(credentials_are_checked, 1, NULL) \
    ROW(store_is_down, 1, NULL)

void arrange_no_management_key(struct world *w);

#define ROW(name, instances, arrange) void name(struct world *w);
SCENES(ROW)
#undef ROW

extern const struct scene scenes[];

#endif

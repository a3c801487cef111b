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
    ROW(tier_is_raised, 1, NULL) \
    ROW(carried_limit_in_the_next_period, 1, NULL) \
    ROW(crowd_meets_a_limit, 2, NULL) \
    ROW(counters_are_lost, 1, NULL) \
    ROW(limit_met_during_a_false_alarm, 1, NULL) \
    ROW(limit_met_by_a_dying_key, 1, NULL) \
    ROW(limit_was_raised_meanwhile, 1, NULL) \
    ROW(limit_cannot_be_raised_now, 1, NULL) \
    ROW(limit_met_beside_a_leftover, 1, NULL) \
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
    ROW(quota_is_told, 1, arrange_quota_is_told) \
    ROW(quota_is_told_to_the_slow, 1, arrange_quota_is_told) \
    ROW(broken_streams_tell_no_quota, 1, arrange_quota_is_told) \
    ROW(hidden_errors, 1, NULL) \
    ROW(hidden_errors_behind_blank_lines, 1, NULL) \
    ROW(hidden_errors_break_off, 1, NULL) \
    ROW(answers_without_choices, 1, NULL) \
    ROW(service_tokens, 1, NULL) \
    ROW(credentials_are_checked, 1, NULL) \
    ROW(store_is_down, 1, NULL) \
    ROW(models_come_late, 1, arrange_models_come_late) \
    ROW(budget_for_some_of_a_crowd, 2, NULL) \
    ROW(budget_is_held_then_spent, 1, NULL) \
    ROW(tiers_change, 1, NULL) \
    ROW(free_tier, 1, NULL) \
    ROW(few_free_requests, 1, arrange_few_free_requests) \
    ROW(crowd_at_a_free_model, 2, arrange_crowd_at_a_free_model) \
    ROW(free_minute_is_closed, 1, NULL) \
    ROW(free_day_is_closed, 2, NULL) \
    ROW(free_model_is_busy, 1, NULL) \
    ROW(free_place_is_lost, 1, NULL) \
    ROW(shared_key_on_failure, 1, NULL) \
    ROW(shared_key_proves_nothing, 1, NULL) \
    ROW(admission_is_lost, 1, NULL) \
    ROW(busy_user, 1, NULL) \
    ROW(busy_user_grows, 1, NULL) \
    ROW(busy_user_reads_what_is_left, 1, NULL) \
    ROW(busy_user_is_changed, 1, NULL) \
    ROW(busy_instance_dies, 2, NULL) \
    ROW(busy_at_midnight, 1, NULL) \
    ROW(busy_near_a_limit, 2, NULL) \
    ROW(busy_user_fills_her_budget, 1, NULL) \
    ROW(busy_instance_dies_after_a_renewal, 2, NULL) \
    ROW(busy_user_sends_a_larger_one, 1, NULL) \
    ROW(busy_user_sends_another_meanwhile, 1, NULL) \
    ROW(busy_user_asks_for_what_is_left, 1, NULL) \
    ROW(busy_user_turns_to_smaller_ones, 1, NULL) \
    ROW(busy_user_with_few_slots, 1, NULL) \
    ROW(busy_user_with_few_slots_goes_elsewhere, 2, NULL) \
    ROW(busy_user_sends_many_at_once, 1, NULL) \
    ROW(busy_user_leaves_while_waiting, 1, NULL) \
    ROW(busy_while_redis_is_behind, 1, NULL) \
    ROW(busy_while_redis_is_late, 1, NULL) \
    ROW(busy_and_no_holds_come, 1, NULL) \
    ROW(busy_instance_gives_up, 1, arrange_journal) \
    ROW(busy_instance_drains, 1, NULL) \
    ROW(outbox_of_the_dead_after_a_lost_answer, 2, NULL) \
    ROW(cancelled_stream, 1, NULL) \
    ROW(drained_stream, 1, NULL) \
    ROW(drained_after_a_retry, 1, NULL) \
    ROW(left_before_content, 1, NULL) \
    ROW(usage_is_missing, 1, NULL) \
    ROW(cost_is_never_told, 1, NULL) \
    ROW(stream_fails_midway, 1, NULL) \
    ROW(stream_outlives_its_open_key, 1, NULL) \
    ROW(dies_after_the_head, 1, NULL) \
    ROW(dies_before_the_head, 1, NULL) \
    ROW(reaped_while_cut_off, 2, NULL) \
    ROW(several_die_together, 2, NULL) \
    ROW(dies_before_there_is_a_key, 2, NULL) \
    ROW(audit_waits_for_quiet, 2, NULL) \
    ROW(audit_has_no_answer, 2, NULL) \
    ROW(key_is_gone_before_the_audit, 2, NULL) \
    ROW(cut_while_looking_up, 2, NULL) \
    ROW(nobody_tells_on_the_shared_key, 1, NULL) \
    ROW(redis_forgets_its_last_second, 1, NULL) \
    ROW(redis_forgets_what_is_booked, 1, NULL) \
    ROW(journal_outlives_the_instance, 1, arrange_journal) \
    ROW(outage_is_asked_about_rarely, 1, arrange_journal)

/* Only told as they are: who never pauses for so long is estimated when something else goes wrong, too (decision 015). */
#define SCENES_TOLD_PLAINLY(ROW) \
    ROW(busy_while_redis_is_away, 1, NULL) \
    ROW(busy_elsewhere_when_an_instance_dies, 2, NULL) \
    ROW(busy_user_is_estimated, 1, NULL)

void arrange_no_management_key(struct world *w);
void arrange_models_come_late(struct world *w);
void arrange_journal(struct world *w);
void arrange_few_free_requests(struct world *w);
void arrange_crowd_at_a_free_model(struct world *w);
void arrange_quota_is_told(struct world *w);

#define ROW(name, instances, arrange) void name(struct world *w);
SCENES(ROW)
SCENES_TOLD_PLAINLY(ROW)
#undef ROW

extern const struct scene scenes[];

#endif

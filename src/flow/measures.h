/* measures.h: everything keyturn counts, as one table. /metrics and the README's table are printed from it.
 * No user, token or key is ever a label.
 *
 * Units     histograms take microseconds and print seconds.
 */
#ifndef KEYTURN_FLOW_MEASURES_H
#define KEYTURN_FLOW_MEASURES_H

#include "base/metrics.h"

/* label sets: NONE, ROUTE, STATUS, OUTCOME, ADMIT, AHEAD, FREE, WINDOW, SOURCE, END */
#define MEASURES(ROW) \
    ROW(REQUESTS, "keyturn_requests_total", COUNTER, ROUTE, STATUS, \
        "Replies by route and status.") \
    ROW(FIRST_BYTE, "keyturn_time_to_first_byte_seconds", HISTOGRAM, ROUTE, NONE, \
        "From the request's head to the reply's first byte.") \
    ROW(OVERHEAD, "keyturn_overhead_seconds", HISTOGRAM, ROUTE, NONE, \
        "Time keyturn itself added before the reply's first byte; waiting for OpenRouter and the " \
        "client not counted.") \
    ROW(IN_FLIGHT, "keyturn_exchanges_in_flight", GAUGE, NONE, NONE, \
        "Inference requests being worked on.") \
    ROW(CLIENT_GONE, "keyturn_clients_gone_total", COUNTER, ROUTE, NONE, \
        "Clients that left before their reply ended.") \
    ROW(RENEWALS, "keyturn_renewals_total", COUNTER, OUTCOME, NONE, \
        "Key provisionings and renewals by outcome.") \
    ROW(KEYS_CREATED, "keyturn_keys_created_total", COUNTER, NONE, NONE, \
        "Sub-keys made at OpenRouter.") \
    ROW(KEYS_DELETED, "keyturn_keys_deleted_total", COUNTER, NONE, NONE, \
        "Sub-keys deleted at OpenRouter.") \
    ROW(KEYS_REJECTED, "keyturn_upstream_unauthorized_total", COUNTER, NONE, NONE, \
        "401 answers to inference that may mean a dead key.") \
    ROW(ADMISSIONS, "keyturn_admissions_total", COUNTER, ADMIT, NONE, "Admissions by verdict.") \
    ROW(HOLDS_AHEAD, "keyturn_holds_ahead_total", COUNTER, AHEAD, NONE, \
        "Holds taken before the requests that use them, used, and given back unused.") \
    ROW(FREE_MODELS, "keyturn_free_model_requests_total", COUNTER, FREE, WINDOW, \
        "Requests to free models by what the account's limits said, and which of them.") \
    ROW(SETTLED, "keyturn_settlements_total", COUNTER, SOURCE, NONE, \
        "Settlements by where the cost came from.") \
    ROW(SETTLED_NANO_USD, "keyturn_settled_nano_usd_total", COUNTER, SOURCE, NONE, \
        "Cost settled, in nano-USD.") \
    ROW(SETTLEMENTS_OPEN, "keyturn_settlements_open", GAUGE, NONE, NONE, \
        "Settlements that are not charged, booked and forgotten yet. Alarm when it grows.") \
    ROW(SETTLEMENTS_JOURNALLED, "keyturn_settlements_journalled", GAUGE, NONE, NONE, \
        "Of these, in the journal: Redis did not take them at the first try.") \
    ROW(ESTIMATED, "keyturn_costs_estimated_total", COUNTER, NONE, NONE, \
        "Costs OpenRouter never told. Alarm on many.") \
    ROW(BREAKER_OPEN, "keyturn_renewal_breaker_open", GAUGE, NONE, NONE, \
        "1 while OpenRouter rejects keys that its management API calls healthy.") \
    ROW(MANAGEMENT_REFUSED, "keyturn_management_key_refused", GAUGE, NONE, NONE, \
        "1 while OpenRouter refuses the provisioning key.") \
    ROW(OUT_OF_CREDITS, "keyturn_out_of_credits_total", COUNTER, NONE, NONE, \
        "Answers saying the OpenRouter account is empty. Alarm on any.") \
    ROW(RETRIES, "keyturn_upstream_retries_total", COUNTER, NONE, NONE, \
        "Second tries of an inference request.") \
    ROW(UPSTREAM_ENDS, "keyturn_upstream_calls_total", COUNTER, END, NONE, \
        "Inference calls to OpenRouter by how they ended.") \
    ROW(UPSTREAM_OPEN, "keyturn_upstream_calls_open", GAUGE, NONE, NONE, \
        "Inference calls under way.") \
    ROW(UPSTREAM_CONNECTIONS, "keyturn_upstream_connections", GAUGE, NONE, NONE, \
        "Connections to OpenRouter.") \
    ROW(CONNECTIONS, "keyturn_client_connections", GAUGE, NONE, NONE, "Client connections.") \
    ROW(HEADS_REFUSED, "keyturn_requests_refused_total", COUNTER, NONE, NONE, \
        "Requests refused before routing: framing, size, time.") \
    ROW(OVER_CAP, "keyturn_connections_over_cap_total", COUNTER, NONE, NONE, \
        "Connections refused at the cap.") \
    ROW(REDIS_UP, "keyturn_redis_up", GAUGE, NONE, NONE, "1 while the Redis link is up.") \
    ROW(REDIS_LATENCY, "keyturn_redis_command_seconds", HISTOGRAM, NONE, NONE, \
        "Redis commands, asked to answered.") \
    ROW(REDIS_LOST, "keyturn_redis_commands_lost_total", COUNTER, NONE, NONE, \
        "Redis commands whose outcome is unknown.") \
    ROW(REDIS_LATE, "keyturn_redis_late_total", COUNTER, NONE, NONE, \
        "Bunches of commands answered so late that less is asked of what nobody waits for.") \
    ROW(LOOP_LAG, "keyturn_loop_lag_seconds", HISTOGRAM, NONE, NONE, \
        "The longest tick of each second.") \
    ROW(KEYRING, "keyturn_cached_keys", GAUGE, NONE, NONE, "Sub-keys open in this process.") \
    ROW(TOKENS, "keyturn_cached_tokens", GAUGE, NONE, NONE, \
        "Token records cached in this process, unknown ones included.")

enum measure {
#define ROW(name, text, kind, label0, label1, help) MEASURE_##name,
    MEASURES(ROW)
#undef ROW
        MEASURE_COUNT
};

enum measure_ahead { AHEAD_TAKEN, AHEAD_USED, AHEAD_GIVEN_BACK };

const struct metric_row *measures_table(void); /* MEASURE_COUNT rows */

unsigned measure_status(int status); /* the label index of an HTTP status */

#endif

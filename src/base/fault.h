/* fault.h: everything that can be wrong with a request, as one table: status, type, code, retry and the sentence
 * the caller reads. The enum, the error body, the log name, the metric and README's table come from these rows.
 *
 * Units     retry_after_s is seconds; 0 means no retry-after header. `retry` false adds x-should-retry: false where
 *           clients would otherwise retry (402, 429).
 * Source    design 4.3; OpenAI's error types; x-should-retry is honoured by the official OpenAI clients.
 */
#ifndef KEYTURN_BASE_FAULT_H
#define KEYTURN_BASE_FAULT_H

#include "base/buffer.h"

/* clang-format off */
/*      name                  word                  status type                     code                       retry  after
 *      message */
#define FAULTS(ROW) \
    ROW(BAD_FRAMING,        "bad_framing",         400, "invalid_request_error", "invalid_request",           false, 0, \
        "The request is not well-formed HTTP/1.1 and was not processed. Correct it; the connection is closed.") \
    ROW(BAD_REQUEST,        "bad_request",         400, "invalid_request_error", "invalid_request",           false, 0, \
        "The request could not be understood.") \
    ROW(TWO_CREDENTIALS,    "two_credentials",     400, "invalid_request_error", "invalid_request",           false, 0, \
        "Two different credentials were sent. Send exactly one: Authorization: Bearer or x-api-key.") \
    ROW(NO_END_USER,        "no_end_user",         400, "invalid_request_error", "invalid_request",           false, 0, \
        "A service token must name the end user: add the header X-Keyturn-User or the body's field user.") \
    ROW(NO_CREDENTIAL,      "no_credential",       401, "authentication_error",  "invalid_api_key",           false, 0, \
        "No credential was sent. Send the user's keyturn token as Authorization: Bearer kt_... or x-api-key.") \
    ROW(BAD_CREDENTIAL,     "bad_credential",      401, "authentication_error",  "invalid_api_key",           false, 0, \
        "This credential is unknown, expired or revoked. Ask the operator for a new keyturn token.") \
    ROW(QUOTA_SPENT,        "quota_spent",         402, "insufficient_quota",    "insufficient_quota",        false, 0,                      \
        "This user's budget at OpenRouter is spent. It comes back with the next period, or with a higher tier.")    \
    ROW(MODEL_NOT_ALLOWED,  "model_not_allowed",   403, "permission_error",      "model_not_allowed",         false, 0,                      \
        "This user's tier does not include the model.")                                                             \
    ROW(NO_OWN_KEY,         "no_own_key",          403, "permission_error",      "key_disabled",              false, 0,                      \
        "This user's tier runs on the user's own provider key, and none is stored. Choose another tier.")           \
    ROW(USER_DISABLED,      "user_disabled",       403, "permission_error",      "user_disabled",             false, 0, \
        "This user is disabled. Ask the operator to enable it.") \
    ROW(KEY_DISABLED,       "key_disabled",        403, "permission_error",      "key_disabled",              false, 0, \
        "This user's upstream key is disabled. Ask the operator to enable it; it is not renewed by itself.") \
    ROW(NO_SUCH_ROUTE,      "no_such_route",       404, "not_found_error",       "not_found",                 false, 0, \
        "There is nothing here. The inference routes are under /v1/; see the README for the list.") \
    ROW(WRONG_METHOD,       "wrong_method",        405, "invalid_request_error", "method_not_allowed",        false, 0, \
        "This route exists but not with this method; see the Allow header.") \
    ROW(SLOW_REQUEST,       "slow_request",        408, "invalid_request_error", "request_timeout",           true,  0, \
        "The request did not arrive in time. Send it again, faster.") \
    ROW(BODY_TOO_LARGE,     "body_too_large",      413, "invalid_request_error", "request_too_large",         false, 0, \
        "The body is larger than this proxy takes (server.body_max). Send less or ask the operator to raise it.") \
    ROW(TARGET_TOO_LONG,    "target_too_long",     414, "invalid_request_error", "uri_too_long",              false, 0, \
        "The request line is too long.") \
    ROW(BAD_EXPECTATION,    "bad_expectation",     417, "invalid_request_error", "expectation_failed",        false, 0, \
        "Only Expect: 100-continue is understood.") \
    ROW(MESSAGES_SPENT,     "messages_spent",      429, "insufficient_quota",    "daily_message_limit_reached", false, 0,                    \
        "This user's messages for today are used up. They come back at 00:00 UTC, or with a higher tier.")          \
    ROW(TOO_FAST,           "too_fast",            429, "rate_limit_error",      "rate_limit_exceeded",       true,  1,                      \
        "This user sent more requests in this minute than the tier allows. Retry after the given seconds.")         \
    ROW(FREE_MODELS_MINUTE, "free_models_minute",  429, "rate_limit_error",      "rate_limit_exceeded",       true,  1,                      \
        "The requests to free models that the whole account may make in this minute are used up. Retry after the given seconds, or choose a paid model.") \
    ROW(FREE_MODELS_DAY,    "free_models_day",     429, "rate_limit_error",      "rate_limit_exceeded",       false, 0,                      \
        "The requests to free models that the whole account may make today are used up. They come back at 00:00 UTC; choose a paid model until then.") \
    ROW(TOO_MANY,           "too_many",            429, "rate_limit_error",      "too_many_concurrent_requests", true, 1,                    \
        "This user has as many requests running as the tier allows. Retry when one has ended.")                     \
    ROW(BUDGET_HELD,        "budget_held",         429, "rate_limit_error",      "budget_held",               true,  2,                      \
        "What is left of this user's budget is held by the user's other running requests. Retry when one has ended.") \
    ROW(HEAD_TOO_LARGE,     "head_too_large",      431, "invalid_request_error", "headers_too_large",         false, 0, \
        "The request's header fields are too large or too many.") \
    ROW(INTERNAL,           "internal",            500, "server_error",          "internal_error",            true,  0, \
        "keyturn failed to process this request; nothing was charged. The operator finds it in the log by its id.") \
    ROW(UPSTREAM_BAD,       "upstream_bad",        502, "server_error",          "upstream_error",            true,  0, \
        "OpenRouter's answer could not be used. The request may have been processed; retry with care.") \
    ROW(UPSTREAM_REFUSED,   "upstream_refused",    502, "server_error",          "upstream_error",            false, 0, \
        "OpenRouter refused this proxy's request. The operator finds the reason in the log.") \
    ROW(PROVIDER_REFUSED,   "provider_refused",    502, "server_error",          "upstream_error",            true,  0, \
        "The model's provider refused OpenRouter's credential. Retry later or choose another model.") \
    ROW(RENEWAL_FAILED,     "renewal_failed",      502, "server_error",          "auto_renewal_failed",       false, 0, \
        "This user's upstream key is dead and could not be renewed. The operator must look at the log.") \
    ROW(NO_MANAGEMENT_KEY,  "no_management_key",   502, "server_error",          "auto_renewal_failed",       false, 0, \
        "This user needs an upstream key and no provisioning key is set. The operator must set OPENROUTER_PROVISIONING_KEY.") \
    ROW(MANAGEMENT_REFUSED, "management_refused",  502, "server_error",          "auto_renewal_failed",       false, 0, \
        "OpenRouter refused the provisioning key, so no key can be made. The operator must replace OPENROUTER_PROVISIONING_KEY.") \
    ROW(RENEWAL_DELAYED,    "renewal_delayed",     503, "server_error",          "auto_renewal_failed",       true,  5, \
        "This user's upstream key could not be renewed just now. Retry after the given seconds.") \
    ROW(RENEWAL_RUNNING,    "renewal_running",     503, "server_error",          "renewal_in_progress",       true,  2, \
        "This user's upstream key is being made. Retry after the given seconds.") \
    ROW(STORE_DOWN,         "store_down",          503, "server_error",          "store_unavailable",         true,  1, \
        "keyturn's store does not answer, so no paid request is let through. Retry after the given seconds.") \
    ROW(UPSTREAM_DOWN,      "upstream_down",       503, "server_error",          "upstream_unavailable",      true,  5, \
        "OpenRouter cannot be reached or rejects healthy keys at the moment. Retry after the given seconds.") \
    ROW(OUT_OF_CREDITS,     "out_of_credits",      503, "server_error",          "out_of_credits",            true,  60, \
        "The operator's OpenRouter account is out of credits. Retry later; the operator has been told in the log.") \
    ROW(OVERLOADED,         "overloaded",          503, "server_error",          "overloaded",                true,  1, \
        "This instance has as many connections as it can serve. Retry after the given seconds.") \
    ROW(DRAINING,           "draining",            503, "server_error",          "shutting_down",             true,  1, \
        "This instance is shutting down. Retry after the given seconds.") \
    ROW(UPSTREAM_SLOW,      "upstream_slow",       504, "server_error",          "upstream_timeout",          true,  0, \
        "OpenRouter did not answer in time. The request may have been processed; retry with care.")

enum fault {
    FAULT_NONE,
#define ROW(name, word, status, type, code, retry, after, message) FAULT_##name,
    FAULTS(ROW)
#undef ROW
    FAULT_COUNT
};
/* clang-format on */

struct fault_row {
    const char *name; /* the word: as in the enum, lower case; for the log and the metric */
    int status;
    const char *type, *code;
    bool retry;
    int retry_after_s;
    const char *message;
};

/* Of FAULT_NONE there is none: asking is a bug and stops. */
const struct fault_row *fault_row(enum fault fault);

/* Official clients retry these statuses unless x-should-retry: false tells them that no retry can mend it. */
bool fault_wants_no_retry(enum fault fault);

/* The one shape of every error: {"error":{"message","type","code","param","request_id"}}. An empty detail leaves the
 * table's sentence; a detail replaces it. param may be SPAN_NONE (null). */
bool fault_body(struct buffer *out, enum fault fault, struct span detail, struct span param,
                struct span request_id);
/* The same with members of the caller's beside the standard ones: "\"limit\":1,\"remaining\":0". */
bool fault_body_with(struct buffer *out, enum fault fault, struct span detail, struct span param,
                     struct span request_id, struct span members);

#endif

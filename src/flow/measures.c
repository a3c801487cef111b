#include "flow/measures.h"

#include "domain/dialect.h"
#include "flow/renewal.h"
#include "io/upstream.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const int statuses[] = {200, 201, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413,
                               414, 417, 422, 429, 431, 500, 502, 503, 504, 524, 529, 0};
static const char *const status_names[COUNT(statuses)] = {
    "200", "201", "400", "401", "402", "403", "404", "405", "408", "409", "410", "413",
    "414", "417", "422", "429", "431", "500", "502", "503", "504", "524", "529", "other"};
static const char *const route_names[DIALECT_COUNT] = {"chat", "text", "responses", "messages",
                                                       "embeddings"};
static const char *const outcome_names[] = {
#define ROW(name, text, fault) text,
    RENEWAL_OUTCOMES(ROW)
#undef ROW
};
static const char *const admit_names[] = {
    "granted",     "no_user",        "user_disabled", "other_tier", "other_period", "budget_spent",
    "budget_held", "messages_spent", "too_fast",      "too_many",   "over"};
static const char *const ahead_names[] = {"taken", "used", "given_back"};
static const char *const free_names[] = {"granted", "spent", "share_spent", "closed"};
static const char *const window_names[] = {"none", "minute", "day"};
static const char *const source_names[] = {"usage", "generation", "key_usage", "estimate",
                                           "nothing_sent"};
static const char *const end_names[] = {"done", "unreached", "lost", "cut", "late_head", "stalled"};

static const struct label_set label_ROUTE = {"route", route_names, DIALECT_COUNT};
static const struct label_set label_STATUS = {"status", status_names, COUNT(status_names)};
static const struct label_set label_OUTCOME = {"outcome", outcome_names, COUNT(outcome_names)};
static const struct label_set label_END = {"end", end_names, COUNT(end_names)};

static const struct label_set label_ADMIT = {"verdict", admit_names, COUNT(admit_names)};
static const struct label_set label_AHEAD = {"what", ahead_names, COUNT(ahead_names)};
static const struct label_set label_FREE = {"verdict", free_names, COUNT(free_names)};
static const struct label_set label_WINDOW = {"window", window_names, COUNT(window_names)};
static const struct label_set label_SOURCE = {"source", source_names, COUNT(source_names)};

#define LABEL_NONE NULL
#define LABEL_ADMIT &label_ADMIT
#define LABEL_AHEAD &label_AHEAD
#define LABEL_FREE &label_FREE
#define LABEL_WINDOW &label_WINDOW
#define LABEL_SOURCE &label_SOURCE
#define LABEL_ROUTE &label_ROUTE
#define LABEL_STATUS &label_STATUS
#define LABEL_OUTCOME &label_OUTCOME
#define LABEL_END &label_END

static const struct metric_row measures[MEASURE_COUNT] = {
#define ROW(name, text, kind, label0, label1, help) \
    {text, help, METRIC_##kind, {LABEL_##label0, LABEL_##label1}},
    MEASURES(ROW)
#undef ROW
};

const struct metric_row *measures_table(void)
{
    return measures;
}

unsigned measure_status(int status)
{
    unsigned index = 0;

    while (statuses[index] && statuses[index] != status)
        index++;
    return index;
}

#include "api/self_service.h"

#include "api/reply.h"
#include "api/self_way.h"
#include "base/alloc.h"

#include <assert.h>

enum { LOOKS_MAX = 4, PAGE_MAX = 512 * 1024 };

#define ROW(name, text) static enum verdict name(struct self_service *self);
SELF_WAY(ROW)
#undef ROW

static enum verdict (*const way[SELF_AT_COUNT])(struct self_service *self) = {
#define ROW(name, text) name,
    SELF_WAY(ROW)
#undef ROW
};

static bool print_models(const struct self_service *self, struct buffer *out);

static const struct {
    bool key;
    size_t months;
    size_t size_max;
    bool (*print)(const struct self_service *self, struct buffer *out);
} pages[] = {
    [SELF_MODELS] = {.size_max = TEXT_CELL_MAX, .print = print_models},
    [SELF_KEY] = {.months = 2, .size_max = PAGE_MAX, .print = self_print_key},
    [SELF_ME] = {.key = true, .size_max = PAGE_MAX, .print = self_print_me},
    [SELF_USAGE] = {.months = SELF_MONTHS_MAX, .size_max = PAGE_MAX, .print = self_print_usage},
};

static void on_gone(struct visit *visit);
static void on_turn(struct turn *turn);
static enum verdict go(struct self_service *self, enum self_at at);
static enum verdict fail(struct self_service *self, enum fault fault, struct span detail,
                         struct span param);
static enum verdict tier_told(struct self_service *self);
static bool windows_are_past(const struct self_service *self);
static void take_day(struct sums_read *read, const struct sums_row *row);
static struct client *give_back(struct self_service *self);
static void self_free(struct self_service *self);

static const struct visit_calls calls = {.on_gone = on_gone};

void self_service_begin(struct api *api, struct client *client, const struct request_head *head,
                        enum self_page page)
{
    struct self_service *self = must_alloc(sizeof(*self));
    struct flow *flow = api->flow;

    self->visit.calls = &calls;
    self->api = api;
    self->client = client;
    self->page = page;
    self->months_wanted = pages[page].months;
    for (size_t i = 0; i < self->months_wanted; i++)
        usage_sheet_init(&self->months[i].sheet, (uint64_t[2]){flow->random(), flow->random()});
    turn_init(&self->turn, on_turn);
    client_attach(client, &self->visit);
    caller_read(&self->caller, head->headers);
    on_turn(&self->turn);
}

/* It stays for the answer that is under way. */
static void on_gone(struct visit *visit)
{
    container_of(visit, struct self_service, visit)->client = NULL;
}

static void on_turn(struct turn *turn)
{
    struct self_service *self = container_of(turn, struct self_service, turn);
    enum verdict verdict;

    do
        verdict = way[self->at](self);
    while (verdict == GO_ON);
    if (verdict == END)
        self_free(self);
}

static enum verdict ask_identity(struct self_service *self)
{
    span_text(self->caller.credential.id, self->token_id, sizeof(self->token_id));
    self->at = SELF_AT_got_identity;
    caller_ask(self->api->flow, &self->caller, &self->turn);
    return GO_ON;
}

static enum verdict got_identity(struct self_service *self)
{
    switch (caller_got(&self->caller, self->user)) {
    case CALLER_WAITING:
        return WAIT;
    case CALLER_REFUSED:
        return fail(self, self->caller.fault, self->caller.detail, self->caller.param);
    case CALLER_SERVICE:
        return fail(self, FAULT_NO_END_USER,
                    SPAN("A service token must name the end user in the "
                         "header X-Keyturn-User."),
                    SPAN_NONE);
    case CALLER_USER:
        break;
    }
    return go(self, SELF_AT_ask_quota);
}

/* Limits and windows are the tier's, which only the answer tells: first it is asked as the default tier. */
static enum verdict ask_quota(struct self_service *self)
{
    const struct flow_settings *settings = self->api->flow->settings;

    if (!self->tier)
        self->tier = settings->default_tier ? settings->default_tier : &settings->tiers->rows[0];
    self->at = SELF_AT_got_quota;
    self->looks++;
    self->asked_ms = flow_store_ms(self->api->flow);
    advance_end(&self->api->flow->advances, span_of(self->user));
    settlements_hurry(&self->api->flow->settlements, span_of(self->user));
    quota_look(self->api->flow->store, &self->look, span_of(self->user), self->tier, self->asked_ms,
               &self->turn);
    return WAIT;
}

static enum verdict got_quota(struct self_service *self)
{
    struct flow *flow = self->api->flow;

    if (store_call_is_open(&self->look.call))
        return WAIT;
    if (self->look.call.end != STORE_OK)
        return fail(self, FAULT_STORE_DOWN, SPAN_NONE, SPAN_NONE);
    if (self->look.disabled)
        return fail(self, FAULT_USER_DISABLED, SPAN_NONE, SPAN_NONE);
    if (!self->look.found && !flow->settings->default_tier)
        return fail(self, FAULT_BAD_CREDENTIAL, SPAN_NONE, SPAN_NONE);
    flow->store_ahead_ms = self->look.now_ms - loop_wall_ms(flow->loop);
    if (self->look.found && self->look.tier[0] && strcmp(self->look.tier, self->tier->name) != 0)
        return tier_told(self);
    if (windows_are_past(self) && self->looks < LOOKS_MAX)
        return go(self, SELF_AT_ask_quota);
    return go(self, SELF_AT_ask_key);
}

static enum verdict ask_key(struct self_service *self)
{
    if (!pages[self->page].key)
        return go(self, SELF_AT_ask_month);
    self->at = SELF_AT_got_key;
    key_load(self->api->flow->store, &self->key, span_of(self->user), &self->turn);
    return WAIT;
}

static enum verdict got_key(struct self_service *self)
{
    if (store_call_is_open(&self->key.call))
        return WAIT;
    wipe(self->key.record.sealed, sizeof(self->key.record.sealed)); /* nobody here needs it */
    if (self->key.call.end != STORE_OK)
        return fail(self, FAULT_STORE_DOWN, SPAN_NONE, SPAN_NONE);
    return go(self, SELF_AT_ask_month);
}

static enum verdict ask_month(struct self_service *self)
{
    struct self_month *month = &self->months[self->month];

    if (self->month == self->months_wanted)
        return go(self, SELF_AT_answer);
    month->period = self->month == 0
                        ? period_of(LIMIT_RESET_MONTHLY, self->look.now_ms)
                        : period_before(&self->months[self->month - 1].period, LIMIT_RESET_MONTHLY);
    self->at = SELF_AT_got_month;
    sums_of_user(self->api->flow->store, &self->read, span_of(self->user), &month->period, take_day,
                 &self->turn);
    return WAIT;
}

static enum verdict got_month(struct self_service *self)
{
    if (store_call_is_open(&self->read.call))
        return WAIT;
    if (self->read.call.end != STORE_OK)
        return fail(self, FAULT_STORE_DOWN, SPAN_NONE, SPAN_NONE);
    self->month++;
    return go(self, SELF_AT_ask_month);
}

static enum verdict answer(struct self_service *self)
{
    struct buffer body;
    bool fits;

    if (self->page == SELF_MODELS && !self->api->flow->models.catalogue)
        return fail(self, FAULT_UPSTREAM_DOWN,
                    SPAN("The model catalogue has not come from OpenRouter yet. Retry after the "
                         "given seconds."),
                    SPAN_NONE);
    buffer_init(&body, pages[self->page].size_max);
    fits = pages[self->page].print(self, &body);
    if (fits)
        reply_late(self->api, give_back(self), SPAN("application/json"), buffer_view(&body));
    buffer_done(&body);
    return fits ? END : fail(self, FAULT_INTERNAL, SPAN_NONE, SPAN_NONE);
}

static enum verdict answer_fault(struct self_service *self)
{
    reply_late_fault(self->api, give_back(self), self->fault, self->fault_detail,
                     self->fault_param);
    return END;
}

/* A client that left is told nothing and asked nothing more for. */
static enum verdict go(struct self_service *self, enum self_at at)
{
    self->at = at;
    return self->client ? GO_ON : END;
}

static enum verdict fail(struct self_service *self, enum fault fault, struct span detail,
                         struct span param)
{
    self->fault = fault;
    self->fault_detail = detail;
    self->fault_param = param;
    return go(self, SELF_AT_answer_fault);
}

static enum verdict tier_told(struct self_service *self)
{
    struct flow *flow = self->api->flow;

    self->tier = tiers_find(flow->settings->tiers, span_of(self->look.tier));
    if (self->tier && self->looks < LOOKS_MAX)
        return go(self, SELF_AT_ask_quota);
    log_error(flow->log,
              "a user's tier is not in the configuration: add it, or give the user "
              "another one",
              log_text("user", self->user), log_text("tier", self->look.tier));
    return fail(self, FAULT_INTERNAL, SPAN_NONE, SPAN_NONE);
}

/* Redis' clock is in another window than the one asked for. */
static bool windows_are_past(const struct self_service *self)
{
    enum limit_reset reset = self->tier->limit_reset;
    struct period asked = period_of(reset, self->asked_ms),
                  now = period_of(reset, self->look.now_ms);
    struct period asked_day = period_of(LIMIT_RESET_DAILY, self->asked_ms);

    return asked.starts_ms != now.starts_ms || self->look.now_ms < asked_day.starts_ms ||
           self->look.now_ms >= asked_day.ends_ms;
}

static void take_day(struct sums_read *read, const struct sums_row *row)
{
    struct self_service *self = container_of(read, struct self_service, read);

    usage_sheet_add(&self->months[self->month].sheet, row);
}

static bool print_models(const struct self_service *self, struct buffer *out)
{
    return catalogue_print_for(self->api->flow->models.catalogue, self->tier, out);
}

static struct client *give_back(struct self_service *self)
{
    struct client *client = self->client;

    self->client = NULL;
    return client;
}

static void self_free(struct self_service *self)
{
    assert(!self->client);
    for (size_t i = 0; i < self->months_wanted; i++)
        usage_sheet_done(&self->months[i].sheet);
    caller_done(&self->caller);
    turn_cancel(&self->turn);
    must_free(self);
}

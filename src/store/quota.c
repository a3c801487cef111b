#include "store/quota.h"

#include "store/quota_parts.h"
#include "store/settled_text.h"

#include <assert.h>

enum { MINUTE_MS = 60 * 1000, MAKE_USER = 1, IS_MESSAGE = 2 };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const verdicts[] = {
    [ADMIT_GRANTED] = "granted",
    [ADMIT_NO_USER] = "no_user",
    [ADMIT_USER_DISABLED] = "user_disabled",
    [ADMIT_OTHER_TIER] = "other_tier",
    [ADMIT_OTHER_PERIOD] = "other_period",
    [ADMIT_BUDGET_SPENT] = "budget_spent",
    [ADMIT_BUDGET_HELD] = "budget_held",
    [ADMIT_MESSAGES_SPENT] = "messages_spent",
    [ADMIT_TOO_FAST] = "too_fast",
    [ADMIT_TOO_MANY] = "too_many",
    [ADMIT_OVER] = "over",
};
static void extend_send(struct store *store, struct quota_extend *extend, struct span user,
                        struct span request_id, int64_t lease_ms, struct span generation_id,
                        int64_t key_version, bool message_given_back, struct turn *wake);
static void add_limits(struct store_args *args, const struct tier *tier);
static bool read_admission(struct store_call *call, const struct redis_reply *reply);
static bool read_window(const struct redis_reply *reply, enum admit_item item, int64_t admitted_ms,
                        struct period *period);
static void set_rest(struct quota_view *view);
static bool read_extended(struct store_call *call, const struct redis_reply *reply);

int64_t quota_amount(int64_t nano_usd)
{
    assert(nano_usd >= 0);
    return nano_usd < QUOTA_AMOUNT_MAX ? nano_usd : QUOTA_AMOUNT_MAX;
}

/* lua/admit.lua */
void quota_admit(struct store *store, struct admission *admission, const struct admit_ask *ask,
                 struct turn *wake)
{
    assert(request_id_is_fine(ask->request_id));
    admission->budget = period_of(ask->tier->limit_reset, ask->wall_ms);
    admission->day = period_of(LIMIT_RESET_DAILY, ask->wall_ms);
    quota_admit_send(store, &admission->call, ask,
                     (struct admit_windows){&admission->budget, &admission->day},
                     (struct later_ids){0}, wake, read_admission);
}

void quota_extend(struct store *store, struct quota_extend *extend, struct span user,
                  struct span request_id, int64_t lease_ms, struct span generation_id,
                  int64_t key_version, struct turn *wake)
{
    extend_send(store, extend, user, request_id, lease_ms, generation_id, key_version, false, wake);
}

void quota_leave(struct store *store, struct quota_extend *extend, struct span user,
                 struct span request_id, struct span generation_id, int64_t key_version,
                 bool delivered, struct turn *wake)
{
    extend_send(store, extend, user, request_id, 0, generation_id, key_version, !delivered, wake);
}

/* lua/extend.lua */
static void extend_send(struct store *store, struct quota_extend *extend, struct span user,
                        struct span request_id, int64_t lease_ms, struct span generation_id,
                        int64_t key_version, bool message_given_back, struct turn *wake)
{
    struct quota_keys keys = {.user = user};
    struct store_args args;

    assert(request_id_is_fine(request_id));
    quota_key_add(&keys, STORE_KEY_ACCOUNT);
    args_begin(&args, store);
    args_add(&args, request_id);
    args_add_number(&args, lease_ms);
    args_add(&args, span_first(generation_id, METER_TEXT_MAX));
    args_add_number(&args, key_version);
    args_add_number(&args, message_given_back);
    args_send(&args, store, &extend->call, wake, read_extended, SCRIPT_extend, keys.names,
              keys.count);
}

void quota_key_add(struct quota_keys *keys, enum store_key key)
{
    assert(keys->count < QUOTA_KEYS_MAX);
    keys->names[keys->count] = store_key_name(key, keys->user, keys->texts[keys->count]);
    keys->count++;
}

void quota_key_add_window(struct quota_keys *keys, enum store_key key, struct span window)
{
    assert(keys->count < QUOTA_KEYS_MAX);
    keys->names[keys->count] =
        store_window_key_name(key, keys->user, window, keys->texts[keys->count]);
    keys->count++;
}

void quota_admit_send(struct store *store, struct store_call *call, const struct admit_ask *ask,
                      struct admit_windows windows, struct later_ids later, struct turn *wake,
                      bool (*read)(struct store_call *call, const struct redis_reply *reply))
{
    struct quota_keys keys = {.user = ask->user};
    const struct period *budget = windows.budget, *day = windows.day;
    int64_t hold = quota_amount(ask->hold_nano_usd), least = quota_amount(ask->least_nano_usd);
    char model[METER_TEXT_MAX];
    struct store_args args;

    quota_key_add(&keys, STORE_KEY_USER);
    quota_key_add(&keys, STORE_KEY_ACCOUNT);
    quota_key_add_window(&keys, STORE_KEY_SETTLED, span_of(day->name));
    args_begin(&args, store);
    args_add(&args, ask->request_id);
    args_add(&args, ask->holder);
    args_add(&args, span_of(ask->tier->name));
    args_add(&args, store_line(ask->model, model));
    args_add(&args, span_of(budget->name));
    args_add(&args, span_of(day->name));
    args_add_number(&args, day->starts_ms);
    args_add_number(&args, hold);
    args_add_number(&args, least < hold ? least : hold);
    args_add_number(&args, ask->lease_ms);
    args_add_number(&args, (ask->make_user ? MAKE_USER : 0) + (ask->is_message ? IS_MESSAGE : 0));
    add_limits(&args, ask->tier);
    for (size_t i = 0; i < later.count; i++)
        args_add(&args, later.items[i]);
    args_send(&args, store, call, wake, read, SCRIPT_admit, keys.names, keys.count);
}

static void add_limits(struct store_args *args, const struct tier *tier)
{
    args_add_number(args, tier->limit_nano_usd);
    args_add_number(args, tier->messages_per_day);
    args_add_number(args, tier->requests_per_minute);
    args_add_number(args, tier->max_concurrent);
    args_add_number(args, tier->overage_allowed);
}

static bool read_admission(struct store_call *call, const struct redis_reply *reply)
{
    struct admission *admission = container_of(call, struct admission, call);
    int64_t admitted_ms, created;
    size_t verdict;

    if (!item_word(reply, ADMIT_ITEM_VERDICT, verdicts, COUNT(verdicts), &verdict) ||
        !item_number(reply, ADMIT_ITEM_CREATED, &created))
        return false;
    admission->verdict = (enum admit_verdict)verdict;
    admission->user_created = created == 1;
    admission->view.budget_resets_ms = admission->budget.ends_ms;
    admission->view.day_resets_ms = admission->day.ends_ms;
    return item_text(reply, ADMIT_ITEM_TIER, admission->tier, sizeof(admission->tier)) &&
           item_number(reply, ADMIT_ITEM_GRANTED, &admission->granted_nano_usd) &&
           item_number(reply, ADMIT_ITEM_NOW, &admission->now_ms) &&
           item_number(reply, ADMIT_ITEM_ADMITTED, &admitted_ms) &&
           read_window(reply, ADMIT_ITEM_BUDGET, admitted_ms, &admission->budget) &&
           read_window(reply, ADMIT_ITEM_DAY, admitted_ms, &admission->day) &&
           quota_view_read(reply, admission->now_ms, &admission->view);
}

/* A repeated admission may be told a hold that was taken in another window than asked for now. */
static bool read_window(const struct redis_reply *reply, enum admit_item item, int64_t admitted_ms,
                        struct period *period)
{
    char window[PERIOD_NAME_SIZE];

    if (!item_text(reply, item, window, sizeof(window)))
        return false;
    if (strcmp(window, period->name) == 0)
        return true;
    for (enum limit_reset reset = LIMIT_RESET_DAILY; reset <= LIMIT_RESET_MONTHLY; reset++) {
        struct period other = period_of(reset, admitted_ms);
        if (strcmp(window, other.name) == 0) {
            *period = other;
            return true;
        }
    }
    return false;
}

bool quota_view_read(const struct redis_reply *reply, int64_t now_ms, struct quota_view *view)
{
    view->minute_resets_ms = (now_ms / MINUTE_MS + 1) * MINUTE_MS;
    if (!item_number(reply, ADMIT_ITEM_LIMIT, &view->limit_nano_usd) ||
        !item_number(reply, ADMIT_ITEM_SPENT, &view->spent_nano_usd) ||
        !item_number(reply, ADMIT_ITEM_HELD, &view->held_nano_usd) ||
        !item_number(reply, ADMIT_ITEM_MESSAGES_LIMIT, &view->messages_limit) ||
        !item_number(reply, ADMIT_ITEM_MESSAGES, &view->messages_used) ||
        !item_number(reply, ADMIT_ITEM_REQUESTS_LIMIT, &view->requests_limit) ||
        !item_number(reply, ADMIT_ITEM_REQUESTS, &view->requests_used) ||
        !item_number(reply, ADMIT_ITEM_ACTIVE_LIMIT, &view->active_limit) ||
        !item_number(reply, ADMIT_ITEM_ACTIVE, &view->active))
        return false;
    set_rest(view);
    return true;
}

void quota_change_add(struct quota_change *change, const struct quota_change *more)
{
    change->spent_nano_usd += more->spent_nano_usd;
    change->held_nano_usd += more->held_nano_usd;
    change->messages += more->messages;
    change->requests += more->requests;
    change->active += more->active;
}

void quota_view_change(struct quota_view *view, const struct quota_change *change)
{
    view->spent_nano_usd += change->spent_nano_usd;
    view->held_nano_usd += change->held_nano_usd;
    view->messages_used += change->messages;
    view->requests_used += change->requests;
    view->active += change->active;
    set_rest(view);
}

static void set_rest(struct quota_view *view)
{
    int64_t limit = view->limit_nano_usd, spent = view->spent_nano_usd;
    int64_t rest = limit - spent - view->held_nano_usd;

    view->debt_nano_usd = limit >= 0 && spent > limit ? spent - limit : 0;
    view->remaining_nano_usd = limit < 0 ? UNLIMITED : rest > 0 ? rest : 0;
}

static bool read_extended(struct store_call *call, const struct redis_reply *reply)
{
    container_of(call, struct quota_extend, call)->alive = field_flag(reply, "alive");
    return redis_reply_kind(reply) == REDIS_LIST;
}

/* quota_model.h: what lua/admit.lua, extend.lua, settle.lua and expire.lua must do to one user, in plain C.
 *
 * Nothing is summed ahead: every figure is counted from the holds and the settlements when it is asked for.
 */
#ifndef KEYTURN_TESTS_STORE_QUOTA_MODEL_H
#define KEYTURN_TESTS_STORE_QUOTA_MODEL_H

#include "quota.h"

enum { MODEL_HOLDS = 16384, MODEL_WINDOWS = 4096, MODEL_SWEPT = 16, MODEL_VERSIONS = 4096 };

enum hold_state { HOLD_NEW, HOLD_HELD, HOLD_UNCONFIRMED, HOLD_SETTLED };

struct model_hold {
    enum hold_state state;
    int64_t amount, limit, lease_ends_ms, settled_ms;
    bool is_message;
    char budget[PERIOD_NAME_SIZE], day[PERIOD_NAME_SIZE];
};

struct model_window {
    char name[PERIOD_NAME_SIZE];
    int64_t spent, messages;
};

struct model {
    struct model_hold holds[MODEL_HOLDS]; /* the index is the request id */
    int made;                             /* those before it are not HOLD_NEW */
    int open[MODEL_HOLDS], open_count;    /* HOLD_HELD and HOLD_UNCONFIRMED */
    struct model_window windows[MODEL_WINDOWS];
    int window_count;
    bool has_user;
    const struct tier *tier;
    int64_t own_limit, boost, boost_until_ms; /* own_limit -2: none */
    int64_t minute, requests;
    int64_t
        billed[MODEL_VERSIONS]; /* by version of the key; only of the last three, as they came up */
    int64_t settled_ms;         /* the last one */
};

struct model_figures {
    int64_t limit, spent, held, messages, requests, active;
};

static inline struct model_window *model_window(struct model *m, const char *name)
{
    for (int i = 0; i < m->window_count; i++)
        if (strcmp(m->windows[i].name, name) == 0)
            return &m->windows[i];
    assert_true(m->window_count < MODEL_WINDOWS);
    struct model_window *window = &m->windows[m->window_count++];
    snprintf(window->name, sizeof(window->name), "%s", name);
    return window;
}

static inline int64_t model_sum(const struct model *m, enum hold_state state, const char *budget)
{
    int64_t sum = 0;

    for (int i = 0; i < m->open_count; i++) {
        const struct model_hold *hold = &m->holds[m->open[i]];
        if (hold->state == state && strcmp(hold->budget, budget) == 0)
            sum += hold->amount;
    }
    return sum;
}

static inline int64_t model_messages_held(const struct model *m, const char *day)
{
    int64_t count = 0;

    for (int i = 0; i < m->open_count; i++) {
        const struct model_hold *hold = &m->holds[m->open[i]];
        count += hold->is_message && strcmp(hold->day, day) == 0;
    }
    return count;
}

/* The one whose lease ends first, the lower id of two; -1: none. */
static inline int model_first(const struct model *m, enum hold_state state, int64_t after_ms,
                              int after_id)
{
    int first = -1;

    for (int i = 0; i < m->open_count; i++) {
        int id = m->open[i];
        int64_t ends = m->holds[id].lease_ends_ms;
        if (m->holds[id].state != state || ends < after_ms || (ends == after_ms && id <= after_id))
            continue;
        if (first < 0 || ends < m->holds[first].lease_ends_ms ||
            (ends == m->holds[first].lease_ends_ms && id < first))
            first = id;
    }
    return first;
}

static inline void model_sweep(struct model *m)
{
    for (int i = 0; i < MODEL_SWEPT; i++) {
        int id = model_first(m, HOLD_HELD, 0, -1);
        if (id < 0 || m->holds[id].lease_ends_ms > hand_ms)
            return;
        m->holds[id].state = HOLD_UNCONFIRMED;
    }
}

static inline struct model_figures model_figures(struct model *m, const struct tier *tier)
{
    struct period budget = period_of(tier->limit_reset, hand_ms);
    struct period day = period_of(LIMIT_RESET_DAILY, hand_ms);
    struct model_figures figures = {
        .limit = m->own_limit > -2 ? m->own_limit : tier->limit_nano_usd,
        .spent = model_window(m, budget.name)->spent + model_sum(m, HOLD_UNCONFIRMED, budget.name),
        .held = model_sum(m, HOLD_HELD, budget.name),
        .messages = model_window(m, day.name)->messages + model_messages_held(m, day.name),
        .requests = m->minute == hand_ms / 60000 ? m->requests : 0,
    };

    if (figures.limit >= 0 && m->boost_until_ms > hand_ms)
        figures.limit += m->boost;
    for (int i = 0; i < m->open_count; i++) {
        const struct model_hold *hold = &m->holds[m->open[i]];
        figures.active += hold->state == HOLD_HELD && hold->lease_ends_ms > hand_ms;
    }
    return figures;
}

static inline enum admit_verdict model_verdict(struct model *m, const struct admit_ask *ask,
                                               const struct model_figures *f)
{
    const struct tier *tier = ask->tier;
    bool enforced = f->limit >= 0 && !tier->overage_allowed;

    if (m->has_user && tier != m->tier)
        return ADMIT_OTHER_TIER;
    if (ask->wall_ms / days_ms(1) != hand_ms / days_ms(1))
        return ADMIT_OTHER_PERIOD;
    if (enforced && f->spent + ask->least_nano_usd > f->limit)
        return ADMIT_BUDGET_SPENT;
    if (ask->is_message && tier->messages_per_day >= 0 && f->messages >= tier->messages_per_day)
        return ADMIT_MESSAGES_SPENT;
    if (tier->requests_per_minute >= 0 && f->requests >= tier->requests_per_minute)
        return ADMIT_TOO_FAST;
    if (tier->max_concurrent >= 0 && f->active >= tier->max_concurrent)
        return ADMIT_TOO_MANY;
    if (enforced && f->spent + f->held + ask->least_nano_usd > f->limit)
        return ADMIT_BUDGET_HELD;
    return ADMIT_GRANTED;
}

static inline enum admit_verdict model_admit(struct model *m, int id, const struct admit_ask *ask)
{
    struct model_hold *hold = &m->holds[id];

    model_sweep(m);
    struct model_figures f = model_figures(m, ask->tier);
    int64_t left = f.limit - f.spent - f.held;
    if (hold->state != HOLD_NEW)
        return hold->state == HOLD_HELD && hold->lease_ends_ms > hand_ms ? ADMIT_GRANTED
                                                                         : ADMIT_OVER;
    enum admit_verdict verdict = model_verdict(m, ask, &f);
    if (verdict != ADMIT_GRANTED)
        return verdict;
    *hold = (struct model_hold){.state = HOLD_HELD,
                                .amount = ask->hold_nano_usd,
                                .limit = f.limit,
                                .lease_ends_ms = hand_ms + ask->lease_ms,
                                .is_message = ask->is_message};
    if (f.limit >= 0 && !ask->tier->overage_allowed && left < hold->amount)
        hold->amount = left;
    struct period budget = period_of(ask->tier->limit_reset, hand_ms);
    struct period day = period_of(LIMIT_RESET_DAILY, hand_ms);
    memcpy(hold->budget, budget.name, sizeof(budget.name));
    memcpy(hold->day, day.name, sizeof(day.name));
    m->open[m->open_count++] = id;
    m->requests = f.requests + 1;
    m->minute = hand_ms / 60000;
    m->has_user = true;
    m->tier = ask->tier;
    return ADMIT_GRANTED;
}

/* False: it was settled already. */
static inline bool model_settle(struct model *m, int id, const struct settlement_record *record)
{
    struct model_hold *hold = &m->holds[id];
    bool had = hold->state != HOLD_NEW;

    if (hold->state == HOLD_SETTLED)
        return false;
    model_window(m, record->budget_period)->spent += record->cost_nano_usd;
    if (record->delivered && (!had || hold->is_message))
        model_window(m, record->day)->messages++;
    for (int i = 0; i < m->open_count; i++)
        if (m->open[i] == id)
            m->open[i--] = m->open[--m->open_count];
    hold->state = HOLD_SETTLED;
    hold->settled_ms = m->settled_ms = hand_ms;
    if (record->key_version > 0 && record->cost_nano_usd > 0) {
        if (m->billed[record->key_version] == 0 && record->key_version > 3)
            m->billed[record->key_version - 3] = 0;
        m->billed[record->key_version] += record->cost_nano_usd;
    }
    return true;
}

static inline bool model_extend(struct model *m, int id, int64_t lease_ms)
{
    struct model_hold *hold = &m->holds[id];

    if (hold->state != HOLD_HELD || hold->lease_ends_ms <= hand_ms)
        return false;
    if (hold->lease_ends_ms < hand_ms + lease_ms)
        hold->lease_ends_ms = hand_ms + lease_ms;
    return true;
}

#endif

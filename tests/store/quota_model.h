/* quota_model.h: what lua/admit.lua, give_back.lua, extend.lua, settle.lua and expire.lua must do to one user, in plain C.
 *
 * Nothing is summed ahead: what is held, unconfirmed or counted is counted from the holds when it is asked for. Of each sum
 * it is known whether the account has it, because old ones go.
 */
#ifndef KEYTURN_TESTS_STORE_QUOTA_MODEL_H
#define KEYTURN_TESTS_STORE_QUOTA_MODEL_H

#include "quota.h"

enum { MODEL_HOLDS = 16384, MODEL_WINDOWS = 4096, MODEL_KEPT = 4, MODEL_VERSIONS = 4096 };

enum hold_state { HOLD_NEW, HOLD_HELD, HOLD_UNCONFIRMED, HOLD_SETTLED };

struct model_hold {
    enum hold_state state;
    int64_t amount, limit, taken_ms, lease_ends_ms, settled_ms;
    bool is_message, is_ahead, is_told; /* told: its generation is known */
    char budget[PERIOD_NAME_SIZE], day[PERIOD_NAME_SIZE];
    struct settlement_record record; /* what was settled */
    bool forgotten;                  /* and is booked */
};

enum model_sum { SUM_HELD, SUM_UNCONFIRMED, SUM_SPENT, SUM_MESSAGES, SUM_DELIVERED, SUM_COUNT };

struct model_window {
    char name[PERIOD_NAME_SIZE];
    int64_t spent, delivered;
    bool has[SUM_COUNT];
};

struct model {
    struct model_hold holds[MODEL_HOLDS];      /* the index is the request id */
    int made;                                  /* those before it are not HOLD_NEW */
    int open[MODEL_HOLDS], open_count;         /* HOLD_HELD and HOLD_UNCONFIRMED */
    int unbooked[MODEL_HOLDS], unbooked_count; /* HOLD_SETTLED and not forgotten */
    struct model_window windows[MODEL_WINDOWS];
    int window_count;
    bool has_user;
    const struct tier *tier;
    int64_t own_limit, boost, boost_until_ms; /* own_limit -2: none */
    int64_t minute, requests;
    int64_t next_ms; /* when somebody looks through the leases */
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
    assert_true(span_text(span_of(name), window->name, sizeof(window->name)));
    return window;
}

static inline int64_t model_amounts(const struct model *m, enum hold_state state,
                                    const char *budget)
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

static inline int64_t model_live(const struct model *m)
{
    int64_t count = 0;

    for (int i = 0; i < m->open_count; i++)
        count += m->holds[m->open[i]].state == HOLD_HELD;
    return count;
}

static inline int64_t model_value(const struct model *m, const struct model_window *window,
                                  enum model_sum sum)
{
    const int64_t values[] = {
        [SUM_HELD] = model_amounts(m, HOLD_HELD, window->name),
        [SUM_UNCONFIRMED] = model_amounts(m, HOLD_UNCONFIRMED, window->name),
        [SUM_SPENT] = window->spent,
        [SUM_MESSAGES] = model_messages_held(m, window->name),
        [SUM_DELIVERED] = window->delivered,
    };

    return values[sum];
}

static inline void model_has(struct model *m, const char *name, enum model_sum sum)
{
    model_window(m, name)->has[sum] = true;
}

/* True: there was one. */
static inline bool model_mark(struct model *m)
{
    bool any = false;

    for (int i = 0; i < m->open_count; i++) {
        struct model_hold *hold = &m->holds[m->open[i]];
        if (hold->state != HOLD_HELD || hold->lease_ends_ms > hand_ms)
            continue;
        hold->state = HOLD_UNCONFIRMED;
        model_has(m, hold->budget, SUM_HELD);
        model_has(m, hold->budget, SUM_UNCONFIRMED);
        any = true;
    }
    return any;
}

/* When the first live lease ends; 0: there is none. */
static inline int64_t model_first_ends(const struct model *m)
{
    int id = model_first(m, HOLD_HELD, 0, -1);

    return id < 0 ? 0 : m->holds[id].lease_ends_ms;
}

/* As somebody is admitted or looks. */
static inline void model_sweep(struct model *m)
{
    if (model_live(m) == 0 || m->next_ms > hand_ms)
        return;
    model_mark(m);
    m->next_ms = model_first_ends(m);
    if (m->next_ms < hand_ms + 1000)
        m->next_ms = hand_ms + 1000;
}

static inline void model_expire(struct model *m)
{
    if (model_mark(m))
        m->next_ms = model_first_ends(m);
}

/* How many later windows of its length the account has this sum of. */
static inline int model_later(const struct model *m, const struct model_window *window,
                              enum model_sum sum)
{
    int later = 0;

    for (int i = 0; i < m->window_count; i++) {
        const struct model_window *other = &m->windows[i];
        later += other->has[sum] && strlen(other->name) == strlen(window->name) &&
                 strcmp(other->name, window->name) > 0;
    }
    return later;
}

static inline void model_prune_sum(struct model *m, enum model_sum sum)
{
    static bool goes[MODEL_WINDOWS];
    bool is_count = sum == SUM_SPENT || sum == SUM_DELIVERED;

    for (int i = 0; i < m->window_count; i++)
        goes[i] = m->windows[i].has[sum] && model_later(m, &m->windows[i], sum) >= MODEL_KEPT &&
                  (is_count || model_value(m, &m->windows[i], sum) == 0);
    for (int i = 0; i < m->window_count; i++) {
        struct model_window *window = &m->windows[i];
        if (!goes[i])
            continue;
        window->has[sum] = false;
        *(sum == SUM_SPENT ? &window->spent : &window->delivered) *= !is_count;
    }
}

static inline struct model_figures model_figures(struct model *m, const struct tier *tier)
{
    struct period budget = period_of(tier->limit_reset, hand_ms);
    struct period day = period_of(LIMIT_RESET_DAILY, hand_ms);
    struct model_figures figures = {
        .limit = m->own_limit > -2 ? m->own_limit : tier->limit_nano_usd,
        .spent =
            model_window(m, budget.name)->spent + model_amounts(m, HOLD_UNCONFIRMED, budget.name),
        .held = model_amounts(m, HOLD_HELD, budget.name),
        .messages = model_window(m, day.name)->delivered + model_messages_held(m, day.name),
        .requests = m->minute == hand_ms / 60000 ? m->requests : 0,
        .active = model_live(m),
    };

    if (figures.limit >= 0 && m->boost_until_ms > hand_ms)
        figures.limit += m->boost;
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

static inline void model_take(struct model *m, int id, const struct admit_ask *ask,
                              const struct model_figures *f)
{
    struct model_hold *hold = &m->holds[id];
    struct period budget = period_of(ask->tier->limit_reset, hand_ms);
    struct period day = period_of(LIMIT_RESET_DAILY, hand_ms);
    int64_t left = f->limit - f->spent - f->held;

    if (m->minute / (24 * 60) != hand_ms / days_ms(1))
        for (enum model_sum sum = SUM_HELD; sum < SUM_COUNT; sum++)
            model_prune_sum(m, sum);
    *hold = (struct model_hold){.state = HOLD_HELD,
                                .amount = ask->hold_nano_usd,
                                .limit = f->limit,
                                .taken_ms = hand_ms,
                                .lease_ends_ms = hand_ms + ask->lease_ms,
                                .is_message = ask->is_message};
    if (f->limit >= 0 && !ask->tier->overage_allowed && left < hold->amount)
        hold->amount = left;
    memcpy(hold->budget, budget.name, sizeof(budget.name));
    memcpy(hold->day, day.name, sizeof(day.name));
    model_has(m, hold->budget, SUM_HELD);
    if (hold->is_message)
        model_has(m, hold->day, SUM_MESSAGES);
    if (f->active == 0 || hold->lease_ends_ms < m->next_ms)
        m->next_ms = hold->lease_ends_ms;
    m->open[m->open_count++] = id;
}

static inline enum admit_verdict model_admit(struct model *m, int id, const struct admit_ask *ask)
{
    struct model_hold *hold = &m->holds[id];

    model_sweep(m);
    struct model_figures f = model_figures(m, ask->tier);
    if (hold->state != HOLD_NEW)
        return hold->state == HOLD_HELD && hold->lease_ends_ms > hand_ms ? ADMIT_GRANTED
                                                                         : ADMIT_OVER;
    enum admit_verdict verdict = model_verdict(m, ask, &f);
    if (verdict != ADMIT_GRANTED)
        return verdict;
    model_take(m, id, ask, &f);
    m->requests = f.requests + 1;
    m->minute = hand_ms / 60000;
    m->has_user = true;
    m->tier = ask->tier;
    return ADMIT_GRANTED;
}

/* Of what is left on one axis, in so large pieces. */
static inline int64_t model_share(int64_t room, int64_t limit, int64_t used, int64_t piece)
{
    int64_t share = limit > used ? (limit - used) / piece / 8 : 0;

    return limit < 0 || room < share ? room : share;
}

/* For requests that come later, under the ids from first on. How many. */
static inline int64_t model_take_ahead(struct model *m, int first, int64_t count,
                                       const struct admit_ask *ask)
{
    const struct tier *tier = ask->tier;
    int64_t price = ask->hold_nano_usd > 0 ? ask->hold_nano_usd : 1;

    model_sweep(m);
    struct model_figures f = model_figures(m, tier);
    if (!m->has_user || tier != m->tier || ask->wall_ms / days_ms(1) != hand_ms / days_ms(1))
        return 0;
    if (m->boost_until_ms > hand_ms && m->boost_until_ms < hand_ms + ask->lease_ms)
        return 0;
    if (f.limit >= 0 && !tier->overage_allowed)
        count = model_share(count, f.limit, f.spent + f.held, price);
    if (ask->is_message)
        count = model_share(count, tier->messages_per_day, f.messages, 1);
    count = model_share(count, tier->requests_per_minute, f.requests, 1);
    count = model_share(count, tier->max_concurrent, f.active, 1);
    for (int64_t i = 0; i < count; i++) {
        struct model_figures now = model_figures(m, tier);
        model_take(m, first + (int)i, ask, &now);
        m->holds[first + i].is_ahead = true;
        m->minute = hand_ms / 60000;
        m->requests = f.requests + i + 1;
    }
    return count;
}

static inline void model_give_back(struct model *m, int id)
{
    struct model_hold *hold = &m->holds[id];

    if (hold->state != HOLD_HELD && hold->state != HOLD_UNCONFIRMED)
        return;
    model_has(m, hold->budget, hold->state == HOLD_HELD ? SUM_HELD : SUM_UNCONFIRMED);
    if (hold->is_message)
        model_has(m, hold->day, SUM_MESSAGES);
    m->requests -= hold->taken_ms / 60000 == m->minute;
    for (int i = 0; i < m->open_count; i++)
        if (m->open[i] == id)
            m->open[i--] = m->open[--m->open_count];
    hold->state = HOLD_NEW;
}

static inline void model_charge(struct model *m, const struct settlement_record *record,
                                bool delivered)
{
    if (record->cost_nano_usd > 0) {
        model_window(m, record->budget_period)->spent += record->cost_nano_usd;
        model_has(m, record->budget_period, SUM_SPENT);
    }
    if (delivered) {
        model_window(m, record->day)->delivered++;
        model_has(m, record->day, SUM_DELIVERED);
    }
    if (record->key_version > 0 && record->cost_nano_usd > 0) {
        if (m->billed[record->key_version] == 0 && record->key_version > 3)
            m->billed[record->key_version - 3] = 0;
        m->billed[record->key_version] += record->cost_nano_usd;
    }
}

/* False: it was settled already. */
static inline bool model_settle(struct model *m, int id, const struct settlement_record *record)
{
    struct model_hold *hold = &m->holds[id];
    bool had = hold->state != HOLD_NEW;

    if (hold->state == HOLD_SETTLED)
        return false;
    model_charge(m, record, record->delivered && (!had || hold->is_message));
    if (had)
        model_has(m, hold->budget, hold->state == HOLD_HELD ? SUM_HELD : SUM_UNCONFIRMED);
    if (had && hold->is_message)
        model_has(m, hold->day, SUM_MESSAGES);
    for (int i = 0; i < m->open_count; i++)
        if (m->open[i] == id)
            m->open[i--] = m->open[--m->open_count];
    hold->state = HOLD_SETTLED;
    hold->record = *record;
    hold->settled_ms = m->settled_ms = hand_ms;
    m->unbooked[m->unbooked_count++] = id;
    return true;
}

static inline void model_forget(struct model *m, int id)
{
    m->holds[id].forgotten = true;
    for (int i = 0; i < m->unbooked_count; i++)
        if (m->unbooked[i] == id)
            m->unbooked[i--] = m->unbooked[--m->unbooked_count];
}

/* A lease that would end earlier stays as it is: so it does when somebody leaves it. */
static inline bool model_extend(struct model *m, int id, int64_t lease_ms)
{
    struct model_hold *hold = &m->holds[id];

    if (hold->state != HOLD_HELD || hold->lease_ends_ms <= hand_ms)
        return false;
    if (hold->lease_ends_ms < hand_ms + lease_ms)
        hold->lease_ends_ms = hand_ms + lease_ms;
    return true;
}

/* False: its lease ran out, or there is none. */
static inline bool model_leave(struct model *m, int id, bool delivered)
{
    struct model_hold *hold = &m->holds[id];
    bool open = hold->state == HOLD_HELD || hold->state == HOLD_UNCONFIRMED;

    if (open && hold->is_message && !delivered) {
        hold->is_message = false;
        model_has(m, hold->day, SUM_MESSAGES);
    }
    hold->is_told = hold->is_told || open;
    return model_extend(m, id, 0);
}

static inline int model_rank(const struct model_hold *hold)
{
    return hold->is_told ? 0 : hold->is_ahead ? 2 : 1;
}

static inline bool model_comes_before(const struct model *m, int a, int b)
{
    const struct model_hold *x = &m->holds[a], *y = &m->holds[b];

    if (model_rank(x) != model_rank(y))
        return model_rank(x) < model_rank(y);
    return x->lease_ends_ms < y->lease_ends_ms || (x->lease_ends_ms == y->lease_ends_ms && a < b);
}

/* The unconfirmed one that is listed next after that (-1: the first); -1: none. */
static inline int model_next_listed(const struct model *m, int after)
{
    int next = -1;

    for (int i = 0; i < m->open_count; i++) {
        int id = m->open[i];
        if (m->holds[id].state != HOLD_UNCONFIRMED ||
            (after >= 0 && !model_comes_before(m, after, id)))
            continue;
        if (next < 0 || model_comes_before(m, id, next))
            next = id;
    }
    return next;
}

#endif

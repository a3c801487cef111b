/* Ten thousand random steps against the model; all figures compared after each of them.
 * KEYTURN_SEED=<n> takes another walk. */
#include "quota_model.h"

enum { STEPS = 10000, CHECK_EVERY = 250, TIERS = 3, RECENT = 60, RENEWED_EVERY = 400 };

struct walk {
    struct harness *h;
    struct model *m;
    struct tier tiers[TIERS];
    uint64_t random, seed;
    int granted, refused, settled, expired;
    int64_t key_version; /* the current one */
};

static int64_t pick(struct walk *w, int64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (int64_t)(w->random % (uint64_t)below);
}

static struct store *either(struct walk *w)
{
    return pick(w, 2) ? &w->h->a : &w->h->b;
}

static void id_text(int id, char ret_text[16])
{
    snprintf(ret_text, 16, "r%06d", id);
}

/* An open one, a recent one of any fate, or a new one; -1 when Redis may have forgotten it. */
static int pick_id(struct walk *w, int open, int recent)
{
    struct model *m = w->m;
    int64_t dice = pick(w, 100);
    int id = m->made;

    if (dice < open && m->open_count > 0)
        id = m->open[pick(w, m->open_count)];
    else if (dice < open + recent && m->made > RECENT)
        id = m->made - 1 - (int)pick(w, RECENT);
    if (m->holds[id].state == HOLD_SETTLED && m->holds[id].settled_ms <= hand_ms - days_ms(2))
        return -1;
    return id;
}

static void use_id(struct walk *w, int id)
{
    if (id == w->m->made && w->m->holds[id].state != HOLD_NEW)
        w->m->made++;
    assert_true(w->m->made < MODEL_HOLDS);
}

static void step_admit(struct walk *w)
{
    const struct tier *tier = w->m->tier && pick(w, 20) ? w->m->tier : &w->tiers[pick(w, TIERS)];
    int id = pick_id(w, 10, 10);
    char text[16];

    if (id < 0)
        return;
    id_text(id, text);
    struct admit_ask ask = ask_of(tier, text, pick(w, 400));
    ask.least_nano_usd = pick(w, 3) ? ask.hold_nano_usd : pick(w, ask.hold_nano_usd + 1);
    ask.is_message = pick(w, 4) > 0;
    ask.lease_ms = 1000 + pick(w, 30000);
    if (pick(w, 40) == 0)
        ask.wall_ms += pick(w, 2) ? days_ms(1) : -days_ms(1);
    enum admit_verdict expected = model_admit(w->m, id, &ask);
    struct admission admission = admit_ask_now(w->h, either(w), &ask);
    assert_int_equal(admission.verdict, expected);
    w->granted += expected == ADMIT_GRANTED;
    w->refused += expected != ADMIT_GRANTED;
    if (expected == ADMIT_GRANTED) {
        assert_int_equal(admission.granted_nano_usd, w->m->holds[id].amount);
        assert_string_equal(admission.budget.name, w->m->holds[id].budget);
        assert_string_equal(admission.day.name, w->m->holds[id].day);
    }
    use_id(w, id);
}

static void assert_rest(struct walk *w, const struct settle *settle, int64_t limit,
                        const char *budget)
{
    int64_t spent = model_window(w->m, budget)->spent + model_sum(w->m, HOLD_UNCONFIRMED, budget);
    int64_t rest = limit - spent - model_sum(w->m, HOLD_HELD, budget);

    assert_int_equal(settle->debt_nano_usd, limit >= 0 && spent > limit ? spent - limit : 0);
    assert_int_equal(settle->remaining_nano_usd, limit < 0 ? -1 : rest < 0 ? 0 : rest);
}

static void settle_id(struct walk *w, int id)
{
    struct model_hold *hold = &w->m->holds[id];
    int64_t limit = hold->state == HOLD_NEW ? -1 : hold->limit;
    char text[16];

    id_text(id, text);
    struct settlement_record record = record_of(text, pick(w, 4) ? pick(w, 300) : 0);
    record.delivered = pick(w, 3) > 0;
    record.key_version = pick(w, 3) ? w->key_version - pick(w, 3) : 0;
    if (hold->state != HOLD_NEW) {
        memcpy(record.budget_period, hold->budget, sizeof(hold->budget));
        memcpy(record.day, hold->day, sizeof(hold->day));
    }
    if (hold->state == HOLD_SETTLED && hold->budget[0] == '\0')
        record = record_of(text, 1);
    struct settle settle = {0};
    quota_settle(either(w), &settle, &record, &w->h->wake);
    AWAIT_OK(w->h, settle);
    bool fresh = model_settle(w->m, id, &record);
    assert_int_equal(settle.already, !fresh);
    if (fresh)
        assert_rest(w, &settle, limit, record.budget_period);
    w->settled += fresh;
    use_id(w, id);
}

static void step_settle(struct walk *w)
{
    int id = pick_id(w, 75, 20);

    w->key_version += pick(w, RENEWED_EVERY) == 0;
    if (id >= 0)
        settle_id(w, id);
}

static void step_extend(struct walk *w)
{
    struct quota_extend extend = {0};
    int64_t lease_ms = 1 + pick(w, 40000);
    int id = pick_id(w, 80, 15);
    char text[16];

    if (id < 0)
        return;
    id_text(id, text);
    quota_extend(either(w), &extend, SPAN("ada"), span_of(text), lease_ms, SPAN_NONE, 0,
                 &w->h->wake);
    AWAIT_OK(w->h, extend);
    assert_int_equal(extend.alive, model_extend(w->m, id, lease_ms));
}

static void step_expire(struct walk *w)
{
    struct model *m = w->m;
    struct quota_expire expire = expire_now(w->h);
    size_t unconfirmed = 0, count = 0;
    int id = -1;
    int64_t ends_ms = 0;
    char text[16];

    model_sweep(m);
    for (int i = 0; i < m->open_count; i++)
        unconfirmed += m->holds[m->open[i]].state == HOLD_UNCONFIRMED;
    for (; count < EXPIRED_PAGE; count++) {
        id = model_first(m, HOLD_UNCONFIRMED, ends_ms, id);
        if (id < 0)
            break;
        ends_ms = m->holds[id].lease_ends_ms;
        assert_true(count < expire.count);
        id_text(id, text);
        assert_string_equal(expire.holds[count].request_id, text);
        assert_int_equal(expire.holds[count].amount_nano_usd, m->holds[id].amount);
        assert_string_equal(expire.holds[count].budget_period, m->holds[id].budget);
    }
    assert_int_equal(expire.count, count);
    assert_int_equal(expire.busy, unconfirmed < (size_t)m->open_count || unconfirmed > count);
    assert_int_equal(expire.more, unconfirmed > count);
    w->expired += (int)count;
}

static void step_change_user(struct walk *w)
{
    struct model *m = w->m;
    char line[QUOTA_TEXT];

    if (!m->has_user)
        return;
    m->tier = &w->tiers[pick(w, TIERS)];
    m->own_limit = pick(w, 3) ? -2 : pick(w, 2) ? 4000 : UNLIMITED;
    m->boost = pick(w, 2000);
    m->boost_until_ms = hand_ms + pick(w, HOUR_MS);
    snprintf(line, sizeof(line),
             "HSET kt:{u:ada}:user tier %s boost_nano_usd %" PRId64 " boost_until_ms %" PRId64,
             m->tier->name, m->boost, m->boost_until_ms);
    store_look(w->h, line);
    snprintf(line, sizeof(line),
             m->own_limit > -2 ? "HSET kt:{u:ada}:user o_limit_nano_usd %" PRId64
                               : "HDEL kt:{u:ada}:user o_limit_nano_usd %" PRId64,
             m->own_limit);
    store_look(w->h, line);
}

static void step_clock(struct walk *w)
{
    int64_t dice = pick(w, 200);

    if (dice < 60)
        hand_ms += pick(w, 3000);
    else if (dice < 64)
        hand_ms += pick(w, 40000);
    else if (dice < 66)
        hand_ms += pick(w, days_ms(1));
    else if (dice < 67)
        hand_ms += pick(w, days_ms(10));
}

/* Of the current version and of the five before it; those before the last three are gone. */
static void compare_billed(struct walk *w)
{
    int64_t version = w->key_version - pick(w, 6);
    struct quota_billed billed = billed_now(w->h, version);
    int64_t live = 0;

    for (int i = 0; i < w->m->open_count; i++) {
        const struct model_hold *hold = &w->m->holds[w->m->open[i]];
        live += hold->state == HOLD_HELD && hold->lease_ends_ms > hand_ms;
    }
    assert_int_equal(billed.live, live);
    assert_int_equal(billed.billed_nano_usd, version > 0 ? w->m->billed[version] : 0);
    if (hand_ms - w->m->settled_ms < days_ms(2))
        assert_int_equal(billed.settled_ms, w->m->settled_ms);
}

static void compare(struct walk *w)
{
    const struct tier *tier = w->m->tier ? w->m->tier : &w->tiers[0];
    struct quota_view view = view_now(w->h, tier);

    model_sweep(w->m);
    struct model_figures figures = model_figures(w->m, tier);
    assert_int_equal(view.limit_nano_usd, figures.limit);
    assert_int_equal(view.spent_nano_usd, figures.spent);
    assert_int_equal(view.held_nano_usd, figures.held);
    assert_int_equal(view.messages_used, figures.messages);
    assert_int_equal(view.requests_used, figures.requests);
    assert_int_equal(view.active, figures.active);
    compare_billed(w);
}

static void assert_stored(struct walk *w, const char *key, const char *field, int64_t expected)
{
    char line[QUOTA_TEXT];

    snprintf(line, sizeof(line), "HGET kt:{u:ada}:%s %s", key, field);
    assert_int_equal(strtoll(store_look(w->h, line).text, NULL, 10), expected);
}

/* Every window there ever was, and how many leases there are. */
static void compare_windows(struct walk *w)
{
    char key[64], field[64];
    int64_t live = 0;

    for (int i = 0; i < w->m->open_count; i++)
        live += w->m->holds[w->m->open[i]].state == HOLD_HELD;
    assert_stored(w, "holds", "live|", live);
    for (int i = 0; i < w->m->window_count; i++) {
        const struct model_window *window = &w->m->windows[i];
        snprintf(key, sizeof(key), "budget:%s", window->name);
        assert_stored(w, key, "spent", window->spent);
        snprintf(key, sizeof(key), "day:%s", window->name);
        assert_stored(w, key, "messages", window->messages);
        snprintf(field, sizeof(field), "held|%s", window->name);
        assert_stored(w, "holds", field, model_sum(w->m, HOLD_HELD, window->name));
        snprintf(field, sizeof(field), "unconfirmed|%s", window->name);
        assert_stored(w, "holds", field, model_sum(w->m, HOLD_UNCONFIRMED, window->name));
        snprintf(field, sizeof(field), "messages|%s", window->name);
        assert_stored(w, "holds", field, model_messages_held(w->m, window->name));
    }
}

static void step(struct walk *w)
{
    int64_t dice = pick(w, 100);

    step_clock(w);
    if (dice < 50)
        step_admit(w);
    else if (dice < 77)
        step_settle(w);
    else if (dice < 92)
        step_extend(w);
    else if (dice < 98)
        step_expire(w);
    else
        step_change_user(w);
    compare(w);
}

static void walk_start(struct walk *w, struct harness *h)
{
    const char *seed = getenv("KEYTURN_SEED");

    *w = (struct walk){.h = h, .m = calloc(1, sizeof(*w->m)), .seed = 1, .key_version = 3};
    if (seed)
        w->seed = strtoull(seed, NULL, 10);
    w->random = w->seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    w->m->own_limit = -2;
    w->tiers[0] = tier_named("Pro", 9000);
    w->tiers[0].messages_per_day = 25;
    w->tiers[0].requests_per_minute = 15;
    w->tiers[1] = tier_named("Team", 3000);
    w->tiers[1].limit_reset = LIMIT_RESET_WEEKLY;
    w->tiers[1].max_concurrent = 8;
    w->tiers[2] = tier_named("Day", 2000);
    w->tiers[2].limit_reset = LIMIT_RESET_DAILY;
    w->tiers[2].overage_allowed = true;
}

/* Of the holds' hash: what the last versions of the key cost. A straggler may have brought an older one back. */
static void assert_only_billed_is_left(struct walk *w)
{
    char line[QUOTA_TEXT];
    int64_t sums = 0;

    for (int64_t version = 1; version <= w->key_version; version++)
        sums += w->m->billed[version] > 0;
    snprintf(line, sizeof(line), "%" PRId64, sums);
    assert_true(sums >= 3);
    assert_look(w->h, "HLEN kt:{u:ada}:holds", line);
}

static void test_a_random_walk(void **state)
{
    struct walk walk;

    walk_start(&walk, *state);
    for (int i = 0; i < STEPS; i++) {
        step(&walk);
        if (i % CHECK_EVERY == 0)
            compare_windows(&walk);
    }
    while (walk.m->open_count > 0) {
        settle_id(&walk, walk.m->open[0]);
        compare(&walk);
    }
    compare_windows(&walk);
    assert_look(walk.h, "EXISTS kt:{u:ada}:leases kt:{u:ada}:expired", "0");
    assert_only_billed_is_left(&walk);
    print_message("seed %" PRIu64 ": %d granted, %d refused, %d settled, %d listed expired\n",
                  walk.seed, walk.granted, walk.refused, walk.settled, walk.expired);
    assert_true(walk.granted > STEPS / 10 && walk.refused > STEPS / 20 &&
                walk.settled > STEPS / 10 && walk.expired > STEPS / 20);
    free(walk.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {QUOTA_TEST(test_a_random_walk)};

    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

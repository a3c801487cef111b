/* Ten thousand random steps against the model; all figures compared after each of them.
 * KEYTURN_SEED=<n> takes another walk. */
#include "quota_model.h"

enum {
    STEPS = 10000,
    CHECK_EVERY = 250,
    TIERS = 3,
    RECENT = 60,
    RENEWED_EVERY = 400,
    UNBOOKED_AFTER_MS = 5000
};

struct walk {
    struct harness *h;
    struct model *m;
    struct tier tiers[TIERS];
    uint64_t random, seed;
    int granted, ahead, refused, settled, together, expired, unbooked;
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

/* An open one, a recent one of any fate, or a new one. */
static int pick_id(struct walk *w, int open, int recent)
{
    struct model *m = w->m;
    int64_t dice = pick(w, 100);

    if (dice < open && m->open_count > 0)
        return m->open[pick(w, m->open_count)];
    if (dice < open + recent && m->made > RECENT)
        return m->made - 1 - (int)pick(w, RECENT);
    return m->made;
}

static void use_id(struct walk *w, int id)
{
    if (id == w->m->made && w->m->holds[id].state != HOLD_NEW)
        w->m->made++;
    assert_true(w->m->made < MODEL_HOLDS);
}

/* A request id is known by its day once it is booked; nobody asks for it in another. */
static bool is_of_another_day(const struct walk *w, int id, int64_t wall_ms)
{
    const struct model_hold *hold = &w->m->holds[id];
    struct period day = period_of(LIMIT_RESET_DAILY, wall_ms);

    return hold->state == HOLD_SETTLED && hold->forgotten &&
           strcmp(hold->record.day, day.name) != 0;
}

static void assert_hold(const struct admission *admission, const struct model_hold *hold)
{
    assert_int_equal(admission->granted_nano_usd, hold->amount);
    assert_string_equal(admission->budget.name, hold->budget);
    assert_string_equal(admission->day.name, hold->day);
}

static void step_admit(struct walk *w)
{
    const struct tier *tier = w->m->tier && pick(w, 20) ? w->m->tier : &w->tiers[pick(w, TIERS)];
    int id = pick_id(w, 10, 10);
    char text[16];

    id_text(id, text);
    struct admit_ask ask = ask_of(tier, text, pick(w, 400));
    ask.least_nano_usd = pick(w, 3) ? ask.hold_nano_usd : pick(w, ask.hold_nano_usd + 1);
    ask.is_message = pick(w, 4) > 0;
    ask.lease_ms = 1000 + pick(w, 30000);
    if (pick(w, 40) == 0)
        ask.wall_ms += pick(w, 2) ? days_ms(1) : -days_ms(1);
    if (is_of_another_day(w, id, ask.wall_ms))
        return;
    enum admit_verdict expected = model_admit(w->m, id, &ask);
    struct admission admission = admit_ask_now(w->h, either(w), &ask);
    assert_int_equal(admission.verdict, expected);
    w->granted += expected == ADMIT_GRANTED;
    w->refused += expected != ADMIT_GRANTED;
    if (expected == ADMIT_GRANTED)
        assert_hold(&admission, &w->m->holds[id]);
    use_id(w, id);
}

static void ahead_ids(int first, char texts[AHEAD_MAX][16], struct span ids[AHEAD_MAX])
{
    for (int i = 0; i < AHEAD_MAX; i++) {
        id_text(first + i, texts[i]);
        ids[i] = span_of(texts[i]);
    }
}

static void step_take_ahead(struct walk *w)
{
    const struct tier *tier = w->m->tier && pick(w, 20) ? w->m->tier : &w->tiers[pick(w, TIERS)];
    int64_t count = 1 + pick(w, AHEAD_MAX);
    struct quota_ahead ahead = {0};
    struct span ids[AHEAD_MAX];
    char texts[AHEAD_MAX][16];

    ahead_ids(w->m->made, texts, ids);
    struct admit_ask ask = ask_of(tier, "", pick(w, 60));
    ask.request_id = SPAN_NONE;
    ask.is_message = pick(w, 4) > 0;
    ask.lease_ms = 1000 + pick(w, 30000);
    if (pick(w, 40) == 0)
        ask.wall_ms += days_ms(1);
    quota_take_ahead(either(w), &ahead, &ask, ids, (size_t)count, &w->h->wake);
    AWAIT_OK(w->h, ahead);
    assert_int_equal(ahead.taken, model_take_ahead(w->m, w->m->made, count, &ask));
    struct model_figures figures = model_figures(w->m, tier);
    assert_int_equal(ahead.view.requests_used, figures.requests);
    assert_int_equal(ahead.view.active, figures.active);
    if (ask.wall_ms == hand_ms)
        assert_int_equal(ahead.view.held_nano_usd, figures.held);
    w->m->made += (int)ahead.taken;
    w->ahead += (int)ahead.taken;
}

/* A run of recent ones, whatever became of them. */
static void step_give_back(struct walk *w)
{
    int64_t count = 1 + pick(w, AHEAD_MAX);
    int first = w->m->made > RECENT ? w->m->made - (int)pick(w, RECENT) : 0;
    struct quota_give_back back = {0};
    struct span ids[AHEAD_MAX];
    char texts[AHEAD_MAX][16];

    ahead_ids(first, texts, ids);
    quota_give_back(either(w), &back, SPAN("ada"), ids, (size_t)count, &w->h->wake);
    AWAIT_OK(w->h, back);
    for (int64_t i = 0; i < count; i++)
        model_give_back(w->m, first + (int)i);
}

/* Most know the hold's windows; what is booked is asked about in the windows it was settled in. */
static struct settlement_record walk_record(struct walk *w, int id)
{
    const struct model_hold *hold = &w->m->holds[id];
    char text[16];

    id_text(id, text);
    struct settlement_record record = record_of(text, pick(w, 4) ? pick(w, 300) : 0);
    record.delivered = pick(w, 3) > 0;
    record.key_version = pick(w, 3) ? w->key_version - pick(w, 3) : 0;
    record.source = (enum cost_source)pick(w, COST_NOTHING_SENT + 1);
    record.prompt_tokens = pick(w, 1000) - 1;
    if (hold->state == HOLD_SETTLED) {
        memcpy(record.budget_period, hold->record.budget_period, sizeof(hold->budget));
        memcpy(record.day, hold->record.day, sizeof(hold->day));
    } else if (hold->state != HOLD_NEW && pick(w, 10)) {
        memcpy(record.budget_period, hold->budget, sizeof(hold->budget));
        memcpy(record.day, hold->day, sizeof(hold->day));
    }
    return record;
}

static bool is_among(const int *ids, size_t count, int id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* As who settles does: where some were settled before, nothing is written and the others are asked again. */
static void settle_and_again(struct walk *w, struct settlement_record **records,
                             const bool *is_fresh, size_t count)
{
    struct settlement_record *rest[SETTLE_BATCH_MAX];
    struct settle settle = {0};
    size_t rest_count = 0;

    quota_settle(either(w), &settle, records, count, &w->h->wake);
    AWAIT_OK(w->h, settle);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(settle.items[i].already, !is_fresh[i]);
        if (is_fresh[i])
            rest[rest_count++] = records[i];
    }
    assert_int_equal(settle.some_already, rest_count < count);
    if (rest_count == count || rest_count == 0)
        return;
    quota_settle(either(w), &settle, rest, rest_count, &w->h->wake);
    AWAIT_OK(w->h, settle);
    assert_false(settle.some_already);
}

/* Those of the ids that go together with the first, each once. */
static void settle_ids(struct walk *w, const int *ids, int count)
{
    struct settlement_record records[SETTLE_BATCH_MAX], asked[SETTLE_BATCH_MAX];
    struct settlement_record *taken[SETTLE_BATCH_MAX];
    int taken_ids[SETTLE_BATCH_MAX];
    bool fresh[SETTLE_BATCH_MAX];
    size_t size = 0;

    for (int i = 0; i < count; i++) {
        asked[size] = records[size] = walk_record(w, ids[i]);
        if (size > 0 && (!settlements_go_together(&records[0], &records[size]) ||
                         is_among(taken_ids, size, ids[i])))
            continue;
        taken_ids[size] = ids[i];
        taken[size] = &records[size];
        size++;
    }
    for (size_t i = 0; i < size; i++)
        fresh[i] = model_settle(w->m, taken_ids[i], &asked[i]);
    settle_and_again(w, taken, fresh, size);
    for (size_t i = 0; i < size; i++) {
        const struct model_hold *hold = &w->m->holds[taken_ids[i]];
        use_id(w, taken_ids[i]);
        assert_same(&records[i], hold->forgotten ? &asked[i] : &hold->record);
        w->settled += fresh[i];
    }
    w->together += size > 1;
}

static void settle_id(struct walk *w, int id)
{
    settle_ids(w, &id, 1);
}

static void step_settle(struct walk *w)
{
    int ids[SETTLE_BATCH_MAX], count = pick(w, 2) ? 1 : 1 + (int)pick(w, SETTLE_BATCH_MAX);

    w->key_version += pick(w, RENEWED_EVERY) == 0;
    for (int i = 0; i < count; i++)
        ids[i] = pick_id(w, 75, 20);
    settle_ids(w, ids, count);
}

static void step_extend(struct walk *w)
{
    struct quota_extend extend = {0};
    int64_t lease_ms = 1 + pick(w, 40000);
    int id = pick_id(w, 80, 15);
    bool leaves = pick(w, 5) == 0, delivered = pick(w, 2), expected;
    char text[16];

    id_text(id, text);
    if (leaves)
        quota_leave(either(w), &extend, SPAN("ada"), span_of(text), SPAN("gen-1"), 0, delivered,
                    &w->h->wake);
    else
        quota_extend(either(w), &extend, SPAN("ada"), span_of(text), lease_ms, SPAN_NONE, 0,
                     &w->h->wake);
    AWAIT_OK(w->h, extend);
    expected = leaves ? model_leave(w->m, id, delivered) : model_extend(w->m, id, lease_ms);
    assert_int_equal(extend.alive, expected);
}

static void forget_id(struct walk *w, int id)
{
    char text[16];

    id_text(id, text);
    forget_now(w->h, text);
    model_forget(w->m, id);
}

/* Several at once, as they were booked; or one that is booked long since. */
static void step_forget(struct walk *w)
{
    int id = pick_id(w, 0, 100);

    if (w->m->holds[id].state == HOLD_SETTLED)
        forget_id(w, id);
    for (int64_t count = pick(w, 8); count > 0 && w->m->unbooked_count > 0; count--)
        forget_id(w, w->m->unbooked[pick(w, w->m->unbooked_count)]);
}

/* True: more than these. */
static bool compare_expired(struct walk *w, const struct quota_expire *expire)
{
    struct model *m = w->m;
    size_t count = 0;
    int id = -1;
    char text[16];

    for (;; count++) {
        id = model_next_listed(m, id);
        if (id < 0 || count == EXPIRED_PAGE)
            break;
        assert_true(count < expire->count);
        id_text(id, text);
        assert_string_equal(expire->holds[count].request_id, text);
        assert_int_equal(expire->holds[count].amount_nano_usd, m->holds[id].amount);
        assert_int_equal(expire->holds[count].expired_ms, m->holds[id].lease_ends_ms);
        assert_int_equal(expire->holds[count].ahead, model_rank(&m->holds[id]) == 2);
        assert_string_equal(expire->holds[count].budget_period, m->holds[id].budget);
        assert_string_equal(expire->holds[count].day, m->holds[id].day);
    }
    assert_int_equal(expire->count, count);
    w->expired += (int)count;
    return id >= 0;
}

/* As many as fit, of those that wait long enough. */
static void compare_unbooked(struct walk *w, const struct quota_expire *expire)
{
    struct model *m = w->m;
    size_t due = 0;

    for (int i = 0; i < m->unbooked_count; i++)
        due += hand_ms - m->holds[m->unbooked[i]].settled_ms >= UNBOOKED_AFTER_MS;
    assert_int_equal(expire->unbooked_count, due < EXPIRED_PAGE ? due : EXPIRED_PAGE);
    for (size_t i = 0; i < expire->unbooked_count; i++) {
        const struct settlement_record *record = &expire->unbooked[i];
        const struct model_hold *hold = &m->holds[atoi(record->request_id + 1)];
        assert_true(hold->state == HOLD_SETTLED && !hold->forgotten);
        assert_true(hand_ms - hold->settled_ms >= UNBOOKED_AFTER_MS);
        assert_same(record, &hold->record);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(record->request_id, expire->unbooked[j].request_id);
    }
    w->unbooked += (int)expire->unbooked_count;
}

static void step_expire(struct walk *w)
{
    struct quota_expire expire = expire_now(w->h);

    model_expire(w->m);
    bool more = compare_expired(w, &expire);
    compare_unbooked(w, &expire);
    assert_int_equal(expire.more, more);
    assert_int_equal(expire.busy, more || model_live(w->m) > 0 || w->m->unbooked_count > 0);
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
             "HSET kt:u:{u:ada} tier %s boost_nano_usd %" PRId64 " boost_until_ms %" PRId64,
             m->tier->name, m->boost, m->boost_until_ms);
    store_look(w->h, line);
    snprintf(line, sizeof(line),
             m->own_limit > -2 ? "HSET kt:u:{u:ada} o_limit_nano_usd %" PRId64
                               : "HDEL kt:u:{u:ada} o_limit_nano_usd %" PRId64,
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

/* -1: the account does not have it. */
static void assert_stored(struct walk *w, const char *field, int64_t expected)
{
    char line[QUOTA_TEXT], text[24];

    snprintf(line, sizeof(line), "HGET kt:{u:ada}:account %s", field);
    snprintf(text, sizeof(text), "%" PRId64, expected);
    assert_look(w->h, line, expected < 0 ? "" : text);
}

/* Every sum of every window there ever was. How many the account has. */
static int64_t compare_sums(struct walk *w)
{
    static const char *const names[SUM_COUNT] = {
        [SUM_HELD] = "held",         [SUM_UNCONFIRMED] = "unconfirmed", [SUM_SPENT] = "spent",
        [SUM_MESSAGES] = "messages", [SUM_DELIVERED] = "delivered",
    };
    int64_t count = 0;
    char field[64];

    for (int i = 0; i < w->m->window_count; i++)
        for (enum model_sum sum = SUM_HELD; sum < SUM_COUNT; sum++) {
            const struct model_window *window = &w->m->windows[i];
            int64_t value = model_value(w->m, window, sum);
            snprintf(field, sizeof(field), "%s|%s", names[sum], window->name);
            assert_stored(w, field, window->has[sum] ? value : -1);
            count += window->has[sum];
        }
    return count;
}

/* Everything that stands in the account, and that nothing else does. */
static void compare_account(struct walk *w)
{
    struct model *m = w->m;
    int64_t fields = compare_sums(w) + m->open_count + m->unbooked_count;
    char line[24];

    for (int64_t version = 1; version <= w->key_version; version++)
        fields += m->billed[version] > 0;
    if (m->has_user) {
        fields += 4;
        assert_stored(w, "live|", model_live(m));
        assert_stored(w, "next|", m->next_ms);
        assert_stored(w, "minute|", m->minute);
        assert_stored(w, "requests|", m->requests);
    }
    if (m->settled_ms > 0) {
        fields++;
        assert_stored(w, "settled|", m->settled_ms);
    }
    snprintf(line, sizeof(line), "%" PRId64, fields);
    assert_look(w->h, "HLEN kt:{u:ada}:account", line);
}

static void step(struct walk *w)
{
    int64_t dice = pick(w, 100);

    step_clock(w);
    if (dice < 45)
        step_admit(w);
    else if (dice < 48)
        step_take_ahead(w);
    else if (dice < 51)
        step_give_back(w);
    else if (dice < 73)
        step_settle(w);
    else if (dice < 84)
        step_extend(w);
    else if (dice < 92)
        step_forget(w);
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

static void settle_and_book_all(struct walk *w)
{
    while (w->m->open_count > 0) {
        settle_id(w, w->m->open[0]);
        compare(w);
    }
    while (w->m->unbooked_count > 0)
        forget_id(w, w->m->unbooked[0]);
    compare_account(w);
    assert_idle(w->h);
}

static int sums_gone(const struct model *m)
{
    int gone = 0;

    for (int i = 0; i < m->window_count; i++)
        gone += !m->windows[i].has[SUM_SPENT] && !m->windows[i].has[SUM_DELIVERED];
    return gone;
}

static void test_a_random_walk(void **state)
{
    struct walk walk;

    walk_start(&walk, *state);
    for (int i = 0; i < STEPS; i++) {
        step(&walk);
        if (i % CHECK_EVERY == 0)
            compare_account(&walk);
    }
    settle_and_book_all(&walk);
    int gone = sums_gone(walk.m);
    print_message("seed %" PRIu64
                  ": %d granted, %d ahead, %d refused, %d settled, %d calls for several, "
                  "%d listed expired, %d unbooked, %d of %d windows gone\n",
                  walk.seed, walk.granted, walk.ahead, walk.refused, walk.settled, walk.together,
                  walk.expired, walk.unbooked, gone, walk.m->window_count);
    assert_true(walk.ahead > STEPS / 20 && walk.together > STEPS / 100);
    assert_true(walk.granted > STEPS / 10 && walk.refused > STEPS / 20 &&
                walk.settled > STEPS / 10 && walk.expired > STEPS / 20);
    assert_true(walk.unbooked > STEPS / 20 && gone > walk.m->window_count / 2);
    free(walk.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {QUOTA_TEST(test_a_random_walk)};

    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

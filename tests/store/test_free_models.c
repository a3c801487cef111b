/* Requests to free models: never more than the account may, in equal shares once they get scarce, over two instances. */
#include "quota.h"

#include "store/free_models.h"

enum { MINUTE_MS = 60000, NO_LIMIT = -1 };

static int64_t per_minute, per_day;

static int free_empty(void **state)
{
    per_minute = 20;
    per_day = 1000;
    return quota_empty(state);
}

static struct free_take take_by(struct harness *h, struct store *store, const char *user,
                                const char *id)
{
    const struct free_ask ask = {span_of(user), span_of(id), per_minute, per_day};
    struct free_take take = {0};

    free_take(store, &take, &ask, &h->wake);
    AWAIT_OK(h, take);
    return take;
}

/* A request of its own, over either instance. */
static struct free_take take_now(struct harness *h, const char *user)
{
    static unsigned count;
    char id[24];

    snprintf(id, sizeof(id), "req_%u", ++count);
    return take_by(h, count % 2 ? &h->a : &h->b, user, id);
}

static void assert_take(struct harness *h, const char *user, enum free_verdict verdict)
{
    assert_int_equal(take_now(h, user).verdict, verdict);
}

/* How many of so many are granted. */
static int granted_of(struct harness *h, const char *user, int asks)
{
    int granted = 0;

    for (int i = 0; i < asks; i++)
        granted += take_now(h, user).verdict == FREE_GRANTED;
    return granted;
}

static struct free_close close_now(struct harness *h, enum free_window window, int64_t until_ms)
{
    struct free_close closing = {0};

    free_close(&h->b, &closing, window, until_ms, &h->wake);
    AWAIT_OK(h, closing);
    assert_int_equal(closing.now_ms, hand_ms);
    return closing;
}

#define assert_told(take, expected_verdict, expected_window, resets, expected_limit, \
                    expected_used, expected_share) \
    do { \
        struct free_take take_ = (take); \
        assert_int_equal(take_.verdict, expected_verdict); \
        assert_int_equal(take_.window, expected_window); \
        assert_int_equal(take_.now_ms, hand_ms); \
        assert_int_equal(take_.resets_ms, resets); \
        assert_int_equal(take_.limit, expected_limit); \
        assert_int_equal(take_.used, expected_used); \
        assert_int_equal(take_.share, expected_share); \
    } while (0)

static void test_a_minute_of_one_user(void **state)
{
    struct harness *h = *state;
    int64_t ends_ms = hand_ms + MINUTE_MS;

    assert_told(take_now(h, "ada"), FREE_GRANTED, FREE_WINDOW_MINUTE, ends_ms, 20, 1, 20);
    hand_ms += 1500;
    assert_int_equal(granted_of(h, "ada", 30), 19);
    assert_told(take_now(h, "ada"), FREE_SPENT, FREE_WINDOW_MINUTE, ends_ms, 20, 20, 20);
    hand_ms = ends_ms - 1;
    assert_take(h, "ada", FREE_SPENT);
    hand_ms = ends_ms;
    assert_told(take_now(h, "ada"), FREE_GRANTED, FREE_WINDOW_MINUTE, ends_ms + MINUTE_MS, 20, 1,
                20);
}

static void test_a_day_of_one_user(void **state)
{
    struct harness *h = *state;
    int64_t ends_ms = HAND_START_MS + days_ms(1);

    per_day = 50;
    assert_int_equal(granted_of(h, "ada", 25), 20);
    hand_ms += MINUTE_MS;
    assert_int_equal(granted_of(h, "ada", 25), 20);
    hand_ms += MINUTE_MS;
    assert_int_equal(granted_of(h, "ada", 25), 10);
    assert_told(take_now(h, "ada"), FREE_SPENT, FREE_WINDOW_DAY, ends_ms, 50, 50, 50);
    hand_ms = ends_ms - 1;
    assert_take(h, "ada", FREE_SPENT);
    hand_ms = ends_ms;
    assert_int_equal(granted_of(h, "ada", 25), 20);
}

/* Where both refuse, the one that takes longest to go away is told. */
static void test_the_day_is_told_before_the_minute(void **state)
{
    struct harness *h = *state;

    per_day = 20;
    assert_int_equal(granted_of(h, "ada", 20), 20);
    assert_int_equal(take_now(h, "ada").window, FREE_WINDOW_DAY);
    per_day = 21;
    assert_int_equal(take_now(h, "ada").window, FREE_WINDOW_MINUTE);
}

static void test_two_users_get_a_half_each(void **state)
{
    struct harness *h = *state;
    int granted[2] = {0};

    for (int i = 0; i < 25; i++) {
        granted[0] += take_now(h, "ada").verdict == FREE_GRANTED;
        granted[1] += take_now(h, "bob").verdict == FREE_GRANTED;
    }
    assert_int_equal(granted[0], 10);
    assert_int_equal(granted[1], 10);
}

/* The first half goes to whoever asks; what she has of it counts as hers. */
static void test_who_comes_later_finds_a_share(void **state)
{
    struct harness *h = *state;

    assert_int_equal(granted_of(h, "ada", 10), 10);
    assert_int_equal(granted_of(h, "bob", 1), 1);
    assert_told(take_now(h, "ada"), FREE_SHARE_SPENT, FREE_WINDOW_MINUTE, hand_ms + MINUTE_MS, 20,
                11, 10);
    assert_int_equal(granted_of(h, "bob", 20), 9);
    assert_int_equal(granted_of(h, "eve", 5), 0); /* all are gone */
}

static void test_shares_shrink_as_users_come(void **state)
{
    struct harness *h = *state;
    static const char *const users[] = {"u1", "u2", "u3", "u4", "u5", "u6", "u7"};

    assert_int_equal(granted_of(h, "ada", 10), 10);
    for (unsigned i = 0; i < 7; i++)
        granted_of(h, users[i], 1);
    assert_int_equal(take_now(h, "ada").share, 3); /* 20 by 8, rounded up: nothing stays over */
    assert_int_equal(granted_of(h, "u1", 9), 2);
    assert_int_equal(granted_of(h, "u2", 9), 1);
    assert_take(h, "u3", FREE_SPENT);
}

/* More users than requests: one each. */
static void test_a_share_is_at_least_one(void **state)
{
    struct harness *h = *state;
    char user[8];
    int granted = 0;

    per_minute = 4;
    assert_int_equal(granted_of(h, "ada", 9), 4);
    for (int i = 0; i < 9; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        assert_take(h, user, FREE_SPENT);
    }
    hand_ms += MINUTE_MS; /* ten users are known now */
    assert_int_equal(granted_of(h, "ada", 9), 2);
    for (int i = 0; i < 9; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        granted += granted_of(h, user, 3);
    }
    assert_int_equal(granted, 2);
}

/* Whoever is quickest each minute does not get all of each minute. */
static void test_who_was_refused_has_a_share_of_the_next_window(void **state)
{
    struct harness *h = *state;

    assert_int_equal(granted_of(h, "ada", 30), 20);
    assert_take(h, "bob", FREE_SPENT);
    hand_ms += MINUTE_MS;
    assert_int_equal(granted_of(h, "ada", 30), 10);
    assert_told(take_now(h, "ada"), FREE_SHARE_SPENT, FREE_WINDOW_MINUTE, hand_ms + MINUTE_MS, 20,
                10, 10);
    assert_int_equal(granted_of(h, "bob", 30), 10);
    hand_ms += MINUTE_MS;
    assert_int_equal(granted_of(h, "ada", 30), 10);
    hand_ms += MINUTE_MS; /* bob has not asked for a whole minute */
    assert_int_equal(granted_of(h, "ada", 30), 20);
}

/* A window that nobody asked in is forgotten like all before it. */
static void test_a_pause_forgets_who_asked(void **state)
{
    struct harness *h = *state;

    granted_of(h, "bob", 1);
    hand_ms += 2 * MINUTE_MS;
    assert_int_equal(granted_of(h, "ada", 30), 20);
    hand_ms += MINUTE_MS;
    assert_int_equal(granted_of(h, "ada", 30), 20);
}

static void test_days_are_shared_by_the_same_rule(void **state)
{
    struct harness *h = *state;

    per_minute = NO_LIMIT;
    per_day = 50;
    assert_int_equal(granted_of(h, "ada", 60), 50);
    assert_take(h, "bob", FREE_SPENT);
    hand_ms += days_ms(1);
    assert_int_equal(granted_of(h, "ada", 60), 25);
    assert_int_equal(take_now(h, "ada").window, FREE_WINDOW_DAY);
    assert_int_equal(granted_of(h, "bob", 60), 25);
}

/* Who has nothing left of the day takes no share of the minute either. */
static void test_the_days_refusals_leave_the_minute_alone(void **state)
{
    struct harness *h = *state;

    per_day = 4;
    assert_int_equal(granted_of(h, "ada", 4), 4);
    hand_ms += MINUTE_MS;
    struct look before = store_look(h, "HGET kt:{free}:minute starts");
    assert_take(h, "bob", FREE_SPENT);
    assert_look(h, "HEXISTS kt:{free}:minute u|bob", "0");
    assert_look(h, "HGET kt:{free}:minute starts", before.text);
    assert_look(h, "HGET kt:{free}:day u|bob", "0"); /* asks, has none */
    assert_look(h, "HGET kt:{free}:day used", "4");
}

static void test_limits_at_the_edges(void **state)
{
    struct harness *h = *state;

    per_minute = 0;
    assert_told(take_now(h, "ada"), FREE_SPENT, FREE_WINDOW_MINUTE, hand_ms + MINUTE_MS, 0, 0, 0);
    per_minute = 1;
    assert_int_equal(granted_of(h, "ada", 3), 1);
    per_minute = per_day = NO_LIMIT;
    assert_int_equal(granted_of(h, "ada", 60), 60);
    assert_told(take_now(h, "bob"), FREE_GRANTED, FREE_WINDOW_MINUTE, hand_ms + MINUTE_MS, -1, 62,
                -1);
}

/* Asked again because the answer was lost, whatever others did meanwhile. */
static void test_a_request_counts_once(void **state)
{
    struct harness *h = *state;

    per_minute = 4;
    assert_int_equal(take_by(h, &h->a, "ada", "r1").used, 1);
    assert_int_equal(take_by(h, &h->b, "ada", "r2").used, 2);
    struct look before = digest_now(h);
    assert_told(take_by(h, &h->b, "ada", "r1"), FREE_GRANTED, FREE_WINDOW_MINUTE,
                hand_ms + MINUTE_MS, 4, 2, 4);
    assert_string_equal(digest_now(h).text, before.text);
    assert_int_equal(granted_of(h, "bob", 5), 2);
    assert_int_equal(take_by(h, &h->a, "bob", "r3").verdict, FREE_SPENT);
    assert_int_equal(take_by(h, &h->a, "bob", "r3").verdict, FREE_SPENT); /* a refusal is none */
    assert_int_equal(take_by(h, &h->a, "ada", "r2").verdict, FREE_GRANTED);
    hand_ms += MINUTE_MS;
    assert_int_equal(take_by(h, &h->a, "bob", "r3").verdict, FREE_GRANTED);
    assert_int_equal(take_by(h, &h->a, "ada", "r1").used, 2); /* counts again: the safe side */
    assert_look(h, "HGET kt:{free}:day used", "6");
}

/* What was ever written, as Redis counts it. */
static long changes(struct harness *h)
{
    struct look look = store_look_split(h,
                                        "EVAL\treturn string.match(redis.call('INFO', "
                                        "'persistence'), 'changes_since_last_save:(%d+)')\t0",
                                        '\t');

    return strtol(look.text, NULL, 10);
}

/* Hammering costs no write. */
static void test_a_refusal_is_written_once(void **state)
{
    struct harness *h = *state;
    long before;

    per_minute = 2;
    granted_of(h, "ada", 2);
    before = changes(h);
    assert_take(h, "bob", FREE_SPENT);
    assert_true(changes(h) > before);
    before = changes(h);
    assert_take(h, "bob", FREE_SPENT);
    assert_take(h, "ada", FREE_SPENT);
    assert_int_equal(changes(h), before);
}

static void test_closing_a_minute(void **state)
{
    struct harness *h = *state;
    int64_t until_ms = hand_ms + 90000 - 45000; /* beyond the window's end */

    hand_ms += 40000;
    granted_of(h, "ada", 3);
    assert_int_equal(close_now(h, FREE_WINDOW_MINUTE, until_ms + 40000).until_ms, until_ms + 40000);
    assert_told(take_now(h, "bob"), FREE_CLOSED, FREE_WINDOW_MINUTE, until_ms + 40000, 20, 3, 10);
    hand_ms += 20000; /* the next minute */
    assert_told(take_now(h, "ada"), FREE_CLOSED, FREE_WINDOW_MINUTE, until_ms + 40000, 20, 0, 10);
    hand_ms = until_ms + 39999;
    assert_take(h, "eve", FREE_CLOSED);
    hand_ms = until_ms + 40000;
    assert_take(h, "ada", FREE_GRANTED);
}

static void test_closing_a_day_closes_it_without_a_limit_too(void **state)
{
    struct harness *h = *state;
    int64_t midnight_ms = HAND_START_MS + days_ms(1);

    per_minute = per_day = NO_LIMIT;
    assert_int_equal(close_now(h, FREE_WINDOW_DAY, 0).until_ms, midnight_ms);
    assert_told(take_now(h, "ada"), FREE_CLOSED, FREE_WINDOW_DAY, midnight_ms, -1, 0, -1);
    hand_ms += 2 * HOUR_MS;
    assert_take(h, "ada", FREE_CLOSED);
    hand_ms = midnight_ms;
    assert_take(h, "ada", FREE_GRANTED);
}

/* The later of what is used up and what is closed is told. */
static void test_closed_and_spent(void **state)
{
    struct harness *h = *state;

    hand_ms += 30000;
    granted_of(h, "ada", 20);
    close_now(h, FREE_WINDOW_MINUTE, hand_ms + 50000);
    assert_told(take_now(h, "ada"), FREE_SPENT, FREE_WINDOW_MINUTE, hand_ms + 50000, 20, 20, 20);
}

static void test_closing_only_later_and_not_for_ever(void **state)
{
    struct harness *h = *state;
    int64_t start_ms = hand_ms;

    hand_ms += 15000;
    assert_int_equal(close_now(h, FREE_WINDOW_MINUTE, hand_ms).until_ms, 0); /* over already */
    assert_int_equal(close_now(h, FREE_WINDOW_MINUTE, 1).until_ms, 0);
    assert_take(h, "ada", FREE_GRANTED);
    assert_int_equal(close_now(h, FREE_WINDOW_MINUTE, hand_ms + 5000).until_ms, hand_ms + 5000);
    assert_int_equal(close_now(h, FREE_WINDOW_MINUTE, hand_ms + 4000).until_ms, hand_ms + 5000);
    assert_int_equal(close_now(h, FREE_WINDOW_MINUTE, 0).until_ms, start_ms + MINUTE_MS);
    assert_int_equal(close_now(h, FREE_WINDOW_MINUTE, INT64_MAX).until_ms, hand_ms + MINUTE_MS);
    assert_int_equal(close_now(h, FREE_WINDOW_DAY, hand_ms + days_ms(9)).until_ms,
                     hand_ms + days_ms(1));
}

/* Fails over to a Redis whose clock is behind: no window is given out twice. */
static void test_a_clock_that_goes_back(void **state)
{
    struct harness *h = *state;
    int64_t ends_ms = hand_ms + MINUTE_MS;

    assert_int_equal(granted_of(h, "ada", 20), 20);
    hand_ms -= 1;
    assert_told(take_now(h, "ada"), FREE_SPENT, FREE_WINDOW_MINUTE, ends_ms, 20, 20, 20);
    hand_ms = ends_ms;
    assert_take(h, "ada", FREE_GRANTED);
    assert_int_equal(granted_of(h, "ada", 30), 19);
    hand_ms -= days_ms(2); /* it had been quite wrong: nobody waits until then */
    assert_take(h, "ada", FREE_GRANTED);
}

static void test_nothing_is_kept_for_long(void **state)
{
    struct harness *h = *state;

    for (int i = 0; i < 5; i++) {
        granted_of(h, "ada", 3);
        hand_ms += days_ms(1) + i * MINUTE_MS;
    }
    close_now(h, FREE_WINDOW_MINUTE, 0);
    assert_true(strtol(store_look(h, "DBSIZE").text, NULL, 10) <= 4);
    assert_in_range(strtoll(store_look(h, "PTTL kt:{free}:day").text, NULL, 10), days_ms(1),
                    days_ms(2));
    assert_in_range(strtoll(store_look(h, "PTTL kt:{free}:minute").text, NULL, 10), days_ms(1),
                    days_ms(2));
    store_look(h, "DEL kt:{free}:minute");
    close_now(h, FREE_WINDOW_MINUTE, 0);
    assert_in_range(strtoll(store_look(h, "PTTL kt:{free}:minute").text, NULL, 10), days_ms(1),
                    days_ms(2));
}

static void test_what_cannot_be_read_is_refused_whole(void **state)
{
    struct harness *h = *state;
    const struct free_ask ask = {SPAN("ada"), SPAN("r1"), 20, 1000};
    struct free_take take = {0};

    granted_of(h, "bob", 1);
    store_look(h, "HSET kt:{free}:day used many");
    struct look before = digest_now(h);
    free_take(&h->a, &take, &ask, &h->wake);
    harness_await(h);
    assert_int_equal(take.call.end, STORE_BROKEN);
    assert_string_equal(digest_now(h).text, before.text);
}

/* Two instances at once, each question asked over both, as by somebody who lost the first answer. */
static void test_a_crowd_gets_the_limit(void **state)
{
    enum { CROWD = 30 };
    struct harness *h = *state;
    static struct free_take takes[2][CROWD];
    static char ids[CROWD][8], users[CROWD][8];
    int granted = 0;
    bool open = true;

    memset(takes, 0, sizeof(takes));
    for (int i = 0; i < CROWD; i++) {
        snprintf(ids[i], sizeof(ids[i]), "r%d", i);
        snprintf(users[i], sizeof(users[i]), "u%d", i % 3);
        struct free_ask ask = {span_of(users[i]), span_of(ids[i]), 20, 1000};
        for (int link = 0; link < 2; link++)
            free_take((i + link) % 2 ? &h->a : &h->b, &takes[link][i], &ask, &h->wake);
    }
    while (open) {
        harness_await(h);
        open = false;
        for (int i = 0; i < CROWD; i++)
            open = open || store_call_is_open(&takes[0][i].call) ||
                   store_call_is_open(&takes[1][i].call);
    }
    turn_cancel(&h->wake); /* the last answers posted it; nobody waits for it any more */
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(takes[0][i].call.end, STORE_OK);
        granted += takes[0][i].verdict == FREE_GRANTED || takes[1][i].verdict == FREE_GRANTED;
    }
    assert_look(h, "HGET kt:{free}:minute used", "20"); /* by three: a share is seven */
    assert_int_equal(granted, 20);
}

/* ---- any interleaving: the rule once more in C, and what must hold of it */

enum { USERS = 5 };

struct window {
    int64_t starts_ms, length_ms, limit, used, closed_until_ms;
    bool asks[USERS], asked_before[USERS];
    int64_t own[USERS];
};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed >> 33) % below;
}

static void turn_window(struct window *w)
{
    int64_t starts_ms = hand_ms - hand_ms % w->length_ms;

    if (starts_ms == w->starts_ms)
        return;
    for (int i = 0; i < USERS; i++)
        w->asked_before[i] = w->asks[i] && starts_ms == w->starts_ms + w->length_ms;
    memset(w->asks, 0, sizeof(w->asks));
    memset(w->own, 0, sizeof(w->own));
    w->used = 0;
    w->starts_ms = starts_ms;
}

static bool window_refuses(struct window *w, int user)
{
    int64_t users = 0, share;

    w->asks[user] = true;
    for (int i = 0; i < USERS; i++)
        users += w->asks[i] || w->asked_before[i];
    share = (w->limit + users - 1) / users;
    return w->used >= w->limit || w->closed_until_ms > hand_ms ||
           (w->used * 2 >= w->limit && w->own[user] >= share);
}

static void one_asks(struct harness *h, struct window *minute, struct window *day, int user)
{
    static const char *const names[USERS] = {"u0", "u1", "u2", "u3", "u4"};
    enum free_window refuses = FREE_WINDOW_NONE;
    struct free_take take = take_now(h, names[user]);

    turn_window(minute);
    turn_window(day);
    if (window_refuses(day, user))
        refuses = FREE_WINDOW_DAY;
    else if (window_refuses(minute, user))
        refuses = FREE_WINDOW_MINUTE;
    if (refuses == FREE_WINDOW_NONE) {
        minute->own[user]++, day->own[user]++;
        minute->used++, day->used++;
    }
    if ((take.verdict == FREE_GRANTED) != (refuses == FREE_WINDOW_NONE) ||
        (refuses != FREE_WINDOW_NONE && take.window != refuses))
        fail_msg("verdict %d, window %d, and not %d", (int)take.verdict, (int)take.window,
                 (int)refuses);
    assert_true(minute->used <= minute->limit && day->used <= day->limit);
    assert_true(take.resets_ms > hand_ms);
}

static void play(struct harness *h, uint64_t seed)
{
    struct window minute = {.length_ms = MINUTE_MS, .limit = 1 + (int64_t)draw(&seed, 12)};
    struct window day = {.length_ms = days_ms(1), .limit = 1 + (int64_t)draw(&seed, 60)};

    per_minute = minute.limit;
    per_day = day.limit;
    for (int step = 0; step < 250; step++) {
        uint64_t what = draw(&seed, 40);
        if (what == 0)
            hand_ms += (int64_t)draw(&seed, (uint64_t)days_ms(1));
        else if (what < 4)
            hand_ms += (int64_t)draw(&seed, MINUTE_MS);
        else if (what == 4) {
            struct window *w = draw(&seed, 2) ? &minute : &day;
            int64_t until_ms = hand_ms + 1 + (int64_t)draw(&seed, (uint64_t)w->length_ms);
            close_now(h, w == &minute ? FREE_WINDOW_MINUTE : FREE_WINDOW_DAY, until_ms);
            if (w->closed_until_ms < until_ms)
                w->closed_until_ms = until_ms;
        } else
            one_asks(h, &minute, &day, (int)(draw(&seed, 3) ? draw(&seed, USERS) : 0));
    }
}

static void test_any_interleaving(void **state)
{
    struct harness *h = *state;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        quota_empty(state);
        play(h, seed);
    }
}

#define FREE_TEST(name) cmocka_unit_test_setup(name, free_empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FREE_TEST(test_a_minute_of_one_user),
        FREE_TEST(test_a_day_of_one_user),
        FREE_TEST(test_the_day_is_told_before_the_minute),
        FREE_TEST(test_two_users_get_a_half_each),
        FREE_TEST(test_who_comes_later_finds_a_share),
        FREE_TEST(test_shares_shrink_as_users_come),
        FREE_TEST(test_a_share_is_at_least_one),
        FREE_TEST(test_who_was_refused_has_a_share_of_the_next_window),
        FREE_TEST(test_a_pause_forgets_who_asked),
        FREE_TEST(test_days_are_shared_by_the_same_rule),
        FREE_TEST(test_the_days_refusals_leave_the_minute_alone),
        FREE_TEST(test_limits_at_the_edges),
        FREE_TEST(test_a_request_counts_once),
        FREE_TEST(test_a_refusal_is_written_once),
        FREE_TEST(test_closing_a_minute),
        FREE_TEST(test_closing_a_day_closes_it_without_a_limit_too),
        FREE_TEST(test_closed_and_spent),
        FREE_TEST(test_closing_only_later_and_not_for_ever),
        FREE_TEST(test_a_clock_that_goes_back),
        FREE_TEST(test_nothing_is_kept_for_long),
        FREE_TEST(test_what_cannot_be_read_is_refused_whole),
        FREE_TEST(test_a_crowd_gets_the_limit),
        FREE_TEST(test_any_interleaving),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

/* Settling before, after, twice and without an admission; what becomes of holds that nobody finishes. */
#include "quota.h"

static struct tier pro(void)
{
    return tier_named("Pro", 1000);
}

static void test_the_actual_cost_is_charged(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    assert_verdict(h, &tier, "r2", 200, ADMIT_GRANTED);
    assert_false(settle_now(h, "r1", 123).already);
    assert_money(h, &tier, 123, 200);
    settle_now(h, "r2", 0);
    assert_money(h, &tier, 123, 0);
    assert_account(h, "delivered|2026-11-20", "2");
    assert_account(h, "messages|2026-11-20", "0"); /* zeros stay */
    forget_now(h, "r1");
    forget_now(h, "r2");
    assert_idle(h);
    assert_money(h, &tier, 123, 0);
}

static void test_twice_is_once(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();
    struct settlement_record record = record_of("r1", 123), journalled = record;

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    settle_record(h, &record);
    for (int booked = 0; booked < 2; booked++) {
        struct look before = digest_now(h);
        record = journalled;
        assert_true(settle_record(h, &record).already);
        assert_true(settle_now(h, "r1", 999).already);
        hand_ms += days_ms(2) - 1;
        record = journalled;
        assert_true(settle_record(h, &record).already); /* a journal, two days later */
        hand_ms -= days_ms(2) - 1;
        assert_string_equal(digest_now(h).text, before.text);
        assert_money(h, &tier, 123, 0);
        forget_now(h, "r1");
    }
    assert_idle(h);
}

/* All of a call or none of it: who was settled before is told, and the others are asked for again. */
static void test_one_that_was_settled_stops_the_others(void **state)
{
    static const char *const ids[] = {"r1", "r2", "r3"};
    struct harness *h = *state;
    struct tier tier = pro();
    struct settlement_record records[3], *asked[3];
    struct settle settle = {0};

    for (size_t i = 0; i < 3; i++) {
        assert_verdict(h, &tier, ids[i], 100, ADMIT_GRANTED);
        records[i] = record_of(ids[i], 50);
        asked[i] = &records[i];
    }
    settle_now(h, "r2", 70);
    struct look before = digest_now(h);
    quota_settle(&h->a, &settle, asked, 3, &h->wake);
    AWAIT_OK(h, settle);
    assert_true(settle.some_already);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(settle.items[i].already, i == 1);
    assert_int_equal(records[1].cost_nano_usd, 70);
    assert_string_equal(digest_now(h).text, before.text);
    asked[1] = asked[2];
    quota_settle(&h->a, &settle, asked, 2, &h->wake);
    AWAIT_OK(h, settle);
    assert_false(settle.some_already);
    assert_money(h, &tier, 50 + 70 + 50, 0);
}

static void test_an_id_twice_is_refused_whole(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = record_of("r1", 50), again = record;
    struct settle settle = {0};
    struct look before = digest_now(h);

    quota_settle(&h->a, &settle, (struct settlement_record *[]){&record, &again}, 2, &h->wake);
    harness_await(h);
    assert_int_equal(settle.call.end, STORE_BROKEN);
    assert_string_equal(digest_now(h).text, before.text);
}

static void test_above_the_hold_is_debt(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();

    assert_verdict(h, &tier, "r1", 900, ADMIT_GRANTED);
    settle_now(h, "r1", 1234);
    struct quota_view view = view_now(h, &tier);
    assert_int_equal(view.debt_nano_usd, 234);
    assert_int_equal(view.spent_nano_usd, 1234);
    assert_int_equal(view.remaining_nano_usd, 0);
    assert_verdict(h, &tier, "r2", 0, ADMIT_BUDGET_SPENT); /* not even what is free */
    hand_ms += days_ms(11);                                /* another month */
    assert_verdict(h, &tier, "r2", 1000, ADMIT_GRANTED);
}

static void test_without_an_admission(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();

    assert_false(settle_now(h, "r1", 77).already); /* the store lost the hold */
    assert_true(settle_now(h, "r1", 77).already);
    assert_money(h, &tier, 77, 0);
    assert_int_equal(view_now(h, &tier).messages_used, 1);
}

static void test_a_hold_that_ran_out_is_unconfirmed_until_settled(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();
    int64_t taken_ms = hand_ms;

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    assert_true(extend_now(h, "r1", "gen-1"));
    hand_ms += QUOTA_LEASE_MS - 1;
    assert_int_equal(expire_now(h).count, 0);
    assert_true(expire_now(h).busy);
    assert_true(extend_now(h, "r1", ""));
    hand_ms += QUOTA_LEASE_MS;
    assert_false(extend_now(h, "r1", ""));
    for (int again = 0; again < 2; again++) { /* whoever got the first list may be dead */
        struct quota_expire expire = expire_now(h);
        const struct expired_hold *hold = &expire.holds[0];
        assert_int_equal(expire.count, 1);
        assert_false(expire.busy);
        assert_string_equal(hold->request_id, "r1");
        assert_string_equal(hold->generation_id, "gen-1");
        assert_string_equal(hold->model, "maker/model");
        assert_string_equal(hold->budget_period, "2026-11");
        assert_string_equal(hold->day, "2026-11-20");
        assert_string_equal(hold->tier, "Pro");
        assert_int_equal(hold->amount_nano_usd, 300);
        assert_int_equal(hold->key_version, 3);
        assert_int_equal(hold->taken_ms, taken_ms);
        assert_int_equal(hold->expired_ms, hand_ms);
        assert_int_equal(expire.now_ms, hand_ms);
    }
    assert_money(h, &tier, 300, 0);
    assert_verdict(h, &tier, "r2", 701, ADMIT_BUDGET_SPENT);
    assert_int_equal(view_now(h, &tier).messages_used, 1); /* nor is the message given back */

    assert_false(settle_now(h, "r1", 42).already); /* late */
    assert_money(h, &tier, 42, 0);
    assert_int_equal(view_now(h, &tier).messages_used, 1);
    assert_int_equal(expire_now(h).count, 0);
    assert_true(settle_now(h, "r1", 42).already);
    forget_now(h, "r1");
    assert_false(expire_now(h).busy);
    assert_idle(h);
}

static bool settle_with_key(struct harness *h, const char *id, int64_t cost, int64_t key_version)
{
    struct settlement_record record = record_of(id, cost);

    record.key_version = key_version;
    return !settle_record(h, &record).already;
}

#define assert_billed(h, version, expected) \
    assert_int_equal(billed_now(h, version).billed_nano_usd, expected)

static void test_what_each_version_of_the_key_cost(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();

    assert_billed(h, 1, 0);
    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    assert_true(settle_with_key(h, "r1", 123, 1));
    assert_false(settle_with_key(h, "r1", 123, 1));
    assert_true(settle_with_key(h, "r2", 7, 1));  /* the store lost its hold */
    assert_true(settle_with_key(h, "r3", 50, 0)); /* the shared key */
    assert_true(settle_with_key(h, "r4", 0, 2));  /* for nothing: no sum */
    assert_billed(h, 1, 130);
    assert_billed(h, 0, 0);
    assert_no_account(h, "billed|0");
    assert_no_account(h, "billed|2");
    assert_verdict(h, &tier, "r5", 300, ADMIT_GRANTED);
    hand_ms += QUOTA_LEASE_MS;
    assert_int_equal(expire_now(h).count, 1);
    assert_true(settle_with_key(h, "r5", 70, 1)); /* after its lease */
    assert_billed(h, 1, 200);
    assert_money(h, &tier, 250, 0);
    forget_now(h, "r1");
    assert_billed(h, 1, 200);
}

static void test_three_versions_are_kept(void **state)
{
    struct harness *h = *state;
    char id[16];

    for (int version = 1; version <= 5; version++)
        for (int i = 0; i < 2; i++) {
            snprintf(id, sizeof(id), "r%d-%d", version, i);
            assert_true(settle_with_key(h, id, version, version));
        }
    assert_billed(h, 5, 10);
    assert_billed(h, 4, 8);
    assert_billed(h, 3, 6);
    assert_billed(h, 2, 0);
    assert_billed(h, 1, 0);
    assert_no_account(h, "billed|2");
    assert_no_account(h, "billed|1");
}

/* Near 2^53, where a Lua number ends to count. */
static void test_what_a_key_cost_is_counted_exactly(void **state)
{
    struct harness *h = *state;

    store_look(h, "HSET kt:{u:ada}:account billed|1 8999999999999999");
    assert_true(settle_with_key(h, "r1", 1, 1));
    assert_billed(h, 1, INT64_C(9000000000000000));
    assert_true(settle_with_key(h, "r2", 7199254740991, 1));
    assert_billed(h, 1, INT64_C(9007199254740991));
}

static void test_live_holds_and_the_last_settlement(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();
    struct quota_billed billed = billed_now(h, 1);

    assert_int_equal(billed.live, 0);
    assert_int_equal(billed.settled_ms, 0);
    assert_int_equal(billed.now_ms, hand_ms);
    assert_verdict(h, &tier, "r1", 10, ADMIT_GRANTED);
    hand_ms += 10000;
    assert_verdict(h, &tier, "r2", 10, ADMIT_GRANTED);
    settle_now(h, "r3", 1);
    struct look before = digest_now(h);
    assert_int_equal(billed_now(h, 1).live, 2);
    hand_ms += QUOTA_LEASE_MS - 10000; /* nobody swept it yet */
    billed = billed_now(h, 1);
    assert_int_equal(billed.live, 1);
    assert_int_equal(billed.settled_ms, hand_ms + 10000 - QUOTA_LEASE_MS);
    hand_ms += 10000;
    assert_int_equal(billed_now(h, 1).live, 0);
    assert_string_equal(digest_now(h).text, before.text);
}

static void test_a_late_settlement_before_anybody_looked(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();
    struct settlement_record record = record_of("r1", 0);

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    hand_ms += days_ms(1);
    record.delivered = false;
    settle_record(h, &record);
    hand_ms -= days_ms(1);
    assert_money(h, &tier, 0, 0);
    assert_int_equal(view_now(h, &tier).messages_used, 0);
    forget_now(h, "r1");
    assert_idle(h);
}

static void test_a_page_is_listed_at_a_time(void **state)
{
    enum { HOLDS = 2 * EXPIRED_PAGE + 8 };
    struct harness *h = *state;
    struct tier tier = pro();
    char id[24];

    for (int i = 0; i < HOLDS; i++) {
        snprintf(id, sizeof(id), "r%03d", i);
        assert_verdict(h, &tier, id, 5, ADMIT_GRANTED);
    }
    hand_ms += QUOTA_LEASE_MS;
    struct quota_view view = admit_now(h, &tier, "new", 10).view;
    assert_int_equal(view.spent_nano_usd, 5 * HOLDS);
    assert_int_equal(view.held_nano_usd, 10);
    assert_int_equal(view.active, 1);
    settle_now(h, "new", 0);
    forget_now(h, "new");
    assert_verdict(h, &tier, "r099", 10, ADMIT_OVER);
    for (int round = 0; round < 3; round++) {
        struct quota_expire expire = expire_now(h);
        assert_int_equal(expire.count, round < 2 ? EXPIRED_PAGE : 8);
        assert_int_equal(expire.more, round < 2);
        assert_int_equal(expire.busy, round < 2);
        for (size_t i = 0; i < expire.count; i++) {
            snprintf(id, sizeof(id), "r%03zu", (size_t)round * EXPIRED_PAGE + i);
            assert_string_equal(expire.holds[i].request_id, id);
            settle_now(h, id, 1);
            assert_true(expire_now(h).busy);
            forget_now(h, id);
        }
    }
    assert_int_equal(expire_now(h).count, 0);
    assert_false(expire_now(h).busy);
    assert_money(h, &tier, HOLDS, 0);
}

static void test_texts_of_others_do_not_break_a_hold(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();
    struct admit_ask ask = ask_of(&tier, "r1", 5);

    ask.model = SPAN("a\nb\0c|\x01");
    assert_int_equal(admit_ask_now(h, &h->a, &ask).verdict, ADMIT_GRANTED);
    assert_true(extend_now(h, "r1", "gen\n\n1"));
    hand_ms += QUOTA_LEASE_MS;
    struct quota_expire expire = expire_now(h);
    assert_string_equal(expire.holds[0].model, "a b c| ");
    assert_string_equal(expire.holds[0].generation_id, "gen  1");
    settle_now(h, "r1", 5);
    assert_money(h, &tier, 5, 0);
}

static bool leave_now(struct harness *h, const char *id, bool delivered)
{
    struct quota_extend extend = {0};

    quota_leave(&h->a, &extend, SPAN("ada"), span_of(id), SPAN("gen-2"), 2, delivered, &h->wake);
    AWAIT_OK(h, extend);
    return extend.alive;
}

/* Whoever settles it later knows neither what was delivered nor, by himself, the key. */
static void test_a_hold_that_is_left(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();
    struct settlement_record record = record_of("r1", 5);

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    assert_verdict(h, &tier, "r2", 300, ADMIT_GRANTED);
    hand_ms += QUOTA_LEASE_MS - 1;
    for (int again = 0; again < 2; again++) {
        assert_true(leave_now(h, "r1", false));
        assert_true(leave_now(h, "r2", true));
        assert_int_equal(view_now(h, &tier).messages_used, 1);
    }
    assert_money(h, &tier, 0, 600);
    hand_ms += 1; /* the lease is what it was */
    assert_false(leave_now(h, "r1", true));
    struct quota_expire expire = expire_now(h);
    assert_int_equal(expire.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(expire.holds[i].generation_id, "gen-2");
        assert_int_equal(expire.holds[i].key_version, 2);
    }
    settle_record(h, &record); /* delivered, it believes */
    settle_now(h, "r2", 5);
    assert_int_equal(view_now(h, &tier).messages_used, 1);
    assert_false(leave_now(h, "r1", false));
    assert_false(leave_now(h, "r2", false)); /* its message counts: that is settled */
    assert_int_equal(view_now(h, &tier).messages_used, 1);
    forget_now(h, "r1");
    forget_now(h, "r2");
    assert_idle(h);
}

static void test_extending_what_is_not_there(void **state)
{
    struct harness *h = *state;

    assert_false(extend_now(h, "r1", "gen-1"));
    assert_look(h, "DBSIZE", "0");
}

static void assert_lives(struct harness *h, const char *key, int64_t days)
{
    char line[QUOTA_TEXT];

    snprintf(line, sizeof(line), "PTTL kt:{u:ada}:%s", key);
    assert_in_range(strtoll(store_look(h, line).text, NULL, 10), days_ms(days) - 60000,
                    days_ms(days));
}

static void test_keys_expire_in_the_end(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    settle_now(h, "r1", 123);
    assert_lives(h, "usage:2026-11", 400);
    assert_lives(h, "settled:2026-11-20", 4);
    assert_look(h, "PTTL kt:{u:ada}:account", "-1");
    assert_look(h, "PTTL kt:u:{u:ada}", "-1");
    assert_look(h, "DBSIZE", "4");
}

#define SHORTEN "PEXPIRE kt:{u:ada}:settled:2026-11-20 259200000" /* 3 days */

/* Two days from their settlement at least, also those that are settled late. */
static void test_settled_ids_are_kept(void **state)
{
    struct harness *h = *state;
    struct settlement_record late = record_of("r4", 1), sent = record_of("r3", 1);
    char id[16];

    settle_now(h, "r1", 1);
    store_look(h, SHORTEN);
    settle_now(h, "r2", 1); /* the day and the model are known: there is enough */
    assert_lives(h, "settled:2026-11-20", 3);
    snprintf(sent.model, sizeof(sent.model), "maker/other");
    settle_record(h, &sent);
    assert_lives(h, "settled:2026-11-20", 4);
    store_look(h, SHORTEN);
    hand_ms += days_ms(1);
    settle_record(h, &late);
    assert_lives(h, "settled:2026-11-20", 4);
    assert_look(h, "SCARD kt:{u:ada}:settled:2026-11-20", "4");
    assert_look(h, "EXISTS kt:{u:ada}:settled:2026-11-21", "0");
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        settle_now(h, id, 1);
    }
    assert_look(h, "SCARD kt:{u:ada}:settled:2026-11-21", "300"); /* all of them */
    assert_lives(h, "settled:2026-11-21", 4);
}

static void test_settled_ids_of_what_was_never_sent(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = record_of("r1", 0), again = record;

    record.source = again.source = COST_NOTHING_SENT;
    settle_record(h, &record);
    assert_lives(h, "settled:2026-11-20", 4);
    assert_look(h, "EXISTS kt:{u:ada}:usage:2026-11", "0");
    forget_now(h, "r1");
    assert_true(settle_record(h, &again).already);
}

static void assert_refused_whole(struct harness *h, const char *breaks, const char *mends)
{
    struct settlement_record record = record_of("r1", 5);
    struct settle settle = {0};

    store_look_split(h, breaks, '\t');
    struct look before = digest_now(h);
    quota_settle(&h->a, &settle, (struct settlement_record *[]){&record}, 1, &h->wake);
    harness_await(h);
    assert_int_equal(settle.call.end, STORE_BROKEN);
    assert_string_equal(digest_now(h).text, before.text);
    store_look_split(h, mends, '\t');
}

#define BREAKS(field) "HSET\tkt:{u:ada}:account\t" field "\tmuch"
#define MENDS(field, value) "HSET\tkt:{u:ada}:account\t" field "\t" value
#define REMOVES(field) "HDEL\tkt:{u:ada}:account\t" field

static void test_what_cannot_be_read_is_refused_whole(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    assert_refused_whole(h, "HSET\tkt:{u:ada}:usage:2026-11\t2026-11-20\nmaker/model\t1 2",
                         "DEL\tkt:{u:ada}:usage:2026-11");
    assert_refused_whole(h, BREAKS("spent|2026-11"), REMOVES("spent|2026-11"));
    assert_refused_whole(h, BREAKS("held|2026-11"), MENDS("held|2026-11", "300"));
    assert_refused_whole(h, BREAKS("messages|2026-11-20"), MENDS("messages|2026-11-20", "1"));
    assert_refused_whole(h, BREAKS("delivered|2026-11-20"), REMOVES("delivered|2026-11-20"));
    assert_refused_whole(h, BREAKS("live|"), MENDS("live|", "1"));
    assert_refused_whole(h, BREAKS("billed|0"), REMOVES("billed|0"));
    assert_false(settle_now(h, "r1", 5).already);
    assert_money(h, &tier, 5, 0);
    forget_now(h, "r1");
    assert_idle(h);
}

/* The hold's own window is another than the record's. */
static void test_the_holds_own_window_is_read_first(void **state)
{
    struct harness *h = *state;
    struct tier tier = pro();

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    hand_ms += days_ms(20);
    assert_refused_whole(h, BREAKS("held|2026-11"), MENDS("held|2026-11", "300"));
    assert_refused_whole(h, BREAKS("messages|2026-11-20"), MENDS("messages|2026-11-20", "1"));
    assert_refused_whole(h, BREAKS("r1"), REMOVES("r1"));
}

static struct holders holders_from(struct harness *h, struct holders_place from)
{
    struct holders holders = {0};

    holders_due(&h->b, &holders, from, &h->wake);
    AWAIT_OK(h, holders);
    return holders;
}

static struct holders holders_now(struct harness *h)
{
    return holders_from(h, (struct holders_place){0});
}

static void holders_add_now(struct harness *h, const char *user, int64_t after_ms)
{
    struct holders holders = {0};

    holders_add(&h->a, &holders, span_of(user), after_ms, &h->wake);
    AWAIT_OK(h, holders);
}

static void holders_remove_now(struct harness *h, const char *user)
{
    struct holders holders = {0};

    holders_remove(&h->b, &holders, span_of(user), &h->wake);
    AWAIT_OK(h, holders);
}

static void test_holders_come_in_pages(void **state)
{
    struct harness *h = *state;
    struct holders due;
    char user[16];

    for (int i = 0; i < HOLDERS_PAGE + 8; i++) {
        snprintf(user, sizeof(user), "user-%02d", i);
        holders_add_now(h, user, 1000 + i);
    }
    hand_ms += 5000;
    due = holders_now(h);
    assert_int_equal(due.count, HOLDERS_PAGE);
    holders_remove_now(h, "user-03"); /* what goes meanwhile hides nobody */
    due = holders_from(h, due.next);
    assert_int_equal(due.count, 8);
    assert_string_equal(due.users[0], "user-32");
    assert_string_equal(due.users[7], "user-39");
    assert_int_equal(holders_from(h, due.next).count, 0);
}

/* Pages of users who are all due at the same time. */
static void test_holders_of_one_time_come_in_pages(void **state)
{
    enum { MANY = 2 * HOLDERS_PAGE + 8 };
    struct harness *h = *state;
    struct holders due;
    char user[16];

    holders_add_now(h, "before", 500);
    for (int i = 0; i < MANY; i++) {
        snprintf(user, sizeof(user), "user-%02d", i);
        holders_add_now(h, user, 1000);
    }
    holders_add_now(h, "zoe", 1001);
    hand_ms += 5000;
    due = holders_now(h);
    assert_string_equal(due.users[0], "before");
    assert_string_equal(due.users[HOLDERS_PAGE - 1], "user-30");
    due = holders_from(h, due.next);
    assert_string_equal(due.users[0], "user-31");
    due = holders_from(h, due.next);
    assert_int_equal(due.count, 10);
    assert_string_equal(due.users[8], "user-71");
    assert_string_equal(due.users[9], "zoe");
}

static void test_who_has_holds(void **state)
{
    struct harness *h = *state;
    struct holders due;

    assert_int_equal(holders_now(h).count, 0);
    holders_add_now(h, "bob", 50000);
    holders_add_now(h, "ada", 40000);
    holders_add_now(h, "ada", 10000); /* only ever later */
    hand_ms += 39999;
    assert_int_equal(holders_now(h).count, 0);
    hand_ms += 10001;
    due = holders_now(h);
    assert_int_equal(due.count, 2);
    assert_string_equal(due.users[0], "ada");
    assert_string_equal(due.users[1], "bob");
    holders_add_now(h, "ada", 40000); /* a new hold, while the sweeper is at it */
    holders_remove_now(h, "ada");
    holders_remove_now(h, "bob");
    assert_int_equal(holders_now(h).count, 0);
    hand_ms += 40000;
    due = holders_now(h);
    assert_int_equal(due.count, 1);
    assert_string_equal(due.users[0], "ada");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_the_actual_cost_is_charged),
        QUOTA_TEST(test_twice_is_once),
        QUOTA_TEST(test_one_that_was_settled_stops_the_others),
        QUOTA_TEST(test_an_id_twice_is_refused_whole),
        QUOTA_TEST(test_above_the_hold_is_debt),
        QUOTA_TEST(test_without_an_admission),
        QUOTA_TEST(test_a_hold_that_ran_out_is_unconfirmed_until_settled),
        QUOTA_TEST(test_what_each_version_of_the_key_cost),
        QUOTA_TEST(test_three_versions_are_kept),
        QUOTA_TEST(test_what_a_key_cost_is_counted_exactly),
        QUOTA_TEST(test_live_holds_and_the_last_settlement),
        QUOTA_TEST(test_a_late_settlement_before_anybody_looked),
        QUOTA_TEST(test_a_page_is_listed_at_a_time),
        QUOTA_TEST(test_texts_of_others_do_not_break_a_hold),
        QUOTA_TEST(test_a_hold_that_is_left),
        QUOTA_TEST(test_extending_what_is_not_there),
        QUOTA_TEST(test_keys_expire_in_the_end),
        QUOTA_TEST(test_settled_ids_are_kept),
        QUOTA_TEST(test_settled_ids_of_what_was_never_sent),
        QUOTA_TEST(test_what_cannot_be_read_is_refused_whole),
        QUOTA_TEST(test_the_holds_own_window_is_read_first),
        QUOTA_TEST(test_who_has_holds),
        QUOTA_TEST(test_holders_come_in_pages),
        QUOTA_TEST(test_holders_of_one_time_come_in_pages),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

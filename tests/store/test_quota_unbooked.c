/* What is settled and not booked yet: it stands in the account, decides the figure, and is found when nobody books it. */
#include "quota.h"

enum { UNBOOKED_AFTER_MS = 5000, CROWD = 40 };

/* Of the same request, and nothing else is the same. */
static struct settlement_record another(const struct settlement_record *record)
{
    struct settlement_record other = *record;

    snprintf(other.tier, sizeof(other.tier), "Other");
    snprintf(other.model, sizeof(other.model), "other/model");
    snprintf(other.generation_id, sizeof(other.generation_id), "gen-other");
    snprintf(other.budget_period, sizeof(other.budget_period), "2027-01");
    snprintf(other.day, sizeof(other.day), "2027-01-02");
    other.cost_nano_usd += 1000;
    other.prompt_tokens = other.cached_tokens = other.completion_tokens = 9;
    other.reasoning_tokens = 9;
    other.key_version += 1;
    other.finished_ms += 12345;
    other.source = record->source == COST_FROM_ESTIMATE ? COST_FROM_USAGE : COST_FROM_ESTIMATE;
    other.delivered = !record->delivered;
    return other;
}

static void assert_first_figure_stands(struct harness *h, const struct settlement_record *first)
{
    struct settlement_record record = *first, second = another(first);

    assert_false(settle_record(h, &record).already);
    assert_same(&record, first);
    struct look before = digest_now(h);
    for (int times = 0; times < 2; times++) {
        second = another(first);
        assert_true(settle_record(h, &second).already);
        assert_same(&second, first);
        assert_string_equal(second.generation_id, "gen-other");
    }
    assert_string_equal(digest_now(h).text, before.text);
    struct quota_expire expire = expire_now(h);
    assert_true(expire.busy);
    assert_int_equal(expire.unbooked_count, 0);
    hand_ms += UNBOOKED_AFTER_MS;
    expire = expire_now(h);
    assert_int_equal(expire.unbooked_count, 1);
    assert_same(&expire.unbooked[0], first);
    assert_string_equal(expire.unbooked[0].generation_id, "");
    forget_now(h, first->request_id);
}

static void test_the_first_figure_stands(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    struct settlement_record record = record_of("r1", 123);

    record.key_version = 3;
    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    assert_first_figure_stands(h, &record);
    assert_money(h, &tier, 123, 0);
    assert_int_equal(billed_now(h, 3).billed_nano_usd, 123);
    assert_int_equal(billed_now(h, 4).billed_nano_usd, 0);
    assert_idle(h);
}

static void test_every_record_comes_back_as_it_was(void **state)
{
    struct harness *h = *state;
    char id[16];

    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        struct settlement_record record = record_of(id, i % 3 ? QUOTA_AMOUNT_MAX - i : 0);
        record.source = (enum cost_source)(i % (COST_NOTHING_SENT + 1));
        record.delivered = i % 2;
        record.prompt_tokens = i % 4 ? i : -1;
        record.cached_tokens = i % 4 == 1 ? -1 : INT64_C(4000000000);
        record.completion_tokens = i % 4 == 2 ? -1 : 0;
        record.reasoning_tokens = i % 4 == 3 ? -1 : 7;
        record.key_version = i % 5;
        memset(record.model, 'm', sizeof(record.model) - 1);
        record.model[i < 10 ? sizeof(record.model) - 1 : 0] = '\0'; /* as long as can be, or none */
        snprintf(record.tier, sizeof(record.tier), i % 2 ? "" : "Pro | 2+");
        if (i % 7 == 0)
            snprintf(record.budget_period, sizeof(record.budget_period), "2026-W47");
        assert_first_figure_stands(h, &record);
    }
}

/* A model's name is a line in the account, as it is in the books' names. */
static void test_a_models_name_is_a_line(void **state)
{
    struct harness *h = *state;
    struct settlement_record record = record_of("r1", 5);

    snprintf(record.model, sizeof(record.model),
             "a\nb\x01"
             "c|d e");
    assert_false(settle_record(h, &record).already);
    assert_true(settle_record(h, &record).already);
    assert_string_equal(record.model, "a b c|d e");
}

static void test_once_booked_the_figure_is_not_known(void **state)
{
    struct harness *h = *state;
    struct settlement_record first = record_of("r1", 123), late = another(&first), asked;

    memcpy(late.day, first.day, sizeof(late.day));
    asked = late;
    assert_false(settle_record(h, &first).already);
    forget_now(h, "r1");
    struct look before = digest_now(h);
    assert_true(settle_record(h, &late).already);
    assert_same(&late, &asked);
    forget_now(h, "r1"); /* again */
    forget_now(h, "r2"); /* nobody knows it */
    assert_string_equal(digest_now(h).text, before.text);
}

static void test_a_settled_request_is_over(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    struct quota_extend leave = {0};

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    settle_now(h, "r1", 5);
    settle_now(h, "r2", 5); /* had no hold */
    struct look before = digest_now(h);
    assert_verdict(h, &tier, "r1", 300, ADMIT_OVER);
    assert_verdict(h, &tier, "r2", 300, ADMIT_OVER);
    assert_false(extend_now(h, "r1", "gen-1"));
    assert_false(extend_now(h, "r2", ""));
    quota_leave(&h->a, &leave, SPAN("ada"), SPAN("r1"), SPAN("gen-1"), 7, false, &h->wake);
    AWAIT_OK(h, leave);
    assert_false(leave.alive);
    hand_ms += days_ms(1); /* the record itself says so, whatever the day */
    assert_verdict(h, &tier, "r1", 300, ADMIT_OVER);
    hand_ms -= days_ms(1);
    assert_string_equal(digest_now(h).text, before.text);
    assert_money(h, &tier, 10, 0);
    assert_int_equal(view_now(h, &tier).messages_used, 2);
    assert_int_equal(view_now(h, &tier).active, 0);
    assert_int_equal(billed_now(h, 0).live, 0);
}

static void test_listed_when_nobody_booked_it(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    struct quota_expire expire;

    assert_verdict(h, &tier, "r1", 300, ADMIT_GRANTED);
    assert_verdict(h, &tier, "r2", 300, ADMIT_GRANTED);
    settle_now(h, "r1", 5);
    hand_ms += 1000;
    settle_now(h, "r2", 6);
    hand_ms += UNBOOKED_AFTER_MS - 1001;
    expire = expire_now(h);
    assert_int_equal(expire.unbooked_count, 0);
    assert_true(expire.busy);
    assert_false(expire.more);
    hand_ms++;
    for (int again = 0; again < 2; again++) { /* whoever got the first list may be dead */
        expire = expire_now(h);
        assert_int_equal(expire.unbooked_count, 1);
        assert_int_equal(expire.count, 0);
        assert_string_equal(expire.unbooked[0].request_id, "r1");
        assert_string_equal(expire.unbooked[0].user, "ada");
        assert_int_equal(expire.unbooked[0].cost_nano_usd, 5);
    }
    hand_ms += 1000;
    assert_int_equal(expire_now(h).unbooked_count, 2);
    forget_now(h, "r1");
    expire = expire_now(h);
    assert_int_equal(expire.unbooked_count, 1);
    assert_string_equal(expire.unbooked[0].request_id, "r2");
    assert_true(expire.busy);
    forget_now(h, "r2");
    expire = expire_now(h);
    assert_int_equal(expire.unbooked_count, 0);
    assert_false(expire.busy);
    assert_money(h, &tier, 11, 0);
    assert_idle(h);
}

/* Which of many is not said; each comes in its turn, beside the holds that ran out. */
static void test_many_that_nobody_booked(void **state)
{
    struct harness *h = *state;
    struct tier tier = tier_named("Pro", 1000);
    bool listed[CROWD] = {false};
    char id[16];
    int booked = 0;

    assert_verdict(h, &tier, "lost", 3, ADMIT_GRANTED);
    for (int i = 0; i < CROWD; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        settle_now(h, id, i);
    }
    hand_ms += QUOTA_LEASE_MS;
    while (booked < CROWD) {
        struct quota_expire expire = expire_now(h);
        int rest = CROWD - booked;
        assert_int_equal(expire.unbooked_count, rest < EXPIRED_PAGE ? rest : EXPIRED_PAGE);
        assert_int_equal(expire.count, 1);
        assert_true(expire.busy);
        assert_false(expire.more); /* of the holds */
        for (size_t i = 0; i < expire.unbooked_count; i++) {
            const struct settlement_record *record = &expire.unbooked[i];
            int at = atoi(record->request_id + 1);
            assert_false(listed[at]);
            listed[at] = true;
            assert_int_equal(record->cost_nano_usd, at);
            forget_now(h, record->request_id);
            booked++;
        }
    }
    assert_false(expire_now(h).busy);
}

static void assert_settle_broken(struct harness *h)
{
    struct settlement_record record = record_of("r1", 77), asked = record;
    struct settle settle = {0};

    quota_settle(&h->a, &settle, (struct settlement_record *[]){&record}, 1, &h->wake);
    harness_await(h);
    assert_int_equal(settle.call.end, STORE_BROKEN);
    assert_memory_equal(&record, &asked, sizeof(record)); /* it will be asked again */
}

/* What another version left there. */
static void test_a_record_that_cannot_be_read(void **state)
{
    static const char *const records[] = {
        "S\n1\n2026-11\n2026-11-20\nm/x\nmuch\n1\n1\n1\n1\n1\n0\nPro\n1\nusage",
        "S\n1\n2026-11\n2026-11-20\nm/x\n5\n1\n1\n1\n1\n1\n0\nPro\n1\nguess",
        "S\n1\n2026-11\n2026-11-20\nm/x\n5\n1\n1\n1\n1\n1\n0\nPro\n1\nusage\nmore",
        "S\n1\n2026-11\n2026-11-20\nm/x\n5\n1\n1\n1\n1\n1\n0\nPro\n1",
        "S\n1\n2026-11\n2026-11-20-and-later\nm/x\n5\n1\n1\n1\n1\n1\n0\nPro\n1\nusage",
        "S\n",
    };
    struct harness *h = *state;
    struct quota_expire expire = {0};
    char line[QUOTA_TEXT];

    for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
        snprintf(line, sizeof(line), "HSET\tkt:{u:ada}:account\tr1\t%s", records[i]);
        store_look_split(h, line, '\t');
        struct look before = digest_now(h);
        assert_settle_broken(h);
        quota_expire(&h->a, &expire, SPAN("ada"), &h->wake);
        harness_await(h);
        assert_int_equal(expire.call.end, STORE_BROKEN);
        assert_string_equal(digest_now(h).text, before.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_the_first_figure_stands),
        QUOTA_TEST(test_every_record_comes_back_as_it_was),
        QUOTA_TEST(test_a_models_name_is_a_line),
        QUOTA_TEST(test_once_booked_the_figure_is_not_known),
        QUOTA_TEST(test_a_settled_request_is_over),
        QUOTA_TEST(test_listed_when_nobody_booked_it),
        QUOTA_TEST(test_many_that_nobody_booked),
        QUOTA_TEST(test_a_record_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

/* Many settlements booked in one call: as if one by one, or none of them. */
#include "books.h"

enum { BATCH = BOOK_BATCH_MAX };
static_assert(BATCH == 32, "figures of below");

enum { WALK = 3000, WALK_TIERS = 3, WALK_MODELS = 7 };

#define MANY INT64_C(999999999999999) /* the most one may cost, about */

/* "r<first>" and so on, of one user, tier and model; costs first + 1 and so on. */
static void fill(struct settlement_record *records, int first, int count)
{
    char id[16];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "r%d", first + i);
        records[i] = booking(id, "ada", "Pro", "x/y", first + i + 1);
    }
}

static void assert_sum(struct harness *h, const struct period *period, enum sums_group group,
                       const char *name, int64_t requests, int64_t cost)
{
    struct rows rows = sums_now(h, period, group);

    for (size_t i = 0; i < rows.count; i++)
        if (strcmp(rows.names[i], name) == 0) {
            assert_row(&rows, i, name, requests, cost);
            return;
        }
    fail_msg("no sum of %s", name);
}

/* By everything, in the day's and in the month's. */
static void assert_ada(struct harness *h, int64_t requests, int64_t cost)
{
    struct period periods[] = {month(), today()};

    for (size_t i = 0; i < 2; i++) {
        assert_sum(h, &periods[i], SUMS_BY_USER, "ada", requests, cost);
        assert_sum(h, &periods[i], SUMS_BY_TIER, "Pro", requests, cost);
        assert_sum(h, &periods[i], SUMS_BY_MODEL, "x/y", requests, cost);
        assert_sum(h, &periods[i], SUMS_BY_DAY, today().name, requests, cost);
    }
}

static void test_a_whole_batch(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[BATCH];

    fill(records, 0, BATCH);
    assert_int_equal(book_batch(h, records, BATCH), BATCH);
    assert_ada(h, BATCH, BATCH * (BATCH + 1) / 2);
    struct rows rows = sums_now(h, &(struct period){.name = "2026-11"}, SUMS_BY_USER);
    assert_int_equal(rows.rows[0].prompt_tokens, 3200);
    assert_int_equal(rows.rows[0].cached_tokens, 1280);
    assert_int_equal(rows.rows[0].completion_tokens, 640);
    assert_int_equal(rows.rows[0].reasoning_tokens, 0);
    assert_look(h, "HGET kt:{books}:ledger:marks count", "32");
    assert_look(h, "SCARD kt:{books}:seen:2026-11-20", "32");
    struct look ids = store_look_split(
        h,
        "EVAL\tlocal ids, entries = {}, redis.call('XRANGE', KEYS[1], '-', '+') "
        "local fields = entries[1][2] for i = 1, #fields / 2 do "
        "local cost = string.match(fields[2 * i], '^ada\\n[^\\n]*\\nx/y\\n(%d+)\\n') "
        "ids[i] = fields[2 * i - 1] == 'r' .. i - 1 and cost == tostring(i) and '.' or '!' end "
        "return #entries == 1 and table.concat(ids) or ''\t1\tkt:{books}:ledger",
        '\t');
    assert_int_equal(strspn(ids.text, "."), BATCH); /* in their order, each with its cost */
}

static void test_a_batch_twice_is_once(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[BATCH];

    fill(records, 0, BATCH);
    assert_int_equal(book_batch(h, records, BATCH), BATCH);
    struct look before = digest_now(h);
    assert_int_equal(book_batch(h, records, BATCH), 0);
    assert_int_equal(book_batch(h, records + 7, 20), 0);
    hand_ms += days_ms(2) - 1; /* a journal, two days later */
    assert_int_equal(book_batch(h, records, BATCH), 0);
    assert_string_equal(digest_now(h).text, before.text);
}

static void test_a_batch_partly_known(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[BATCH];

    fill(records, 0, BATCH);
    assert_true(book_now(h, &records[0]));
    assert_int_equal(book_batch(h, records + 20, 10), 10);
    assert_true(book_now(h, &records[31]));
    for (size_t i = 20; i < 30; i++)
        records[i].cost_nano_usd = 1000000; /* what is booked stands */
    assert_int_equal(book_batch(h, records, BATCH), 20);
    assert_ada(h, BATCH, BATCH * (BATCH + 1) / 2);
    assert_look(h, "HGET kt:{books}:ledger:marks count", "32");
}

static void test_what_was_never_sent_in_a_batch(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[6];
    struct period period = month();

    fill(records, 0, 6);
    for (size_t i = 0; i < 6; i++)
        records[i].source = i % 2 ? COST_NOTHING_SENT : COST_FROM_USAGE;
    assert_int_equal(book_batch(h, records + 1, 1), 1); /* nothing but that */
    assert_int_equal(sums_now(h, &period, SUMS_BY_USER).count, 0);
    assert_look(h, "DBSIZE", "3");
    assert_int_equal(book_batch(h, records, 6), 5);
    assert_ada(h, 3, 1 + 3 + 5);
    assert_look(h, "HGET kt:{books}:ledger:marks count", "6");
    assert_look(h, "SCARD kt:{books}:seen:2026-11-20", "6");
    assert_int_equal(book_batch(h, records, 6), 0);
}

static void assert_kept(struct harness *h, int64_t days)
{
    int64_t rest = strtoll(store_look(h, "PTTL kt:{books}:seen:2026-11-20").text, NULL, 10);

    assert_in_range(rest, days_ms(days) - 60000, days_ms(days));
}

static void test_ids_of_a_batch_are_kept(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[8];

    fill(records, 0, 8);
    records[0].source = records[1].source = COST_NOTHING_SENT;
    assert_int_equal(book_batch(h, records, 2), 2);
    assert_kept(h, 4);
    store_look(h, "PEXPIRE kt:{books}:seen:2026-11-20 172800000");
    assert_int_equal(book_batch(h, records, 4), 2); /* the day's first in the sums */
    assert_kept(h, 4);
    store_look(h, "PEXPIRE kt:{books}:seen:2026-11-20 172800000");
    assert_int_equal(book_batch(h, records, 6), 2); /* on their day: there is enough */
    assert_kept(h, 2);
    hand_ms += days_ms(1);
    assert_int_equal(book_batch(h, records, 8), 2); /* stragglers */
    assert_kept(h, 4);
}

static void assert_month(struct harness *h, const char *field, const char *expected)
{
    char line[QUOTA_TEXT];

    snprintf(line, sizeof(line), "HGET\tkt:{books}:month:2026-11:all\t%s", field);
    struct look row = store_look_split(h, line, '\t');
    assert_string_equal(row.text, expected);
}

/* The limit is reached inside a batch: each tier has an "other" of its own. */
static void test_models_are_bounded_in_a_batch(void **state)
{
    static const char *const names[][2] = {{"Pro", "a"},   {"Pro", "b"},      {"Free", "c"},
                                           {"Pro", "x/y"}, {"Pro", "a"},      {"Pro", "b"},
                                           {"Pro", "d"},   {"Free", "other"}, {"Free", "x/y"}};
    struct harness *h = *state;
    struct settlement_record records[9], known;
    struct period day = today();
    char id[16];

    fill(&known, 100, 1);
    assert_true(book_now(h, &known));
    store_look_split(h,
                     "EVAL\tfor i = 3, 5999 do redis.call('HSET', KEYS[1], 'x' .. i, 1) end "
                     "return redis.call('HLEN', KEYS[1])\t1\tkt:{books}:month:2026-11:all",
                     '\t');
    for (int i = 0; i < 9; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        records[i] = booking(id, "ada", names[i][0], names[i][1], INT64_C(1) << i);
    }
    assert_int_equal(book_batch(h, records, 9), 9);
    assert_month(h, "Pro\na", "2 17 200 80 40 0"); /* the last one with a name */
    assert_month(h, "Pro\nb", "");
    assert_month(h, "Pro\nother", "3 98 300 120 60 0");
    assert_month(h, "Free\nother", "3 388 300 120 60 0");
    assert_month(h, "Pro\nx/y", "2 109 200 80 40 0");
    assert_month(h, "2026-11-20", "10 612 1000 400 200 0");
    assert_look(h, "HLEN kt:{books}:month:2026-11:all", "6002");
    assert_sum(h, &day, SUMS_BY_MODEL, "b", 2, 34); /* the day has room */
    assert_sum(h, &day, SUMS_BY_MODEL, "other", 1, 128);
    records[0] = booking("r9", "ada", "Pro", "e", 1000);
    records[1] = booking("r10", "ada", "Pro", "a", 2000);
    assert_int_equal(book_batch(h, records, 2), 2);
    assert_month(h, "Pro\nother", "4 1098 400 160 80 0");
    assert_month(h, "Pro\na", "3 2017 300 120 60 0");
    assert_look(h, "HLEN kt:{books}:month:2026-11:all", "6002");
}

/* Each batch adds up to a number that a Lua number still counts; the sums are beyond that. */
static void test_large_sums_and_small_batches(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[8];
    int64_t total = 0;

    for (int round = 0; round < 8; round++) {
        fill(records, round * 8, 8);
        for (int i = 0; i < 8; i++)
            total += records[i].cost_nano_usd = MANY - round * 8 - i;
        assert_int_equal(book_batch(h, records, 8), 8);
        assert_ada(h, round * 8 + 8, total);
    }
    assert_true(total > INT64_C(3) << 53);
}

/* One batch alone is more than a Lua number counts. */
static void test_large_batches_are_counted_exactly(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[BATCH];
    int64_t total = 0;

    for (int round = 0; round < 3; round++) {
        fill(records, round * BATCH, BATCH);
        for (int i = 0; i < BATCH; i++)
            total += records[i].cost_nano_usd = MANY - (INT64_C(1) << i % 10) * (i % 7);
        assert_int_equal(book_batch(h, records, BATCH), BATCH);
        assert_ada(h, (round + 1) * BATCH, total);
    }
}

static void assert_broken(struct harness *h, const struct settlement_record *records, size_t count)
{
    const struct settlement_record *batch[BATCH];
    struct look before = digest_now(h);
    struct book book = {0};

    for (size_t i = 0; i < count; i++)
        batch[i] = &records[i];
    book_settlements(&h->a, &book, batch, count, &h->wake);
    harness_await(h);
    assert_int_equal(book.call.end, STORE_BROKEN);
    assert_string_equal(digest_now(h).text, before.text);
}

static void test_one_id_twice_refuses_the_batch(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[4];

    fill(records, 0, 4);
    records[3] = records[0];
    assert_broken(h, records, 4);
    assert_int_equal(book_batch(h, records, 3), 3);
    assert_broken(h, records, 4);
    assert_ada(h, 3, 1 + 2 + 3);
}

static void test_what_cannot_be_read_refuses_the_batch(void **state)
{
    static const char *const rows[] = {
        "kt:{books}:day:2026-11-20:user\tbob", "kt:{books}:day:2026-11-20:all\tFree\nx/y",
        "kt:{books}:month:2026-11:user\tbob", "kt:{books}:month:2026-11:all\tFree\nx/y",
        "kt:{books}:month:2026-11:all\t2026-11-20"};
    struct harness *h = *state;
    struct settlement_record records[4];
    char line[QUOTA_TEXT];

    fill(records, 0, 4);
    records[3] = booking("r3", "bob", "Free", "x/y", 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        snprintf(line, sizeof(line), "HSET\t%s\t1 2 3", rows[i]);
        store_look_split(h, line, '\t');
        assert_broken(h, records, 4);
        assert_look(h, "EXISTS kt:{books}:ledger kt:{books}:seen:2026-11-20", "0");
        snprintf(line, sizeof(line), "HDEL\t%s", rows[i]);
        store_look_split(h, line, '\t');
    }
    assert_int_equal(book_batch(h, records, 4), 4);
    assert_sum(h, &(struct period){.name = "2026-11"}, SUMS_BY_DAY, "2026-11-20", 4, 1006);
}

/* Entries of a mark a million requests ago and older go, a whole node of the stream at a time, whatever they hold. */
static void test_the_ledger_is_trimmed_by_requests(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[BATCH];

    store_look_split(
        h,
        "EVAL\tlocal id for i = 1, 350 do id = redis.call('XADD', KEYS[1], '*', 'q' .. i, "
        "'') if i == 250 then redis.call('HSET', KEYS[2], '1', id) end end "
        "redis.call('HSET', KEYS[2], 'count', '1009980', '2', 'later')\t2\t"
        "kt:{books}:ledger\tkt:{books}:ledger:marks",
        '\t');
    fill(records, 0, BATCH);
    assert_int_equal(book_batch(h, records, 10), 10);
    assert_look(h, "XLEN kt:{books}:ledger", "351");
    assert_int_equal(book_batch(h, records + 10, BATCH - 10), BATCH - 10);
    assert_look(h, "XLEN kt:{books}:ledger", "152");
    assert_look(h, "HGET kt:{books}:ledger:marks count", "1010012");
    assert_look(h, "HEXISTS kt:{books}:ledger:marks 1", "0");
    assert_look(h, "HGET kt:{books}:ledger:marks 2", "later");
    assert_look(h, "HEXISTS kt:{books}:ledger:marks 101", "1");
    fill(records, BATCH, 1);
    store_look(h, "HSET kt:{books}:ledger:marks count many");
    assert_broken(h, records, 1);
    store_look(
        h, "HSET kt:{books}:ledger:marks count 1019999"); /* the next one's mark is the second */
    assert_broken(h, records, 1);
    assert_look(h, "XLEN kt:{books}:ledger", "152");
    store_look(h, "HDEL kt:{books}:ledger:marks 2");
    assert_int_equal(book_batch(h, records, 1), 1);
}

struct walk {
    uint64_t random;
    bool booked[WALK];
    int64_t requests, cost, entries, tier_cost[WALK_TIERS], model_cost[WALK_MODELS];
};

static int pick(struct walk *w, int below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (int)(w->random % (uint64_t)below);
}

/* A record is the same whenever it comes. */
static struct settlement_record walk_record(int i)
{
    static const char *const tiers[WALK_TIERS] = {"Free", "Pro", ""};
    char id[16], model[16];

    snprintf(id, sizeof(id), "r%d", i);
    snprintf(model, sizeof(model), "m%d", i % WALK_MODELS);
    struct settlement_record record = booking(id, "ada", tiers[i % WALK_TIERS], model,
                                              INT64_C(1000003) * i * i % INT64_C(100000000007));
    if (i % 11 == 0)
        record.source = COST_NOTHING_SENT;
    return record;
}

/* True: it was not booked before. */
static bool walk_book(struct walk *w, int i, const struct settlement_record *record)
{
    bool fresh = !w->booked[i];

    w->booked[i] = true;
    w->entries += fresh;
    if (!fresh || record->source == COST_NOTHING_SENT)
        return fresh;
    w->requests++;
    w->cost += record->cost_nano_usd;
    w->tier_cost[i % WALK_TIERS] += record->cost_nano_usd;
    w->model_cost[i % WALK_MODELS] += record->cost_nano_usd;
    return true;
}

/* Batches of any size that overlap. */
static void test_sums_equal_the_records_however_they_are_batched(void **state)
{
    struct harness *h = *state;
    struct settlement_record records[BATCH];
    struct walk w = {.random = 88172645463325252u};
    struct period period = month();
    char text[24];

    for (int round = 0; round < 200; round++) {
        int count = 1 + pick(&w, BATCH), first = pick(&w, WALK - 2 * BATCH);
        int64_t fresh = 0;
        for (int i = 0; i < count; i++) {
            int at = first + 2 * i + pick(&w, 2);
            records[i] = walk_record(at);
            fresh += walk_book(&w, at, &records[i]);
        }
        assert_int_equal(book_batch(h, records, (size_t)count), fresh);
    }
    assert_sum(h, &period, SUMS_BY_USER, "ada", w.requests, w.cost);
    assert_sum(h, &period, SUMS_BY_DAY, "2026-11-20", w.requests, w.cost);
    struct rows tiers = sums_now(h, &period, SUMS_BY_TIER);
    assert_int_equal(tiers.rows[0].cost_nano_usd, w.tier_cost[2]);
    assert_int_equal(tiers.rows[1].cost_nano_usd, w.tier_cost[0]);
    assert_int_equal(tiers.rows[2].cost_nano_usd, w.tier_cost[1]);
    struct rows models = sums_now(h, &period, SUMS_BY_MODEL);
    for (size_t i = 0; i < WALK_MODELS; i++)
        assert_int_equal(models.rows[i].cost_nano_usd, w.model_cost[i]);
    snprintf(text, sizeof(text), "%" PRId64, w.entries);
    assert_look(h, "HGET kt:{books}:ledger:marks count", text);
    assert_true(w.entries > WALK / 2 && w.entries < WALK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_a_whole_batch),
        QUOTA_TEST(test_a_batch_twice_is_once),
        QUOTA_TEST(test_a_batch_partly_known),
        QUOTA_TEST(test_one_id_twice_refuses_the_batch),
        QUOTA_TEST(test_what_was_never_sent_in_a_batch),
        QUOTA_TEST(test_ids_of_a_batch_are_kept),
        QUOTA_TEST(test_models_are_bounded_in_a_batch),
        QUOTA_TEST(test_large_sums_and_small_batches),
        QUOTA_TEST(test_large_batches_are_counted_exactly),
        QUOTA_TEST(test_what_cannot_be_read_refuses_the_batch),
        QUOTA_TEST(test_the_ledger_is_trimmed_by_requests),
        QUOTA_TEST(test_sums_equal_the_records_however_they_are_batched),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

#include "../base/unit.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "domain/key_api.h"

#define KEY "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"
#define HASH "f01d52606dc8f0a8303a7b5cc3fa07109c2e346cec7c0a16b40de462992ce943"
#define FULL \
    "{\"hash\":\"" HASH \
    "\",\"name\":\"keyturn/d/p/v1/2/n\",\"label\":\"sk-or-v1-0e6...1c96\",\"disabled\":true," \
    "\"limit\":12.5,\"limit_remaining\":0.00158142,\"limit_reset\":\"monthly\",\"include_byok_in_" \
    "limit\":false," \
    "\"usage\":3E-7,\"usage_daily\":1,\"byok_usage\":0,\"created_at\":\"2025-08-24T10:30:00Z\"," \
    "\"updated_at\":null,\"expires_at\":\"2027-12-31T23:59:59Z\",\"creator_user_id\":\"user_x\"," \
    "\"workspace_id\":\"w\"," \
    "\"something_new\":{\"deep\":[1,2,{\"hash\":\"no\"}]}}"

static void assert_composes(const struct key_wish *wish, const char *json)
{
    struct buffer out;
    buffer_init(&out, 4096);
    assert_true(key_api_compose_create(wish, &out));
    assert_span(buffer_view(&out), json);
    buffer_done(&out);
}

static void test_create_bodies(void **state)
{
    (void)state;
    struct key_wish wish = {
        .name = SPAN("keyturn/d/p/v1/2/n"), .external_user = SPAN_NONE, .limit_nano_usd = -1};
    assert_composes(&wish, "{\"name\":\"keyturn/d/p/v1/2/n\",\"limit\":null}");
    wish.limit_reset = LIMIT_RESET_DAILY; /* says nothing without a limit */
    assert_composes(&wish, "{\"name\":\"keyturn/d/p/v1/2/n\",\"limit\":null}");
    wish.limit_nano_usd = 0;
    wish.limit_reset = LIMIT_RESET_NONE;
    assert_composes(&wish, "{\"name\":\"keyturn/d/p/v1/2/n\",\"limit\":0}");
    wish.limit_nano_usd = 12500000000;
    wish.limit_reset = LIMIT_RESET_MONTHLY;
    assert_true(clock_parse(SPAN("2027-12-31T23:59:59.900Z"), &wish.expires_at_ms));
    wish.external_user = SPAN("pseudo\"nym");
    assert_composes(
        &wish,
        "{\"name\":\"keyturn/d/p/v1/2/n\",\"limit\":12.5,\"limit_reset\":\"monthly\","
        "\"expires_at\":\"2027-12-31T23:59:59Z\",\"external\":{\"user\":\"pseudo\\\"nym\"}}");
    wish.limit_nano_usd = 1;
    wish.limit_reset = LIMIT_RESET_WEEKLY;
    wish.expires_at_ms = 0;
    wish.external_user = SPAN_NONE;
    assert_composes(
        &wish,
        "{\"name\":\"keyturn/d/p/v1/2/n\",\"limit\":0.000000001,\"limit_reset\":\"weekly\"}");

    struct buffer small;
    buffer_init(&small, 30);
    assert_false(key_api_compose_create(&wish, &small));
    buffer_done(&small);
}

static void test_limit_bodies(void **state)
{
    (void)state;
    static const struct {
        int64_t limit_nano_usd;
        enum limit_reset reset;
        const char *json;
    } rows[] = {
        {12500000000, LIMIT_RESET_MONTHLY, "{\"limit\":12.5,\"limit_reset\":\"monthly\"}"},
        {1, LIMIT_RESET_WEEKLY, "{\"limit\":0.000000001,\"limit_reset\":\"weekly\"}"},
        {0, LIMIT_RESET_DAILY, "{\"limit\":0,\"limit_reset\":\"daily\"}"},
        {5, LIMIT_RESET_NONE, "{\"limit\":0.000000005,\"limit_reset\":null}"},
        {-1, LIMIT_RESET_MONTHLY, "{\"limit\":null,\"limit_reset\":null}"},
        {9000000000000000, LIMIT_RESET_DAILY, "{\"limit\":9000000,\"limit_reset\":\"daily\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buffer out;
        buffer_init(&out, 128);
        assert_true(key_api_compose_limit(rows[i].limit_nano_usd, rows[i].reset, &out));
        assert_span(buffer_view(&out), rows[i].json);
        buffer_done(&out);
    }
    struct buffer small;
    buffer_init(&small, 20);
    assert_false(key_api_compose_limit(1, LIMIT_RESET_DAILY, &small));
    buffer_done(&small);
}

static void hash_of_key(char ret_hash[KEY_HASH_SIZE + 1])
{
    unsigned char digest[DIGEST_SIZE];
    sha256(SPAN(KEY), digest);
    hex_text(digest, sizeof(digest), ret_hash);
}

static void test_created_in_every_observed_shape(void **state)
{
    (void)state;
    char computed[KEY_HASH_SIZE + 1];
    hash_of_key(computed);
    const struct {
        const char *body, *hash;
    } rows[] = {
        {"{\"data\":" FULL ",\"key\":\"" KEY "\"}", HASH},
        {"{\"data\":{\"hash\":\"" HASH "\",\"key\":\"" KEY "\"}}", HASH},
        {"{\"data\":{\"key\":\"" KEY "\"}}", computed},
        {"{\"key\":\"" KEY "\"}", computed},
        {"{\"key\":\"" KEY "\",\"user_id\":null}", computed},
        {"{\"key\":\"" KEY "\",\"hash\":\"" HASH "\"}", HASH},
        {"{\"key\":\"" KEY "\",\"hash\":\"" HASH "\",\"data\":{\"name\":\"n\"}}", HASH},
        {"{\"key\":\"" KEY "\",\"data\":null}", computed},
        {"{\"key\":\"" KEY "\",\"data\":{\"hash\":null}}", computed},
        {"{\"key\":\"" KEY "\",\"data\":{\"hash\":\"../../credits\"}}", computed},
        {"{\"key\":\"" KEY "\",\"data\":{\"hash\":\"" HASH HASH "\"}}", computed},
        {"{\"key\":null,\"data\":{\"key\":\"" KEY "\",\"hash\":\"" HASH "\"}}", HASH},
        {" \n\n {\"key\":\"" KEY "\"}\n", computed},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct secret key = {NULL, 0};
        struct key_facts facts;
        if (!key_api_read_created(span_of(rows[i].body), &key, &facts))
            fail_msg("row %zu: %s", i, rows[i].body);
        assert_span(secret_reveal(&key), KEY);
        assert_string_equal(facts.hash, rows[i].hash);
        secret_done(&key);
    }
}

static void test_what_is_no_created_key(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"data\":" FULL "}",
        "{\"key\":\"\"}",
        "{\"key\":1}",
        "{\"key\":\"" KEY "\"",
        "<html></html>",
        "{\"error\":{\"code\":400,\"message\":\"x\"}}",
        "{\"key\":\"sk-or-v1-a\\r\\nX-Evil: 1\"}",
        "{\"key\":\"sk or\"}",
        "{\"key\":\"sk\\u0000\"}",
        "{\"key\":\"\xc3\xa9\"}",
        "[{\"key\":\"" KEY "\"}]",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct secret key = {NULL, 0};
        struct key_facts facts;
        if (key_api_read_created(span_of(rows[i]), &key, &facts))
            fail_msg("row %zu: %s", i, rows[i]);
        assert_false(secret_is_set(&key));
    }
    char body[1024] = "{\"key\":\"";
    struct secret key = {NULL, 0};
    struct key_facts facts;
    memset(body + 8, 'k', 513);
    memcpy(body + 8 + 513, "\"}", 3);
    assert_false(key_api_read_created(span_of(body), &key, &facts));
    memcpy(body + 8 + 512, "\"}", 3);
    assert_true(key_api_read_created(span_of(body), &key, &facts));
    secret_done(&key);
}

static void assert_full(const struct key_facts *facts)
{
    int64_t created, expires;
    assert_true(clock_parse(SPAN("2025-08-24T10:30:00Z"), &created));
    assert_true(clock_parse(SPAN("2027-12-31T23:59:59Z"), &expires));
    assert_string_equal(facts->hash, HASH);
    assert_string_equal(facts->name, "keyturn/d/p/v1/2/n");
    assert_true(facts->disabled);
    assert_true(facts->has_limit);
    assert_true(facts->has_remaining);
    assert_true(facts->limit_nano_usd == 12500000000);
    assert_true(facts->remaining_nano_usd == 1581420);
    assert_int_equal(facts->limit_reset, LIMIT_RESET_MONTHLY);
    assert_true(facts->usage_nano_usd[LIMIT_RESET_NONE] == 300);
    assert_true(facts->usage_nano_usd[LIMIT_RESET_DAILY] == 1000000000);
    assert_true(facts->usage_nano_usd[LIMIT_RESET_WEEKLY] == -1);
    assert_true(facts->usage_nano_usd[LIMIT_RESET_MONTHLY] == -1);
    assert_true(facts->expires_at_ms == expires);
    assert_true(facts->created_at_ms == created);
}

static void test_keys_with_and_without_wrapper(void **state)
{
    (void)state;
    struct key_facts facts;
    assert_true(key_api_read_key(SPAN("{\"data\":" FULL "}"), &facts));
    assert_full(&facts);
    assert_true(key_api_read_key(SPAN(FULL), &facts));
    assert_full(&facts);
    assert_true(key_api_read_key(SPAN("{\"hash\":\"" HASH "\"}"), &facts));
    assert_string_equal(facts.name, "");
    assert_false(facts.disabled || facts.has_limit || facts.has_remaining);
    assert_true(facts.expires_at_ms == 0 && facts.created_at_ms == 0);
    assert_int_equal(facts.limit_reset, LIMIT_RESET_NONE);
    for (size_t i = 0; i < LIMIT_RESETS; i++)
        assert_int_equal(facts.usage_nano_usd[i], -1);
    static const char *const wrong[] = {"",
                                        "{",
                                        "{}",
                                        "{\"data\":{}}",
                                        "{\"data\":{\"hash\":\"\"}}",
                                        "{\"data\":{\"hash\":12}}",
                                        "{\"data\":{\"hash\":\"a/b\"}}",
                                        "{\"data\":{\"hash\":\"a?b\"}}",
                                        "{\"data\":[]}",
                                        "[]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(key_api_read_key(span_of(wrong[i]), &facts));
}

static struct key_facts facts_of(const char *fields)
{
    char body[1024];
    struct key_facts facts;
    snprintf(body, sizeof(body), "{\"data\":{\"hash\":\"" HASH "\",%s}}", fields);
    if (!key_api_read_key(span_of(body), &facts))
        fail_msg("%s", body);
    return facts;
}

static void test_what_a_key_cost_in_all(void **state)
{
    static const struct {
        const char *fields;
        int64_t billed_nano_usd;
    } rows[] = {
        {"\"usage\":0", 0},
        {"\"usage\":0.00158142", 1581420},
        {"\"usage\":1.5,\"byok_usage\":2.25", 3750000000},
        {"\"usage\":1.5,\"byok_usage\":null", 1500000000},
        {"\"usage\":0.30000000000000004", 300000000}, /* a sum of binary fractions */
        {"\"usage\":0.29999999999999999", 300000000},
        {"\"usage\":3E-10", 0},
        {"\"usage\":5E-10,\"byok_usage\":3e-7", 301},
        {"\"usage\":2000000.000000001", 2000000000000001},
        {"\"byok_usage\":1", -1},
        {"\"usage\":null", -1},
        {"\"usage\":\"1\"", -1},
        {"\"usage\":-1", -1},
        {"\"usage\":1e30", -1},
        {"\"usage\":1,\"byok_usage\":1e30", -1},
        {"\"usage\":1,\"byok_usage\":-1", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (facts_of(rows[i].fields).billed_nano_usd != rows[i].billed_nano_usd)
            fail_msg("%s", rows[i].fields);
}

static void test_odd_fields(void **state)
{
    (void)state;
    struct key_facts facts =
        facts_of("\"limit\":null,\"limit_remaining\":null,\"expires_at\":null,\"name\":null");
    assert_false(facts.has_limit || facts.has_remaining);
    assert_true(facts.expires_at_ms == 0);
    facts =
        facts_of("\"limit\":0,\"limit_remaining\":-0.25"); /* overspent; -1 would mean unlimited */
    assert_true(facts.has_limit && facts.has_remaining);
    assert_true(facts.limit_nano_usd == 0 && facts.remaining_nano_usd == 0);
    facts = facts_of("\"limit\":1e308,\"limit_remaining\":0.00000000001,\"usage\":1e999");
    assert_true(facts.limit_nano_usd == INT64_MAX && facts.remaining_nano_usd == 1 &&
                facts.usage_nano_usd[LIMIT_RESET_NONE] == INT64_MAX);
    facts = facts_of("\"usage\":null,\"usage_daily\":\"1\",\"usage_weekly\":-1,\"usage_monthly\":"
                     "0.12345678901,\"limit_reset\":null");
    assert_int_equal(facts.usage_nano_usd[LIMIT_RESET_NONE], -1);
    assert_int_equal(facts.usage_nano_usd[LIMIT_RESET_DAILY], -1);
    assert_int_equal(facts.usage_nano_usd[LIMIT_RESET_WEEKLY], 0);
    assert_int_equal(facts.usage_nano_usd[LIMIT_RESET_MONTHLY], 123456790); /* rounded up */
    assert_int_equal(facts.limit_reset, LIMIT_RESET_NONE);
    assert_int_equal(facts_of("\"limit_reset\":\"yearly\"").limit_reset, LIMIT_RESET_NONE);
    assert_int_equal(facts_of("\"limit_reset\":\"weekly\"").limit_reset, LIMIT_RESET_WEEKLY);
    assert_int_equal(facts_of("\"limit_reset\":\"daily\"").limit_reset, LIMIT_RESET_DAILY);
    facts =
        facts_of("\"limit\":\"5\",\"disabled\":\"true\",\"expires_at\":12,\"created_at\":\"soon\"");
    assert_false(facts.has_limit || facts.disabled);
    assert_true(facts.expires_at_ms == 0 && facts.created_at_ms == 0);
    int64_t wall_ms;
    assert_true(clock_parse(SPAN("2025-02-19T20:52:27.363Z"), &wall_ms));
    facts = facts_of("\"created_at\":\"2025-02-19T20:52:27.363244+00:00\",\"expires_at\":\"2025-02-"
                     "19T21:52:27.363+01:00\"");
    assert_true(facts.created_at_ms == wall_ms && facts.expires_at_ms == wall_ms);

    char fields[400] = "\"name\":\"";
    memset(fields + 8, 'n', 200);
    memcpy(fields + 8 + KEY_NAME_MAX, "\"", 2);
    assert_int_equal(strlen(facts_of(fields).name), KEY_NAME_MAX);
    memset(fields + 8, 'n', 200);
    memcpy(fields + 8 + KEY_NAME_MAX + 1, "\"", 2);
    assert_string_equal(facts_of(fields).name,
                        ""); /* not one of ours, and no cut text that looks so */
}

struct rows {
    char names[4][KEY_NAME_MAX + 1];
    size_t count;
};

static void note(const struct key_facts *facts, void *context)
{
    struct rows *rows = context;
    assert_true(rows->count < 4);
    memcpy(rows->names[rows->count++], facts->name, sizeof(facts->name));
}

static void test_lists(void **state)
{
    (void)state;
    struct rows rows = {.count = 0};
    size_t count = 99;
    assert_true(key_api_read_list(SPAN("{\"data\":[]}"), note, &rows, &count));
    assert_int_equal(count, 0);
    assert_true(key_api_read_list(SPAN("{\"data\":[{\"hash\":\"" HASH
                                       "\",\"name\":\"a\"},null,{\"name\":\"no hash\"},7,{\"hash\":"
                                       "\"h2\",\"name\":\"b\",\"new\":[]}],\"total\":1}"),
                                  note, &rows, &count));
    assert_int_equal(count, 5);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.names[0], "a");
    assert_string_equal(rows.names[1], "b");
    static const char *const wrong[] = {
        "", "{}", "[]", "{\"data\":{}}", "{\"data\":null}", "{\"data\":[", "<html>"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(key_api_read_list(span_of(wrong[i]), note, &rows, &count));
    assert_int_equal(rows.count, 2);
}

static void check_full(const struct key_facts *facts, void *context)
{
    assert_full(facts);
    ++*(size_t *)context;
}

static void test_a_page_of_a_hundred(void **state)
{
    (void)state;
    struct buffer body;
    buffer_init(&body, 1 << 20);
    assert_true(buffer_append(&body, SPAN("{\"data\":[")));
    for (int i = 0; i < 100; i++)
        assert_true(buffer_append(&body, i ? SPAN("," FULL) : SPAN(FULL)));
    assert_true(buffer_append(&body, SPAN("]}")));
    size_t count = 0, visited = 0;
    assert_true(key_api_read_list(buffer_view(&body), check_full, &visited, &count));
    assert_int_equal(count, 100);
    assert_int_equal(visited, 100);
    buffer_done(&body);
}

static void test_which_key_manages(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool told, is_management;
    } rows[] = {
        {"{\"data\":{\"label\":\"x\",\"is_management_key\":true,\"is_provisioning_key\":true}}",
         true, true},
        {"{\"data\":{\"is_provisioning_key\":true}}", true, true},
        {"{\"data\":{\"is_management_key\":true}}", true, true},
        {"{\"data\":{\"is_management_key\":false,\"is_provisioning_key\":false}}", true, false},
        {"{\"data\":{\"is_provisioning_key\":false}}", true, false},
        {"{\"is_management_key\":true}", true, true},
        {"{\"data\":{\"label\":\"x\"}}", false, false},
        {"{\"data\":{\"is_management_key\":\"true\"}}", false, false},
        {"{\"error\":{\"code\":401}}", false, false},
        {"", false, false},
        {"<html>", false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bool is_management = !rows[i].is_management;
        if (key_api_read_is_management(span_of(rows[i].body), &is_management) != rows[i].told)
            fail_msg("row %zu", i);
        if (rows[i].told)
            assert_int_equal(is_management, rows[i].is_management);
    }
}

static void test_health(void **state)
{
    (void)state;
    int64_t now_ms;
    assert_true(clock_parse(SPAN("2026-11-20T12:00:00Z"), &now_ms));
    static const struct {
        int status;
        const char *body;
        enum key_health health;
        const char *name;
    } rows[] = {
        {404, "{\"error\":{\"message\":\"API key not found\",\"code\":404}}", KEY_GONE, "gone"},
        {404, "<html><h1>404 Not Found</h1></html>", KEY_UNKNOWN, "unknown"},
        {404, "", KEY_UNKNOWN, "unknown"},
        {200, "{\"data\":{\"hash\":\"h\"}}", KEY_HEALTHY, "healthy"},
        {200, "{\"data\":{\"hash\":\"h\",\"disabled\":false,\"expires_at\":null}}", KEY_HEALTHY,
         "healthy"},
        {200, "{\"hash\":\"h\",\"disabled\":false}", KEY_HEALTHY, "healthy"},
        {200, "{\"data\":{\"hash\":\"h\",\"expires_at\":\"2026-11-20T12:00:01Z\"}}", KEY_HEALTHY,
         "healthy"},
        {200, "{\"data\":{\"hash\":\"h\",\"expires_at\":\"2026-11-20T12:00:00Z\"}}", KEY_EXPIRED,
         "expired"},
        {200,
         "{\"data\":{\"hash\":\"h\",\"expires_at\":\"2026-11-19T12:00:00+00:00\",\"disabled\":true}"
         "}",
         KEY_EXPIRED, "expired"},
        {200, "{\"data\":{\"hash\":\"h\",\"disabled\":true}}", KEY_SWITCHED_OFF, "switched_off"},
        {200, "{\"data\":{}}", KEY_UNKNOWN, "unknown"},
        {200, "<html>", KEY_UNKNOWN, "unknown"},
        {200, "", KEY_UNKNOWN, "unknown"},
        {401, "{\"error\":{\"message\":\"User not found.\",\"code\":401}}", KEY_MANAGEMENT_REFUSED,
         "management_refused"},
        {403,
         "{\"error\":{\"message\":\"Only management keys can perform this "
         "operation\",\"code\":403}}",
         KEY_MANAGEMENT_REFUSED, "management_refused"},
        {429, "{\"error\":{}}", KEY_UNKNOWN, "unknown"},
        {500, "", KEY_UNKNOWN, "unknown"},
        {502, "<html>", KEY_UNKNOWN, "unknown"},
        {524, "", KEY_UNKNOWN, "unknown"},
        {301, "", KEY_UNKNOWN, "unknown"},
        {0, "", KEY_UNKNOWN, "unknown"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct key_facts facts;
        enum key_health health =
            key_api_health(rows[i].status, span_of(rows[i].body), now_ms, &facts);
        if (health != rows[i].health)
            fail_msg("row %zu: %s", i, key_health_name(health));
        assert_string_equal(key_health_name(health), rows[i].name);
        if (rows[i].status != 200)
            assert_string_equal(facts.hash, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_bodies),
        cmocka_unit_test(test_limit_bodies),
        cmocka_unit_test(test_created_in_every_observed_shape),
        cmocka_unit_test(test_what_is_no_created_key),
        cmocka_unit_test(test_keys_with_and_without_wrapper),
        cmocka_unit_test(test_what_a_key_cost_in_all),
        cmocka_unit_test(test_odd_fields),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_a_page_of_a_hundred),
        cmocka_unit_test(test_which_key_manages),
        cmocka_unit_test(test_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

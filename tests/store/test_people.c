/* Users, tokens, key names and whose store it is. */
#include "harness.h"

#include "store/meta.h"
#include "store/tokens.h"
#include "store/users.h"

static void test_key_names_and_back(void **state)
{
    char name[STORE_KEY_MAX];
    struct span id = SPAN_NONE;

    (void)state;
    for (int key = 0; key < STORE_KEY_COUNT; key++) {
        struct span text = store_key_name(key, SPAN("ada"), name);
        assert_int_equal(text.size, strlen(name));
        assert_true(span_starts(text, SPAN("kt:")));
    }
    store_key_name(STORE_KEY_RENEWAL, SPAN("a@b"), name);
    assert_string_equal(name, "kt:{u:a@b}:renewal");
    assert_true(store_key_is_key(store_key_name(STORE_KEY_KEY, SPAN("a@b"), name), &id));
    assert_true(span_equal(id, SPAN("a@b")));
    assert_true(store_key_is_token(store_key_name(STORE_KEY_TOKEN, SPAN("t1"), name), &id));
    assert_true(span_equal(id, SPAN("t1")));
    assert_false(store_key_is_token(SPAN("kt:t:"), &id));
    assert_false(store_key_is_key(SPAN("kt:{u:a}:renewal"), &id));
    assert_false(store_key_is_key(SPAN("kt:k:{u:}"), &id));
}

static void test_the_longest_user_has_keys(void **state)
{
    char user[USER_ID_MAX + 1], name[STORE_KEY_MAX];

    (void)state;
    memset(user, 'u', USER_ID_MAX);
    user[USER_ID_MAX] = '\0';
    assert_true(store_key_name(STORE_KEY_RENEWAL, span_of(user), name).size > USER_ID_MAX);
}

static void test_ensure_makes_and_moves(void **state)
{
    struct harness *h = *state;
    struct user_ensure ensure = {0};

    user_ensure(&h->a, &ensure, SPAN("ada"), SPAN_NONE, &h->wake);
    AWAIT_OK(h, ensure);
    assert_true(ensure.created);
    user_ensure(&h->a, &ensure, SPAN("ada"), SPAN("Pro+"), &h->wake);
    AWAIT_OK(h, ensure);
    assert_false(ensure.created);
    assert_look(h, "HGET kt:u:{u:ada} tier", "Pro+");
    user_ensure(&h->a, &ensure, SPAN("ada"), SPAN_NONE, &h->wake);
    AWAIT_OK(h, ensure);
    assert_look(h, "HGET kt:u:{u:ada} tier", "Pro+");
    assert_look(h, "HGET kt:u:{u:ada} status", "active");
}

static void test_what_we_do_not_write_is_broken(void **state)
{
    struct harness *h = *state;
    struct user_ensure ensure = {0};
    struct token_load load = {0};

    store_look(h, "SET kt:u:{u:bob} text");
    user_ensure(&h->a, &ensure, SPAN("bob"), SPAN_NONE, &h->wake);
    harness_await(h);
    assert_int_equal(ensure.call.end, STORE_BROKEN);
    store_look(h, "HSET kt:t:abc kind user status active mac 00");
    token_load(&h->a, &load, SPAN("abc"), &h->wake);
    harness_await(h);
    assert_int_equal(load.call.end, STORE_BROKEN);
}

static void test_tokens_round_trip(void **state)
{
    struct harness *h = *state;
    struct token_save save = {0};
    struct token_load load = {0};
    struct token_record token = {.kid = "k2",
                                 .user = "ada",
                                 .kind = TOKEN_OF_SERVICE,
                                 .created_at_ms = INT64_C(1800000000123),
                                 .expires_at_ms = 7};

    for (size_t i = 0; i < DIGEST_SIZE; i++)
        token.mac[i] = (unsigned char)(i * 9);
    token_load(&h->a, &load, SPAN("abcdefghijkl"), &h->wake);
    AWAIT_OK(h, load);
    assert_false(load.record.found);

    for (int again = 0; again < 2; again++) { /* the first answer may have been lost */
        token_save(&h->a, &save, SPAN("abcdefghijkl"), &token, &h->wake);
        AWAIT_OK(h, save);
    }
    token_load(&h->b, &load, SPAN("abcdefghijkl"), &h->wake);
    AWAIT_OK(h, load);
    assert_true(load.record.found && !load.record.revoked);
    assert_memory_equal(load.record.mac, token.mac, DIGEST_SIZE);
    assert_string_equal(load.record.kid, "k2");
    assert_string_equal(load.record.user, "ada");
    assert_int_equal(load.record.kind, TOKEN_OF_SERVICE);
    assert_int_equal(load.record.created_at_ms, token.created_at_ms);
    assert_int_equal(load.record.expires_at_ms, 7);

    token.mac[0] ^= 1;
    token_save(&h->a, &save, SPAN("abcdefghijkl"), &token, &h->wake);
    harness_await(h);
    assert_int_equal(save.call.end, STORE_BROKEN);
    store_look(h, "HSET kt:t:abcdefghijkl status revoked");
    token_load(&h->b, &load, SPAN("abcdefghijkl"), &h->wake);
    AWAIT_OK(h, load);
    assert_true(load.record.revoked);
}

static void claim_meta(struct harness *h, struct store *store, struct meta_claim *claim,
                       const char *deployment)
{
    struct meta_record proposed = {.schema = STORE_SCHEMA_VERSION,
                                   .environment = "production",
                                   .upstream = "https://openrouter.ai/api/v1",
                                   .check = "v1:k:abc"};

    snprintf(proposed.deployment, sizeof(proposed.deployment), "%s", deployment);
    meta_claim(store, claim, &proposed, &h->wake);
    AWAIT_OK(h, *claim);
}

static void test_an_empty_store_is_founded_once(void **state)
{
    struct harness *h = *state;
    struct meta_claim claim = {0};

    store_look(h, "SET other:application data");
    claim_meta(h, &h->a, &claim, "d1");
    assert_true(claim.founded && !claim.foreign);
    claim_meta(h, &h->a, &claim, "d1"); /* the first answer may have been lost */
    assert_true(claim.founded);
    claim_meta(h, &h->b, &claim, "d2");
    assert_false(claim.founded || claim.foreign);
    assert_string_equal(claim.found.deployment, "d1");
    assert_int_equal(claim.found.schema, STORE_SCHEMA_VERSION);
    assert_string_equal(claim.found.environment, "production");
    assert_string_equal(claim.found.upstream, "https://openrouter.ai/api/v1");
    assert_string_equal(claim.found.check, "v1:k:abc");
}

static void test_a_store_without_meta_but_with_keys_is_foreign(void **state)
{
    struct harness *h = *state;
    struct meta_claim claim = {0};

    store_look(h, "HSET kt:u:{u:ada} status active");
    claim_meta(h, &h->a, &claim, "d1");
    assert_true(claim.foreign && !claim.founded);
    assert_string_equal(claim.found.deployment, "");
    assert_look(h, "EXISTS kt:meta", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_names_and_back),
        cmocka_unit_test(test_the_longest_user_has_keys),
        STORE_TEST(test_ensure_makes_and_moves),
        STORE_TEST(test_what_we_do_not_write_is_broken),
        STORE_TEST(test_tokens_round_trip),
        STORE_TEST(test_an_empty_store_is_founded_once),
        STORE_TEST(test_a_store_without_meta_but_with_keys_is_foreign),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/vault.h"

/* The bytes 0 to 31, 32 to 63, and 31. */
#define ROOT_1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ROOT_2 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
#define ROOT_SHORT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="

static const struct seal_context alice = {{"u_alice", 7}, {"sub-key", 7}, 7};

static struct vault *vault_with(const char *roots)
{
    char error[VAULT_ERROR_SIZE];
    struct vault *vault = vault_open(span_of(roots), error);
    if (!vault)
        print_error("%s\n", error);
    assert_non_null(vault);
    assert_string_equal(error, "");
    return vault;
}

static struct buffer sealed_by(const struct vault *vault, const struct seal_context *context,
                               struct span plain)
{
    struct buffer out;
    buffer_init(&out, 10000);
    vault_seal(vault, context, plain, &out);
    return out;
}

static enum seal_verdict verdict_of(const struct vault *vault, const struct seal_context *context,
                                    struct span sealed)
{
    struct secret plain = {NULL, 0};
    enum seal_verdict verdict = vault_unseal(vault, context, sealed, &plain);
    assert_int_equal(secret_is_set(&plain), verdict == SEAL_OPENED);
    secret_done(&plain);
    return verdict;
}

static void assert_opens(const struct vault *vault, const struct seal_context *context,
                         struct span sealed, struct span expected)
{
    struct secret plain = {NULL, 0};
    assert_int_equal(vault_unseal(vault, context, sealed, &plain), SEAL_OPENED);
    assert_true(span_equal(secret_reveal(&plain), expected));
    secret_done(&plain);
}

static void test_what_is_sealed_opens(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1);
    const struct span texts[] = {SPAN("sk-or-v1-abc"), SPAN(""), SPAN_NONE, SPAN("\0\xff\n"),
                                 SPAN("0123456789abcdef0123456789abcdef0123456789abcdef012345")};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buffer sealed = sealed_by(vault, &alice, texts[i]);
        assert_true(span_starts(buffer_view(&sealed), SPAN("v1:k1:")));
        assert_int_equal(buffer_size(&sealed), 6 + base64url_size(12 + texts[i].size + 16));
        assert_opens(vault, &alice, buffer_view(&sealed), texts[i]);
        buffer_done(&sealed);
    }
    vault_close(vault);
    vault_close(NULL);
}

/* Sealed by another implementation of HKDF and AES-GCM after the rule in vault.h. */
static void test_the_envelope_is_the_documented_one(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1);
    assert_opens(vault, &alice,
                 SPAN("v1:k1:AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIyUg11H-XTJovwT_0iEf1TxDI"),
                 SPAN("sk-or-v1-example"));
    vault_close(vault);
}

static void test_no_seal_is_like_another(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1);
    struct buffer one = sealed_by(vault, &alice, SPAN("same"));
    struct buffer two = sealed_by(vault, &alice, SPAN("same"));
    assert_false(span_equal(buffer_view(&one), buffer_view(&two)));
    assert_false(span_contains(buffer_view(&one), SPAN("same")));
    buffer_done(&one);
    buffer_done(&two);
    vault_close(vault);
}

static void test_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1 ",k3:" ROOT_2 ",c1:" ROOT_2);
    for (size_t extra = 0; extra < 3; extra++) { /* every length of the last group */
        struct buffer sealed =
            sealed_by(vault, &alice, span_first(SPAN("sk-or-v1-abcxx"), 12 + extra));
        for (size_t bit = 0; bit < buffer_size(&sealed) * 8; bit++) {
            sealed.memory[bit / 8] ^= (char)(1 << bit % 8);
            assert_int_not_equal(verdict_of(vault, &alice, buffer_view(&sealed)), SEAL_OPENED);
            sealed.memory[bit / 8] ^= (char)(1 << bit % 8);
        }
        assert_int_equal(verdict_of(vault, &alice, buffer_view(&sealed)), SEAL_OPENED);
        buffer_done(&sealed);
    }
    vault_close(vault);
}

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1);
    struct buffer sealed = sealed_by(vault, &alice, SPAN("sk-or-v1-abc"));
    for (size_t size = 0; size < buffer_size(&sealed); size++) {
        struct span cut = span_first(buffer_view(&sealed), size);
        assert_int_not_equal(verdict_of(vault, &alice, cut), SEAL_OPENED);
    }
    static const char *const tails[] = {"=", "==", "A", "AAAA", ":", "\n"};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct buffer longer;
        buffer_init(&longer, 10000);
        buffer_append(&longer, buffer_view(&sealed));
        buffer_append(&longer, span_of(tails[i]));
        assert_int_not_equal(verdict_of(vault, &alice, buffer_view(&longer)), SEAL_OPENED);
        buffer_done(&longer);
    }
    buffer_done(&sealed);
    vault_close(vault);
}

static void test_a_seal_belongs_to_its_context(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1);
    struct buffer sealed = sealed_by(vault, &alice, SPAN("sk-or-v1-abc"));
    const struct seal_context others[] = {
        {SPAN("u_alicf"), SPAN("sub-key"), 7},
        {SPAN("u_alic"), SPAN("sub-key"), 7},
        {SPAN("u_alices"), SPAN("ub-key"), 7},
        {SPAN_NONE, SPAN("sub-key"), 7},
        {SPAN("u_alice"), SPAN("sub-kez"), 7},
        {SPAN("u_alice"), SPAN(""), 7},
        {SPAN("u_alice"), SPAN("sub-key"), 6},
        {SPAN("u_alice"), SPAN("sub-key"), 8},
        {SPAN("u_alice"), SPAN("sub-key"), 0},
        {SPAN("u_alice"), SPAN("sub-key"), -7},
        {SPAN("u_alice"), SPAN("sub-key"), 7 + ((int64_t)1 << 32)},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(verdict_of(vault, &others[i], buffer_view(&sealed)), SEAL_FORGED);
    assert_int_equal(verdict_of(vault, &alice, buffer_view(&sealed)), SEAL_OPENED);
    buffer_done(&sealed);
    vault_close(vault);
}

/* The kid is bound too: not even the same root under another name opens it. */
static void test_a_seal_belongs_to_its_kid(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1 ",k2:" ROOT_1);
    struct buffer sealed = sealed_by(vault, &alice, SPAN("sk-or-v1-abc"));
    sealed.memory[4] = '2';
    assert_int_equal(verdict_of(vault, &alice, buffer_view(&sealed)), SEAL_FORGED);
    sealed.memory[4] = '3';
    assert_int_equal(verdict_of(vault, &alice, buffer_view(&sealed)), SEAL_UNKNOWN_KID);
    sealed.memory[4] = '1';
    assert_int_equal(verdict_of(vault, &alice, buffer_view(&sealed)), SEAL_OPENED);
    buffer_done(&sealed);
    vault_close(vault);
}

static void test_rotation(void **state)
{
    (void)state;
    struct vault *old = vault_with("k1:" ROOT_1);
    struct vault *both = vault_with("k2:" ROOT_2 ",k1:" ROOT_1);
    struct vault *new = vault_with("k2:" ROOT_2);
    struct buffer by_old = sealed_by(old, &alice, SPAN("a"));
    struct buffer by_both = sealed_by(both, &alice, SPAN("b"));
    assert_true(span_equal(vault_newest_kid(both), SPAN("k2")));
    assert_true(span_starts(buffer_view(&by_both), SPAN("v1:k2:")));
    assert_opens(both, &alice, buffer_view(&by_old), SPAN("a"));
    assert_opens(both, &alice, buffer_view(&by_both), SPAN("b"));
    assert_opens(new, &alice, buffer_view(&by_both), SPAN("b"));
    assert_int_equal(verdict_of(new, &alice, buffer_view(&by_old)), SEAL_UNKNOWN_KID);
    buffer_done(&by_old);
    buffer_done(&by_both);
    vault_close(old);
    vault_close(both);
    vault_close(new);
}

static void test_what_is_no_envelope(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k1:" ROOT_1);
    static const char *const wrong[] = {
        "",
        "v1",
        "v1:",
        "v1:k1",
        "v1:k1:",
        "v1::AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIyUg11H-XTJovw",
        "v2:k1:AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIyUg11H-XTJovwT_0iEf1TxDI",
        "v1:k1:AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIyUg11H-XTJovwT_0iEf1TxDI:x",
        "v1:k1:AAECAwQFBgcICQoLAZ0tEYv3H/PEVYVkgdIyUg11H+XTJovwT/0iEf1TxDI",
        "v1:k1:AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIyUg11H-XTJovwT_0iEf1TxDI=",
        "v1:k.1:AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIyUg11H-XTJovwT_0iEf1TxDI",
        "v1:k1:AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIy", /* no room for nonce and tag */
        " v1:k1:AAECAwQFBgcICQoLAZ0tEYv3H_PEVYVkgdIyUg11H-XTJovwT_0iEf1TxDI"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(verdict_of(vault, &alice, span_of(wrong[i])), SEAL_MALFORMED);
    assert_int_equal(verdict_of(vault, &alice, SPAN_NONE), SEAL_MALFORMED);
    vault_close(vault);
}

/* Expected by another implementation: HKDF-SHA-256 without salt, 32 bytes. */
static void test_derived_keys(void **state)
{
    (void)state;
    struct vault *vault = vault_with("k2:" ROOT_2 ",k1:" ROOT_1);
    unsigned char one[DIGEST_SIZE], two[DIGEST_SIZE];
    char text[DIGEST_HEX_SIZE + 1];
    assert_true(vault_derive(vault, SPAN("k1"), SPAN("token-hash"), one));
    hex_text(one, DIGEST_SIZE, text);
    assert_string_equal(text, "bcd2e25050c91e36660d2f575e0ceb374b4e56ee3b1fe10a7b0d3cfc662193f3");
    assert_true(vault_derive(vault, SPAN("k1"), SPAN("pseudonym"), two));
    assert_false(same_bytes(one, two, DIGEST_SIZE));
    assert_true(vault_derive(vault, SPAN("k2"), SPAN("token-hash"), two));
    assert_false(same_bytes(one, two, DIGEST_SIZE));
    assert_false(vault_derive(vault, SPAN("k3"), SPAN("token-hash"), two));
    assert_false(vault_derive(vault, SPAN_NONE, SPAN("token-hash"), two));
    vault_close(vault);
}

static void test_lists_that_are_fine(void **state)
{
    (void)state;
    vault_close(vault_with(" k1:" ROOT_1 "\n"));
    vault_close(vault_with("k2:" ROOT_2 ",\n k1:" ROOT_1 "\r\n"));
    struct vault *vault = vault_with("ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0129:" ROOT_1);
    assert_true(span_equal(vault_newest_kid(vault), SPAN("ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0129")));
    vault_close(vault);
}

static void test_lists_that_are_not_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *roots, *which, *why;
    } wrong[] = {
        {"", "is empty", "openssl rand -base64 32"},
        {" \n", "is empty", "openssl rand -base64 32"},
        {ROOT_1, "entry 1:", "no colon"},
        {"k1:" ROOT_1 "," ROOT_2, "entry 2:", "no colon"},
        {"k1:" ROOT_1 ",", "entry 2:", "comma"},
        {"k1:" ROOT_1 ",,k2:" ROOT_2, "entry 2:", "comma"},
        {":" ROOT_1, "entry 1:", "is empty"},
        {ROOT_1 ":k1", "entry 1:", "1 to 32 of"}, /* the wrong way round: not echoed */
        {"k 1:" ROOT_1, "entry 1:", "1 to 32 of"},
        {"k\x1b[31m:" ROOT_1, "entry 1:", "1 to 32 of"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZ_-01234:" ROOT_1, "entry 1:", "1 to 32 of"},
        {"k1:" ROOT_1 ",k2:" ROOT_2 ",k1:" ROOT_2, "entries 1 and 3", "same name"},
        {"k1:" ROOT_1 ",k2:!plainly-wrong", "entry 2:", "not base64"},
        {"k1:" ROOT_1 ":" ROOT_2, "entry 1:", "not base64"},
        {"k1:" ROOT_SHORT, "entry 1:", "has 31 bytes and needs at least 32"},
        {"k1:", "entry 1:", "has 0 bytes and needs at least 32"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char error[VAULT_ERROR_SIZE];
        struct span roots = span_of(wrong[i].roots);
        assert_null(vault_open(roots, error));
        struct span said = span_of(error);
        assert_true(span_starts(said, SPAN("KEYTURN_ENCRYPTION_SECRET")));
        assert_true(span_contains(said, span_of(wrong[i].which)));
        assert_true(span_contains(said, span_of(wrong[i].why)));
        assert_true(span_ends(said, SPAN(".")) || span_ends(said, SPAN("base64 32")));
        for (size_t at = 0; at + 6 <= roots.size; at++) /* nothing of it is repeated */
            assert_false(span_contains(said, span_first(span_from(roots, at), 6)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sealed_opens),
        cmocka_unit_test(test_the_envelope_is_the_documented_one),
        cmocka_unit_test(test_no_seal_is_like_another),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_a_seal_belongs_to_its_context),
        cmocka_unit_test(test_a_seal_belongs_to_its_kid),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_what_is_no_envelope),
        cmocka_unit_test(test_derived_keys),
        cmocka_unit_test(test_lists_that_are_fine),
        cmocka_unit_test(test_lists_that_are_not_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

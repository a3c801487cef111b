#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "crypto/mac_key.h"

static void assert_digest(const unsigned char digest[DIGEST_SIZE], const char *expected)
{
    char text[DIGEST_HEX_SIZE + 1];
    hex_text(digest, DIGEST_SIZE, text);
    assert_string_equal(text, expected);
}

/* The examples of FIPS 180. */
static void test_sha256(void **state)
{
    (void)state;
    unsigned char digest[DIGEST_SIZE];
    sha256(SPAN("abc"), digest);
    assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(SPAN_NONE, digest);
    assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256(SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
    assert_digest(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    sha256((struct span){million, 1000000}, digest);
    assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void assert_hmac(struct span key, struct span bytes, const char *expected)
{
    unsigned char digest[DIGEST_SIZE];
    struct mac_key *kept = mac_key_make(key);

    hmac_sha256(key, bytes, digest);
    assert_digest(digest, expected);
    for (int i = 0; i < 2; i++) {
        mac_key_digest(kept, bytes, digest);
        assert_digest(digest, expected);
    }
    mac_key_done(kept);
}

/* RFC 4231, test cases 1, 2, 3, 4, 6 and 7 (5 is a truncated digest). */
static void test_hmac_sha256(void **state)
{
    (void)state;
    char aa[131], dd[50], cd[50], count[25];
    memset(aa, 0xaa, sizeof(aa));
    memset(dd, 0xdd, sizeof(dd));
    memset(cd, 0xcd, sizeof(cd));
    for (int i = 0; i < 25; i++)
        count[i] = (char)(i + 1);
    assert_hmac(SPAN("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
                     "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
                SPAN("Hi There"),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac(SPAN("Jefe"), SPAN("what do ya want for nothing?"),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_hmac((struct span){aa, 20}, (struct span){dd, 50},
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    assert_hmac((struct span){count, 25}, (struct span){cd, 50},
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    assert_hmac((struct span){aa, 131},
                SPAN("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hmac((struct span){aa, 131},
                SPAN("This is a test using a larger than block-size key and a larger than "
                     "block-size data. The key needs to be hashed before being used by the HMAC "
                     "algorithm."),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    assert_hmac(SPAN_NONE, SPAN_NONE,
                "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_same_bytes(void **state)
{
    (void)state;
    unsigned char a[32], b[32];
    memset(a, 0x5a, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_true(same_bytes(a, b, 32));
    for (int bit = 0; bit < 256; bit++) {
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(same_bytes(a, b, 32));
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(same_bytes(NULL, NULL, 0));
}

static void test_hex(void **state)
{
    (void)state;
    unsigned char bytes[4] = {1, 2, 3, 4};
    char text[9];
    assert_true(hex_bytes(SPAN("00ffA5c3"), bytes, 4));
    assert_memory_equal(bytes, "\x00\xff\xa5\xc3", 4);
    hex_text(bytes, 4, text);
    assert_string_equal(text, "00ffa5c3");
    assert_false(hex_bytes(SPAN("0000000"), bytes, 4));
    assert_false(hex_bytes(SPAN("000000000"), bytes, 4));
    assert_false(hex_bytes(SPAN("0000000000"), bytes, 4));
    assert_false(hex_bytes(SPAN("0000000g"), bytes, 4));
    assert_false(hex_bytes(SPAN("0000 000"), bytes, 4));
    assert_false(hex_bytes(SPAN_NONE, bytes, 4));
    assert_memory_equal(bytes, "\x00\xff\xa5\xc3", 4); /* left alone */
    assert_true(hex_bytes(SPAN(""), bytes, 0));
}

static void assert_base64(struct span text, const char *expected)
{
    unsigned char bytes[64];
    size_t size = 0;
    assert_true(base64_bytes(text, bytes, sizeof(bytes), &size));
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
}

/* RFC 4648, section 10. */
static void test_base64(void **state)
{
    (void)state;
    static const char *const pairs[][3] = {
        {"", "", ""},
        {"f", "Zg", "Zg=="},
        {"fo", "Zm8", "Zm8="},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg", "Zm9vYg=="},
        {"fooba", "Zm9vYmE", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "-_-_", "+/+/"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[16];
        size_t size = strlen(pairs[i][0]);
        base64url_text((const unsigned char *)pairs[i][0], size, text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(strlen(text), base64url_size(size));
        assert_base64(span_of(pairs[i][1]), pairs[i][0]);
        assert_base64(span_of(pairs[i][2]), pairs[i][0]);
    }
}

static void test_broken_base64_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "A",      "AAAAA", "Zh",    "Zm9",  "Zg=",  "Zg===",     "Zm8==",    "=",
        "==",     "====",  "A===",  "AA=A", "=AAA", "Zm9v=",     "Zm9v====", "Z g",
        "Zm9v\n", "Zm.v",  "Z\xfc", "Zh==", "Zm9=", "Zm9vZg==Zg"};
    unsigned char bytes[64];
    size_t size = 7;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(base64_bytes(span_of(wrong[i]), bytes, sizeof(bytes), &size));
    assert_false(base64_bytes(SPAN("Zm9vYg"), bytes, 3, &size));
    assert_int_equal(size, 7);
    assert_true(base64_bytes(SPAN("Zm9vYg"), bytes, 4, &size));
    assert_true(base64_bytes(SPAN_NONE, bytes, 0, &size));
    assert_int_equal(size, 0);
}

static void test_every_size_goes_there_and_back(void **state)
{
    (void)state;
    unsigned char bytes[200], again[200];
    char text[300];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 89 + 41);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        size_t got = 0;
        base64url_text(bytes, size, text);
        assert_int_equal(strlen(text), base64url_size(size));
        assert_true(base64_bytes(span_of(text), again, size, &got));
        assert_int_equal(got, size);
        assert_memory_equal(again, bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hmac_sha256),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_broken_base64_is_refused),
        cmocka_unit_test(test_every_size_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

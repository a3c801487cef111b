#include "../base/unit.h"

#include "crypto/digest.h"
#include "domain/credential.h"

#define ID "abc123def456"
#define SECRET "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"
#define TOKEN "kt_" ID "_" SECRET
#define OTHER "kt_zzzzzzzzzzzz_" SECRET

static struct credential read_all(const char *const *authorizations, const char *const *api_keys)
{
    struct span a[4], k[4];
    size_t a_count = 0, k_count = 0;
    for (; authorizations[a_count]; a_count++)
        a[a_count] = span_of(authorizations[a_count]);
    for (; api_keys[k_count]; k_count++)
        k[k_count] = span_of(api_keys[k_count]);
    return credential_read(a, a_count, k, k_count);
}

static void test_where_a_credential_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *authorizations[4], *api_keys[4];
        enum credential_kind kind;
    } rows[] = {
        {{NULL}, {NULL}, CREDENTIAL_NONE},
        {{""}, {NULL}, CREDENTIAL_NONE},
        {{"Bearer"}, {NULL}, CREDENTIAL_NONE},
        {{"Bearer "}, {""}, CREDENTIAL_NONE},
        {{NULL}, {" "}, CREDENTIAL_NONE},
        {{"Bearer " TOKEN}, {NULL}, CREDENTIAL_TOKEN},
        {{"bEARER " TOKEN}, {NULL}, CREDENTIAL_TOKEN},
        {{"Bearer   " TOKEN " "}, {NULL}, CREDENTIAL_TOKEN},
        {{NULL}, {TOKEN}, CREDENTIAL_TOKEN},
        {{NULL}, {"\t" TOKEN " "}, CREDENTIAL_TOKEN},
        {{"Bearer " TOKEN}, {TOKEN}, CREDENTIAL_TOKEN},
        {{"Bearer "}, {TOKEN}, CREDENTIAL_TOKEN},
        {{"Bearer " TOKEN, "bearer " TOKEN}, {TOKEN, TOKEN}, CREDENTIAL_TOKEN},
        {{"Bearer " TOKEN}, {OTHER}, CREDENTIAL_TWO},
        {{"Bearer " TOKEN, "Bearer " OTHER}, {NULL}, CREDENTIAL_TWO},
        {{NULL}, {TOKEN, OTHER}, CREDENTIAL_TWO},
        {{"Bearer " TOKEN}, {"x"}, CREDENTIAL_TWO},
        {{"Basic YTpi"}, {TOKEN}, CREDENTIAL_TWO},
        {{"Basic YTpi", "Bearer " TOKEN}, {NULL}, CREDENTIAL_TWO},
        {{TOKEN}, {TOKEN}, CREDENTIAL_TWO},
        {{"Basic YTpi"}, {NULL}, CREDENTIAL_UNKNOWN},
        {{TOKEN}, {NULL}, CREDENTIAL_UNKNOWN},
        {{"Bearer" TOKEN}, {NULL}, CREDENTIAL_UNKNOWN},
        {{"Bearer\t" TOKEN}, {NULL}, CREDENTIAL_UNKNOWN},
        {{"Bearer Bearer " TOKEN}, {NULL}, CREDENTIAL_UNKNOWN},
        {{"Bearer " TOKEN ", Bearer " OTHER}, {NULL}, CREDENTIAL_UNKNOWN},
        {{NULL}, {"Bearer " TOKEN}, CREDENTIAL_UNKNOWN},
        {{"Bearer \"" TOKEN "\""}, {NULL}, CREDENTIAL_UNKNOWN},
        {{"Bearer eyJhbGciOi.J9.sig"}, {NULL}, CREDENTIAL_UNKNOWN},
        {{"Bearer sk-or-v1-0123"}, {NULL}, CREDENTIAL_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct credential credential = read_all(rows[i].authorizations, rows[i].api_keys);
        if (credential.kind != rows[i].kind)
            fail_msg("row %zu: %d", i, (int)credential.kind);
        if (credential.kind == CREDENTIAL_TOKEN) {
            assert_span(credential.id, ID);
            assert_span(credential.secret, SECRET);
        } else {
            assert_null(credential.id.at);
            assert_null(credential.secret.at);
        }
    }
}

static enum credential_kind kind_of(struct span token)
{
    return credential_read(NULL, 0, &token, 1).kind;
}

static void test_every_character_of_a_token_counts(void **state)
{
    (void)state;
    char token[TOKEN_SIZE + 2];
    memcpy(token, TOKEN "x", sizeof(token));
    assert_int_equal(strlen(TOKEN), TOKEN_SIZE);
    assert_int_equal(kind_of((struct span){token, TOKEN_SIZE}), CREDENTIAL_TOKEN);
    assert_int_equal(kind_of((struct span){token, TOKEN_SIZE - 1}), CREDENTIAL_UNKNOWN);
    assert_int_equal(kind_of((struct span){token, TOKEN_SIZE + 1}), CREDENTIAL_UNKNOWN);
    assert_int_equal(kind_of(SPAN("kt_")), CREDENTIAL_UNKNOWN);
    for (size_t at = 0; at < TOKEN_SIZE; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(token, TOKEN, TOKEN_SIZE);
            token[at] = (char)byte;
            bool lower_or_digit = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
            bool base64url =
                lower_or_digit || (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_';
            bool fine = at < 3 || at == 15 ? token[at] == TOKEN[at]
                        : at < 15          ? lower_or_digit
                                           : base64url;
            struct span text = {token, TOKEN_SIZE};
            enum credential_kind kind = kind_of(text);
            if ((kind == CREDENTIAL_TOKEN) != fine)
                fail_msg("byte %02x at %zu", byte, at);
        }
}

static void test_composed_tokens_are_read_back(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 256; seed++) {
        unsigned char id[TOKEN_ID_SIZE], secret[32], back[32];
        for (size_t i = 0; i < sizeof(secret); i++)
            secret[i] = (unsigned char)(seed * 7 + i * 31);
        for (size_t i = 0; i < sizeof(id); i++)
            id[i] = (unsigned char)(seed + i * 23);
        char token[TOKEN_SIZE + 1];
        memset(token, '!', sizeof(token));
        token_compose(id, secret, token);
        assert_int_equal(strlen(token), TOKEN_SIZE);
        struct span text = span_of(token);
        struct credential credential = credential_read(NULL, 0, &text, 1);
        assert_int_equal(credential.kind, CREDENTIAL_TOKEN);
        size_t size;
        assert_true(base64_bytes(credential.secret, back, sizeof(back), &size));
        assert_int_equal(size, sizeof(back));
        assert_memory_equal(back, secret, sizeof(back));
    }
}

static void test_user_ids(void **state)
{
    (void)state;
    static const char *const fine[] = {"a",       "user@example.com", "auth0|5f7c8ec7",
                                       "urn:x:1", "A.b_c-d+e~f=g/h",  "0"};
    static const char *const wrong[] = {"",    " ",    "a b", "a\n",  "a\r\nX: y", "\xc3\xa9",
                                        "a,b", "a{b}", "a*",  "a%00", "a\"",       "a\\b",
                                        "a?b", "a#b",  "a<b", "\x7f"};
    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
        assert_true(user_id_is_fine(span_of(fine[i])));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(user_id_is_fine(span_of(wrong[i])));
    assert_false(user_id_is_fine(SPAN("a\0b")));
    assert_false(user_id_is_fine(SPAN_NONE));
    char id[USER_ID_MAX + 1];
    memset(id, 'u', sizeof(id));
    assert_true(user_id_is_fine((struct span){id, USER_ID_MAX}));
    assert_false(user_id_is_fine((struct span){id, USER_ID_MAX + 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_credential_is_found),
        cmocka_unit_test(test_every_character_of_a_token_counts),
        cmocka_unit_test(test_composed_tokens_are_read_back),
        cmocka_unit_test(test_user_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

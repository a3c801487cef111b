#include "../base/unit.h"

#include "domain/upstream_message.h"

#define HASH "f01d52606dc8f0a8303a7b5cc3fa07109c2e346cec7c0a16b40de462992ce943"
#define KEY "sk-or-v1-" HASH

static void test_what_a_client_reads(void **state)
{
    (void)state;
    static const struct {
        const char *told, *clean;
    } rows[] = {
        {"", ""},
        {"User not found.", "User not found."},
        {"x is not a valid model ID", "x is not a valid model ID"},
        {"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
        /* sentences that lead to the operator's account go */
        {"Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys",
         "Key limit exceeded (total limit)."},
        {"Key limit exceeded (daily limit). Manage it using "
         "https://openrouter.ai/workspaces/default/keys/" HASH,
         "Key limit exceeded (daily limit)."},
        {"This request requires more credits, or fewer max_tokens. You requested up to 65536 "
         "tokens, but can only afford 1234. "
         "To increase, visit https://openrouter.ai/settings/credits and add more credits",
         "This request requires more credits, or fewer max_tokens. You requested up to 65536 "
         "tokens, but can only afford 1234."},
        {"Prompt tokens limit exceeded: 9000 > 1200. To increase, visit "
         "https://openrouter.ai/settings/keys and create a key",
         "Prompt tokens limit exceeded: 9000 > 1200."},
        {"Insufficient credits. Add more using https://openrouter.ai/credits",
         "Insufficient credits."},
        {"A. See HTTPS://OpenRouter.AI/Credits now. B.", "A. B."},
        {"A. See (openrouter.ai/credits). B.", "A. B."},
        {"No endpoints available matching your guardrail restrictions and data policy. Configure: "
         "https://openrouter.ai/settings/privacy",
         "No endpoints available matching your guardrail restrictions and data policy."},
        /* the first sentence stays, without its link */
        {"Visit https://openrouter.ai/credits to pay", "Visit [removed] to pay"},
        {"https://openrouter.ai/credits", "[removed]"},
        /* pages for everybody stay */
        {"Gone. See https://openrouter.ai/docs/guides/x.",
         "Gone. See https://openrouter.ai/docs/guides/x."},
        {"See https://openrouter.ai/models for models",
         "See https://openrouter.ai/models for models"},
        {"See https://example.com/credits", "See https://example.com/credits"},
        /* hashes, keys, users */
        {"GET /keys/" HASH " failed", "GET /keys/[removed] failed"},
        {"hash " HASH "ab.", "hash [removed]."},
        {"bad " KEY ".", "bad [removed]."},
        {"bad (" KEY ")", "bad ([removed])"},
        {"x" KEY, "x[removed]"},
        {"SK-OR-V1-ABC", "[removed]"},
        {"label sk-or-v1-0e6...1c96.", "label [removed]."},
        {"Incorrect API key provided: sk-proj-****************abcd. You can",
         "Incorrect API key provided: [removed]. You can"},
        {"user_2abCDefGHi: no", "[removed]: no"},
        {"for user_simulator", "for [removed]"},
        {"(user_1)", "([removed])"},
        /* and what only looks like them */
        {"task-1234567890123456 sk-learn end_user_id user_ xuser_1",
         "task-1234567890123456 sk-learn end_user_id user_ xuser_1"},
        {"commit f01d52606dc8f0a8303a7b5cc3fa07109c2e346c",
         "commit f01d52606dc8f0a8303a7b5cc3fa07109c2e346c"},
        /* characters */
        {"a\nb\tc\x1b[31md\x7f", "a b c [31md"},
        {"a   ", "a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512];
        upstream_message_clean(span_of(rows[i].told), text, sizeof(text));
        if (strcmp(text, rows[i].clean) != 0)
            fail_msg("row %zu:\n<%s>\n<%s>", i, text, rows[i].clean);
    }
    char text[16];
    upstream_message_clean(SPAN("a\0b"), text, sizeof(text));
    assert_string_equal(text, "a b");
    upstream_message_clean(SPAN_NONE, text, sizeof(text));
    assert_string_equal(text, "");
}

static void test_cutting(void **state)
{
    (void)state;
    char text[64];
    upstream_message_clean(SPAN("abcdef"), text, 4);
    assert_string_equal(text, "abc");
    upstream_message_clean(SPAN("abcdef"), text, 1);
    assert_string_equal(text, "");
    upstream_message_clean(SPAN("ab\xc3\xa9"), text, 4); /* no half characters */
    assert_string_equal(text, "ab");
    upstream_message_clean(SPAN("ab\xc3\xa9"), text, 5);
    assert_string_equal(text, "ab\xc3\xa9");
    upstream_message_clean(SPAN("\xf0\x9f\x98\x80\xf0\x9f\x98\x80"), text, 8);
    assert_string_equal(text, "\xf0\x9f\x98\x80");
    upstream_message_clean(SPAN("ab " KEY " cd"), text,
                           9); /* a mark that does not fit is not half there */
    assert_string_equal(text, "ab");
    for (size_t capacity = 1; capacity < 40;
         capacity++) { /* nor does a short text show the key's start */
        upstream_message_clean(SPAN("ab " KEY " " HASH " user_abc"), text, capacity);
        assert_true(strlen(text) < capacity);
        assert_null(strstr(text, "sk-"));
        assert_null(strstr(text, "f01d"));
        assert_null(strstr(text, "user_"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_client_reads),
        cmocka_unit_test(test_cutting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

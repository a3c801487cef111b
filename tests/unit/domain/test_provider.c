#include "../base/unit.h"

#include "domain/provider.h"

/* Both lists as the page has them. */
static const char stops_billing[] = "OpenAI, Azure, Anthropic, Fireworks, Mancer, Recursal, "
                                    "AnyScale, Lepton, OctoAI, Novita, DeepInfra, Together, "
                                    "Cohere, Hyperbolic, Infermatic, Avian, xAI, Cloudflare, "
                                    "SFCompute, Nineteen, Liquid, Friendli, Chutes, DeepSeek";
static const char goes_on[] =
    "AWS Bedrock, Groq, Modal, Google (Vertex), Google, Google AI Studio, Minimax, HuggingFace, "
    "Replicate, Perplexity, "
    "Mistral, AI21, Featherless, Lynn, Lambda, Reflection, SambaNova, Inflection, ZeroOneAI, "
    "AionLabs, Alibaba, "
    "Nebius, Kluster, Targon, InferenceNet, Amazon Bedrock";
static const char unknown[] = "Simulator, Open, Groq2, x";

static void check_list(const char *list, bool expected, int count)
{
    struct span left = span_of(list), name;
    for (; span_split(&left, ',', &name); count--) {
        name = span_trim(name);
        if (provider_bills_to_the_end(name) != expected)
            fail_msg("%.*s", SPAN_PRINT(name));
    }
    assert_int_equal(count, 0);
}

static void test_both_lists(void **state)
{
    (void)state;
    check_list(stops_billing, false, 24);
    check_list(goes_on, true, 26);
    check_list(unknown, false, 4);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(provider_bills_to_the_end(SPAN("google")));
    assert_true(provider_bills_to_the_end(SPAN("AI21")));
    assert_false(provider_bills_to_the_end(SPAN("")));
    assert_false(provider_bills_to_the_end(SPAN_NONE));
    assert_false(provider_bills_to_the_end(SPAN(" Google")));
    assert_false(provider_bills_to_the_end(SPAN("Google\0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_lists),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

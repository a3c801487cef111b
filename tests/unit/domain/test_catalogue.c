/* Prices as OpenRouter tells them, and bounds that are never below the true cost. */
#include "../base/unit.h"

#include "domain/catalogue.h"
#include "domain/nano_usd.h"

#define MODEL(id, pricing, more) "{\"id\":\"" id "\",\"pricing\":" pricing more "}"
#define PRICE(prompt, completion) "{\"prompt\":\"" prompt "\",\"completion\":\"" completion "\"}"
#define LIST(rows) "{\"data\":[" rows "]}"

static struct catalogue *catalogue;
static struct tiers tiers;
static struct tier *tier; /* reaches everything, caps nothing, holds 1 USD for the unknown */
static struct model_names names;

static int begin(void **state)
{
    (void)state;
    tiers_init(&tiers);
    tier = tiers_add(&tiers, SPAN("T"));
    tier_add_model(tier, SPAN("*"));
    return 0;
}

static int end(void **state)
{
    (void)state;
    catalogue_free(catalogue);
    catalogue = NULL;
    tiers_done(&tiers);
    return 0;
}

static void read_list(const char *text)
{
    catalogue_free(catalogue);
    catalogue = catalogue_read(span_of(text));
    assert_non_null(catalogue);
}

static struct model_price price_of(const char *name)
{
    struct model_price price = {0};
    if (!catalogue_find(catalogue, span_of(name), &price))
        fail_msg("no %s", name);
    return price;
}

static struct model_price price_in(const char *pricing)
{
    char text[1024];
    snprintf(text, sizeof(text), LIST("{\"id\":\"a/b\",\"pricing\":%s}"), pricing);
    read_list(text);
    return price_of("a/b");
}

static struct cost_bound bound_with(const char *body, size_t bytes, struct media media,
                                    int64_t asked)
{
    assert_int_equal(model_names_read(span_of(body), &names), NAMES_FINE);
    return catalogue_bound(catalogue, &names, bytes, media, asked, tier);
}

static struct cost_bound bound_of(const char *body, size_t bytes, size_t images, int64_t asked)
{
    return bound_with(body, bytes, (struct media){.images = images}, asked);
}

static void test_pico(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t pico; /* -1: none */
    } cases[] = {
        {"0", 0},
        {"0.00000015", 150000},
        {"0.000002500", 2500000},
        {"1e-6", 1000000},
        {"1.5E-07", 150000},
        {"2.5e-12", 3},
        {"0.0000000000001", 1},
        {"0.0000000000010", 1},
        {"0.00000000000100000001", 2},
        {"1e-99999999999999999999", 1},
        {"0e5", 0},
        {"0.000000000000", 0},
        {"1", INT64_C(1000000000000)},
        {"9223372.036854775807", INT64_MAX},
        {"9223372.0368547758071", -1},
        {"1e7", -1},
        {"-1", -1},
        {"", -1},
        {"1e", -1},
        {".5", -1},
        {"0x1", -1},
        {"NaN", -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t pico = -1;
        bool is_one = pico_usd_parse(span_of(cases[i].text), &pico);
        if ((is_one ? pico : -1) != cases[i].pico)
            fail_msg("%s is %lld", cases[i].text, (long long)pico);
    }
}

static void test_what_is_no_catalogue(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "[]",
                                         "{}",
                                         "{\"data\":{}}",
                                         "{\"data\":[]}",
                                         "<html>",
                                         "{\"data\":[{}]}",
                                         "{\"data\":[{\"id\":5},{\"id\":\"\"},7,\"x\",null]}",
                                         "{\"data\":[{\"id\":\"a/b\"}]",
                                         "{\"data\":[{\"id\":\"a/b\"}]} x",
                                         "{\"error\":{\"code\":500}}"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
        if (catalogue_read(span_of(bodies[i])))
            fail_msg("%s", bodies[i]);
}

static void test_rows(void **state)
{
    (void)state;
    struct model_price price;

    read_list(" { \"x\" : [ ] , \"data\" : [ 7 , {\"id\":\"a\\/b\",\"pricing\":{\"prompt\":1e-6,"
              "\"completion\":\"0.000002\"},\"context_length\":128000,\"top_provider\":{"
              "\"max_completion_tokens\":16384,\"context_length\":64000}},\n"
              "{\"id\":\"c/d\",\"note\":\"],}{ \\\" \\\\\",\"n\":[[{}]],\"top_provider\":{"
              "\"context_length\":1e3,\"max_completion_tokens\":null}} , {\"id\":\"a/b\"} ] } ");
    assert_int_equal(catalogue_size(catalogue), 2);
    price = price_of("a/b");
    assert_int_equal(price.prompt_pico, 1000000);
    assert_int_equal(price.completion_pico, 2000000);
    assert_int_equal(price.context_tokens, 128000);
    assert_int_equal(price.completion_tokens_max, 16384);
    price = price_of("c/d");
    assert_int_equal(price.prompt_pico, -1);
    assert_int_equal(price.completion_pico, -1);
    assert_int_equal(price.context_tokens, 0);
    assert_int_equal(price.completion_tokens_max, 0);
    assert_false(catalogue_find(catalogue, SPAN("x/y"), &price));
    assert_false(catalogue_find(catalogue, SPAN(""), &price));
}

static void test_prices(void **state)
{
    (void)state;
    struct model_price price = price_in(PRICE("0.000001", "0.000004"));

    assert_int_equal(price.request_nano, 0);
    assert_int_equal(price.image_nano, -1);
    assert_int_equal(price.web_search_nano, -1);
    price = price_in("{\"prompt\":\"0\",\"completion\":\"0\",\"request\":\"0.0000000001\","
                     "\"image\":\"0.001238\",\"web_search\":\"1e-2\"}");
    assert_int_equal(price.prompt_pico, 0);
    assert_int_equal(price.request_nano, 1);
    assert_int_equal(price.image_nano, 1238000);
    assert_int_equal(price.web_search_nano, 10000000);
    price = price_in("{\"prompt\":\"1e-6\",\"completion\":\"2e-6\",\"internal_reasoning\":"
                     "\"3e-6\",\"input_cache_read\":\"9e-6\",\"input_cache_write\":\"1.25e-6\"}");
    assert_int_equal(price.prompt_pico, 1250000);
    assert_int_equal(price.completion_pico, 3000000);
    price = price_in("{\"prompt\":\"1e-6\",\"completion\":\"2e-6\",\"internal_reasoning\":\"0\","
                     "\"input_cache_write_1h\":\"2e-6\"}");
    assert_int_equal(price.prompt_pico, 2000000);
    assert_int_equal(price.completion_pico, 2000000);
}

static void test_unknown_prices(void **state)
{
    (void)state;
    static const char *const pricings[] = {
        "null",
        "{}",
        "[]",
        PRICE("-1", "-1"),
        PRICE("-1", "0.1"),
        PRICE("0.1", "-1"),
        PRICE("", "0.1"),
        PRICE("0.1", "free"),
        "{\"prompt\":\"0.1\"}",
        "{\"completion\":\"0.1\"}",
        "{\"prompt\":null,\"completion\":\"0.1\"}",
        "{\"prompt\":true,\"completion\":\"0.1\"}",
        "{\"prompt\":\"0.1\",\"completion\":\"0.1\",\"request\":\"-1\"}",
        "{\"prompt\":\"0.1\",\"completion\":\"0.1\",\"internal_reasoning\":\"-1\"}",
        "{\"completion\":\"0.1\",\"input_cache_write\":\"0.1\"}",
        "{\"prompt\":\"1\",\"completion\":\"1\",\"overrides\":[{\"prompt\":\"-1\"}]}",
    };

    for (size_t i = 0; i < sizeof(pricings) / sizeof(*pricings); i++) {
        price_in(pricings[i]);
        struct cost_bound bound = bound_of("{\"model\":\"a/b\"}", 100, 0, 100);
        if (bound.base_nano_usd != -1 || bound.free || cost_bound_total(&bound) != -1 ||
            cost_bound_tokens(&bound, INT64_MAX) != 0)
            fail_msg("%s", pricings[i]);
        assert_int_equal(bound.output_tokens, 100);
        assert_true(bound.output_given);
    }
}

static void test_overrides(void **state)
{
    (void)state;
    struct model_price price = price_in(
        "{\"prompt\":\"1e-6\",\"completion\":\"2e-6\",\"overrides\":[{\"min_prompt_tokens\":200000,"
        "\"prompt\":\"3e-6\"},{\"pricing\":{\"completion\":\"5e-6\",\"image\":\"0.01\"}},"
        "{\"prompt\":\"2e-6\",\"internal_reasoning\":\"4e-6\"},7]}");

    assert_int_equal(price.prompt_pico, 3000000);
    assert_int_equal(price.completion_pico, 5000000);
    assert_int_equal(price.image_nano, 10000000);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t pico; /* -1: not there */
    } cases[] = {
        {"a/b", 1000000},
        {"a/b:nitro", 1000000},
        {"a/b:floor", 1000000},
        {"a/b:exacto", 1000000},
        {"a/b:online", 1000000},
        {"a/b:online:nitro", 1000000},
        {"a/b@preset/mine", 1000000},
        {"a/b:nitro@preset/mine", 1000000},
        {"a/b:free", 0},
        {"a/b:free:nitro", 0},
        {"a/b:free@preset/x", 0},
        {"a/c:exacto", 7000000}, /* a row of its own */
        {"a/c:exacto:nitro", 7000000},
        {"~a/latest", 2000000},
        {"a/latest", -1},
        {"a/b:thinking", -1},
        {"a/b:free:free", -1},
        {"a/b@", 1000000},
        {"@preset/mine", -1},
        {"@a/b", -1},
        {":nitro", -1},
        {"", -1},
    };

    read_list(LIST(
        MODEL("a/b", PRICE("1e-6", "1"), "") "," MODEL("a/b:free", PRICE("0", "0"), "") "," MODEL(
            "a/c", PRICE("5e-6", "1"), "") "," MODEL("a/c:exacto", PRICE("7e-6", "1"),
                                                     "") "," MODEL("~a/latest", PRICE("2e-6", "1"),
                                                                   "")));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct model_price price = {.prompt_pico = -1};
        catalogue_find(catalogue, span_of(cases[i].name), &price);
        if (price.prompt_pico != cases[i].pico)
            fail_msg("%s: %lld", cases[i].name, (long long)price.prompt_pico);
    }
}

static void test_a_bound(void **state)
{
    (void)state;
    struct cost_bound bound;

    read_list(LIST(MODEL("a/b",
                         "{\"prompt\":\"0.0000000015\",\"completion\":\"0.0000025\",\"request\":"
                         "\"0.001\"}",
                         ",\"context_length\":1000,\"top_provider\":{\"max_completion_tokens\":500"
                         "}")));
    bound = bound_of("{\"model\":\"a/b\"}", 33, 0, 100);
    assert_int_equal(bound.base_nano_usd, 1000000 + 50); /* 49.5 */
    assert_int_equal(bound.output_pico, 2500000);
    assert_int_equal(bound.output_tokens, 100);
    assert_true(bound.output_given);
    assert_false(bound.free);
    assert_int_equal(cost_bound_total(&bound), 1000050 + 250000);
    assert_int_equal(cost_bound_tokens(&bound, 1250050), 100);
    assert_int_equal(cost_bound_tokens(&bound, 1250049), 99);
    assert_int_equal(cost_bound_tokens(&bound, 9999999), 100);
    assert_int_equal(cost_bound_tokens(&bound, 1002550), 1);
    assert_int_equal(cost_bound_tokens(&bound, 1002549), 0);
    assert_int_equal(cost_bound_tokens(&bound, 1000049), 0);
    assert_int_equal(cost_bound_tokens(&bound, 0), 0);
    assert_int_equal(cost_bound_tokens(&bound, -5), 0);

    /* no more prompt than the context takes */
    assert_int_equal(bound_of("{\"model\":\"a/b\"}", 5000, 0, 1).base_nano_usd, 1000000 + 1500);
}

static void test_output_tokens(void **state)
{
    (void)state;
    read_list(LIST(MODEL(
        "a/both", PRICE("0", "1e-6"),
        ",\"context_length\":1000,\"top_provider\":{\"max_completion_tokens\":500"
        "}") "," MODEL("a/context", PRICE("0", "1e-6"),
                       ",\"context_length\":1000") "," MODEL("a/none", PRICE("0", "1e-6"), "")));
    static const struct {
        const char *body;
        int64_t asked, tier_max, tokens;
    } cases[] = {
        {"{\"model\":\"a/both\"}", -1, -1, 500},
        {"{\"model\":\"a/both\"}", 0, -1, 500},
        {"{\"model\":\"a/both\"}", 100, -1, 100},
        {"{\"model\":\"a/both\"}", 9999, -1, 500},
        {"{\"model\":\"a/both\"}", 9999, 50, 50},
        {"{\"model\":\"a/both\"}", 20, 50, 20},
        {"{\"model\":\"a/both\"}", -1, 50, 50},
        {"{\"model\":\"a/context\"}", -1, -1, 1000},
        {"{\"model\":\"a/none\"}", -1, -1, 128 * 1024},
        {"{\"model\":\"a/none\"}", 999999, -1, 999999},
        {"{\"model\":\"a/none\"}", INT64_MAX, 7, 7},
        {"{\"model\":\"a/both\",\"models\":[\"a/context\"]}", -1, -1, 1000},
        {"{\"model\":\"x/unknown\"}", 5, -1, 5},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        tier->max_output_tokens = cases[i].tier_max;
        struct cost_bound bound = bound_of(cases[i].body, 10, 0, cases[i].asked);
        assert_int_equal(bound.output_tokens, cases[i].tokens);
        assert_int_equal(bound.output_given, cases[i].asked > 0);
    }
}

static void test_fallbacks(void **state)
{
    (void)state;
    struct cost_bound bound;

    read_list(LIST(MODEL("a/in", PRICE("9e-6", "1e-6"), "") "," MODEL(
        "a/out", PRICE("1e-6", "9e-6"), "") "," MODEL("a/auto", PRICE("-1", "-1"), "")));
    bound = bound_of("{\"model\":\"a/in\",\"models\":[\"a/out\"]}", 10, 0, 10);
    assert_int_equal(bound.base_nano_usd, 90000);
    assert_int_equal(bound.output_pico, 9000000);
    bound = bound_of("{\"model\":\"a/out\",\"fallbacks\":[{\"model\":\"a/in\"}]}", 10, 0, 10);
    assert_int_equal(bound.base_nano_usd, 90000);
    assert_int_equal(
        bound_of("{\"model\":\"a/in\",\"models\":[\"a/auto\"]}", 1, 0, 1).base_nano_usd, -1);
    assert_int_equal(bound_of("{\"models\":[\"x/y\",\"a/in\"]}", 1, 0, 1).base_nano_usd, -1);
    assert_int_equal(bound_of("{}", 1, 0, 1).base_nano_usd, -1);
    assert_int_equal(bound_of("{\"fallbacks\":[{\"model\":\"a/in\"}]}", 1, 0, 1).base_nano_usd, -1);
    assert_int_equal(bound_of("{\"preset\":\"x\"}", 1, 0, 1).base_nano_usd, -1);
    assert_int_equal(bound_of("{\"preset\":\"x\",\"model\":\"a/in\"}", 1, 0, 1).base_nano_usd,
                     9000);
    catalogue_free(catalogue);
    catalogue = NULL; /* not read yet: nothing has a price */
    assert_int_equal(bound_of("{\"model\":\"a/in\"}", 1, 0, 1).base_nano_usd, -1);
}

static void test_images(void **state)
{
    (void)state;
    read_list(LIST(MODEL(
        "a/image", "{\"prompt\":\"1e-6\",\"completion\":\"0\",\"image\":\"0.002\"}",
        "") "," MODEL("a/tokens", PRICE("1e-6", "0"),
                      "") "," MODEL("a/zero",
                                    "{\"prompt\":\"1e-6\",\"completion\":\"0\",\"image\":\"0\"}",
                                    ",\"context_length\":20000")));
    assert_int_equal(bound_of("{\"model\":\"a/image\"}", 5, 3, -1).base_nano_usd, 6005000);
    assert_int_equal(bound_of("{\"model\":\"a/tokens\"}", 5, 3, -1).base_nano_usd,
                     (5 + 3 * 16384) * 1000);
    assert_int_equal(bound_of("{\"model\":\"a/zero\"}", 5, 1, -1).base_nano_usd, 16389000);
    assert_int_equal(bound_of("{\"model\":\"a/zero\"}", 5, 3, -1).base_nano_usd, 20000000);
}

/* They may fill the context, and reading each is priced beside the model. */
static void test_documents(void **state)
{
    (void)state;
    const struct media one = {.documents = 1}, most = {.documents = SIZE_MAX};
    const int64_t each = tier->unknown_model_hold_nano_usd, whole = 1024 * 1024;
    struct cost_bound bound;

    assert_true(each > 0);
    read_list(LIST(MODEL("a/told", PRICE("1e-6", "0"), ",\"context_length\":20000") "," MODEL(
        "a/vast", PRICE("1e-6", "0"),
        ",\"context_length\":2000000") "," MODEL("a/untold", PRICE("1e-6", "0"),
                                                 "") "," MODEL("a/b:free", PRICE("0", "0"), "")));
    assert_int_equal(bound_with("{\"model\":\"a/told\"}", 5, one, -1).base_nano_usd,
                     20000 * INT64_C(1000) + each);
    assert_int_equal(bound_with("{\"model\":\"a/vast\"}", 5, one, -1).base_nano_usd,
                     2000000 * INT64_C(1000) + each);
    assert_int_equal(bound_with("{\"model\":\"a/untold\"}", 5, one, -1).base_nano_usd,
                     whole * 1000 + each);
    assert_int_equal(bound_with("{\"model\":\"a/untold\"}", 2000000, one, -1).base_nano_usd,
                     2000000 * INT64_C(1000) + each);
    assert_int_equal(
        bound_with("{\"model\":\"a/told\"}", 5, (struct media){2, 3}, -1).base_nano_usd,
        20000 * INT64_C(1000) + 3 * each);
    bound = bound_with("{\"model\":\"a/b:free\"}", 5, one, -1);
    assert_int_equal(bound.base_nano_usd, each);
    assert_false(bound.free);
    assert_int_equal(bound_with("{\"model\":\"a/told\"}", 5, most, -1).base_nano_usd, INT64_MAX);
    tier->unknown_model_hold_nano_usd = UNLIMITED;
    assert_int_equal(bound_with("{\"model\":\"a/told\"}", 5, most, -1).base_nano_usd,
                     20000 * INT64_C(1000));
}

static void test_extras(void **state)
{
    (void)state;
    read_list(LIST(MODEL("a/b", PRICE("1e-6", "0"), "") "," MODEL(
        "a/dear", "{\"prompt\":\"1e-6\",\"completion\":\"0\",\"web_search\":\"0.05\"}",
        "") "," MODEL("a/b:free", PRICE("0", "0"), "")));
    const int64_t search = (5 + 16384) * 1000;

    assert_int_equal(bound_of("{\"model\":\"a/b:online\"}", 5, 0, -1).base_nano_usd,
                     search + 20000000);
    assert_int_equal(
        bound_of("{\"model\":\"a/dear\",\"plugins\":[{\"id\":\"web\"}]}", 5, 0, -1).base_nano_usd,
        search + 50000000);
    struct cost_bound bound = bound_of("{\"model\":\"a/b:free:online\"}", 5, 0, -1);
    assert_int_equal(bound.base_nano_usd, 20000000);
    assert_false(bound.free);
    assert_int_equal(bound_of("{\"model\":\"a/b\",\"plugins\":[{\"id\":\"response-healing\"},{"
                              "\"id\":\"context-compression\"}]}",
                              5, 0, -1)
                         .base_nano_usd,
                     5000);
    const char *tools = "{\"model\":\"a/b:free\",\"plugins\":[{\"id\":\"file-parser\"}],\"tools\":"
                        "[{\"type\":\"openrouter:shell\"},{\"type\":\"function\"}]}";
    bound = bound_of(tools, 5, 0, -1);
    assert_int_equal(bound.base_nano_usd, 2000000000);
    assert_false(bound.free);
    tier->unknown_model_hold_nano_usd = UNLIMITED;
    assert_int_equal(bound_of(tools, 5, 0, -1).base_nano_usd, 0);
    tier->unknown_model_hold_nano_usd = INT64_MAX;
    assert_int_equal(bound_of(tools, 5, 0, -1).base_nano_usd, INT64_MAX);
}

static void test_free_models(void **state)
{
    (void)state;
    struct cost_bound bound;

    read_list(LIST(MODEL(
        "a/b:free", "{\"prompt\":\"0\",\"completion\":\"0\",\"request\":\"0\",\"image\":\"0\"}",
        "") "," MODEL("a/fee",
                      "{\"prompt\":\"0\",\"completion\":\"0\",\"request\":"
                      "\"0.1\"}",
                      "") "," MODEL("a/out", PRICE("0", "1e-6"), "")));
    bound = bound_of("{\"model\":\"a/b:free\"}", 1000, 2, 10);
    assert_true(bound.free);
    assert_int_equal(cost_bound_total(&bound), 0);
    assert_int_equal(cost_bound_tokens(&bound, 0), 10);
    assert_false(bound_of("{\"model\":\"a/fee\"}", 1, 0, 1).free);
    assert_false(bound_of("{\"model\":\"a/out\"}", 1, 0, 1).free);
    assert_false(bound_of("{\"models\":[\"a/b:free\",\"a/out\"]}", 1, 0, 1).free);
    assert_false(bound_of("{\"model\":\"x/y:free\"}", 1, 0, 1).free);
}

static void test_nothing_overflows(void **state)
{
    (void)state;
    struct cost_bound bound;

    read_list(LIST(MODEL("a/b",
                         "{\"prompt\":\"9000000\",\"completion\":\"9000000\",\"request\":"
                         "\"9000000000\",\"image\":\"9000000000\"}",
                         "") "," MODEL("a/c", PRICE("9000000", "9000000"), "")));
    bound = bound_of("{\"model\":\"a/b\"}", SIZE_MAX, SIZE_MAX, INT64_MAX);
    assert_int_equal(bound.base_nano_usd, INT64_MAX);
    assert_int_equal(cost_bound_total(&bound), INT64_MAX);
    assert_int_equal(cost_bound_tokens(&bound, INT64_MAX), 0);
    bound = bound_of("{\"model\":\"a/c\"}", SIZE_MAX, SIZE_MAX, INT64_MAX);
    assert_int_equal(bound.base_nano_usd, INT64_MAX);
    bound = bound_of("{\"model\":\"a/c\"}", 0, 0, INT64_MAX);
    assert_int_equal(bound.base_nano_usd, 0);
    assert_int_equal(cost_bound_total(&bound), INT64_MAX);
    assert_int_equal(cost_bound_tokens(&bound, INT64_MAX), 1024); /* 9.2e9 USD at 9e6 USD each */
}

static uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 16) % limit;
}

/* Whatever prices and counts: the true cost to the picodollar is not above the bound, and what cost_bound_tokens
 * allows for an amount does not cost more than it. */
static void test_the_bound_is_never_below_the_true_cost(void **state)
{
    (void)state;
    uint64_t seed = 20261120;
    char text[512];

    for (int i = 0; i < 3000; i++) {
        uint64_t prompt = random_below(&seed, 100000000), completion = random_below(&seed, 1000000);
        uint64_t bytes = random_below(&seed, 1000000), asked = 1 + random_below(&seed, 200000);
        snprintf(text, sizeof(text),
                 LIST("{\"id\":\"a/b\",\"pricing\":{\"prompt\":\"%llue-12\",\"completion\":"
                      "\"0.%012llu\"}}"),
                 (unsigned long long)prompt, (unsigned long long)completion);
        read_list(text);
        struct cost_bound bound = bound_of("{\"model\":\"a/b\"}", bytes, 0, (int64_t)asked);
        uint64_t in = random_below(&seed, bytes + 1), out = random_below(&seed, asked + 1);
        uint64_t cost_pico = in * prompt + out * completion;
        int64_t total = cost_bound_total(&bound);
        assert_true((uint64_t)total * 1000 >= cost_pico);
        assert_true((uint64_t)total * 1000 < bytes * prompt + asked * completion + 2000);
        assert_int_equal(cost_bound_tokens(&bound, total), asked);

        int64_t amount = (int64_t)random_below(&seed, (uint64_t)total + 2);
        int64_t tokens = cost_bound_tokens(&bound, amount);
        bound.output_tokens = tokens;
        assert_true(tokens == 0 || cost_bound_total(&bound) <= amount);
    }
}

static void test_print(void **state)
{
    (void)state;
    struct buffer out;
    struct tier *some = tiers_add(&tiers, SPAN("Some"));

    tier_add_model(some, SPAN("a/*"));
    buffer_init(&out, 1 << 12);
    read_list(
        "{ \"data\" : [ {\"id\":\"a/b\", \"x\":1e400 , \"s\":\"],\\u00e4\"},{\"id\":\"c/d\"},\n"
        "{\"id\":\"a/z\"} ], \"total_count\" : 3, \"links\":{\"next\":null} }");
    assert_true(catalogue_print_for(catalogue, &tiers.rows[1], &out));
    assert_span(buffer_view(&out),
                "{\"data\":[{\"id\":\"a/b\", \"x\":1e400 , \"s\":\"],\\u00e4\"},"
                "{\"id\":\"a/z\"}],\"total_count\":2,\"links\":{\"next\":null}}");
    buffer_done(&out);
    assert_true(catalogue_print_for(catalogue, &tiers.rows[0], &out));
    assert_true(span_contains(buffer_view(&out), SPAN("{\"id\":\"c/d\"},{\"id\":\"a/z\"}]")));
    buffer_done(&out);
    for (size_t size = 0; size < 100; size++) {
        buffer_init(&out, size);
        assert_false(catalogue_print_for(catalogue, &tiers.rows[1], &out));
        buffer_done(&out);
    }
    struct tier *none = tiers_add(&tiers, SPAN("None"));
    buffer_init(&out, 1 << 12);
    read_list(LIST("{\"id\":\"a/b\"}"));
    assert_true(catalogue_print_for(catalogue, none, &out));
    assert_span(buffer_view(&out), "{\"data\":[]}");
    buffer_done(&out);
}

static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    char *text = malloc(COUNT * 100), *at = text, name[32];
    assert_non_null(text);

    at += snprintf(at, 16, "{\"data\":[");
    for (int i = 0; i < COUNT; i++)
        at += snprintf(at, 100,
                       "%s{\"id\":\"m/%d\",\"pricing\":{\"prompt\":\"%de-12\","
                       "\"completion\":\"0\"}}",
                       i ? "," : "", i, i);
    snprintf(at, 8, "]}");
    read_list(text);
    free(text);
    assert_int_equal(catalogue_size(catalogue), COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "m/%d", i);
        assert_int_equal(price_of(name).prompt_pico, i);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_pico),
        TEST(test_what_is_no_catalogue),
        TEST(test_rows),
        TEST(test_prices),
        TEST(test_unknown_prices),
        TEST(test_overrides),
        TEST(test_names),
        TEST(test_a_bound),
        TEST(test_output_tokens),
        TEST(test_fallbacks),
        TEST(test_images),
        TEST(test_documents),
        TEST(test_extras),
        TEST(test_free_models),
        TEST(test_nothing_overflows),
        TEST(test_the_bound_is_never_below_the_true_cost),
        TEST(test_print),
        TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

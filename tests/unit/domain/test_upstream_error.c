#include "../base/unit.h"

#include <yyjson.h>

#include "domain/upstream_error.h"

#define HASH "f01d52606dc8f0a8303a7b5cc3fa07109c2e346cec7c0a16b40de462992ce943"
#define CREDITS "https://openrouter.ai/settings/credits"
#define KEYS "https://openrouter.ai/settings/keys"
#define HTML \
    "<html>\r\n<head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>\r\n"
#define HEAVY \
    "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, " \
    "but can only afford 1234. "

struct row {
    int status;
    const char *message, *metadata;
    enum upstream_error_class class;
};

static const struct row rows[] = {
    /* 401: which key is meant */
    {401, "User not found.", NULL, UPSTREAM_ERROR_KEY},
    {401, "User not found.", "{}", UPSTREAM_ERROR_KEY},
    {401, "Invalid credentials", "{\"error_type\":\"authentication\"}", UPSTREAM_ERROR_KEY},
    {401, "Invalid API key", "{\"error_type\":\"authentication\"}", UPSTREAM_ERROR_KEY},
    {401, "API key is disabled", NULL, UPSTREAM_ERROR_KEY},
    {401, "", NULL, UPSTREAM_ERROR_KEY},
    {401, "Missing Authentication header", NULL, UPSTREAM_ERROR_MISSING_AUTH},
    {401, "No cookie auth credentials found", NULL, UPSTREAM_ERROR_MISSING_AUTH},
    {401, "No auth credentials found", NULL, UPSTREAM_ERROR_MISSING_AUTH},
    {401, "Provider returned error",
     "{\"raw\":\"invalid x-api-key\",\"provider_name\":\"Anthropic\",\"is_byok\":false}",
     UPSTREAM_ERROR_PROVIDER_AUTH},
    {401, "Provider returned error",
     "{\"raw\":\"Invalid API key: HTTP 503\",\"provider_name\":\"OpenAI\"}",
     UPSTREAM_ERROR_PROVIDER_AUTH},
    {401, "Invalid API key", "{\"provider_name\":\"OpenAI\"}", UPSTREAM_ERROR_PROVIDER_AUTH},
    {401, "Provider returned error", NULL, UPSTREAM_ERROR_PROVIDER_AUTH},
    {401, "Provider returned error",
     "{\"raw\":\"Invalid API key\",\"provider_name\":\"OpenAI\",\"is_byok\":true}",
     UPSTREAM_ERROR_BYOK_AUTH},
    {401, "User not found.", "{\"provider_name\":null}", UPSTREAM_ERROR_KEY},
    {401, "User not found.", "{\"provider_name\":\"\",\"is_byok\":false}", UPSTREAM_ERROR_KEY},
    /* 402 by source */
    {402, "Insufficient credits. Add more using https://openrouter.ai/credits",
     "{\"limit_source\":\"openrouter_credits\"}", UPSTREAM_ERROR_CREDITS},
    {402, "Any new text", "{\"limit_source\":\"openrouter_credits\"}", UPSTREAM_ERROR_CREDITS},
    {402, "Any new text", "{\"limit_source\":\"openrouter_key_limit\"}", UPSTREAM_ERROR_KEY_LIMIT},
    {402, "Insufficient credits. Add more", "{\"limit_source\":\"openrouter_key_limit\"}",
     UPSTREAM_ERROR_KEY_LIMIT},
    {402, HEAVY "To increase, visit " KEYS " and create a key with a higher monthly limit",
     "{\"provider_name\":null,\"limit_source\":\"openrouter_key_limit\"}",
     UPSTREAM_ERROR_KEY_LIMIT},
    {402, HEAVY "To increase, visit " CREDITS " and add more credits",
     "{\"provider_name\":null,\"limit_source\":\"openrouter_credits\"}",
     UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "Prompt tokens limit exceeded: 9000 > 1200. To increase, visit " CREDITS,
     "{\"limit_source\":\"openrouter_credits\"}", UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "Prompt tokens limit exceeded: 9000 > 1200. To increase, visit " KEYS,
     "{\"limit_source\":\"openrouter_key_limit\"}", UPSTREAM_ERROR_KEY_LIMIT},
    {402,
     "This request's maximum cost exceeds your available credits. Add credits, or lower max_tokens "
     "or prompt size.",
     "{\"reason\":\"weight_exceeds_budget\",\"limit_source\":\"openrouter_credits\"}",
     UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "Any new text",
     "{\"reason\":\"weight_exceeds_budget\",\"limit_source\":\"openrouter_credits\"}",
     UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402,
     "This request would exceed your available credits given your current in-flight requests. "
     "Retry after in-flight "
     "requests settle, or add credits.",
     "{\"reason\":\"in_flight_budget_exhausted\",\"limit_source\":\"openrouter_in_flight_budget\"}",
     UPSTREAM_ERROR_IN_FLIGHT},
    {402, "Any new text", "{\"limit_source\":\"openrouter_in_flight_budget\"}",
     UPSTREAM_ERROR_IN_FLIGHT},
    {402, "Any new text", "{\"limit_source\":\"openrouter_guardrail_budget\"}",
     UPSTREAM_ERROR_BUDGET},
    {402, "Key limit exceeded (monthly limit). Manage it using " KEYS,
     "{\"limit_source\":\"openrouter_key_limit\"}", UPSTREAM_ERROR_KEY_LIMIT},
    /* 402 by text */
    {402,
     "Insufficient credits. This account never purchased credits. Make sure your key is on the "
     "correct account or org, "
     "and if so, purchase more at " CREDITS,
     NULL, UPSTREAM_ERROR_CREDITS},
    {402, HEAVY "To increase, visit " CREDITS " and add more credits", "{\"provider_name\":null}",
     UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, HEAVY "To increase, visit " CREDITS " and upgrade to a paid account", NULL,
     UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, HEAVY "To increase, visit " KEYS " and create a key with a higher monthly limit", NULL,
     UPSTREAM_ERROR_KEY_LIMIT},
    {402, HEAVY "To increase, visit https://openrouter.ai/workspaces/default/keys/" HASH,
     "{\"provider_name\":null}", UPSTREAM_ERROR_KEY_LIMIT},
    {402, "Prompt tokens limit exceeded: 9000 > 1200. To increase, visit " CREDITS, NULL,
     UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "Prompt tokens limit exceeded: 9000 > 1200. To increase, visit " KEYS, NULL,
     UPSTREAM_ERROR_KEY_LIMIT},
    {402,
     "This request's maximum cost exceeds your available credits. Add credits, or lower max_tokens "
     "or prompt size.",
     NULL, UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "This request would exceed your available credits given your current in-flight requests.",
     NULL, UPSTREAM_ERROR_IN_FLIGHT},
    {402, "?", "{\"reason\":\"in_flight_budget_exhausted\"}", UPSTREAM_ERROR_IN_FLIGHT},
    {402, "?", "{\"reason\":\"weight_exceeds_budget\"}", UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "Key limit exceeded", NULL, UPSTREAM_ERROR_KEY_LIMIT},
    {402, "Provider returned error", "{\"provider_name\":\"OpenAI\",\"is_byok\":true}",
     UPSTREAM_ERROR_BYOK_AUTH},
    {402, "Provider returned error", "{\"provider_name\":\"OpenAI\"}",
     UPSTREAM_ERROR_PROVIDER_AUTH},
    {402, "Pay", NULL, UPSTREAM_ERROR_CREDITS},
    {402, "Pay", "{\"limit_source\":\"openrouter_new_thing\"}", UPSTREAM_ERROR_CREDITS},
    /* 403 */
    {403, "Key limit exceeded (total limit). Manage it using " KEYS, NULL,
     UPSTREAM_ERROR_KEY_LIMIT},
    {403, "Key limit exceeded (daily limit). Manage it using " KEYS, NULL,
     UPSTREAM_ERROR_KEY_LIMIT},
    {403, "Key limit exceeded (weekly limit). Manage it using " KEYS, NULL,
     UPSTREAM_ERROR_KEY_LIMIT},
    {403,
     "Key limit exceeded (monthly limit). Manage it using "
     "https://openrouter.ai/workspaces/default/keys/" HASH,
     "{\"limit_source\":\"openrouter_key_limit\",\"scope\":\"monthly\",\"limit_usd\":1,\"resets_"
     "at\":\"2026-12-01T00:00:00Z\"}",
     UPSTREAM_ERROR_KEY_LIMIT},
    {403, "Key limit exceeded. Manage it using " KEYS, NULL, UPSTREAM_ERROR_KEY_LIMIT},
    {403, "Any new text", "{\"limit_source\":\"openrouter_key_limit\"}", UPSTREAM_ERROR_KEY_LIMIT},
    {403, "Budget limit exceeded (monthly limit). Contact your org admin.",
     "{\"limit_source\":\"openrouter_guardrail_budget\"}", UPSTREAM_ERROR_BUDGET},
    {403, "Budget limit exceeded (monthly limit). Contact your org admin.", NULL,
     UPSTREAM_ERROR_BUDGET},
    {403, "Workspace monthly budget of $500.00 exceeded. Contact your org admin.",
     "{\"limit_source\":\"openrouter_workspace_budget\"}", UPSTREAM_ERROR_BUDGET},
    {403, "Workspace monthly budget of $500.00 exceeded. Contact your org admin.", NULL,
     UPSTREAM_ERROR_BUDGET},
    {403, "Only management keys can perform this operation", NULL, UPSTREAM_ERROR_CLIENT},
    {403, "Request blocked: prompt injection patterns detected",
     "{\"patterns\":[\"ignore_previous\"]}", UPSTREAM_ERROR_CLIENT},
    {403, "Your chosen model requires moderation and your input was flagged",
     "{\"reasons\":[\"violence\"],\"flagged_input\":\"FLAGGED\",\"provider_name\":\"OpenAI\","
     "\"model_slug\":\"m\"}",
     UPSTREAM_ERROR_CLIENT},
    {403, "Provider returned error", "{\"provider_name\":\"OpenAI\"}", UPSTREAM_ERROR_CLIENT},
    /* the source decides whatever status and text say */
    {403, "Any new text", "{\"limit_source\":\"openrouter_workspace_budget\"}",
     UPSTREAM_ERROR_BUDGET},
    {403, "Any new text", "{\"limit_source\":\"openrouter_credits\"}", UPSTREAM_ERROR_CREDITS},
    {402, "Key limit exceeded", "{\"limit_source\":\"openrouter_credits\"}",
     UPSTREAM_ERROR_CREDITS},
    {403, "Any new text", "{\"limit_source\":\"openrouter_free_tier_per_minute\"}",
     UPSTREAM_ERROR_RATE},
    {403, "Any new text", "{\"limit_source\":\"openrouter_free_tier_daily\"}", UPSTREAM_ERROR_RATE},
    {402, "Any new text", "{\"limit_source\":\"upstream_provider_shared_pool\"}",
     UPSTREAM_ERROR_RATE},
    {429, "Any new text", "{\"limit_source\":\"openrouter_key_limit\"}", UPSTREAM_ERROR_KEY_LIMIT},
    {402, "Budget limit exceeded (daily limit).", NULL, UPSTREAM_ERROR_BUDGET},
    {402, "Workspace daily budget of $5.00 exceeded.", NULL, UPSTREAM_ERROR_BUDGET},
    /* the request's own */
    {400, "x is not a valid model ID", NULL, UPSTREAM_ERROR_CLIENT},
    {400, "Too long", "{\"error_type\":\"context_length_exceeded\"}", UPSTREAM_ERROR_CLIENT},
    {404, "No endpoints found for x.", NULL, UPSTREAM_ERROR_CLIENT},
    {404, "No allowed providers are available for the selected model.", NULL,
     UPSTREAM_ERROR_CLIENT},
    {408, "Request timed out", "{\"error_type\":\"timeout\"}", UPSTREAM_ERROR_CLIENT},
    {409, "Conflict", NULL, UPSTREAM_ERROR_CLIENT},
    {410, "Gone", NULL, UPSTREAM_ERROR_CLIENT},
    {413, "Request body too large", NULL, UPSTREAM_ERROR_CLIENT},
    {422, "Unprocessable", NULL, UPSTREAM_ERROR_CLIENT},
    {400, "User not found.", NULL, UPSTREAM_ERROR_CLIENT},
    {400, "Key limit exceeded", "{\"limit_source\":\"openrouter_key_limit\"}",
     UPSTREAM_ERROR_CLIENT},
    /* rate */
    {429, "Rate limit exceeded: free-models-per-min. ",
     "{\"headers\":{\"X-RateLimit-Limit\":\"20\",\"X-RateLimit-Reset\":\"1786912200000\"},\"limit_"
     "source\":"
     "\"openrouter_free_tier_per_minute\"}",
     UPSTREAM_ERROR_RATE},
    {429,
     "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests "
     "per day",
     "{\"limit_source\":\"openrouter_free_tier_daily\"}", UPSTREAM_ERROR_RATE},
    {429, "Provider returned error",
     "{\"raw\":\"m is temporarily rate-limited upstream\",\"provider_name\":\"P\",\"is_byok\":true,"
     "\"limit_source\":\"upstream_provider_shared_pool\"}",
     UPSTREAM_ERROR_RATE},
    {429, "Rate limit exceeded", NULL, UPSTREAM_ERROR_RATE},
    /* trouble up there */
    {500, "Internal Server Error", "{\"error_type\":\"server\"}", UPSTREAM_ERROR_BUSY},
    {502, "Provider returned error",
     "{\"error_type\":\"provider_unavailable\",\"provider_name\":\"P\"}", UPSTREAM_ERROR_BUSY},
    {503, "Provider overloaded", NULL, UPSTREAM_ERROR_BUSY},
    {504, "Provider timed out", NULL, UPSTREAM_ERROR_BUSY},
    {524, "", NULL, UPSTREAM_ERROR_BUSY},
    {529, "Provider overloaded", NULL, UPSTREAM_ERROR_BUSY},
    {500, "User not found.", NULL, UPSTREAM_ERROR_BUSY},
    {999, "What", NULL, UPSTREAM_ERROR_BUSY},
};

enum shape { SHAPE_PLAIN, SHAPE_ANTHROPIC, SHAPE_RESPONSES, SHAPE_RESPONSE_FAILED, SHAPE_COUNT };

static void compose(enum shape shape, const struct row *row, char *ret_body, size_t capacity)
{
    static const struct {
        const char *before, *after;
    } around[SHAPE_COUNT] = {
        {"{\"error\":{", "},\"user_id\":\"user_2x\",\"new\":1}"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",", "},\"request_id\":null}"},
        {"{\"id\":\"r\",\"object\":\"response\",\"status\":\"failed\",\"error\":{",
         "},\"error_type\":\"x\"}"},
        {"{\"type\":\"response.failed\",\"response\":{\"error\":{", "}}}"},
    };
    snprintf(ret_body, capacity, "%s\"code\":%d,\"message\":\"%s\",\"metadata\":%s%s",
             around[shape].before, row->status, row->message,
             row->metadata ? row->metadata : "null", around[shape].after);
}

static void test_every_row_in_every_shape(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (unsigned shape = 0; shape < SHAPE_COUNT; shape++) {
            char body[2048];
            compose((enum shape)shape, &rows[i], body, sizeof(body));
            struct upstream_error error;
            upstream_error_read(rows[i].status, span_of(body), &error);
            if (error.class != rows[i].class)
                fail_msg("row %zu shape %u, %d %s: %s", i, shape, rows[i].status, rows[i].message,
                         upstream_error_class_name(error.class));
        }
}

static void test_bodies_that_say_nothing_are_read_by_status(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum upstream_error_class class;
    } by_status[] = {
        {400, UPSTREAM_ERROR_CLIENT}, {401, UPSTREAM_ERROR_KEY},    {402, UPSTREAM_ERROR_CREDITS},
        {403, UPSTREAM_ERROR_CLIENT}, {404, UPSTREAM_ERROR_CLIENT}, {408, UPSTREAM_ERROR_CLIENT},
        {413, UPSTREAM_ERROR_CLIENT}, {422, UPSTREAM_ERROR_CLIENT}, {429, UPSTREAM_ERROR_RATE},
        {500, UPSTREAM_ERROR_BUSY},   {502, UPSTREAM_ERROR_BUSY},   {503, UPSTREAM_ERROR_BUSY},
        {504, UPSTREAM_ERROR_BUSY},   {524, UPSTREAM_ERROR_BUSY},   {529, UPSTREAM_ERROR_BUSY},
        {200, UPSTREAM_ERROR_BUSY},   {301, UPSTREAM_ERROR_BUSY},   {0, UPSTREAM_ERROR_BUSY},
    };
    static const struct span bodies[] = {
        {"", 0},
        {HTML, sizeof(HTML) - 1},
        {"{}", 2},
        {"[]", 2},
        {"null", 4},
        {"{\"error\":null}", 14},
        {"{\"error\":{}}", 12},
        {"{\"error\":7}", 11},
        {"{\"error\":{\"message\":7,\"metadata\":[],\"code\":{}}}", 48},
        {"\0\0", 2},
        {"{\"error\":{\"message\":\"Us", 23},
        {"[{\"error\":{\"message\":\"x\"}}]", 27},
        {NULL, 0},
    };
    for (size_t i = 0; i < sizeof(by_status) / sizeof(*by_status); i++)
        for (size_t k = 0; k < sizeof(bodies) / sizeof(*bodies); k++) {
            struct upstream_error error;
            upstream_error_read(by_status[i].status, bodies[k], &error);
            if (error.class != by_status[i].class)
                fail_msg("%d, body %zu: %s", by_status[i].status, k,
                         upstream_error_class_name(error.class));
            assert_string_equal(error.message, "");
            assert_string_equal(error.provider_name, "");
        }
}

static void test_a_body_too_large_to_be_an_error_is_not_parsed(void **state)
{
    (void)state;
    size_t size = 300 * 1024;
    char *body = malloc(size);
    const char head[] = "{\"error\":{\"message\":\"Missing Authentication header\",\"x\":\"";
    memset(body, 'x', size);
    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + size - 3, "\"}}", 3);
    struct upstream_error error;
    upstream_error_read(401, (struct span){body, size}, &error);
    assert_int_equal(error.class, UPSTREAM_ERROR_KEY);
    memcpy(body + 200 * 1024 - 3, "\"}}", 3);
    upstream_error_read(401, (struct span){body, 200 * 1024}, &error);
    assert_int_equal(error.class, UPSTREAM_ERROR_MISSING_AUTH);
    free(body);
}

static struct upstream_error read_text(int status, const char *body)
{
    struct upstream_error error;
    upstream_error_read(status, span_of(body), &error);
    return error;
}

static void test_errors_that_came_as_200(void **state)
{
    (void)state;
    struct upstream_error error =
        read_text(200, "\n\n{\"error\":{\"code\":402,\"message\":\"Insufficient credits. Add\"}}");
    assert_int_equal(error.class, UPSTREAM_ERROR_CREDITS);
    error = read_text(200, "{\"id\":\"g\",\"choices\":[{\"finish_reason\":\"error\",\"error\":{"
                           "\"code\":429,\"message\":\"Slow\"}}]}");
    assert_int_equal(error.class, UPSTREAM_ERROR_RATE);
    assert_string_equal(error.message, "Slow");
    error = read_text(
        200, "{\"error\":{\"code\":\"server_error\",\"message\":\"Provider disconnected\"}}");
    assert_int_equal(error.class, UPSTREAM_ERROR_BUSY);
    error = read_text(200, "{\"error\":{\"code\":502,\"message\":\"Provider returned error\"}}");
    assert_int_equal(error.class, UPSTREAM_ERROR_BUSY);
    error = read_text(
        500,
        "{\"error\":{\"code\":401,\"message\":\"User not found.\"}}"); /* the status has the last word */
    assert_int_equal(error.class, UPSTREAM_ERROR_BUSY);
}

static void test_what_is_kept(void **state)
{
    (void)state;
    struct upstream_error error =
        read_text(503, "{\"error\":{\"code\":503,\"message\":\"Busy " HASH
                       "\",\"type\":\"api_error\",\"error_type\":\"b\",\"availability\":"
                       "{\"retryable\":true},\"metadata\":{\"error_type\":\"provider_overloaded\","
                       "\"provider_name\":\"P\",\"patterns\":[\"p\\\"1\",\"p2\","
                       "7,\"\"],\"reasons\":[\"violence\",\"user_1a is "
                       "bad\",\"sexual/minors\"]}},\"error_type\":\"c\"}");
    assert_string_equal(error.message, "Busy [removed]");
    assert_string_equal(error.error_type, "provider_overloaded");
    assert_string_equal(error.provider_name, "P");
    assert_string_equal(error.patterns, "[\"p2\"]");
    assert_string_equal(error.reasons, "[\"violence\",\"[removed] is bad\",\"sexual/minors\"]");
    assert_true(error.retry_hinted);
    error = read_text(
        400,
        "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"error_type\":\"b\"},\"error_type\":\"c\"}");
    assert_string_equal(error.error_type, "b");
    error = read_text(400, "{\"error\":{\"message\":\"m\",\"type\":\"t\"},\"error_type\":\"c\"}");
    assert_string_equal(error.error_type, "c");
    error = read_text(400, "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\"}}");
    assert_string_equal(error.error_type, "invalid_request_error");
    assert_false(error.retry_hinted);
    error = read_text(400, "{\"error\":\"plain text\"}");
    assert_string_equal(error.message, "plain text");
    error = read_text(400, "{\"message\":\"beside\",\"error\":{\"code\":1}}");
    assert_string_equal(error.message, "beside");
    error = read_text(
        400,
        "{\"error\":{\"message\":\"big\",\"code\":1e999,\"n\":123456789012345678901234567890}}");
    assert_string_equal(error.message, "big");
}

static void test_lists_that_are_too_long_are_cut_between_texts(void **state)
{
    (void)state;
    char body[8192] = "{\"error\":{\"metadata\":{\"reasons\":[";
    for (int i = 0; i < 100; i++)
        snprintf(body + strlen(body), sizeof(body) - strlen(body), "%s\"reason-number-%d\"",
                 i ? "," : "", i);
    strncat(body, "]}}}", 5);
    struct upstream_error error = read_text(403, body);
    yyjson_doc *doc = yyjson_read(error.reasons, strlen(error.reasons), 0);
    size_t count = yyjson_arr_size(yyjson_doc_get_root(doc));
    assert_true(count >= 10 && count < 20);
    yyjson_doc_free(doc);
}

static yyjson_doc *body_of(int status, const char *told)
{
    struct upstream_error error = read_text(status, told);
    struct buffer out;
    buffer_init(&out, 4096);
    assert_true(upstream_error_body(&error, status, SPAN("req_1"), &out));
    yyjson_doc *doc = yyjson_read(buffer_view(&out).at, buffer_size(&out), 0);
    assert_non_null(doc);
    for (size_t limit = 0; limit < buffer_size(&out); limit += 13) {
        struct buffer small;
        buffer_init(&small, limit);
        assert_false(upstream_error_body(&error, status, SPAN("req_1"), &small));
        buffer_done(&small);
    }
    buffer_done(&out);
    return doc;
}

static void assert_text(yyjson_doc *doc, const char *pointer, const char *text)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);
    const char *is = yyjson_get_str(value);
    if (text ? !is || strcmp(is, text) != 0 : value && !yyjson_is_null(value))
        fail_msg("%s is %s, not %s", pointer, is ? is : "(none)", text ? text : "(none)");
}

static void test_what_the_client_gets(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *told, *message, *type, *code;
    } cases[] = {
        {400, "{\"error\":{\"code\":400,\"message\":\"x is not a valid model ID\"}}",
         "x is not a valid model ID", "invalid_request_error", "invalid_request"},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"Too "
         "long\",\"metadata\":{\"error_type\":\"context_length_exceeded\"}}}",
         "Too long", "invalid_request_error", "context_length_exceeded"},
        {403, "{\"error\":{\"message\":\"Flagged\"}}", "Flagged", "permission_error",
         "permission_denied"},
        {404,
         "{\"error\":{\"message\":\"None. Configure: https://openrouter.ai/settings/privacy\"}}",
         "None.", "not_found_error", "not_found"},
        {408, "{\"error\":{\"message\":\"T\"}}", "T", "invalid_request_error", "request_timeout"},
        {413, "{\"error\":{\"message\":\"L\"}}", "L", "invalid_request_error", "request_too_large"},
        {422, "{\"error\":{\"message\":\"U\"}}", "U", "invalid_request_error", "unprocessable"},
        {409, "{\"error\":{\"message\":\"C\"}}", "C", "invalid_request_error", "invalid_request"},
        {429, "{\"error\":{\"message\":\"R\"}}", "R", "rate_limit_error", "rate_limit_exceeded"},
        {500, "{\"error\":{\"message\":\"I\"}}", "I", "server_error", "upstream_error"},
        {503, "{\"error\":{\"message\":\"S\"}}", "S", "server_error", "upstream_unavailable"},
        {504, "{\"error\":{\"message\":\"S\"}}", "S", "server_error", "upstream_timeout"},
        {403,
         "{\"error\":{\"message\":\"Key limit exceeded (daily limit). Manage it using " KEYS "\"}}",
         "Key limit exceeded (daily limit).", "insufficient_quota", "insufficient_quota"},
        {402,
         "{\"error\":{\"message\":\"" HEAVY "To increase, visit " CREDITS
         " and add more credits\"}}",
         "This request requires more credits, or fewer max_tokens. You requested up to 65536 "
         "tokens, but can only afford 1234.",
         "insufficient_quota", "insufficient_quota"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        yyjson_doc *doc = body_of(cases[i].status, cases[i].told);
        assert_text(doc, "/error/message", cases[i].message);
        assert_text(doc, "/error/type", cases[i].type);
        assert_text(doc, "/error/code", cases[i].code);
        assert_text(doc, "/error/param", NULL);
        assert_text(doc, "/error/request_id", "req_1");
        yyjson_doc_free(doc);
    }
}

static void test_html_becomes_json(void **state)
{
    (void)state;
    yyjson_doc *doc = body_of(502, HTML);
    assert_text(doc, "/error/type", "server_error");
    assert_non_null(yyjson_get_str(yyjson_doc_ptr_get(doc, "/error/message")));
    assert_null(yyjson_doc_ptr_get(doc, "/error/metadata"));
    yyjson_doc_free(doc);
}

/* Whatever the class, whatever was told: nothing of the operator's gets out. */
static void test_nothing_private_passes(void **state)
{
    (void)state;
    static const int statuses[] = {400, 401, 402, 403, 404, 429, 500, 503};
    static const char *const sources[] = {"",
                                          "openrouter_key_limit",
                                          "openrouter_in_flight_budget",
                                          "openrouter_credits",
                                          "openrouter_workspace_budget",
                                          "openrouter_free_tier_daily"};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
        for (size_t k = 0; k < sizeof(sources) / sizeof(*sources); k++) {
            char told[2048];
            snprintf(
                told, sizeof(told),
                "{\"error\":{\"code\":%d,\"message\":\"Bad key sk-or-v1-SECRET of user_SECRET at "
                "/keys/" HASH ". See https://openrouter.ai/credits/SECRET "
                "now.\",\"metadata\":{\"limit_source\":\"%s\",\"raw\":\"SECRET\",\"remedy_hint\":"
                "\"SECRET\",\"flagged_input\":\"SECRET\",\"headers\":{\"x\":\"SECRET\"},\"previous_"
                "errors\":[\"SECRET\"],"
                "\"provider_name\":\"P "
                "sk-or-SECRET\",\"error_type\":\"user_SECRET\",\"reasons\":[\"sk-or-SECRET\"],"
                "\"patterns\":[\"user_SECRET\"],\"is_byok\":%s}},\"user_id\":\"user_SECRET\"}",
                statuses[i], sources[k], k % 2 ? "true" : "false");
            struct upstream_error error = read_text(statuses[i], told);
            struct buffer out;
            buffer_init(&out, 8192);
            assert_true(upstream_error_body(&error, statuses[i], SPAN("req_1"), &out));
            assert_false(span_contains(buffer_view(&out), SPAN("SECRET")));
            assert_false(span_contains(buffer_view(&out), SPAN("f01d5260")));
            assert_false(span_contains(buffer_view(&out), SPAN("openrouter.ai")));
            buffer_done(&out);
        }
}

static void test_the_operators_money_is_not_told(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *message, *code;
    } cases[] = {
        {402, "Insufficient credits. Add more using https://openrouter.ai/credits",
         "out_of_credits"},
        {403, "Workspace monthly budget of $500.00 exceeded. Contact your org admin.",
         "insufficient_quota"},
        {402,
         "This request would exceed your available credits given your current in-flight requests.",
         "budget_held"},
        {401, "User not found.", "upstream_error"},
        {401, "Missing Authentication header", "upstream_error"},
        {401, "Provider returned error", "upstream_error"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char told[512];
        snprintf(
            told, sizeof(told),
            "{\"error\":{\"message\":\"%s\",\"metadata\":{\"error_type\":\"authentication\"}}}",
            cases[i].message);
        yyjson_doc *doc = body_of(cases[i].status, told);
        const char *message = yyjson_get_str(yyjson_doc_ptr_get(doc, "/error/message"));
        assert_true(message && *message);
        assert_null(strstr(message, "Insufficient"));
        assert_null(strstr(message, "$500"));
        assert_null(strstr(message, "credits given"));
        assert_string_not_equal(message, cases[i].message);
        assert_text(doc, "/error/code", cases[i].code);
        yyjson_doc_free(doc);
    }
}

static void test_harmless_metadata_passes(void **state)
{
    (void)state;
    yyjson_doc *doc = body_of(403, "{\"error\":{\"message\":\"Flagged\",\"metadata\":{\"reasons\":["
                                   "\"violence\",\"hate\"],\"flagged_input\":\"x\","
                                   "\"provider_name\":\"OpenAI\",\"error_type\":\"content_policy_"
                                   "violation\",\"patterns\":[\"p\"]}}}");
    assert_text(doc, "/error/metadata/provider_name", "OpenAI");
    assert_text(doc, "/error/metadata/error_type", "content_policy_violation");
    assert_text(doc, "/error/metadata/reasons/1", "hate");
    assert_text(doc, "/error/metadata/patterns/0", "p");
    assert_int_equal(yyjson_obj_size(yyjson_doc_ptr_get(doc, "/error/metadata")), 4);
    yyjson_doc_free(doc);
}

#define NOW_MS INT64_C(1795132800000)
#define PER_MINUTE "Rate limit exceeded: free-models-per-min."
#define PER_DAY \
    "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests " \
    "per day"
#define LIMIT_HEADERS(reset) \
    "\"headers\":{\"X-RateLimit-Limit\":\"50\",\"X-RateLimit-Remaining\":\"0\"," \
    "\"X-RateLimit-Reset\":" reset "}"

/* Whose limit a 429 is decides whether everybody's free requests stop. */
static void test_the_accounts_free_limits(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *message, *metadata;
        enum free_window window;
        int64_t resets_ms;
    } cases[] = {
        {429, PER_MINUTE,
         "{" LIMIT_HEADERS(
             "\"1786912200000\"") ",\"limit_source\":\"openrouter_free_tier_per_minute\"}",
         FREE_WINDOW_MINUTE, INT64_C(1786912200000)},
        {429, PER_DAY,
         "{" LIMIT_HEADERS("\"1786912200000\"") ",\"limit_source\":\"openrouter_free_tier_daily\"}",
         FREE_WINDOW_DAY, INT64_C(1786912200000)},
        {429, "Rate limit exceeded: free-models-per-day-high-balance.",
         "{" LIMIT_HEADERS("\"1786912200000\"") "}", FREE_WINDOW_DAY, INT64_C(1786912200000)},
        {429, PER_MINUTE, "null", FREE_WINDOW_MINUTE, 0},
        {429, PER_DAY, "{}", FREE_WINDOW_DAY, 0},
        {429, "Any new text", "{\"limit_source\":\"openrouter_free_tier_daily\"}", FREE_WINDOW_DAY,
         0},
        {429, PER_DAY, "{" LIMIT_HEADERS("1786912200000") "}", FREE_WINDOW_DAY,
         INT64_C(1786912200000)},
        {429, PER_DAY, "{" LIMIT_HEADERS("\"1786912200\"") "}", FREE_WINDOW_DAY,
         INT64_C(1786912200000)},
        {429, PER_MINUTE, "{" LIMIT_HEADERS("60") "}", FREE_WINDOW_MINUTE, NOW_MS + 60000},
        {429, PER_MINUTE, "{\"headers\":{\"x-ratelimit-reset\":\"7\"}}", FREE_WINDOW_MINUTE,
         NOW_MS + 7000},
        {429, PER_MINUTE, "{" LIMIT_HEADERS("\"soon\"") "}", FREE_WINDOW_MINUTE, 0},
        {429, PER_MINUTE, "{" LIMIT_HEADERS("\"\"") "}", FREE_WINDOW_MINUTE, 0},
        {429, PER_MINUTE, "{" LIMIT_HEADERS("-5") "}", FREE_WINDOW_MINUTE, 0},
        {429, PER_MINUTE, "{" LIMIT_HEADERS("1.5e12") "}", FREE_WINDOW_MINUTE, 0},
        {429, PER_MINUTE, "{" LIMIT_HEADERS("{}") "}", FREE_WINDOW_MINUTE, 0},
        {429, PER_MINUTE, "{\"headers\":[1,2]}", FREE_WINDOW_MINUTE, 0},
        {429, "Provider returned error",
         "{\"raw\":\"m:free is temporarily rate-limited upstream\",\"provider_name\":\"P\","
         "\"limit_source\":\"upstream_provider_shared_pool\"}",
         FREE_WINDOW_NONE, 0},
        {429, "Rate limit exceeded", "{" LIMIT_HEADERS("\"1786912200000\"") "}", FREE_WINDOW_NONE,
         INT64_C(1786912200000)},
        {402, PER_DAY, "{\"limit_source\":\"openrouter_free_tier_daily\"}", FREE_WINDOW_NONE, 0},
        {503, PER_MINUTE, "{}", FREE_WINDOW_NONE, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (unsigned shape = 0; shape < SHAPE_COUNT; shape++) {
            struct row row = {cases[i].status, cases[i].message, cases[i].metadata,
                              UPSTREAM_ERROR_RATE};
            char body[2048];
            compose((enum shape)shape, &row, body, sizeof(body));
            struct upstream_error error = read_text(row.status, body);
            if (error.free_window != cases[i].window ||
                upstream_error_reset_ms(&error, NOW_MS) != cases[i].resets_ms)
                fail_msg("case %zu, shape %u: window %d, resets %lld", i, shape,
                         (int)error.free_window,
                         (long long)upstream_error_reset_ms(&error, NOW_MS));
        }
}

static void test_class_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "client",  "key",       "missing_auth",  "provider_auth", "byok_auth", "key_limit",
        "credits", "in_flight", "too_expensive", "budget",        "rate",      "busy"};
    for (int i = UPSTREAM_ERROR_CLIENT; i <= UPSTREAM_ERROR_BUSY; i++)
        assert_string_equal(upstream_error_class_name((enum upstream_error_class)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_in_every_shape),
        cmocka_unit_test(test_bodies_that_say_nothing_are_read_by_status),
        cmocka_unit_test(test_a_body_too_large_to_be_an_error_is_not_parsed),
        cmocka_unit_test(test_errors_that_came_as_200),
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_lists_that_are_too_long_are_cut_between_texts),
        cmocka_unit_test(test_what_the_client_gets),
        cmocka_unit_test(test_html_becomes_json),
        cmocka_unit_test(test_nothing_private_passes),
        cmocka_unit_test(test_the_operators_money_is_not_told),
        cmocka_unit_test(test_harmless_metadata_passes),
        cmocka_unit_test(test_the_accounts_free_limits),
        cmocka_unit_test(test_class_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

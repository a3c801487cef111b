#include "texts.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "money.h"

#define KEYS_URL "https://openrouter.ai/settings/keys"
#define CREDITS_URL "https://openrouter.ai/settings/credits"
#define KEY_LIMIT(period, json_scope) \
    .status = 403, .message = "Key limit exceeded (" period " limit). Manage it using " KEYS_URL, \
    .metadata = "{\"error_type\":\"permission_denied\",\"limit_source\":" \
                "\"openrouter_key_limit\",\"scope\":" json_scope ",\"limit_usd\":$LIMIT," \
                "\"spend_usd\":$SPEND,\"resets_at\":$RESET_AT}"
#define FREE_LIMIT(source, limit) \
    "{\"headers\":{\"X-RateLimit-Limit\":\"" limit "\",\"X-RateLimit-Remaining\":\"0\"," \
    "\"X-RateLimit-Reset\":\"$RESET_MS\"},\"limit_source\":\"" source "\"}"
#define HTML(title) \
    "<html>\r\n<head><title>" title "</title></head>\r\n<body>\r\n<center><h1>" title \
    "</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"

static const struct canned table[] = {
    {.name = "user_not_found", .status = 401, .message = "User not found."},
    {.name = "missing_authentication", .status = 401, .message = "Missing Authentication header"},
    {.name = "no_cookie", .status = 401, .message = "No cookie auth credentials found"},
    {.name = "no_auth", .status = 401, .message = "No auth credentials found"},
    {.name = "invalid_credentials",
     .status = 401,
     .message = "Invalid credentials",
     .metadata = "{\"error_type\":\"authentication\"}"},
    {.name = "invalid_api_key",
     .status = 401,
     .message = "Invalid API key",
     .metadata = "{\"error_type\":\"authentication\"}"},
    {.name = "provider_401",
     .status = 401,
     .message = "Provider returned error",
     .metadata =
         "{\"raw\":\"invalid x-api-key\",\"provider_name\":\"Anthropic\",\"is_byok\":false}"},
    {.name = "provider_401_byok",
     .status = 401,
     .message = "Provider returned error",
     .metadata =
         "{\"raw\":\"Invalid API key: HTTP 503\",\"provider_name\":\"OpenAI\",\"is_byok\":true}"},
    {.name = "insufficient_credits",
     .status = 402,
     .message = "Insufficient credits. Add more using https://openrouter.ai/credits",
     .metadata = "{\"error_type\":\"payment_required\",\"limit_source\":\"openrouter_credits\"}"},
    {.name = "never_purchased",
     .status = 402,
     .message =
         "Insufficient credits. This account never purchased credits. Make sure your key is on "
         "the correct account or org, and if so, purchase more at " CREDITS_URL,
     .metadata = "{\"limit_source\":\"openrouter_credits\"}"},
    {.name = "more_credits",
     .status = 402,
     .message = "This request requires more credits, or fewer max_tokens. You requested up to "
                "65536 tokens, but can only afford 1234. To increase, visit " CREDITS_URL
                " and add more credits",
     .metadata = "{\"provider_name\":null}"},
    {.name = "more_credits_key",
     .status = 402,
     .message =
         "This request requires more credits, or fewer max_tokens. You requested up to 65536 "
         "tokens, but can only afford 1234. To increase, visit " KEYS_URL
         " and create a key with a higher monthly limit",
     .metadata = "{\"provider_name\":null,\"limit_source\":\"openrouter_key_limit\"}"},
    {.name = "prompt_tokens_limit",
     .status = 402,
     .message = "Prompt tokens limit exceeded: 9000 > 1200. To increase, visit " CREDITS_URL
                " and add more credits",
     .metadata = "{\"limit_source\":\"openrouter_credits\"}"},
    {.name = "weight_exceeds_budget",
     .status = 402,
     .message = "This request's maximum cost exceeds your available credits. Add credits, or "
                "lower max_tokens or prompt size.",
     .metadata = "{\"reason\":\"weight_exceeds_budget\",\"limit_source\":\"openrouter_credits\"}"},
    {.name = "in_flight_budget",
     .status = 402,
     .message = "This request would exceed your available credits given your current in-flight "
                "requests. Retry after in-flight requests settle, or add credits.",
     .metadata = "{\"reason\":\"in_flight_budget_exhausted\",\"limit_source\":\"openrouter_in_"
                 "flight_budget\"}",
     .headers = "retry-after: 5\r\n"},
    {.name = "key_limit_402",
     .status = 402,
     .message = "Key limit exceeded (monthly limit). Manage it using " KEYS_URL,
     .metadata = "{\"limit_source\":\"openrouter_key_limit\"}"},
    {.name = "key_limit_total", KEY_LIMIT("total", "null")},
    {.name = "key_limit_daily", KEY_LIMIT("daily", "\"daily\"")},
    {.name = "key_limit_weekly", KEY_LIMIT("weekly", "\"weekly\"")},
    {.name = "key_limit_monthly", KEY_LIMIT("monthly", "\"monthly\"")},
    {.name = "key_limit_workspace",
     .status = 403,
     .message = "Key limit exceeded (monthly limit). Manage it using "
                "https://openrouter.ai/workspaces/default/keys/$HASH"},
    {.name = "key_limit_old",
     .status = 403,
     .message = "Key limit exceeded. Manage it using " KEYS_URL},
    {.name = "guardrail_budget",
     .status = 403,
     .message = "Budget limit exceeded (monthly limit). Contact your org admin.",
     .metadata = "{\"limit_source\":\"openrouter_guardrail_budget\"}"},
    {.name = "workspace_budget",
     .status = 403,
     .message = "Workspace monthly budget of $500.00 exceeded. Contact your org admin.",
     .metadata = "{\"limit_source\":\"openrouter_workspace_budget\"}"},
    {.name = "management_only",
     .status = 403,
     .message = "Only management keys can perform this operation"},
    {.name = "management_no_inference",
     .status = 403,
     .message = "Management keys cannot be used for inference"},
    {.name = "prompt_injection",
     .status = 403,
     .message = "Request blocked: prompt injection patterns detected",
     .metadata = "{\"patterns\":[\"ignore_previous\"]}"},
    {.name = "moderation",
     .status = 403,
     .message = "Your chosen model requires moderation and your input was flagged",
     .metadata = "{\"reasons\":[\"violence\"],\"flagged_input\":\"FLAGGED USER "
                 "TEXT\",\"provider_name\":\"OpenAI\","
                 "\"model_slug\":\"openai/gpt-4o\"}"},
    {.name = "no_endpoints", .status = 404, .message = "No endpoints found for sim/gone."},
    {.name = "guardrail_no_endpoints",
     .status = 404,
     .message = "No endpoints available matching your guardrail restrictions and data policy. "
                "Configure: https://openrouter.ai/settings/privacy"},
    {.name = "no_allowed_providers",
     .status = 404,
     .message = "No allowed providers are available for the selected model."},
    {.name = "key_not_found", .status = 404, .message = "API key not found"},
    {.name = "generation_not_found", .status = 404, .message = "Generation not found"},
    {.name = "route_not_found", .status = 404, .message = "Not Found"},
    {.name = "invalid_model", .status = 400, .message = "sim/unknown is not a valid model ID"},
    {.name = "context_length",
     .status = 400,
     .message =
         "This endpoint's maximum context length is 8192 tokens. However, you requested about "
         "20000 tokens. Please reduce the length of either one.",
     .metadata = "{\"error_type\":\"context_length_exceeded\"}"},
    {.name = "timeout_408",
     .status = 408,
     .message = "Request timed out",
     .metadata = "{\"error_type\":\"timeout\"}"},
    {.name = "too_large_413",
     .status = 413,
     .message = "Request body too large",
     .metadata = "{\"error_type\":\"payload_too_large\"}"},
    {.name = "unprocessable_422",
     .status = 422,
     .message = "Unprocessable request",
     .metadata = "{\"error_type\":\"unprocessable\"}"},
    {.name = "rate_limited",
     .status = 429,
     .message = "Rate limit exceeded",
     .metadata = "{\"error_type\":\"rate_limit_exceeded\"}",
     .headers = "retry-after: 1\r\n"},
    {.name = "rate_limited_free",
     .status = 429,
     .message = "Rate limit exceeded: free-models-per-min.",
     .metadata = FREE_LIMIT("openrouter_free_tier_per_minute", "20")},
    {.name = "rate_limited_free_day",
     .status = 429,
     .message = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free "
                "model requests per day",
     .metadata = FREE_LIMIT("openrouter_free_tier_daily", "50")},
    {.name = "rate_limited_free_day_high",
     .status = 429,
     .message = "Rate limit exceeded: free-models-per-day-high-balance.",
     .metadata = FREE_LIMIT("openrouter_free_tier_daily", "1000")},
    {.name = "provider_429",
     .status = 429,
     .message = "Provider returned error",
     .metadata =
         "{\"raw\":\"sim/echo is temporarily rate-limited upstream. Please retry "
         "shortly.\",\"provider_name\":"
         "\"Simulator\",\"is_byok\":false,\"limit_source\":\"upstream_provider_shared_pool\"}"},
    {.name = "internal_500",
     .status = 500,
     .message = "Internal Server Error",
     .metadata = "{\"error_type\":\"server\"}"},
    {.name = "empty_500", .status = 500, .html = ""},
    {.name = "provider_502",
     .status = 502,
     .message = "Provider returned error",
     .metadata = "{\"error_type\":\"provider_unavailable\",\"provider_name\":\"Simulator\"}"},
    {.name = "html_502", .status = 502, .html = HTML("502 Bad Gateway")},
    {.name = "overloaded_503",
     .status = 503,
     .message = "Provider overloaded",
     .metadata = "{\"error_type\":\"provider_overloaded\"}",
     .headers = "retry-after: 2\r\n"},
    {.name = "overloaded_503_html",
     .status = 503,
     .html = HTML("503 Service Temporarily Unavailable")},
    {.name = "timeout_504",
     .status = 504,
     .message = "Provider timed out",
     .metadata = "{\"error_type\":\"timeout\"}"},
    {.name = "html_524", .status = 524, .html = HTML("524: A timeout occurred")},
    {.name = "overloaded_529",
     .status = 529,
     .message = "Provider overloaded",
     .metadata = "{\"error_type\":\"provider_overloaded\"}"},
    {.name = "error_in_200",
     .status = 200,
     .raw = "{\"error\":{\"code\":502,\"message\":\"Provider returned "
            "error\",\"metadata\":{\"error_type\":"
            "\"provider_unavailable\"}},\"user_id\":\"user_simulator\"}"},
    {.name = "error_in_choice_200",
     .status = 200,
     .raw = "{\"id\":\"gen-0\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"sim/"
            "echo\",\"choices\":[{\"index\":0,"
            "\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":\"error\","
            "\"error\":{\"code\":502,"
            "\"message\":\"Provider returned error\"}}]}"},
    {.name = "empty_choices_200",
     .status = 200,
     .raw = "{\"id\":\"gen-0\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"sim/"
            "echo\",\"choices\":[]}"},
};

struct anthropic_type {
    int status;
    const char *name;
};

static const struct anthropic_type anthropic_types[] = {
    {400, "invalid_request_error"},
    {401, "authentication_error"},
    {402, "billing_error"},
    {403, "permission_error"},
    {404, "not_found_error"},
    {408, "timeout_error"},
    {429, "rate_limit_error"},
    {503, "overloaded_error"},
    {504, "timeout_error"},
    {529, "overloaded_error"},
    {0, "api_error"},
};

static void write_expanded(struct text *text, const char *template,
                           const struct text_values *values);
static void write_value(struct text *text, const char *name, const struct text_values *values);
static bool write_whole(const struct canned *canned, struct text *ret_body);
static const char *anthropic_type_of(int status);

const struct canned *canned_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const struct canned *canned_for_status(int status)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].status == status && table[i].message)
            return &table[i];
    return canned_find("internal_500");
}

void canned_list(struct json json, yyjson_mut_val *array)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct json row = json_append(json, array);
        json_put_string(row, "text", table[i].name);
        json_put_integer(row, "status", table[i].status);
        json_put_string(row, "message", table[i].message);
    }
}

void canned_write(const struct canned *canned, const struct text_values *values,
                  struct text *ret_body)
{
    if (write_whole(canned, ret_body))
        return;
    text_add_string(ret_body, "{\"error\":{\"message\":\"");
    write_expanded(ret_body, canned->message, values);
    text_format(ret_body, "\",\"code\":%d", canned->status);
    if (canned->metadata) {
        text_add_string(ret_body, ",\"metadata\":");
        write_expanded(ret_body, canned->metadata, values);
    }
    text_add_string(ret_body, "},\"user_id\":\"user_simulator\"}");
}

void canned_write_anthropic(const struct canned *canned, const struct text_values *values,
                            struct text *ret_body)
{
    if (write_whole(canned, ret_body))
        return;
    text_format(ret_body, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"",
                anthropic_type_of(canned->status));
    write_expanded(ret_body, canned->message, values);
    text_add_string(ret_body, "\"},\"request_id\":null}");
}

void plain_error_write(int status, const char *message, struct text *ret_body)
{
    text_add_string(ret_body, "{\"error\":{\"message\":");
    text_add_json(ret_body, message);
    text_format(ret_body, ",\"code\":%d}}", status);
}

static bool write_whole(const struct canned *canned, struct text *ret_body)
{
    const char *whole = canned->html ? canned->html : canned->raw;
    if (whole)
        text_add_string(ret_body, whole);
    return whole != NULL;
}

static const char *anthropic_type_of(int status)
{
    const struct anthropic_type *type = anthropic_types;
    while (type->status && type->status != status)
        type++;
    return type->name;
}

static void write_expanded(struct text *text, const char *template,
                           const struct text_values *values)
{
    const char *mark;
    for (; (mark = strchr(template, '$')); template = mark) {
        text_add(text, template, (size_t)(mark - template));
        size_t length = strspn(mark + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        char name[16] = "";
        if (length < sizeof name)
            memcpy(name, mark + 1, length);
        write_value(text, name, values);
        mark += 1 + length;
    }
    text_add_string(text, template);
}

static void write_value(struct text *text, const char *name, const struct text_values *values)
{
    char buffer[USD_TEXT];
    if (strcmp(name, "HASH") == 0) {
        text_add_string(text, values->key_hash);
    } else if (strcmp(name, "RESET_MS") == 0) {
        text_format(text, "%" PRId64, values->reset_ms);
    } else if (strcmp(name, "RESET_AT") == 0 && values->reset_ms > 0) {
        clock_write_iso(buffer, values->reset_ms);
        text_add_json(text, buffer);
    } else if (strcmp(name, "RESET_AT") == 0) {
        text_add_string(text, "null");
    } else if (strcmp(name, "LIMIT") == 0) {
        usd_write(buffer, values->limit_nano_usd, USD_DECIMAL);
        text_add_string(text, buffer);
    } else if (strcmp(name, "SPEND") == 0) {
        usd_write(buffer, values->spend_nano_usd, USD_DECIMAL);
        text_add_string(text, buffer);
    } else {
        text_format(text, "$%s", name);
    }
}

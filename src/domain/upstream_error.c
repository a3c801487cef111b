#include "domain/upstream_error.h"

#include <assert.h>
#include <yyjson.h>

#include "base/fault.h"
#include "base/json_write.h"

enum { BODY_MAX = 256 * 1024, LIST_ITEM_MAX = 96 };
#define LEAST_EPOCH_MS INT64_C(100000000000) /* 1973 in milliseconds, the year 5138 in seconds */
#define LEAST_EPOCH_S INT64_C(1000000000)    /* 2001 */

/* What the body told, before anything is concluded from it. */
struct told {
    int status;
    struct span message, error_type, provider_name, limit_source, reason;
    bool is_byok;
};

#define QUOTA "insufficient_quota"
#define SERVER "server_error"

/* What a client gets for a class. The sentence is the one here, or a fault's, or else what was told; type and code that
 * are not here go by status. */
static const struct class_row {
    const char *name, *type, *code, *sentence;
    enum fault fault;
} classes[] = {
    [UPSTREAM_ERROR_CLIENT] = {.name = "client"},
    [UPSTREAM_ERROR_KEY] = {"key", SERVER, "upstream_error", .fault = FAULT_UPSTREAM_REFUSED},
    [UPSTREAM_ERROR_MISSING_AUTH] = {"missing_auth", SERVER, "upstream_error",
                                     .fault = FAULT_UPSTREAM_REFUSED},
    [UPSTREAM_ERROR_PROVIDER_AUTH] = {"provider_auth", SERVER, "upstream_error",
                                      .fault = FAULT_PROVIDER_REFUSED},
    [UPSTREAM_ERROR_BYOK_AUTH] = {"byok_auth", "invalid_request_error", "provider_key_refused",
                                  .sentence = "The model's provider refused your own provider key. "
                                              "Replace it and retry."},
    [UPSTREAM_ERROR_KEY_LIMIT] = {.name = "key_limit", .type = QUOTA, .code = QUOTA},
    [UPSTREAM_ERROR_CREDITS] = {"credits", SERVER, "out_of_credits", .fault = FAULT_OUT_OF_CREDITS},
    [UPSTREAM_ERROR_IN_FLIGHT] = {"in_flight", QUOTA, "budget_held",
                                  .sentence = "Running requests hold the remaining budget. "
                                              "Retry when some have ended."},
    [UPSTREAM_ERROR_TOO_EXPENSIVE] = {.name = "too_expensive", .type = QUOTA, .code = QUOTA},
    [UPSTREAM_ERROR_BUDGET] = {"budget", QUOTA, QUOTA,
                               .sentence = "The budget set by the operator is used up for now. "
                                           "Ask the operator."},
    [UPSTREAM_ERROR_RATE] = {.name = "rate"},
    [UPSTREAM_ERROR_BUSY] = {.name = "busy"},
};

static const struct status_row {
    int status;
    const char *type, *code;
} statuses[] = {
    {402, QUOTA, QUOTA},
    {403, "permission_error", "permission_denied"},
    {404, "not_found_error", "not_found"},
    {408, "invalid_request_error", "request_timeout"},
    {413, "invalid_request_error", "request_too_large"},
    {422, "invalid_request_error", "unprocessable"},
    {429, "rate_limit_error", "rate_limit_exceeded"},
    {503, "server_error", "upstream_unavailable"},
    {504, "server_error", "upstream_timeout"},
};

/* metadata.limit_source (402, 403, 429) says whose money or rate it is. */
static const struct source_row {
    const char *source;
    enum upstream_error_class class;
} sources[] = {
    {"openrouter_key_limit", UPSTREAM_ERROR_KEY_LIMIT},
    {"openrouter_in_flight_budget", UPSTREAM_ERROR_IN_FLIGHT},
    {"openrouter_guardrail_budget", UPSTREAM_ERROR_BUDGET},
    {"openrouter_workspace_budget", UPSTREAM_ERROR_BUDGET},
    {"openrouter_credits", UPSTREAM_ERROR_CREDITS},
    {"openrouter_free_tier_per_minute", UPSTREAM_ERROR_RATE},
    {"openrouter_free_tier_daily", UPSTREAM_ERROR_RATE},
    {"upstream_provider_shared_pool", UPSTREAM_ERROR_RATE},
};

/* The texts, the first that fits; `also` must be in it too. */
static const struct text_row {
    int status;
    const char *part, *also;
    enum upstream_error_class class;
} texts[] = {
    {401, "Provider returned error", NULL, UPSTREAM_ERROR_PROVIDER_AUTH},
    {401, "Missing Authentication header", NULL, UPSTREAM_ERROR_MISSING_AUTH},
    {401, "No cookie auth credentials found", NULL, UPSTREAM_ERROR_MISSING_AUTH},
    {401, "No auth credentials found", NULL, UPSTREAM_ERROR_MISSING_AUTH},
    {402, "Key limit exceeded", NULL, UPSTREAM_ERROR_KEY_LIMIT},
    {402, "in-flight requests", NULL, UPSTREAM_ERROR_IN_FLIGHT},
    {402, "Insufficient credits", NULL, UPSTREAM_ERROR_CREDITS},
    {402, "requires more credits, or fewer max_tokens", "/keys", UPSTREAM_ERROR_KEY_LIMIT},
    {402, "Prompt tokens limit exceeded", "/keys", UPSTREAM_ERROR_KEY_LIMIT},
    {402, "requires more credits, or fewer max_tokens", NULL, UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "Prompt tokens limit exceeded", NULL, UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "maximum cost exceeds your available credits", NULL, UPSTREAM_ERROR_TOO_EXPENSIVE},
    {402, "Budget limit exceeded", NULL, UPSTREAM_ERROR_BUDGET},
    {402, "Workspace ", " budget of ", UPSTREAM_ERROR_BUDGET},
    {402, "Provider returned error", NULL, UPSTREAM_ERROR_PROVIDER_AUTH},
    {403, "Key limit exceeded", NULL, UPSTREAM_ERROR_KEY_LIMIT},
    {403, "Budget limit exceeded", NULL, UPSTREAM_ERROR_BUDGET},
    {403, "Workspace ", " budget of ", UPSTREAM_ERROR_BUDGET},
};

/* Which limit on free models a 429 means, by its source or by its text. */
static const struct free_row {
    const char *source, *part;
    enum free_window window;
} free_limits[] = {
    {"openrouter_free_tier_per_minute", "free-models-per-min", FREE_WINDOW_MINUTE},
    {"openrouter_free_tier_daily", "free-models-per-day", FREE_WINDOW_DAY},
};

static void told_read(yyjson_val *root, struct told *ret_told, struct upstream_error *ret_error);
static yyjson_val *error_of(yyjson_val *root);
static struct span text_of(yyjson_val *object, const char *name);
static struct span first_text(struct span a, struct span b);
static void list_read(yyjson_val *list, char *ret_text, size_t capacity);
static enum upstream_error_class classify(const struct told *told);
static enum upstream_error_class classify_money(const struct told *told);
static const struct text_row *text_row_of(const struct told *told);
static const struct source_row *source_row_of(struct span source);
static enum free_window free_window_of(const struct told *told);
static int64_t reset_of(yyjson_val *headers);
static struct status_row status_row_of(int status);
static void put_metadata(struct json *j, const struct upstream_error *error);
static void put_text(struct json *j, const char *name, struct span text);

void upstream_error_read(int status, struct span body, struct upstream_error *ret_error)
{
    *ret_error = (struct upstream_error){.class = UPSTREAM_ERROR_BUSY};
    struct told told = {.status = status};
    yyjson_doc *doc = body.size > 0 && body.size <= BODY_MAX
                          ? yyjson_read(body.at, body.size, YYJSON_READ_BIGNUM_AS_RAW)
                          : NULL;
    told_read(yyjson_doc_get_root(doc), &told, ret_error);
    ret_error->class = classify(&told);
    ret_error->free_window = free_window_of(&told);
    upstream_message_clean(told.message, ret_error->message, sizeof(ret_error->message));
    upstream_message_clean(told.error_type, ret_error->error_type, sizeof(ret_error->error_type));
    upstream_message_clean(told.provider_name, ret_error->provider_name,
                           sizeof(ret_error->provider_name));
    yyjson_doc_free(doc);
}

const char *upstream_error_class_name(enum upstream_error_class class)
{
    assert((size_t) class < sizeof(classes) / sizeof(*classes));
    return classes[class].name;
}

int64_t upstream_error_reset_ms(const struct upstream_error *error, int64_t now_ms)
{
    if (error->free_reset >= LEAST_EPOCH_MS || error->free_reset == 0)
        return error->free_reset;
    return error->free_reset * 1000 + (error->free_reset >= LEAST_EPOCH_S ? 0 : now_ms);
}

bool upstream_error_body(const struct upstream_error *error, int status, struct span request_id,
                         struct buffer *out)
{
    const struct class_row *row = &classes[error->class];
    const struct status_row by_status = status_row_of(status);
    struct span message = span_of(error->message), code = span_of(error->error_type);
    if (row->sentence)
        message = span_of(row->sentence);
    else if (row->fault != FAULT_NONE)
        message = span_of(fault_row(row->fault)->message);
    else if (message.size == 0)
        message = SPAN("OpenRouter answered with an error and said no more. Retry later or change "
                       "the request.");
    if (row->code || code.size == 0)
        code = span_of(row->code ? row->code : by_status.code);

    struct json j = json_into(out);
    json_open(&j, '{');
    json_name(&j, "error");
    json_open(&j, '{');
    put_text(&j, "message", message);
    put_text(&j, "type", span_of(row->type ? row->type : by_status.type));
    put_text(&j, "code", code);
    put_text(&j, "param", SPAN_NONE);
    put_text(&j, "request_id", request_id);
    put_metadata(&j, error);
    json_close(&j, '}');
    json_close(&j, '}');
    return json_ok(&j);
}

static void told_read(yyjson_val *root, struct told *ret_told, struct upstream_error *ret_error)
{
    yyjson_val *error = error_of(root), *metadata = yyjson_obj_get(error, "metadata");
    yyjson_val *code = yyjson_obj_get(error, "code");
    struct span kind = text_of(error, "type");
    ret_told->message = yyjson_is_str(error)
                            ? (struct span){yyjson_get_str(error), yyjson_get_len(error)}
                            : first_text(text_of(error, "message"), text_of(root, "message"));
    ret_told->error_type =
        first_text(text_of(metadata, "error_type"), text_of(error, "error_type"));
    ret_told->error_type = first_text(ret_told->error_type, text_of(root, "error_type"));
    ret_told->error_type = first_text(ret_told->error_type, kind);
    ret_told->provider_name = text_of(metadata, "provider_name");
    ret_told->limit_source = text_of(metadata, "limit_source");
    ret_told->reason = text_of(metadata, "reason");
    ret_told->is_byok = yyjson_is_true(yyjson_obj_get(metadata, "is_byok"));
    if (ret_told->status < 400 && yyjson_get_int(code) >= 400)
        ret_told->status = yyjson_get_int(code); /* an error that came as 200 */
    list_read(yyjson_obj_get(metadata, "reasons"), ret_error->reasons, sizeof(ret_error->reasons));
    list_read(yyjson_obj_get(metadata, "patterns"), ret_error->patterns,
              sizeof(ret_error->patterns));
    ret_error->free_reset = reset_of(yyjson_obj_get(metadata, "headers"));
    ret_error->retry_hinted =
        yyjson_is_true(yyjson_obj_get(yyjson_obj_get(error, "availability"), "retryable"));
}

/* Chat and Messages: error. A failed Responses event: response.error. A choice that failed: choices[0].error. */
static yyjson_val *error_of(yyjson_val *root)
{
    yyjson_val *const places[] = {
        yyjson_obj_get(root, "error"),
        yyjson_obj_get(yyjson_obj_get(root, "response"), "error"),
        yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(root, "choices")), "error"),
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (yyjson_is_obj(places[i]) || yyjson_is_str(places[i]))
            return places[i];
    return NULL;
}

static struct span text_of(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_str(value) ? (struct span){yyjson_get_str(value), yyjson_get_len(value)}
                                : SPAN_NONE;
}

static struct span first_text(struct span a, struct span b)
{
    return a.size > 0 ? a : b;
}

/* The texts of the list as a JSON array, as many as fit; a text that would need escapes is left out. */
static void list_read(yyjson_val *list, char *ret_text, size_t capacity)
{
    size_t size = 0, i, count;
    yyjson_val *item;
    yyjson_arr_foreach (list, i, count, item) {
        char text[LIST_ITEM_MAX];
        upstream_message_clean((struct span){yyjson_get_str(item), yyjson_get_len(item)}, text,
                               sizeof(text));
        size_t length = strlen(text);
        if (!yyjson_is_str(item) || length == 0 || strpbrk(text, "\"\\") ||
            size + length + 5 > capacity)
            continue;
        memcpy(ret_text + size, size == 0 ? "[\"" : ",\"", 2);
        size += 2;
        memcpy(ret_text + size, text, length);
        size += length;
        ret_text[size++] = '"';
    }
    if (size > 0)
        ret_text[size++] = ']';
    ret_text[size] = '\0';
}

static enum upstream_error_class classify(const struct told *told)
{
    if (told->status == 401 && told->is_byok)
        return UPSTREAM_ERROR_BYOK_AUTH;
    if (told->status == 401 && told->provider_name.size > 0)
        return UPSTREAM_ERROR_PROVIDER_AUTH;
    if (told->status == 402 || told->status == 403 || told->status == 429)
        return classify_money(told);
    const struct text_row *text = text_row_of(told);
    if (text)
        return text->class;
    if (told->status == 401)
        return UPSTREAM_ERROR_KEY;
    return told->status >= 400 && told->status < 500 ? UPSTREAM_ERROR_CLIENT : UPSTREAM_ERROR_BUSY;
}

/* The source decides whose limit it is; of the account's credits, reason and text say whether a smaller request fits. */
static enum upstream_error_class classify_money(const struct told *told)
{
    const struct source_row *source = source_row_of(told->limit_source);
    const struct text_row *text = text_row_of(told);
    bool too_heavy = span_equal(told->reason, SPAN("weight_exceeds_budget")) ||
                     (text && text->class == UPSTREAM_ERROR_TOO_EXPENSIVE);
    if (source && source->class == UPSTREAM_ERROR_CREDITS && too_heavy)
        return UPSTREAM_ERROR_TOO_EXPENSIVE;
    if (source)
        return source->class;
    if (span_equal(told->reason, SPAN("in_flight_budget_exhausted")))
        return UPSTREAM_ERROR_IN_FLIGHT;
    if (span_equal(told->reason, SPAN("weight_exceeds_budget")))
        return UPSTREAM_ERROR_TOO_EXPENSIVE;
    if (text && text->class == UPSTREAM_ERROR_PROVIDER_AUTH && told->is_byok)
        return UPSTREAM_ERROR_BYOK_AUTH;
    if (text)
        return text->class;
    if (told->status == 402)
        return UPSTREAM_ERROR_CREDITS;
    return told->status == 429 ? UPSTREAM_ERROR_RATE : UPSTREAM_ERROR_CLIENT;
}

static const struct text_row *text_row_of(const struct told *told)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (texts[i].status == told->status &&
            span_contains(told->message, span_of(texts[i].part)) &&
            (!texts[i].also || span_contains(told->message, span_of(texts[i].also))))
            return &texts[i];
    return NULL;
}

static const struct source_row *source_row_of(struct span source)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
        if (span_equal(source, span_of(sources[i].source)))
            return &sources[i];
    return NULL;
}

static enum free_window free_window_of(const struct told *told)
{
    for (size_t i = 0; told->status == 429 && i < sizeof(free_limits) / sizeof(*free_limits); i++)
        if (span_equal(told->limit_source, span_of(free_limits[i].source)) ||
            span_contains(told->message, span_of(free_limits[i].part)))
            return free_limits[i].window;
    return FREE_WINDOW_NONE;
}

/* A text or a number; 0 for what is no such time. */
static int64_t reset_of(yyjson_val *headers)
{
    int64_t reset = 0;
    size_t i, count;
    yyjson_val *name, *value;

    yyjson_obj_foreach (headers, i, count, name, value) {
        struct span is = {yyjson_get_str(name), yyjson_get_len(name)};
        struct span text = {yyjson_get_str(value), yyjson_get_len(value)};
        if (!span_equal_nocase(is, SPAN("X-RateLimit-Reset")))
            continue;
        if (yyjson_is_int(value))
            reset = yyjson_get_sint(value);
        else if (!yyjson_is_str(value) || !span_i64(text, &reset))
            reset = 0;
    }
    return reset > 0 ? reset : 0;
}

static struct status_row status_row_of(int status)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
        if (statuses[i].status == status)
            return statuses[i];
    return status >= 400 && status < 500
               ? (struct status_row){status, "invalid_request_error", "invalid_request"}
               : (struct status_row){status, "server_error", "upstream_error"};
}

static void put_metadata(struct json *j, const struct upstream_error *error)
{
    if (!error->provider_name[0] && !error->error_type[0] && !error->reasons[0] &&
        !error->patterns[0])
        return;
    json_name(j, "metadata");
    json_open(j, '{');
    if (error->provider_name[0])
        put_text(j, "provider_name", span_of(error->provider_name));
    if (error->error_type[0])
        put_text(j, "error_type", span_of(error->error_type));
    if (error->reasons[0]) {
        json_name(j, "reasons");
        json_raw(j, span_of(error->reasons));
    }
    if (error->patterns[0]) {
        json_name(j, "patterns");
        json_raw(j, span_of(error->patterns));
    }
    json_close(j, '}');
}

static void put_text(struct json *j, const char *name, struct span text)
{
    json_name(j, name);
    json_text(j, text);
}

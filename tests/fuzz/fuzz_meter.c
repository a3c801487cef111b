/* The usage meter: the first byte says how, the rest is a body. What it finds does not depend on the cuts; and of a
 * document that yyjson reads it finds what a plain walk over yyjson's tree finds. Stops at the first difference. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <yyjson.h>

#include "domain/nano_usd.h"
#include "domain/usage_meter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is(yyjson_val *name, const char *text)
{
    return yyjson_equals_str(name, text);
}

static bool one_of(yyjson_val *name, const char *const *texts)
{
    for (; *texts; texts++)
        if (is(name, *texts))
            return true;
    return false;
}
#define ONE_OF(name, ...) one_of(name, (const char *const[]){__VA_ARGS__, NULL})

static bool has_content(yyjson_val *value)
{
    return yyjson_is_str(value) ? yyjson_get_len(value) > 0
                                : yyjson_get_len(value) > 0 && yyjson_is_ctn(value);
}

static bool is_error(yyjson_val *value)
{
    return yyjson_is_ctn(value) || yyjson_is_raw(value) || yyjson_is_true(value) ||
           (yyjson_is_str(value) && yyjson_get_len(value) > 0);
}

static void take_text(yyjson_val *value, char *field)
{
    size_t size = yyjson_get_len(value);
    if (yyjson_is_str(value) && size > 0 && size <= METER_TEXT_MAX &&
        strlen(yyjson_get_str(value)) == size)
        memcpy(field, yyjson_get_str(value), size + 1);
}

static void take_id(yyjson_val *value, struct usage *usage)
{
    if (yyjson_is_str(value) &&
        (strncmp(usage->id, "gen-", 4) != 0 || strncmp(yyjson_get_str(value), "gen-", 4) == 0))
        take_text(value, usage->id);
}

static void take_money(yyjson_val *value, int64_t *field)
{
    int64_t amount;
    if (yyjson_is_raw(value) && yyjson_get_len(value) <= METER_TEXT_MAX &&
        nano_usd_parse((struct span){yyjson_get_raw(value), yyjson_get_len(value)}, &amount))
        *field = amount;
}

static void take_tokens(yyjson_val *value, int64_t *field)
{
    uint64_t count;
    int64_t amount = -1;
    if (yyjson_is_raw(value) && yyjson_get_len(value) <= METER_TEXT_MAX &&
        span_u64((struct span){yyjson_get_raw(value), yyjson_get_len(value)}, &count)) {
        if (count <= INT64_MAX)
            *field = (int64_t)count;
        return;
    }
    take_money(value, &amount);
    if (amount >= 0 && amount % 1000000000 == 0)
        *field = amount / 1000000000;
}

static void walk_details(yyjson_val *object, const char *name, int64_t *field, bool money)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (object, i, max, key, value) {
        if (is(key, name) && money)
            take_money(value, field);
        else if (is(key, name))
            take_tokens(value, field);
    }
}

static void walk_usage(yyjson_val *object, struct usage *usage)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (object, i, max, key, value) {
        if (ONE_OF(key, "prompt_tokens", "input_tokens"))
            take_tokens(value, &usage->prompt_tokens);
        else if (ONE_OF(key, "completion_tokens", "output_tokens"))
            take_tokens(value, &usage->completion_tokens);
        else if (is(key, "cache_read_input_tokens"))
            take_tokens(value, &usage->cached_tokens);
        else if (is(key, "cost"))
            take_money(value, &usage->cost_nano_usd);
        else if (is(key, "is_byok") && yyjson_is_bool(value))
            usage->is_byok = yyjson_get_bool(value);
        else if (ONE_OF(key, "prompt_tokens_details", "input_tokens_details"))
            walk_details(value, "cached_tokens", &usage->cached_tokens, false);
        else if (ONE_OF(key, "completion_tokens_details", "output_tokens_details"))
            walk_details(value, "reasoning_tokens", &usage->reasoning_tokens, false);
        else if (is(key, "cost_details"))
            walk_details(value, "upstream_inference_cost", &usage->upstream_nano_usd, true);
    }
}

/* only: the members that count; NULL: all but those in `but`. */
static void walk_content(yyjson_val *object, const char *const *only, const char *const *but,
                         struct usage *usage)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (object, i, max, key, value)
        if (only ? one_of(key, only) : !one_of(key, but))
            usage->delivered |= has_content(value);
}

static void walk_choices(yyjson_val *array, struct usage *usage, bool *choice_seen)
{
    static const char *const role[] = {"role", NULL};
    size_t i, max, j, members;
    yyjson_val *choice, *key, *value;
    yyjson_arr_foreach (array, i, max, choice) {
        *choice_seen |= yyjson_is_obj(choice);
        yyjson_obj_foreach (choice, j, members, key, value) {
            if (ONE_OF(key, "delta", "message"))
                walk_content(value, NULL, role, usage);
            else if (is(key, "text"))
                usage->delivered |= has_content(value);
            else if (is(key, "finish_reason"))
                usage->failed |= yyjson_equals_str(value, "error");
            else if (is(key, "error"))
                usage->failed |= is_error(value);
        }
    }
}

static void walk_blocks(yyjson_val *value, struct usage *usage)
{
    static const char *const but[] = {"type", "id", NULL};
    size_t i, max;
    yyjson_val *block;
    if (!yyjson_is_arr(value))
        usage->delivered |= has_content(value);
    yyjson_arr_foreach (value, i, max, block)
        walk_content(block, NULL, but, usage);
}

static void walk_root(yyjson_val *root, struct usage *usage, bool nested, bool *choice_seen)
{
    static const char *const block_but[] = {"type", "id", NULL};
    static const char *const delta[] = {"text", "thinking", "partial_json", "citation", NULL};
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (root, i, max, key, value) {
        if (is(key, "id"))
            take_id(value, usage);
        else if (is(key, "model"))
            take_text(value, usage->model);
        else if (is(key, "provider"))
            take_text(value, usage->provider);
        else if (is(key, "usage"))
            walk_usage(value, usage);
        else if (is(key, "error"))
            usage->failed |= is_error(value);
        else if (is(key, "status"))
            usage->failed |= yyjson_equals_str(value, "failed");
        else if (is(key, "output"))
            usage->delivered |= has_content(value);
        else if (is(key, "content"))
            walk_blocks(value, usage);
        else if (nested)
            continue;
        else if (is(key, "type"))
            usage->failed |=
                yyjson_equals_str(value, "error") || yyjson_equals_str(value, "response.failed");
        else if (is(key, "data"))
            usage->delivered |= has_content(value);
        else if (is(key, "choices"))
            walk_choices(value, usage, choice_seen);
        else if (ONE_OF(key, "response", "message"))
            walk_root(value, usage, true, choice_seen);
        else if (is(key, "content_block"))
            walk_content(value, NULL, block_but, usage);
        else if (is(key, "delta") && yyjson_is_obj(value))
            walk_content(value, delta, NULL, usage);
        else if (is(key, "delta"))
            usage->delivered |= has_content(value);
    }
}

static void check_same(const struct usage *a, const struct usage *b)
{
    assert(a->prompt_tokens == b->prompt_tokens && a->cached_tokens == b->cached_tokens);
    assert(a->completion_tokens == b->completion_tokens);
    assert(a->reasoning_tokens == b->reasoning_tokens);
    assert(a->cost_nano_usd == b->cost_nano_usd && a->upstream_nano_usd == b->upstream_nano_usd);
    assert(a->is_byok == b->is_byok && a->failed == b->failed && a->delivered == b->delivered);
    assert(a->finished == b->finished && a->malformed == b->malformed);
    assert(strcmp(a->id, b->id) == 0 && strcmp(a->model, b->model) == 0);
    assert(strcmp(a->provider, b->provider) == 0);
}

static struct usage read_steps(enum dialect dialect, bool stream, struct span bytes, size_t step)
{
    struct usage_meter meter;
    usage_meter_init(&meter, dialect, stream);
    for (; bytes.size > 0; bytes = span_from(bytes, step)) {
        size_t size = step < bytes.size ? step : bytes.size;
        char *piece = malloc(size);
        memcpy(piece, bytes.at, size);
        usage_meter_feed(&meter, (struct span){piece, size});
        free(piece);
    }
    usage_meter_end(&meter);
    assert(meter.usage.prompt_tokens >= -1 && meter.usage.cost_nano_usd >= -1);
    assert(usage_bill(&meter.usage) >= -1);
    return meter.usage;
}

static void check_document(enum dialect dialect, struct span bytes, const struct usage *usage)
{
    if (span_starts(bytes, SPAN("\xef\xbb\xbf")))
        bytes = span_from(bytes, 3);
    yyjson_doc *doc = yyjson_read(bytes.at, bytes.size, YYJSON_READ_NUMBER_AS_RAW);
    if (!doc)
        return;
    struct usage expected = {-1, -1, -1, -1, -1, -1, .finished = true};
    bool choice_seen = false, chooses = dialect == DIALECT_CHAT || dialect == DIALECT_TEXT;
    walk_root(yyjson_doc_get_root(doc), &expected, false, &choice_seen);
    expected.failed |= chooses && !choice_seen;
    check_same(usage, &expected);
    yyjson_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum dialect dialect = (enum dialect)(data[0] % DIALECT_COUNT);
    bool stream = data[0] & 0x80;
    const struct span bytes = {(const char *)data + 1, size - 1};
    struct usage whole = read_steps(dialect, stream, bytes, size);
    const size_t steps[] = {1, 2 + data[0] % 16, size / 3 + 1};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct usage other = read_steps(dialect, stream, bytes, steps[i]);
        check_same(&whole, &other);
    }
    if (!stream)
        check_document(dialect, bytes, &whole);
    return 0;
}

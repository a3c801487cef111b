#include "domain/generation.h"

#include "domain/nano_usd.h"

#include <yyjson.h>

static int64_t count_of(yyjson_val *data, const char *name);
static int64_t money_of(yyjson_val *data, const char *name);
static void text_of(yyjson_val *data, const char *name, char ret_text[METER_TEXT_MAX + 1]);

bool generation_read(struct span body, struct usage *ret_usage)
{
    /* Numbers stay texts: money must not pass through a double. */
    yyjson_doc *document = yyjson_read(body.at, body.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *data = yyjson_obj_get(yyjson_doc_get_root(document), "data");
    bool fine = yyjson_is_obj(data);

    if (fine) {
        ret_usage->prompt_tokens = count_of(data, "native_tokens_prompt");
        ret_usage->completion_tokens = count_of(data, "native_tokens_completion");
        ret_usage->reasoning_tokens = count_of(data, "native_tokens_reasoning");
        ret_usage->cached_tokens = count_of(data, "native_tokens_cached");
        ret_usage->cost_nano_usd = money_of(data, "total_cost");
        ret_usage->upstream_nano_usd = money_of(data, "upstream_inference_cost");
        ret_usage->is_byok = yyjson_is_true(yyjson_obj_get(data, "is_byok"));
        text_of(data, "id", ret_usage->id);
        text_of(data, "model", ret_usage->model);
        text_of(data, "provider_name", ret_usage->provider);
    }
    yyjson_doc_free(document);
    return fine;
}

static int64_t count_of(yyjson_val *data, const char *name)
{
    yyjson_val *value = yyjson_obj_get(data, name);
    uint64_t count;

    if (!yyjson_is_raw(value) ||
        !span_u64((struct span){yyjson_get_raw(value), yyjson_get_len(value)}, &count))
        return -1;
    return count <= INT64_MAX ? (int64_t)count : -1;
}

static int64_t money_of(yyjson_val *data, const char *name)
{
    yyjson_val *value = yyjson_obj_get(data, name);
    int64_t nano_usd;

    if (!yyjson_is_raw(value) ||
        !nano_usd_parse((struct span){yyjson_get_raw(value), yyjson_get_len(value)}, &nano_usd))
        return -1;
    return nano_usd;
}

static void text_of(yyjson_val *data, const char *name, char ret_text[METER_TEXT_MAX + 1])
{
    yyjson_val *value = yyjson_obj_get(data, name);

    if (yyjson_is_str(value))
        span_text((struct span){yyjson_get_str(value), yyjson_get_len(value)}, ret_text,
                  METER_TEXT_MAX + 1);
}

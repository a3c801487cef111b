/* Any status with any body: read without complaint, answered with JSON in our shape, without keys, hashes and users. The
 * first two bytes are the status. The bodies of the key API are read beside it. */
#include <assert.h>
#include <stdint.h>
#include <yyjson.h>

#include "domain/key_api.h"
#include "domain/upstream_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void check_clean(const char *text, size_t capacity)
{
    const size_t size = strlen(text);
    assert(size < capacity);
    for (size_t i = 0, run = 0; i < size; i++) {
        assert((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
        run = is_hex(text[i]) ? run + 1 : 0;
        assert(run < 64);
        assert(!span_equal_nocase(span_first(span_of(text + i), 6), SPAN("sk-or-")));
    }
}

static void check_body(const struct upstream_error *error, int status)
{
    struct buffer out;
    buffer_init(&out, 16384);
    assert(upstream_error_body(error, status, SPAN("req_1"), &out));
    yyjson_doc *doc = yyjson_read(buffer_view(&out).at, buffer_size(&out), 0);
    assert(doc);
    static const char *const texts[] = {"/error/message", "/error/type", "/error/code",
                                        "/error/request_id"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert(yyjson_get_len(yyjson_doc_ptr_get(doc, texts[i])) > 0);
    yyjson_doc_free(doc);
    buffer_done(&out);
}

static void note(const struct key_facts *facts, void *context)
{
    assert(facts->hash[0] != '\0' && facts->limit_nano_usd >= 0 && facts->remaining_nano_usd >= 0);
    ++*(size_t *)context;
}

static void check_key_api(int status, struct span body)
{
    struct key_facts facts;
    struct secret key = {NULL, 0};
    size_t count = 0, visited = 0;
    bool is_management;
    assert(key_health_name(key_api_health(status, body, 1800000000000, &facts)));
    if (key_api_read_created(body, &key, &facts))
        assert(secret_is_set(&key) && facts.hash[0] != '\0');
    secret_done(&key);
    if (key_api_read_list(body, note, &visited, &count))
        assert(visited <= count);
    key_api_read_is_management(body, &is_management);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const int status = (data[0] << 8 | data[1]) % 1000;
    const struct span body = {(const char *)data + 2, size - 2};
    struct upstream_error error;
    upstream_error_read(status, body, &error);
    assert(upstream_error_class_name(error.class));
    check_clean(error.message, sizeof(error.message));
    check_clean(error.error_type, sizeof(error.error_type));
    check_clean(error.provider_name, sizeof(error.provider_name));
    check_clean(error.reasons, sizeof(error.reasons));
    check_clean(error.patterns, sizeof(error.patterns));
    check_body(&error, status);
    check_key_api(status, body);

    char text[64];
    upstream_message_clean(body, text, sizeof(text));
    check_clean(text, sizeof(text));
    return 0;
}

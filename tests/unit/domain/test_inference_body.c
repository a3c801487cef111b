#include "../base/unit.h"

#include <yyjson.h>

#include "base/buffer.h"
#include "domain/inference_body.h"

static const struct span pseudonym = SPAN("kt-0123abcd");

static struct inference_body must_read(struct span body)
{
    struct inference_body parsed;
    struct body_fault fault = inference_body_read(body, &parsed);
    if (fault.detail)
        fail_msg("%s: %.*s", fault.detail, SPAN_PRINT(body));
    return parsed;
}

static void test_what_is_read(void **state)
{
    (void)state;
    struct inference_body parsed =
        must_read(SPAN("\n { \"messages\":[{\"model\":\"no\",\"user\":\"no\",\"stream\":true}], "
                       "\"model\" : \"openai/gpt-4o\", \"user\":\"u1\" }"));
    assert_span(parsed.model, "openai/gpt-4o");
    assert_false(parsed.model_escaped);
    assert_span(parsed.user, "u1");
    assert_span(parsed.user_value, "\"u1\"");
    assert_null(parsed.safety_value.at);
    assert_false(parsed.stream);
    assert_false(parsed.empty);
    assert_int_equal(parsed.open_brace, 2);

    parsed = must_read(SPAN("{\"stream\":true,\"safety_identifier\" : \"s\"}"));
    assert_true(parsed.stream);
    assert_null(parsed.model.at);
    assert_null(parsed.user.at);
    assert_null(parsed.user_value.at);
    assert_span(parsed.safety_value, "\"s\"");

    parsed = must_read(SPAN("{ }"));
    assert_true(parsed.empty);
    assert_int_equal(parsed.open_brace, 0);
}

static void test_null_is_absent(void **state)
{
    (void)state;
    struct inference_body parsed = must_read(
        SPAN("{\"model\":null,\"user\":null,\"stream\":null,\"safety_identifier\":null}"));
    assert_null(parsed.model.at);
    assert_null(parsed.user.at);
    assert_span(parsed.user_value, "null");
    assert_span(parsed.safety_value, "null");
    assert_false(parsed.stream);
}

static void test_escapes(void **state)
{
    (void)state;
    struct inference_body parsed = must_read(SPAN(
        "{\"mod\\u0065l\":\"openai\\/gpt-4o\",\"\\u0075ser\":\"a\\/b\",\"str\\u0065am\":true}"));
    assert_span(parsed.model, "openai\\/gpt-4o");
    assert_true(parsed.model_escaped);
    assert_null(parsed.user.at);
    assert_span(parsed.user_value, "\"a\\/b\"");
    assert_true(parsed.stream);
    parsed = must_read(SPAN("{\"model\":\"\"}"));
    assert_span(parsed.model, "");
    assert_false(parsed.model_escaped);
    parsed = must_read(
        SPAN("{\"Model\":1,\"USER\":2,\"model\\u0000\":3,\"Stream\":4}")); /* other names */
    assert_null(parsed.model.at);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *part, *param;
    } rows[] = {
        {"", "not valid JSON", NULL},
        {"{\"model\":\"a\"", "not valid JSON", NULL},
        {"{\"model\":\"a\",}", "not valid JSON", NULL},
        {"{\"model\":\"a\"}{}", "not valid JSON", NULL},
        {"\xef\xbb\xbf{}", "not valid JSON", NULL},
        {"[]", "must be a JSON object", NULL},
        {"\"x\"", "must be a JSON object", NULL},
        {"null", "must be a JSON object", NULL},
        {"{\"model\":\"a\",\"model\":\"b\"}", "twice", NULL},
        {"{\"model\":\"a\",\"model\":\"a\"}", "twice", NULL},
        {"{\"model\":\"a\",\"mod\\u0065l\":\"b\"}", "twice", NULL},
        {"{\"mod\\u0065l\":\"a\",\"model\":\"b\"}", "twice", NULL},
        {"{\"mod\\u0065l\":\"a\",\"\\u006dodel\":\"b\"}", "twice", NULL},
        {"{\"user\":\"a\",\"us\\u0065r\":\"b\"}", "twice", NULL},
        {"{\"x\":1,\"y\":2,\"x\":3}", "twice", NULL},
        {"{\"\":1,\"\":2}", "twice", NULL},
        {"{\"\\u00e9\":1,\"\xc3\xa9\":2}", "twice", NULL},
        {"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "twice", NULL},
        {"{\"a\\/b\":1,\"a/b\":2}", "twice", NULL},
        {"{\"model\":1}", "model must be a string", "model"},
        {"{\"model\":[\"a\"]}", "model must be a string", "model"},
        {"{\"model\":{}}", "model must be a string", "model"},
        {"{\"user\":1}", "user must be a string", "user"},
        {"{\"user\":{\"id\":1}}", "user must be a string", "user"},
        {"{\"us\\u0065r\":false}", "user must be a string", "user"},
        {"{\"stream\":1}", "stream must be", "stream"},
        {"{\"stream\":\"true\"}", "stream must be", "stream"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct inference_body parsed;
        struct body_fault fault = inference_body_read(span_of(rows[i].body), &parsed);
        if (!fault.detail || !strstr(fault.detail, rows[i].part))
            fail_msg("row %zu %s: %s", i, rows[i].body, fault.detail ? fault.detail : "accepted");
        assert_true(fault.param ? rows[i].param && strcmp(fault.param, rows[i].param) == 0
                                : !rows[i].param);
    }
}

/* A body of `count` members named by format. */
static struct body_fault read_many(size_t count, const char *format)
{
    struct buffer body;
    buffer_init(&body, 1 << 20);
    buffer_append(&body, SPAN("{"));
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s%04zu", format, i);
        assert_true(buffer_format(&body, "%s\"%s\":%zu", i ? "," : "", name, i));
    }
    buffer_append(&body, SPAN("}"));
    struct inference_body parsed;
    struct body_fault fault = inference_body_read(buffer_view(&body), &parsed);
    buffer_done(&body);
    return fault;
}

static void test_bounds(void **state)
{
    (void)state;
    assert_null(read_many(256, "field").detail);
    assert_non_null(strstr(read_many(257, "field").detail, "more than 256"));
    assert_null(read_many(200, "\\u0061").detail);
    assert_non_null(strstr(read_many(256, "\\u0061aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").detail,
                           "escapes"));

    char body[600];
    struct inference_body parsed;
    for (size_t size = 255; size <= 258; size++) {
        memset(body, 'n', sizeof(body));
        memcpy(body, "{\"", 2);
        memcpy(body + 2 + size, "\":1}", 4);
        struct body_fault fault = inference_body_read((struct span){body, size + 6}, &parsed);
        assert_true((fault.detail != NULL) == (size > 256));
    }
}

/* In memory that ends with the body and begins with the room. The caller ends out. */
static struct span edited(struct buffer *out, struct span body, const struct body_edits *edits)
{
    struct inference_body parsed;
    char *room;

    buffer_init(out, BODY_EDITS_ROOM + body.size);
    room = buffer_room(out, BODY_EDITS_ROOM + body.size) + BODY_EDITS_ROOM;
    memcpy(room, body.at, body.size);
    body.at = room;
    parsed = must_read(body);
    return inference_body_edit(&parsed, body, edits);
}

static void test_composing(void **state)
{
    (void)state;
    static const struct {
        const char *body, *composed;
    } rows[] = {
        {"{}", "{\"user\":\"kt-0123abcd\"}"},
        {" {\n} ", " {\"user\":\"kt-0123abcd\"\n} "},
        {"{\"model\":\"m\"}", "{\"user\":\"kt-0123abcd\",\"model\":\"m\"}"},
        {"  { \"a\":1 }\n", "  {\"user\":\"kt-0123abcd\", \"a\":1 }\n"},
        {"{\"user\":\"x\"}", "{\"user\":\"kt-0123abcd\"}"},
        {"{\"user\" : null , \"a\":[1]}", "{\"user\" : \"kt-0123abcd\" , \"a\":[1]}"},
        {"{\"a\":1,\"us\\u0065r\":\"a\\\"b\"}", "{\"a\":1,\"us\\u0065r\":\"kt-0123abcd\"}"},
        {"{\"safety_identifier\":\"s\",\"b\":2}",
         "{\"user\":\"kt-0123abcd\",\"safety_identifier\":\"kt-0123abcd\",\"b\":2}"},
        {"{\"safety_identifier\":\"s\",\"user\":\"u\"}",
         "{\"safety_identifier\":\"kt-0123abcd\",\"user\":\"kt-0123abcd\"}"},
        {"{\"user\":\"u\",\"x\":{\"user\":\"inner\"},\"safety_identifier\":{\"o\":1}}",
         "{\"user\":\"kt-0123abcd\",\"x\":{\"user\":\"inner\"},\"safety_identifier\":\"kt-"
         "0123abcd\"}"},
        {"{\"safety_identifier\":\"longer than ours\",\"a\":1,\"user\":\"longer than ours, too\"}",
         "{\"safety_identifier\":\"kt-0123abcd\"     ,\"a\":1,\"user\":\"kt-0123abcd\"          }"},
        {"{\"user\":\"u\",\"m\":2,\"safety_identifier\":\"longer than ours\"}",
         "{\"user\":\"kt-0123abcd\",\"m\":2,\"safety_identifier\":\"kt-0123abcd\"     }"},
        {"{\"user\":\"longer than ours\",\"m\":2,\"safety_identifier\":\"s\"}",
         "{\"user\":\"kt-0123abcd\"     ,\"m\":2,\"safety_identifier\":\"kt-0123abcd\"}"},
        {"{\"user\":\"\",\"safety_identifier\":null}",
         "{\"user\":\"kt-0123abcd\",\"safety_identifier\":\"kt-0123abcd\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct span body = span_of(rows[i].body);
        struct body_edits edits = {.pseudonym = pseudonym, .cap_tokens = -1};
        yyjson_doc *doc;
        struct buffer out;
        assert_span(edited(&out, body, &edits), rows[i].composed);
        buffer_done(&out);
        doc = yyjson_read(rows[i].composed, strlen(rows[i].composed), 0);
        assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "user")),
                            pseudonym.at);
        yyjson_doc_free(doc);
    }
}

/* What the hold pays for goes into the body: inserted where there is no cap, lowered where it is higher. */
static void test_output_caps(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum output_cap cap;
        int64_t tokens, asked;
        const char *composed;
    } rows[] = {
        {"{\"user\":\"u\"}", CAP_MAX_TOKENS, 7, -1, "{\"max_tokens\":7,\"user\":\"kt-0123abcd\"}"},
        {"{}", CAP_MAX_OUTPUT_TOKENS, 7, -1, "{\"max_output_tokens\":7,\"user\":\"kt-0123abcd\"}"},
        {"{\"m\":1}", CAP_MAX_TOKENS, 7, -1, "{\"max_tokens\":7,\"user\":\"kt-0123abcd\",\"m\":1}"},
        {"{\"max_tokens\":null,\"user\":\"u\"}", CAP_MAX_TOKENS, 7, -1,
         "{\"max_tokens\":7   ,\"user\":\"kt-0123abcd\"}"},
        {"{\"max_tokens\":9,\"user\":\"u\"}", CAP_MAX_TOKENS, 7, 9,
         "{\"max_tokens\":7,\"user\":\"kt-0123abcd\"}"},
        {"{\"max_tokens\":5,\"user\":\"u\"}", CAP_MAX_TOKENS, 7, 5,
         "{\"max_tokens\":5,\"user\":\"kt-0123abcd\"}"},
        {"{\"user\":\"u\",\"max_completion_tokens\":100,\"max_tokens\":3}", CAP_MAX_TOKENS, 7, 100,
         "{\"user\":\"kt-0123abcd\",\"max_completion_tokens\":7  ,\"max_tokens\":3}"},
        {"{\"max_tokens\":9,\"user\":\"u\"}", CAP_MAX_TOKENS, -1, 9,
         "{\"max_tokens\":9,\"user\":\"kt-0123abcd\"}"},
    };
    static const char *const refused[] = {
        "{\"max_tokens\":0}",           "{\"max_tokens\":-1}",
        "{\"max_tokens\":1.5}",         "{\"max_tokens\":\"9\"}",
        "{\"max_tokens\":99999999999}", "{\"max_completion_tokens\":true}"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct span body = span_of(rows[i].body);
        struct inference_body parsed = must_read(body);
        struct body_edits edits = {pseudonym, rows[i].cap, rows[i].tokens};
        struct buffer out;
        assert_int_equal(inference_body_asked(&parsed), rows[i].asked);
        assert_span(edited(&out, body, &edits), rows[i].composed);
        buffer_done(&out);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        struct inference_body parsed;
        assert_non_null(inference_body_read(span_of(refused[i]), &parsed).detail);
    }
}

static bool count_two(const struct json_member *member, void *context)
{
    int *count = context;

    assert_true(member->name.size > 0);
    return ++*count < 2;
}

static void test_a_second_reader(void **state)
{
    (void)state;
    struct inference_body parsed;
    int count = 0;
    struct span body = SPAN("{\"a\":1,\"b\":2,\"model\":\"m\"}");

    assert_null(inference_body_read_with(body, &parsed, count_two, &count).detail);
    assert_int_equal(count, 2); /* it had seen enough; the reading went on */
    assert_span(parsed.model, "m");
    count = 0;
    body = SPAN("{\"a\":1,\"a\":2}");
    assert_non_null(inference_body_read_with(body, &parsed, count_two, &count).detail);
    assert_int_equal(count, 1); /* what is refused nobody sees */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read), cmocka_unit_test(test_null_is_absent),
        cmocka_unit_test(test_escapes),      cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_bounds),       cmocka_unit_test(test_composing),
        cmocka_unit_test(test_output_caps),  cmocka_unit_test(test_a_second_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

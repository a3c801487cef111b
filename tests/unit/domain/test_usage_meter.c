/* Streams and documents as they come, cut everywhere: the usage is the same for every cut. */
#include "../base/unit.h"

#include "domain/usage_meter.h"

struct scene {
    const char *name;
    enum dialect dialect;
    bool stream;
    const char *bytes;
    struct usage usage;
};

#define GEN "gen-1764000000-AbC"
#define UNKNOWN -1, -1, -1, -1, -1, -1
#define CHUNK(choices) \
    "{\"id\":\"" GEN "\",\"provider\":\"OpenAI\",\"model\":\"openai/gpt-4o\",\"object\":" \
    "\"chat.completion.chunk\",\"created\":1764000000,\"choices\":[" choices "]"
#define DELTA(delta) \
    "{\"index\":0,\"delta\":{" delta "},\"finish_reason\":null,\"native_finish_reason\":null," \
    "\"logprobs\":null}"
#define CHAT_USAGE \
    "\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":2567,\"total_tokens\":2581,\"cost\":7." \
    "1e-05," \
    "\"is_byok\":false,\"prompt_tokens_details\":{\"cached_tokens\":4,\"audio_tokens\":0}," \
    "\"cost_details\":{\"upstream_inference_cost\":7.1E-05,\"upstream_inference_prompt_cost\":1e-" \
    "6," \
    "\"server_tool_cost\":null},\"completion_tokens_details\":{\"reasoning_tokens\":2590}}"
#define CHAT_SAYS 14, 4, 2567, 2590, 71000, 71000

static const struct scene scenes[] = {
    {"chat: usage behind an empty list of choices",
     DIALECT_CHAT,
     true,
     ": OPENROUTER PROCESSING\n\n"
     "data: " CHUNK(DELTA(
         "\"role\":\"assistant\",\"content\":\"\"")) "}\n\n"
                                                     "data: " CHUNK(DELTA(
                                                         "\"content\":\"Gr\xc3\xbc\xc3\x9f "
                                                         "\\\"dich\\\" \\u00e4 "
                                                         "\xf0\x9f\x98\x80\"")) "}\n\n"
                                                                                ": OPENROUTER "
                                                                                "PROCESSING\n\n"
                                                                                "data: " CHUNK(DELTA(
                                                                                    "\"tool_"
                                                                                    "calls\":[{"
                                                                                    "\"index\":"
                                                                                    "0,"
                                                                                    "\"function"
                                                                                    "\":{"
                                                                                    "\"name\":"
                                                                                    "\"f\","
                                                                                    "\"argument"
                                                                                    "s\":\"{"
                                                                                    "\\\"usage"
                                                                                    "\\\":{"
                                                                                    "\\\"cost\\"
                                                                                    "\":9}}\"}}"
                                                                                    "]")) "}\n"
                                                                                          "\n"
                                                                                          "data"
                                                                                          ":"
                                                                                          " " CHUNK(
                                                                                              "") "," CHAT_USAGE
                                                                                                  "}\n\n"
                                                                                                  "data: [DONE]\n\n",
     {CHAT_SAYS, .delivered = true, .finished = true, .id = GEN, .model = "openai/gpt-4o",
      .provider = "OpenAI"}},
    {"chat: usage beside the last choice, then once more without cost",
     DIALECT_CHAT,
     true,
     "data: " CHUNK(DELTA(
         "\"content\":null,\"reasoning\":\"hm\"")) "}\n\n"
                                                   "data: " CHUNK(
                                                       "{\"index\":0,\"delta\":{},\"finish_"
                                                       "reason\":\"stop\"}") "," CHAT_USAGE "}\n\n"
                                                                             "data: " CHUNK(
                                                                                 "") ",\"usage\":{"
                                                                                     "\"prompt_"
                                                                                     "tokens\":15,"
                                                                                     "\"cost\":"
                                                                                     "null,\"cost_"
                                                                                     "details\":"
                                                                                     "null}}\n\n"
                                                                                     "data: "
                                                                                     "[DONE]\n\n",
     {15, 4, 2567, 2590, 71000, 71000, .delivered = true, .finished = true, .id = GEN,
      .model = "openai/gpt-4o", .provider = "OpenAI"}},
    {"chat: twice with cost, the last one wins",
     DIALECT_CHAT,
     true,
     "data:" CHUNK(
         DELTA("\"refusal\":\"no\"")) "," CHAT_USAGE "}\r\n\r\n"
                                      "data:" CHUNK(
                                          "") ",\"usage\":{\"cost\":0.25,\"is_byok\":true}}\r\n\r\n"
                                              "data:[DONE]\r\n\r\n",
     {14, 4, 2567, 2590, 250000000, 71000, .is_byok = true, .delivered = true, .finished = true,
      .id = GEN, .model = "openai/gpt-4o", .provider = "OpenAI"}},
    {"chat: lines of CR, a byte order mark, other fields",
     DIALECT_CHAT,
     true,
     "\xef\xbb\xbf"
     "data: " CHUNK(
         DELTA("\"content\":\"x\"")) "}\r\r"
                                     "id: 7\rretry: 10\revent: data: {\rdataset: "
                                     "{\rdata\rdata:\r\r: data: {\"usage\":{\"cost\":1}}\r"
                                     " data: {\"usage\":{\"cost\":2}}\rdata: " CHUNK(
                                         "") "," CHAT_USAGE "}\r\rdata:   [DONE]\r\r",
     {CHAT_SAYS, .delivered = true, .finished = true, .id = GEN, .model = "openai/gpt-4o",
      .provider = "OpenAI"}},
    {"chat: broken in the middle",
     DIALECT_CHAT,
     true,
     "data: " CHUNK(DELTA(
         "\"content\":\"x\"")) "}\n\n"
                               "data: {\"id\":\"" GEN "\",\"model\":\"\",\"error\":{\"code\":502,"
                               "\"message\":\"Provider returned error\","
                               "\"metadata\":{\"error_type\":\"provider_unavailable\"}},"
                               "\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                               "\"\"},\"finish_reason\":\"error\"}]}\n\n",
     {UNKNOWN, .failed = true, .delivered = true, .finished = true, .id = GEN,
      .model = "openai/gpt-4o", .provider = "OpenAI"}},
    {"chat: broken before a word, by a finish_reason alone",
     DIALECT_CHAT,
     true,
     "data: " CHUNK(
         "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[ ],"
         "\"audio\":{},\"reasoning\":null},\"finish_reason\":\"error\"}") "}\n\ndata: [DONE]\n\n",
     {UNKNOWN, .failed = true, .finished = true, .id = GEN, .model = "openai/gpt-4o",
      .provider = "OpenAI"}},
    {"chat: cut off",
     DIALECT_CHAT,
     true,
     "data: " CHUNK(
         DELTA("\"images\":[ {}]")) "}\n\ndata: {\"usage\":{\"cost\":1,\"prompt_tokens\":12",
     {-1, -1, -1, -1, 1000000000, -1, .delivered = true, .id = GEN, .model = "openai/gpt-4o",
      .provider = "OpenAI"}},
    {"chat: a text on several data lines",
     DIALECT_CHAT,
     true,
     "data: {\ndata: \"choices\":[{\"delta\":{\"content\":\ndata: \"x\"}}],\ndata: \"usage\":\n: "
     "comment\n"
     "data: {\"cost\":0.5\ndata: }}\n\ndata: [DONE]\n\n",
     {-1, -1, -1, -1, 500000000, -1, .delivered = true, .finished = true}},
    {"chat: several texts in one event",
     DIALECT_CHAT,
     true,
     "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\ndata: "
     "{\"usage\":{\"cost\":0.5}}\ndata: [DONE]\n\n",
     {-1, -1, -1, -1, 500000000, -1, .delivered = true, .finished = true}},
    {"text stream",
     DIALECT_TEXT,
     true,
     "data: {\"id\":\"" GEN
     "\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"\"}]}\n\n"
     "data: {\"id\":\"" GEN
     "\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"so\","
     "\"finish_reason\":\"stop\"}]," CHAT_USAGE "}\n\ndata: [DONE]\n\n",
     {CHAT_SAYS, .delivered = true, .finished = true, .id = GEN}},
    {"responses stream",
     DIALECT_RESPONSES,
     true,
     ": OPENROUTER PROCESSING\n\nevent: response.created\n"
     "data: {\"type\":\"response.created\",\"response\":{\"id\":\"" GEN
     "\",\"object\":\"response\",\"model\":"
     "\"openai/o3\",\"status\":\"in_progress\",\"error\":null,\"output\":[],\"usage\":null}}\n\n"
     "event: response.output_item.added\n"
     "data: "
     "{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"msg_0\",\"content\":[]}}\n\n"
     "event: response.output_text.delta\n"
     "data: "
     "{\"type\":\"response.output_text.delta\",\"item_id\":\"msg_0\",\"delta\":\"response.failed\"}"
     "\n\n"
     "event: response.completed\n"
     "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"" GEN
     "\",\"model\":\"openai/o3\",\"status\":"
     "\"completed\",\"error\":null,\"output\":[{\"type\":\"message\",\"content\":[{\"type\":"
     "\"output_text\","
     "\"text\":\"so\"}]}],\"usage\":{\"input_tokens\":5,\"input_tokens_details\":{\"cached_"
     "tokens\":2},"
     "\"output_tokens\":7,\"output_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":12,"
     "\"cost\":3E-7,"
     "\"is_byok\":true,\"cost_details\":{\"upstream_inference_cost\":0.02,\"upstream_inference_"
     "input_cost\":1}}}"
     "}\n\ndata: [DONE]\n\n",
     {5, 2, 7, 3, 300, 20000000, .is_byok = true, .delivered = true, .finished = true, .id = GEN,
      .model = "openai/o3"}},
    {"responses stream that failed, type last",
     DIALECT_RESPONSES,
     true,
     "event: response.failed\ndata: "
     "{\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"output\":[],\"error\":"
     "{\"code\":\"server_error\",\"message\":\"x\"}},\"type\":\"response.failed\"}\n\n",
     {UNKNOWN, .failed = true, .finished = true, .id = "resp_1"}},
    {"responses stream with an error event",
     DIALECT_RESPONSES,
     true,
     "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"x\"}\n\n",
     {UNKNOWN, .failed = true, .finished = true}},
    {"messages stream, cost only where it is",
     DIALECT_MESSAGES,
     true,
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"" GEN
     "\",\"type\":\"message\","
     "\"role\":\"assistant\",\"model\":\"anthropic/"
     "claude\",\"content\":[],\"stop_reason\":null,\"usage\":"
     "{\"input_tokens\":25,\"cache_read_input_tokens\":6,\"output_tokens\":1}}}\n\n"
     "event: content_block_start\ndata: "
     "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
     "\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
     "event: content_block_delta\ndata: "
     "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
     "\"text_delta\",\"text\":\"so\"}}\n\n"
     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
     "event: message_delta\ndata: "
     "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"
     "{\"output_tokens\":15,\"cost\":0.00158142}}\n\n"
     "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
     {25, 6, 15, -1, 1581420, -1, .delivered = true, .finished = true, .id = GEN,
      .model = "anthropic/claude"}},
    {"messages stream without a word and cost",
     DIALECT_MESSAGES,
     true,
     "data: "
     "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"content\":[],\"usage\":{\"input_"
     "tokens\":2}}}\n\n"
     "data: "
     "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"id\":"
     "\"x\",\"text\":\"\"}}\n\n"
     "data: "
     "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"\"}}\n\n"
     "data: "
     "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
     "\"usage\":{\"output_tokens\":0}}\n\n"
     "data: {\"type\":\"message_stop\"}\n\n",
     {2, -1, 0, -1, -1, -1, .finished = true, .id = "msg_1"}},
    {"messages stream that broke",
     DIALECT_MESSAGES,
     true,
     "event: error\ndata: "
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
     {UNKNOWN, .failed = true, .finished = true}},
    {"chat document behind blanks",
     DIALECT_CHAT,
     false,
     "\n\r\n  \t\n{\"id\" : \"" GEN "\" ,\"model\":\"a\\/b\\u00fc\\ud83d\\ude00\\n\", \"choices\" "
     ":\n[ { \"message\": {\"role\":\"assistant\","
     "\"content\":\"so\"},\"finish_reason\":\"stop\",\"error\":null } ] , " CHAT_USAGE
     ",\"provider\":null}\n",
     {CHAT_SAYS, .delivered = true, .finished = true, .id = GEN,
      .model = "a/b\xc3\xbc\xf0\x9f\x98\x80\n"}},
    {"chat document with an error",
     DIALECT_CHAT,
     false,
     "{\"error\":{\"code\":429,\"message\":\"slow\"},\"user_id\":\"u\"}",
     {UNKNOWN, .failed = true, .finished = true}},
    {"chat document with an error in its choice",
     DIALECT_CHAT,
     false,
     "{\"choices\":[{\"error\":{\"code\":502},\"message\":{\"content\":null}}]}",
     {UNKNOWN, .failed = true, .finished = true}},
    {"chat document without choices",
     DIALECT_CHAT,
     false,
     "{\"id\":\"x\",\"choices\":[],\"usage\":{\"cost\":0}}",
     {-1, -1, -1, -1, 0, -1, .failed = true, .finished = true, .id = "x"}},
    {"responses document",
     DIALECT_RESPONSES,
     false,
     "{\"id\":\"" GEN "\",\"status\":\"completed\",\"error\":null,\"text\":{\"format\":{\"type\":"
     "\"text\"}},\"output\":[{}],"
     "\"usage\":{\"input_tokens\":5,\"output_tokens\":7,\"cost\":1}}",
     {5, -1, 7, -1, 1000000000, -1, .delivered = true, .finished = true, .id = GEN}},
    {"messages document",
     DIALECT_MESSAGES,
     false,
     "{\"id\":\"" GEN "\",\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"\"},{"
     "\"type\":\"tool_use\","
     "\"id\":\"t\",\"name\":\"f\",\"input\":{\"usage\":{\"cost\":9},\"error\":{}}}],\"usage\":{"
     "\"input_tokens\":1,"
     "\"output_tokens\":2,\"cost\":1e0}}",
     {1, -1, 2, -1, 1000000000, -1, .delivered = true, .finished = true, .id = GEN}},
    {"embeddings document",
     DIALECT_EMBEDDINGS,
     false,
     "{\"object\":\"list\",\"data\":[{\"embedding\":[-0.1,2e-5],\"index\":0}],\"model\":\"m\","
     "\"usage\":"
     "{\"prompt_tokens\":8,\"total_tokens\":8,\"cost\":1.6e-7}}",
     {8, -1, -1, -1, 160, -1, .delivered = true, .finished = true, .model = "m"}},
};

static bool same(const struct usage *a, const struct usage *b)
{
    return a->prompt_tokens == b->prompt_tokens && a->cached_tokens == b->cached_tokens &&
           a->completion_tokens == b->completion_tokens &&
           a->reasoning_tokens == b->reasoning_tokens && a->cost_nano_usd == b->cost_nano_usd &&
           a->upstream_nano_usd == b->upstream_nano_usd && a->is_byok == b->is_byok &&
           a->failed == b->failed && a->delivered == b->delivered && a->finished == b->finished &&
           a->malformed == b->malformed && strcmp(a->id, b->id) == 0 &&
           strcmp(a->model, b->model) == 0 && strcmp(a->provider, b->provider) == 0;
}

/* Each piece is copied to memory of its size, so that reading on is noticed. */
static void feed(struct usage_meter *meter, const char *at, size_t size)
{
    char *piece = malloc(size + !size);
    memcpy(piece, at, size);
    usage_meter_feed(meter, (struct span){piece, size});
    free(piece);
}

static struct usage read_cut(const struct scene *scene, size_t first, size_t second)
{
    size_t size = strlen(scene->bytes);
    struct usage_meter meter, moved;
    usage_meter_init(&meter, scene->dialect, scene->stream);
    feed(&meter, scene->bytes, first);
    moved = meter;
    feed(&moved, scene->bytes + first, second - first);
    feed(&moved, scene->bytes + second, size - second);
    usage_meter_end(&moved);
    return moved.usage;
}

static struct usage read_steps(const struct scene *scene, size_t step)
{
    size_t size = strlen(scene->bytes);
    struct usage_meter meter;
    usage_meter_init(&meter, scene->dialect, scene->stream);
    for (size_t at = 0; at < size; at += step)
        feed(&meter, scene->bytes + at, step < size - at ? step : size - at);
    usage_meter_end(&meter);
    return meter.usage;
}

static void print_usage(const char *what, const struct usage *u)
{
    print_error(
        "%s: tokens %lld %lld %lld %lld cost %lld upstream %lld byok %d failed %d delivered %d "
        "finished %d malformed %d <%s> <%s> <%s>\n",
        what, (long long)u->prompt_tokens, (long long)u->cached_tokens,
        (long long)u->completion_tokens, (long long)u->reasoning_tokens,
        (long long)u->cost_nano_usd, (long long)u->upstream_nano_usd, u->is_byok, u->failed,
        u->delivered, u->finished, u->malformed, u->id, u->model, u->provider);
}

static void check(const struct scene *scene, struct usage got, size_t first, size_t second)
{
    if (same(&got, &scene->usage))
        return;
    print_usage("got     ", &got);
    print_usage("expected", &scene->usage);
    fail_msg("%s, cut at %zu and %zu", scene->name, first, second);
}

static void test_every_cut(void **state)
{
    (void)state;
    for (const struct scene *scene = scenes; scene < scenes + sizeof(scenes) / sizeof(*scenes);
         scene++) {
        size_t size = strlen(scene->bytes);
        for (size_t step = 1; step < 20; step++)
            check(scene, read_steps(scene, step), 0, step);
        for (size_t first = 0; first <= size; first++) {
            check(scene, read_cut(scene, first, first), first, first);
            if (first < size)
                check(scene, read_cut(scene, first, first + 1), first, first + 1);
            for (size_t second = first + 2; second <= size; second += 13)
                check(scene, read_cut(scene, first, second), first, second);
        }
    }
}

/* What was delivered and how it ended is known as soon as it went by, not before. */
static void test_known_in_time(void **state)
{
    (void)state;
    struct usage_meter meter;
    usage_meter_init(&meter, DIALECT_RESPONSES, true);
    usage_meter_feed(&meter, SPAN("data: {\"type\":\"response.output_text.delta\",\"delta\":\""));
    assert_false(meter.usage.delivered);
    usage_meter_feed(&meter, SPAN("x"));
    assert_true(meter.usage.delivered);
    usage_meter_feed(&meter, SPAN("\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{"));
    assert_false(meter.usage.finished);
    usage_meter_feed(&meter, SPAN("\"usage\":{\"cost\":1}}"));
    assert_false(meter.usage.finished);
    usage_meter_feed(&meter, SPAN("}"));
    assert_true(meter.usage.finished);
    usage_meter_init(&meter, DIALECT_CHAT, true);
    usage_meter_feed(&meter, SPAN("data: [DONE"));
    assert_false(meter.usage.finished);
    usage_meter_feed(&meter, SPAN("]"));
    assert_true(meter.usage.finished);
}

static void test_bill(void **state)
{
    (void)state;
    static const struct {
        int64_t cost, upstream;
        bool is_byok;
        int64_t bill;
    } rows[] = {
        {1000000, 1000000, false, 1000000},
        {0, 20000000, true, 20000000},
        {5, 7, true, 12},
        {-1, 7, true, -1},
        {-1, 7, false, -1},
        {5, -1, false, 5},
        {5, -1, true, -1},
        {0, 0, true, 0},
        {INT64_MAX, 1, true, INT64_MAX},
        {INT64_MAX - 1, 1, true, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct usage usage = {.cost_nano_usd = rows[i].cost,
                              .upstream_nano_usd = rows[i].upstream,
                              .is_byok = rows[i].is_byok};
        assert_int_equal(usage_bill(&usage), rows[i].bill);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_known_in_time),
        cmocka_unit_test(test_bill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

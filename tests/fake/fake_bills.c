#include "fake/fake_bills.h"

#include "domain/nano_usd.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 2, BYTES_PER_TOKEN = 4, DEFAULT_TOKENS_MAX = 16384 };

static const struct price {
    const char *model, *prompt, *completion; /* USD a token, as OpenRouter prints them */
    int64_t prompt_nano_usd, token_nano_usd;
} prices[] = {
    {"openai/gpt-4o-mini", "0.00000015", "0.0000006", 150, 600},
    {"openai/gpt-4o", "0.0000025", "0.00001", 2500, 10000},
    {"meta-llama/llama-3.3-8b-instruct:free", "0", "0", 0, 0},
    {NULL, NULL, NULL, 0, 0},
};

static void find_price(struct fake_bill *bill);
static void compose_stream(struct fake_bill *bill, const struct fake_billing *billing);
static void compose_plain(struct fake_bill *bill, const struct fake_billing *billing);
static int64_t cost_of(const struct fake_bill *bill, int64_t tokens);
static void usage_text(const struct fake_bill *bill, char ret_text[FAKE_PIECE_SIZE / 2]);
static int64_t number_in(struct span body, const char *field);

void fake_bill_open(struct fake_bill *bill, const struct fake_billing *billing, size_t index,
                    struct span body)
{
    int64_t word = billing->word_tokens ? billing->word_tokens : FAKE_WORD_TOKENS;
    int64_t wanted = WORDS * word;
    const char *model = memmem(body.at, body.size, "\"model\":\"", 9);

    *bill =
        (struct fake_bill){.max_tokens = number_in(body, "\"max_tokens\":"), .word_tokens = word};
    bill->number = number_in(body, "\"n\":");
    snprintf(bill->generation, sizeof(bill->generation), "gen-%zu", index + 1);
    if (model)
        snprintf(bill->model, sizeof(bill->model), "%.*s", (int)strcspn(model + 9, "\""),
                 model + 9);
    bill->streams = span_contains(body, SPAN("\"stream\":true"));
    bill->prompt_tokens = (int64_t)body.size / BYTES_PER_TOKEN + 1;
    bill->completion_tokens =
        bill->max_tokens >= 0 && bill->max_tokens < wanted ? bill->max_tokens : wanted;
    find_price(bill);
}

void fake_bill_answer(struct fake_bill *bill, const struct fake_billing *billing)
{
    assert(!bill->worked_on);
    bill->worked_on = true;
    if (bill->streams)
        compose_stream(bill, billing);
    else
        compose_plain(bill, billing);
}

/* The words of a stream are its second and its third piece. */
void fake_bill_tell(struct fake_bill *bill, size_t piece)
{
    int64_t most = (int64_t)piece * bill->word_tokens;

    if (bill->worked_on && bill->streams && piece >= 1 && piece <= WORDS)
        bill->told_tokens = most < bill->completion_tokens ? most : bill->completion_tokens;
}

void fake_bill_close(struct fake_bill *bill, const struct fake_billing *billing,
                     enum fake_billed how, int64_t now_ms)
{
    int64_t late_ms = billing->record_late_ms ? billing->record_late_ms : FAKE_RECORD_LATE_MS;

    if (bill->is_closed)
        return;
    bill->is_closed = true;
    bill->closed_ms = now_ms;
    if (how == BILLED_NOTHING)
        return;
    if (how == BILLED_AS_TOLD && bill->streams && !billing->drains)
        bill->completion_tokens = bill->told_tokens;
    bill->cost_nano_usd = cost_of(bill, bill->completion_tokens);
    bill->known_from_ms = billing->keeps_no_records ? 0 : now_ms + late_ms;
}

void fake_bill_record(const struct fake_bill *bill, struct buffer *out)
{
    char cost[NANO_USD_TEXT_SIZE];

    nano_usd_text(bill->cost_nano_usd, cost);
    buffer_format(out,
                  "{\"data\":{\"id\":\"%s\",\"model\":\"%s\",\"total_cost\":%s,\"is_byok\":false,"
                  "\"native_tokens_prompt\":%lld,\"native_tokens_completion\":%lld}}",
                  bill->generation, bill->model, cost, (long long)bill->prompt_tokens,
                  (long long)bill->completion_tokens);
}

void fake_models_print(struct buffer *out)
{
    buffer_append(out, SPAN("{\"data\":["));
    for (const struct price *row = prices; row->model; row++)
        buffer_format(out,
                      "%s{\"id\":\"%s\",\"context_length\":128000,\"pricing\":{\"prompt\":\"%s\","
                      "\"completion\":\"%s\",\"request\":\"0\"},\"top_provider\":{"
                      "\"context_length\":128000,\"max_completion_tokens\":%d}}",
                      row == prices ? "" : ",", row->model, row->prompt, row->completion,
                      DEFAULT_TOKENS_MAX);
    buffer_append(out, SPAN("]}"));
}

static void find_price(struct fake_bill *bill)
{
    for (const struct price *row = prices; row->model; row++)
        if (strcmp(row->model, bill->model) == 0) {
            bill->prompt_nano_usd = row->prompt_nano_usd;
            bill->token_nano_usd = row->token_nano_usd;
            return;
        }
    bill->prompt_nano_usd = bill->token_nano_usd = 1000; /* not in the catalogue */
}

static void compose_stream(struct fake_bill *bill, const struct fake_billing *billing)
{
    const struct fake_bill like = *bill; /* what is printed must not be where it is printed to */
    static const char *const words[WORDS] = {"one ", "two"};
    const char *provider = billing->provider ? billing->provider : "OpenAI";
    char usage[FAKE_PIECE_SIZE / 2];
    size_t count = 0;

    snprintf(bill->texts[count++], FAKE_PIECE_SIZE, ": OPENROUTER PROCESSING\n\n");
    for (size_t i = 0; i < WORDS && (i == 0 || !billing->fails_midway); i++)
        snprintf(bill->texts[count++], FAKE_PIECE_SIZE,
                 "data: {\"id\":\"%s\",\"provider\":\"%s\",\"model\":\"%s\",\"choices\":[{\"index\""
                 ":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n",
                 like.generation, provider, like.model, words[i]);
    usage_text(bill, usage);
    if (billing->fails_midway)
        snprintf(bill->texts[count++], FAKE_PIECE_SIZE,
                 "data: {\"id\":\"%s\",\"error\":{\"code\":502,\"message\":\"Provider died\"},"
                 "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":"
                 "\"error\"}]}\n\n",
                 like.generation);
    else if (!billing->tells_no_usage)
        snprintf(bill->texts[count++], FAKE_PIECE_SIZE,
                 "data: {\"id\":\"%s\",\"choices\":[],%s}\n\n", like.generation, usage);
    snprintf(bill->texts[count++], FAKE_PIECE_SIZE, "data: [DONE]\n\n");
    bill->piece_count = count;
    if (billing->fails_midway)
        bill->completion_tokens = bill->word_tokens;
}

static void compose_plain(struct fake_bill *bill, const struct fake_billing *billing)
{
    const struct fake_bill like = *bill;
    const char *provider = billing->provider ? billing->provider : "OpenAI";
    char usage[FAKE_PIECE_SIZE / 2];

    usage_text(bill, usage);
    snprintf(bill->texts[0], FAKE_PIECE_SIZE,
             "{\"id\":\"%s\",\"provider\":\"%s\",\"model\":\"%s\",\"choices\":[{\"index\":0,"
             "\"message\":{\"role\":\"assistant\",\"content\":\"one two\"},\"finish_reason\":"
             "\"stop\"",
             like.generation, provider, like.model);
    snprintf(bill->texts[1], FAKE_PIECE_SIZE, "}]");
    snprintf(bill->texts[2], FAKE_PIECE_SIZE, "%s%s}", billing->tells_no_usage ? "" : ",",
             billing->tells_no_usage ? "" : usage);
    bill->piece_count = FAKE_PLAIN_PIECES;
}

static int64_t cost_of(const struct fake_bill *bill, int64_t tokens)
{
    return bill->prompt_tokens * bill->prompt_nano_usd + tokens * bill->token_nano_usd;
}

static void usage_text(const struct fake_bill *bill, char ret_text[FAKE_PIECE_SIZE / 2])
{
    char cost[NANO_USD_TEXT_SIZE];

    nano_usd_text(cost_of(bill, bill->completion_tokens), cost);
    snprintf(ret_text, FAKE_PIECE_SIZE / 2,
             "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"cost\":%s}",
             (long long)bill->prompt_tokens, (long long)bill->completion_tokens, cost);
}

static int64_t number_in(struct span body, const char *field)
{
    const char *found = memmem(body.at, body.size, field, strlen(field));

    return found ? strtoll(found + strlen(field), NULL, 10) : -1;
}

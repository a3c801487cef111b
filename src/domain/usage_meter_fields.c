/* What matters in the texts of all dialects. The dialects' members do not get in each other's way, so they share the
 * places; the dialect itself decides only that chat and text need a choice.
 *
 * A value that is unknown (missing, null, negative, a string where a number stands, more than 64 bits or METER_TEXT_MAX
 * hold, an empty text) changes nothing; of known ones the last wins. An id that GET /generation knows (gen-) is not
 * replaced by another kind.
 *
 * Delivered is: a non-empty string, array or object
 *   in choices[].delta and choices[].message as any member but role, and as choices[].text;
 *   as a stream's delta string (responses), or as the text, thinking, partial_json, citation of its delta (messages);
 *   in a content block as any member but type and id; as output (responses) or data (embeddings).
 */
#include <assert.h>

#include "domain/nano_usd.h"
#include "domain/usage_meter_parts.h"

/* clang-format off */
enum key {
    KEY_OTHER,
    KEY_ID, KEY_COST, KEY_DATA, KEY_ROLE, KEY_TEXT, KEY_TYPE, KEY_DELTA, KEY_ERROR, KEY_MODEL, KEY_USAGE, KEY_OUTPUT,
    KEY_STATUS, KEY_CHOICES, KEY_CONTENT, KEY_IS_BYOK, KEY_MESSAGE, KEY_CITATION, KEY_PROVIDER, KEY_RESPONSE,
    KEY_THINKING, KEY_COST_DETAILS, KEY_INPUT_TOKENS, KEY_PARTIAL_JSON, KEY_CACHED_TOKENS, KEY_CONTENT_BLOCK,
    KEY_FINISH_REASON, KEY_OUTPUT_TOKENS, KEY_PROMPT_TOKENS, KEY_REASONING_TOKENS, KEY_COMPLETION_TOKENS,
    KEY_INPUT_DETAILS, KEY_OUTPUT_DETAILS, KEY_PROMPT_DETAILS, KEY_CACHE_READ, KEY_UPSTREAM_COST,
    KEY_COMPLETION_DETAILS,
    KEY_COUNT
};

enum slot {
    SLOT_OF_PLACE, /* what the place does with names it does not know */
    SLOT_SKIP, SLOT_ROOT, SLOT_NESTED, SLOT_USAGE, SLOT_PROMPT, SLOT_CACHED, SLOT_COMPLETION, SLOT_REASONING, SLOT_COST,
    SLOT_UPSTREAM, SLOT_BYOK, SLOT_PROMPT_DETAILS, SLOT_COMPLETION_DETAILS, SLOT_COST_DETAILS, SLOT_ID, SLOT_MODEL,
    SLOT_PROVIDER, SLOT_TYPE, SLOT_FINISH_REASON, SLOT_STATUS, SLOT_ERROR, SLOT_CHOICE_ERROR, SLOT_CHOICES, SLOT_CHOICE,
    SLOT_CHOICE_DELTA, SLOT_CONTENT, SLOT_BLOCKS, SLOT_BLOCK, SLOT_DELTA,
    SLOT_COUNT
};
/* clang-format on */

enum word { WORD_TYPE, WORD_FINISH_REASON, WORD_STATUS };

/* A name is found by its size and its first and last character. Two names in one row would not compile. */
enum { KEY_ROWS = 128 };
struct key_row {
    const char *text;
    unsigned char size, key;
};
#define KEY_HASH(size, first, last) (((size) + 7u * (first) + 24u * (last)) % KEY_ROWS)
/* clang-format off */
#define KEY_ROW(text, first, last, key) [KEY_HASH(sizeof(text) - 1, first, last)] = {text, sizeof(text) - 1, key}
static const struct key_row keys[KEY_ROWS] = {
    KEY_ROW("id", 'i', 'd', KEY_ID),
    KEY_ROW("cost", 'c', 't', KEY_COST),
    KEY_ROW("data", 'd', 'a', KEY_DATA),
    KEY_ROW("role", 'r', 'e', KEY_ROLE),
    KEY_ROW("text", 't', 't', KEY_TEXT),
    KEY_ROW("type", 't', 'e', KEY_TYPE),
    KEY_ROW("delta", 'd', 'a', KEY_DELTA),
    KEY_ROW("error", 'e', 'r', KEY_ERROR),
    KEY_ROW("model", 'm', 'l', KEY_MODEL),
    KEY_ROW("usage", 'u', 'e', KEY_USAGE),
    KEY_ROW("output", 'o', 't', KEY_OUTPUT),
    KEY_ROW("status", 's', 's', KEY_STATUS),
    KEY_ROW("choices", 'c', 's', KEY_CHOICES),
    KEY_ROW("content", 'c', 't', KEY_CONTENT),
    KEY_ROW("is_byok", 'i', 'k', KEY_IS_BYOK),
    KEY_ROW("message", 'm', 'e', KEY_MESSAGE),
    KEY_ROW("citation", 'c', 'n', KEY_CITATION),
    KEY_ROW("provider", 'p', 'r', KEY_PROVIDER),
    KEY_ROW("response", 'r', 'e', KEY_RESPONSE),
    KEY_ROW("thinking", 't', 'g', KEY_THINKING),
    KEY_ROW("cost_details", 'c', 's', KEY_COST_DETAILS),
    KEY_ROW("input_tokens", 'i', 's', KEY_INPUT_TOKENS),
    KEY_ROW("partial_json", 'p', 'n', KEY_PARTIAL_JSON),
    KEY_ROW("cached_tokens", 'c', 's', KEY_CACHED_TOKENS),
    KEY_ROW("content_block", 'c', 'k', KEY_CONTENT_BLOCK),
    KEY_ROW("finish_reason", 'f', 'n', KEY_FINISH_REASON),
    KEY_ROW("output_tokens", 'o', 's', KEY_OUTPUT_TOKENS),
    KEY_ROW("prompt_tokens", 'p', 's', KEY_PROMPT_TOKENS),
    KEY_ROW("reasoning_tokens", 'r', 's', KEY_REASONING_TOKENS),
    KEY_ROW("completion_tokens", 'c', 's', KEY_COMPLETION_TOKENS),
    KEY_ROW("input_tokens_details", 'i', 's', KEY_INPUT_DETAILS),
    KEY_ROW("output_tokens_details", 'o', 's', KEY_OUTPUT_DETAILS),
    KEY_ROW("prompt_tokens_details", 'p', 's', KEY_PROMPT_DETAILS),
    KEY_ROW("cache_read_input_tokens", 'c', 's', KEY_CACHE_READ),
    KEY_ROW("upstream_inference_cost", 'u', 't', KEY_UPSTREAM_COST),
    KEY_ROW("completion_tokens_details", 'c', 's', KEY_COMPLETION_DETAILS),
};

static const unsigned char slots_of[PLACE_COUNT][KEY_COUNT] = {
    [PLACE_ROOT] = {[KEY_ID] = SLOT_ID, [KEY_MODEL] = SLOT_MODEL, [KEY_PROVIDER] = SLOT_PROVIDER, [KEY_USAGE] = SLOT_USAGE,
                    [KEY_TYPE] = SLOT_TYPE, [KEY_STATUS] = SLOT_STATUS, [KEY_ERROR] = SLOT_ERROR,
                    [KEY_CHOICES] = SLOT_CHOICES, [KEY_RESPONSE] = SLOT_NESTED, [KEY_MESSAGE] = SLOT_NESTED,
                    [KEY_DELTA] = SLOT_DELTA, [KEY_CONTENT] = SLOT_BLOCKS, [KEY_CONTENT_BLOCK] = SLOT_BLOCK,
                    [KEY_OUTPUT] = SLOT_CONTENT, [KEY_DATA] = SLOT_CONTENT},
    [PLACE_NESTED] = {[KEY_ID] = SLOT_ID, [KEY_MODEL] = SLOT_MODEL, [KEY_PROVIDER] = SLOT_PROVIDER,
                      [KEY_USAGE] = SLOT_USAGE, [KEY_STATUS] = SLOT_STATUS, [KEY_ERROR] = SLOT_CHOICE_ERROR,
                      [KEY_CONTENT] = SLOT_BLOCKS, [KEY_OUTPUT] = SLOT_CONTENT},
    [PLACE_USAGE] = {[KEY_PROMPT_TOKENS] = SLOT_PROMPT, [KEY_INPUT_TOKENS] = SLOT_PROMPT,
                     [KEY_COMPLETION_TOKENS] = SLOT_COMPLETION, [KEY_OUTPUT_TOKENS] = SLOT_COMPLETION,
                     [KEY_CACHE_READ] = SLOT_CACHED, [KEY_COST] = SLOT_COST, [KEY_IS_BYOK] = SLOT_BYOK,
                     [KEY_PROMPT_DETAILS] = SLOT_PROMPT_DETAILS, [KEY_INPUT_DETAILS] = SLOT_PROMPT_DETAILS,
                     [KEY_COMPLETION_DETAILS] = SLOT_COMPLETION_DETAILS, [KEY_OUTPUT_DETAILS] = SLOT_COMPLETION_DETAILS,
                     [KEY_COST_DETAILS] = SLOT_COST_DETAILS},
    [PLACE_PROMPT_DETAILS] = {[KEY_CACHED_TOKENS] = SLOT_CACHED},
    [PLACE_COMPLETION_DETAILS] = {[KEY_REASONING_TOKENS] = SLOT_REASONING},
    [PLACE_COST_DETAILS] = {[KEY_UPSTREAM_COST] = SLOT_UPSTREAM},
    [PLACE_CHOICES] = {[KEY_OTHER] = SLOT_CHOICE},
    [PLACE_CHOICE] = {[KEY_DELTA] = SLOT_CHOICE_DELTA, [KEY_MESSAGE] = SLOT_CHOICE_DELTA, [KEY_TEXT] = SLOT_CONTENT,
                      [KEY_FINISH_REASON] = SLOT_FINISH_REASON, [KEY_ERROR] = SLOT_CHOICE_ERROR},
    [PLACE_DELTA] = {[KEY_OTHER] = SLOT_CONTENT, [KEY_ROLE] = SLOT_SKIP},
    [PLACE_BLOCKS] = {[KEY_OTHER] = SLOT_BLOCK},
    [PLACE_BLOCK] = {[KEY_OTHER] = SLOT_CONTENT, [KEY_TYPE] = SLOT_SKIP, [KEY_ID] = SLOT_SKIP},
    [PLACE_BLOCK_DELTA] = {[KEY_TEXT] = SLOT_CONTENT, [KEY_THINKING] = SLOT_CONTENT, [KEY_PARTIAL_JSON] = SLOT_CONTENT,
                           [KEY_CITATION] = SLOT_CONTENT},
};

#define FIELD(name) offsetof(struct usage, name)
static const struct meter_slot slots[SLOT_COUNT] = {
    [SLOT_ROOT] = {.object = PLACE_ROOT},
    [SLOT_NESTED] = {.object = PLACE_NESTED},
    [SLOT_USAGE] = {.object = PLACE_USAGE},
    [SLOT_PROMPT] = {TAKES_TOKENS, .field = FIELD(prompt_tokens)},
    [SLOT_CACHED] = {TAKES_TOKENS, .field = FIELD(cached_tokens)},
    [SLOT_COMPLETION] = {TAKES_TOKENS, .field = FIELD(completion_tokens)},
    [SLOT_REASONING] = {TAKES_TOKENS, .field = FIELD(reasoning_tokens)},
    [SLOT_COST] = {TAKES_MONEY, .field = FIELD(cost_nano_usd)},
    [SLOT_UPSTREAM] = {TAKES_MONEY, .field = FIELD(upstream_nano_usd)},
    [SLOT_BYOK] = {TAKES_FLAG, .field = FIELD(is_byok)},
    [SLOT_PROMPT_DETAILS] = {.object = PLACE_PROMPT_DETAILS},
    [SLOT_COMPLETION_DETAILS] = {.object = PLACE_COMPLETION_DETAILS},
    [SLOT_COST_DETAILS] = {.object = PLACE_COST_DETAILS},
    [SLOT_ID] = {TAKES_TEXT, .field = FIELD(id)},
    [SLOT_MODEL] = {TAKES_TEXT, .field = FIELD(model)},
    [SLOT_PROVIDER] = {TAKES_TEXT, .field = FIELD(provider)},
    [SLOT_TYPE] = {TAKES_WORD, .field = WORD_TYPE},
    [SLOT_FINISH_REASON] = {TAKES_WORD, .field = WORD_FINISH_REASON},
    [SLOT_STATUS] = {TAKES_WORD, .field = WORD_STATUS},
    [SLOT_ERROR] = {.takes = TAKES_ERROR},
    [SLOT_CHOICE_ERROR] = {.takes = TAKES_ERROR},
    [SLOT_CHOICES] = {.array = PLACE_CHOICES},
    [SLOT_CHOICE] = {.object = PLACE_CHOICE},
    [SLOT_CHOICE_DELTA] = {.object = PLACE_DELTA},
    [SLOT_CONTENT] = {.takes = TAKES_CONTENT},
    [SLOT_BLOCKS] = {TAKES_CONTENT, .array = PLACE_BLOCKS},
    [SLOT_BLOCK] = {.object = PLACE_BLOCK},
    [SLOT_DELTA] = {TAKES_CONTENT, .object = PLACE_BLOCK_DELTA},
};
/* clang-format on */

/* Words that say how it went. An error in the middle of a stream is its last event: [DONE] is not promised then. */
static const struct {
    enum word word;
    const char *text;
    bool failed, ends;
} words[] = {
    {WORD_TYPE, "error", true, true},
    {WORD_TYPE, "message_stop", false, true},
    {WORD_TYPE, "response.completed", false, true},
    {WORD_TYPE, "response.incomplete", false, true},
    {WORD_TYPE, "response.failed", true, true},
    {WORD_TYPE, "response.done", false, true},
    {WORD_FINISH_REASON, "error", true, false},
    {WORD_STATUS, "failed", true, false},
};

static unsigned key_of(struct span name);
static void take_word(struct usage_meter *meter, unsigned word, struct span text);
static int64_t tokens_of(struct span text);

const struct meter_slot *meter_root_slot(void)
{
    return &slots[SLOT_ROOT];
}

const struct meter_slot *meter_slot(unsigned place, struct span name)
{
    assert(place < PLACE_COUNT);
    unsigned slot = slots_of[place][key_of(name)];
    return &slots[slot != SLOT_OF_PLACE ? slot : slots_of[place][KEY_OTHER]];
}

void meter_take_text(struct usage_meter *meter, const struct meter_slot *slot, struct span text)
{
    if (slot->takes == TAKES_WORD) {
        take_word(meter, slot->field, text);
        return;
    }
    char *field = (char *)&meter->usage + slot->field;
    bool weaker_id = slot == &slots[SLOT_ID] && !span_starts(text, SPAN("gen-")) &&
                     span_starts(span_of(field), SPAN("gen-"));
    if (text.size > 0 && text.size <= METER_TEXT_MAX && !memchr(text.at, '\0', text.size) &&
        !weaker_id)
        (void)span_text(text, field, METER_TEXT_MAX + 1);
}

void meter_take_bare(struct usage_meter *meter, const struct meter_slot *slot, struct span text)
{
    void *field = (char *)&meter->usage + slot->field;
    int64_t amount = -1;
    if (slot->takes == TAKES_MONEY)
        (void)nano_usd_parse(text, &amount);
    else if (slot->takes == TAKES_TOKENS)
        amount = tokens_of(text);
    else if (slot->takes == TAKES_ERROR && !span_equal(text, SPAN("null")) &&
             !span_equal(text, SPAN("false")))
        meter_take_error(meter, slot);
    else if (slot->takes == TAKES_FLAG && span_equal(text, SPAN("true")))
        *(bool *)field = true;
    else if (slot->takes == TAKES_FLAG && span_equal(text, SPAN("false")))
        *(bool *)field = false;
    if (amount >= 0)
        *(int64_t *)field = amount;
}

void meter_take_error(struct usage_meter *meter, const struct meter_slot *slot)
{
    meter->usage.failed = true;
    meter_state(meter)->ending |= slot == &slots[SLOT_ERROR];
}

static unsigned key_of(struct span name)
{
    if (name.size == 0)
        return KEY_OTHER;
    unsigned char first = (unsigned char)name.at[0], last = (unsigned char)name.at[name.size - 1];
    const struct key_row *row = &keys[KEY_HASH((unsigned)name.size, first, last)];
    bool same = row->size == name.size && memcmp(row->text, name.at, name.size) == 0;
    return same ? row->key : KEY_OTHER;
}

static void take_word(struct usage_meter *meter, unsigned word, struct span text)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (words[i].word == word && span_equal(text, span_of(words[i].text))) {
            meter->usage.failed |= words[i].failed;
            meter_state(meter)->ending |= words[i].ends;
        }
}

/* Whole numbers, also when they are written as 1.2E3. */
static int64_t tokens_of(struct span text)
{
    const int64_t nanos = 1000000000;
    uint64_t count = 0;
    int64_t scaled = 0;
    if (span_u64(text, &count))
        return count <= INT64_MAX ? (int64_t)count : -1;
    return nano_usd_parse(text, &scaled) && scaled % nanos == 0 ? scaled / nanos : -1;
}

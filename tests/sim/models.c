#include "models.h"

#include <string.h>

static const struct model table[] = {
    {"sim/echo", "Simulator: Echo", NULL, 1000000, 2000000, 131072},
    {"openai/gpt-4o-mini", "OpenAI: GPT-4o-mini", NULL, 150000, 600000, 128000},
    {"openai/gpt-4o", "OpenAI: GPT-4o", NULL, 2500000, 10000000, 128000},
    {"openai/gpt-5-nano", "OpenAI: GPT-5 Nano", NULL, 50000, 400000, 400000},
    {"anthropic/claude-sonnet-4.5", "Anthropic: Claude Sonnet 4.5", NULL, 3000000, 15000000,
     1000000},
    {"anthropic/claude-haiku-4.5", "Anthropic: Claude Haiku 4.5", NULL, 1000000, 5000000, 200000},
    {"google/gemini-2.5-flash", "Google: Gemini 2.5 Flash", NULL, 300000, 2500000, 1048576},
    {"google/gemini-2.5-flash-lite", "Google: Gemini 2.5 Flash Lite", NULL, 100000, 400000,
     1048576},
    {"meta-llama/llama-3.1-8b-instruct", "Meta: Llama 3.1 8B Instruct", NULL, 20000, 30000, 131072},
    {"mistralai/mistral-nemo", "Mistral: Mistral Nemo", NULL, 37500, 37500, 131072},
    {"deepseek/deepseek-chat-v3.1", "DeepSeek: DeepSeek V3.1", NULL, 200000, 800000, 163840},
    {"qwen/qwen3-coder", "Qwen: Qwen3 Coder", NULL, 220000, 950000, 262144},
    {"meta-llama/llama-3.3-70b-instruct:free", "Meta: Llama 3.3 70B Instruct (free)", NULL, 0, 0,
     131072},
    {"deepseek/deepseek-r1:free", "DeepSeek: R1 (free)", NULL, 0, 0, 163840},
    {"openai/text-embedding-3-small", "OpenAI: Text Embedding 3 Small", NULL, 20000, 0, 8192},
    {"~anthropic/claude-sonnet-latest", "Anthropic: Claude Sonnet Latest",
     "anthropic/claude-sonnet-4.5", 3000000, 15000000, 1000000},
    {"openrouter/auto", "Auto Router", "sim/echo", -1, -1, 2000000},
};

static const struct model *billed_as(const char *id);

const struct model *model_at(size_t index)
{
    return index < sizeof table / sizeof *table ? &table[index] : NULL;
}

const struct model *model_find(const char *id)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].id, id) == 0)
            return &table[i];
    return NULL;
}

int64_t model_cost_nano_usd(const char *id, int64_t prompt_tokens, int64_t completion_tokens)
{
    const struct model *model = billed_as(id);
    int64_t pico =
        prompt_tokens * model->prompt_pico_usd + completion_tokens * model->completion_pico_usd;
    return (pico + 999) / 1000;
}

static const struct model *billed_as(const char *id)
{
    const struct model *model = model_find(id);
    if (model && model->ran)
        model = model_find(model->ran);
    return model ? model : &table[0];
}

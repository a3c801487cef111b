#include "domain/provider.h"

static const struct span billing[] = {
    SPAN("AWS Bedrock"),   SPAN("Amazon Bedrock"),
    SPAN("Groq"),          SPAN("Modal"),
    SPAN("Google"),        SPAN("Google (Vertex)"),
    SPAN("Google Vertex"), SPAN("Google AI Studio"),
    SPAN("Minimax"),       SPAN("HuggingFace"),
    SPAN("Replicate"),     SPAN("Perplexity"),
    SPAN("Mistral"),       SPAN("AI21"),
    SPAN("Featherless"),   SPAN("Lynn"),
    SPAN("Lambda"),        SPAN("Reflection"),
    SPAN("SambaNova"),     SPAN("Inflection"),
    SPAN("ZeroOneAI"),     SPAN("AionLabs"),
    SPAN("Alibaba"),       SPAN("Nebius"),
    SPAN("Kluster"),       SPAN("Targon"),
    SPAN("InferenceNet"),
};

bool provider_bills_to_the_end(struct span name)
{
    for (size_t i = 0; i < sizeof(billing) / sizeof(*billing); i++)
        if (span_equal_nocase(name, billing[i]))
            return true;
    return false;
}

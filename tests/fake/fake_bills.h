/* fake_bills.h: what the small OpenRouter charges: one bill for each inference call that reached it, whatever we heard.
 *
 * A plain answer is billed whole as soon as it is worked on. A stream that is cancelled is billed up to what was told
 * where the provider stops then, whole otherwise. A call without a head was worked on all the same.
 *
 * Owns      the texts of its answer.
 * Units     nano-USD, tokens; unix milliseconds.
 * Source    openrouter-api 2 (models, generation), 3.7 (who stops)
 */
#ifndef KEYTURN_TESTS_FAKE_BILLS_H
#define KEYTURN_TESTS_FAKE_BILLS_H

#include "base/buffer.h"

enum { FAKE_PIECES_MAX = 8, FAKE_PIECE_SIZE = 320, FAKE_STREAM_PIECES = 5, FAKE_PLAIN_PIECES = 3 };

/* How OpenRouter is today; the scene may change it. All zero: as usual. */
struct fake_billing {
    const char *provider;   /* NULL: OpenAI, which stops when a stream is cancelled */
    bool drains;            /* the provider goes on to the end */
    bool tells_no_usage;    /* in answers */
    bool keeps_no_records;  /* GET /generation never knows */
    bool fails_midway;      /* streams end with an error event after their first word */
    int64_t word_tokens;    /* each of an answer's two words has so many; 0: FAKE_WORD_TOKENS */
    int64_t record_late_ms; /* 0: FAKE_RECORD_LATE_MS */
};

enum { FAKE_RECORD_LATE_MS = 400, FAKE_WORD_TOKENS = 20 };

struct fake_bill {
    char generation[16], model[64];
    int64_t number; /* of the client, from the request's "n"; -1 */
    int64_t prompt_nano_usd, token_nano_usd, max_tokens; /* max_tokens: as it came; -1: none */
    int64_t prompt_tokens, completion_tokens, told_tokens, word_tokens;
    bool streams, worked_on, is_closed;
    int64_t cost_nano_usd, closed_ms;
    int64_t known_from_ms; /* to GET /generation; 0: never */
    size_t piece_count;
    char texts[FAKE_PIECES_MAX][FAKE_PIECE_SIZE];
};

enum fake_billed { BILLED_NOTHING, BILLED_AS_TOLD, BILLED_WHOLE };

void fake_bill_open(struct fake_bill *bill, const struct fake_billing *billing, size_t index,
                    struct span body);
/* A 200 is composed into texts. */
void fake_bill_answer(struct fake_bill *bill, const struct fake_billing *billing);
void fake_bill_tell(struct fake_bill *bill, size_t piece);
void fake_bill_close(struct fake_bill *bill, const struct fake_billing *billing,
                     enum fake_billed how, int64_t now_ms);
/* The answer of GET /generation. */
void fake_bill_record(const struct fake_bill *bill, struct buffer *out);
/* The answer of GET /models. */
void fake_models_print(struct buffer *out);

#endif

#include "store/tally.h"

#include <assert.h>

static struct tally_row *row_of(struct tally *tally, struct tally_name name);
static int64_t known(int64_t tokens);

void tally_add(struct tally *tally, struct tally_name name, const struct settlement_record *record)
{
    const int64_t adds[TALLY_COLUMNS] = {1,
                                         quota_amount(record->cost_nano_usd),
                                         known(record->prompt_tokens),
                                         known(record->cached_tokens),
                                         known(record->completion_tokens),
                                         known(record->reasoning_tokens)};
    struct tally_row *row;

    if (record->source == COST_NOTHING_SENT)
        return;
    row = row_of(tally, name);
    for (size_t i = 0; i < TALLY_COLUMNS; i++)
        row->sums[i] += adds[i];
}

struct span tally_text(const struct tally_row *row, char ret_text[TALLY_TEXT_SIZE])
{
    char *at = ret_text;

    for (size_t i = 0; i < TALLY_COLUMNS; i++)
        at = number_put(at, row->sums[i], ' ');
    at[-1] = '\0';
    return (struct span){ret_text, (size_t)(at - 1 - ret_text)};
}

/* Those of one name mostly come one after the other. */
static struct tally_row *row_of(struct tally *tally, struct tally_name name)
{
    struct tally_row *row;

    for (size_t i = tally->count; i > 0; i--) {
        row = &tally->rows[i - 1];
        if (span_equal(row->name.first, name.first) && span_equal(row->name.second, name.second))
            return row;
    }
    assert(tally->count < TALLY_ROWS_MAX);
    row = &tally->rows[tally->count++];
    *row = (struct tally_row){.name = name};
    return row;
}

static int64_t known(int64_t tokens)
{
    return tokens > 0 ? tokens : 0;
}

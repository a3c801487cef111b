/* One line of the journal: the fields of a settlement, separated by tabs. No field can hold a tab: ids, names and models are
 * checked where they come in, and what is not printable is left out here. Each settlement is written once, so it is written
 * by hand: printf costs more than the rest of it. */
#include "flow/settlement.h"

#include "base/number.h"

#define TEXTS(ROW) \
    ROW(user) ROW(request_id) ROW(tier) ROW(model) ROW(generation_id) ROW(budget_period) ROW(day)
#define NUMBERS(ROW) \
    ROW(cost_nano_usd) \
    ROW(prompt_tokens) \
    ROW(cached_tokens) \
    ROW(completion_tokens) ROW(reasoning_tokens) ROW(key_version) ROW(finished_ms)

enum { NUMBER_MAX = NUMBER_TEXT_SIZE }; /* its NUL is the tab */

/* The longest line: each text's NUL is its tab. */
enum {
#define ROW(field) +sizeof(((struct settlement_record *)NULL)->field)
    TEXTS_MAX = 0 TEXTS(ROW),
#undef ROW
#define ROW(field) +NUMBER_MAX
    NUMBERS_MAX = 0 NUMBERS(ROW),
#undef ROW
    SETTLEMENT_LINE_MAX = TEXTS_MAX + NUMBERS_MAX + 2 * NUMBER_MAX
};

static char *put_text(char *at, const char *text);

bool settlement_write(const struct settlement_record *record, struct buffer *out)
{
    char line[SETTLEMENT_LINE_MAX], *at = line;

#define ROW(field) at = put_text(at, record->field);
    TEXTS(ROW)
#undef ROW
#define ROW(field) at = number_put(at, record->field, '\t');
    NUMBERS(ROW)
#undef ROW
    at = number_put(at, record->source, '\t');
    at = number_put(at, record->delivered, '\t');
    at[-1] = '\n';
    return buffer_append(out, (struct span){line, (size_t)(at - line)});
}

bool settlement_read(struct span line, struct settlement_record *ret_record)
{
    int64_t source = 0, delivered = 0;
    bool fine = true;

    *ret_record = (struct settlement_record){0};
#define ROW(field) \
    fine = fine && span_split_text(&line, '\t', ret_record->field, sizeof(ret_record->field));
    TEXTS(ROW)
#undef ROW
#define ROW(field) fine = fine && span_split_i64(&line, '\t', &ret_record->field);
    NUMBERS(ROW)
#undef ROW
    fine = fine && span_split_i64(&line, '\t', &source) &&
           span_split_i64(&line, '\t', &delivered) && source >= 0 && source <= COST_NOTHING_SENT;
    ret_record->source = (enum cost_source)source;
    ret_record->delivered = delivered == 1;
    return fine && ret_record->user[0] && ret_record->request_id[0];
}

/* All of them, but for a name that somebody else chose, are printable: then they are copied at once. */
static char *put_text(char *at, const char *text)
{
    size_t size = strlen(text), left_out = 0;

    for (size_t i = 0; i < size; i++)
        left_out += (unsigned char)text[i] < ' ';
    if (left_out == 0)
        memcpy(at, text, size);
    for (size_t i = 0, to = 0; left_out > 0 && i < size; i++)
        if ((unsigned char)text[i] >= ' ')
            at[to++] = text[i];
    at[size - left_out] = '\t';
    return at + size - left_out + 1;
}

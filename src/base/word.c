#include "base/word.h"

enum { WORD_BYTES_MAX = 64, SLIP_EVERY = 3 };

static bool same_letter(char a, char b);
static size_t least(size_t a, size_t b, size_t c);

/* costs[j]: from the part of a that was gone through to the first j letters of b. */
size_t word_distance(struct span a, struct span b)
{
    size_t costs[WORD_BYTES_MAX + 1];

    a = span_first(a, WORD_BYTES_MAX);
    b = span_first(b, WORD_BYTES_MAX);
    for (size_t j = 0; j <= b.size; j++)
        costs[j] = j;
    for (size_t i = 0; i < a.size; i++) {
        size_t replaced = costs[0];
        costs[0] = i + 1;
        for (size_t j = 0; j < b.size; j++) {
            size_t deleted = costs[j + 1] + 1, inserted = costs[j] + 1;
            if (!same_letter(a.at[i], b.at[j]))
                replaced++;
            replaced = least(replaced, deleted, inserted);
            size_t diagonal = costs[j + 1];
            costs[j + 1] = replaced;
            replaced = diagonal;
        }
    }
    return costs[b.size];
}

size_t word_slips(struct span word)
{
    return (word.size + SLIP_EVERY - 1) / SLIP_EVERY;
}

void word_compare(struct word_search *search, const char *known)
{
    size_t edits = word_distance(search->word, span_of(known));

    if (edits > word_slips(search->word) || (search->near && edits >= search->edits))
        return;
    search->near = known;
    search->edits = edits;
}

static bool same_letter(char a, char b)
{
    return span_equal_nocase((struct span){&a, 1}, (struct span){&b, 1});
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t less = a < b ? a : b;

    return less < c ? less : c;
}

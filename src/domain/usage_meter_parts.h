/* usage_meter_parts.h: what the files of the usage meter share; for nobody else.
 *
 * usage_meter.c cuts a body into texts (lines of an event stream, or the whole), _lex.c walks a text, _skip.c passes over
 * what does not matter in it, _text.c keeps the strings that do, _fields.c knows which places matter and what their
 * values mean.
 *
 * Owns      nothing; slots are constants.
 */
#ifndef KEYTURN_DOMAIN_USAGE_METER_PARTS_H
#define KEYTURN_DOMAIN_USAGE_METER_PARTS_H

#include "domain/usage_meter.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { METER_PLACES_MAX = 6 }; /* the deepest path that matters has four */

/* Objects and arrays whose members matter. */
enum meter_place {
    PLACE_NOWHERE, /* skipped as a whole */
    PLACE_CHOICES, /* arrays first */
    PLACE_BLOCKS,
    PLACE_LAST_ARRAY = PLACE_BLOCKS,
    PLACE_ROOT,
    PLACE_NESTED, /* response of /responses, message of /messages' message_start */
    PLACE_USAGE,
    PLACE_PROMPT_DETAILS,
    PLACE_COMPLETION_DETAILS,
    PLACE_COST_DETAILS,
    PLACE_CHOICE,
    PLACE_DELTA, /* delta or message of a choice */
    PLACE_BLOCK,
    PLACE_BLOCK_DELTA,
    PLACE_COUNT
};

enum meter_takes {
    TAKES_NOTHING,
    TAKES_CONTENT, /* only: is it empty? */
    TAKES_ERROR,   /* only: is there one? */
    TAKES_TEXT,
    TAKES_WORD,
    TAKES_TOKENS,
    TAKES_MONEY,
    TAKES_FLAG
};

/* What is done with a value. */
struct meter_slot {
    unsigned char takes;
    unsigned char object, array; /* the place it is, when it is one of these */
    unsigned short field;        /* of struct usage; of words: which */
};

enum meter_lex {
    LEX_VALUE, /* at depth 0 the beginning of a text */
    LEX_FIRST_ELEMENT,
    LEX_FIRST_KEY,
    LEX_KEY,
    LEX_KEY_TEXT,
    LEX_COLON,
    LEX_AFTER,
    LEX_TEXT,   /* in a string that is kept */
    LEX_LOOK,   /* at the first byte of a string of which only emptiness matters */
    LEX_STRING, /* in one that is passed over */
    LEX_BARE,   /* in a number or literal that is kept */
    LEX_PASS_BARE,
    LEX_SKIP, /* in an object or array that is passed over */
    LEX_SKIP_STRING,
    LEX_END,
    LEX_BROKEN
};

struct meter_state {
    const struct meter_slot *slot; /* of the value that comes, or is being read */
    uint64_t skip_kinds;           /* a bit for each of the first levels skipped: it is an array */
    uint32_t skip_depth;
    uint32_t code;     /* of the \u escape being read */
    uint32_t high;     /* the surrogate that waits for its other half; 0: none */
    unsigned char lex; /* enum meter_lex */
    unsigned char depth;
    unsigned char places[METER_PLACES_MAX];
    unsigned char escape; /* 1: behind a backslash; 2 to 5: one less hex digits to come; 0: none */
    unsigned char line, matched, bom_matched; /* of usage_meter.c */
    bool behind_cr;
    bool behind_backslash; /* in a string that is passed over */
    bool look;             /* in the value being skipped: has it anything inside? */
    bool ending;           /* this text is the last one, once it is whole */
    bool choice_seen;
    bool text_used; /* something of a string or number was kept: never outside of these */
    bool text_cut;  /* does not fit into text */
    unsigned char text_size;
    char text[METER_TEXT_MAX];
};

static inline struct meter_state *meter_state(struct usage_meter *meter)
{
    return (struct meter_state *)(void *)meter->state;
}

/* usage_meter_lex.c */
void meter_lex_start(struct usage_meter *meter);
void meter_lex(struct usage_meter *meter, struct span bytes);
void meter_broken(struct usage_meter *meter);

/* usage_meter_skip.c: at an opening bracket, or inside. Returns where it stopped. */
const char *meter_skip(struct usage_meter *meter, const char *at, const char *end);

/* usage_meter_text.c */
enum meter_text { TEXT_MORE, TEXT_CLOSED, TEXT_BROKEN };
void meter_text_start(struct meter_state *s);
/* Takes a string's bytes from the front of *bytes, its closing quote included. */
enum meter_text meter_text_take(struct meter_state *s, struct span *bytes, struct span *ret_text);
void meter_text_keep(struct meter_state *s, struct span bytes);
struct span meter_text_kept(const struct meter_state *s);

/* usage_meter_fields.c */
const struct meter_slot *meter_root_slot(void);
const struct meter_slot *meter_slot(unsigned place, struct span name); /* of an array: any name */
void meter_take_text(struct usage_meter *meter, const struct meter_slot *slot, struct span text);
void meter_take_bare(struct usage_meter *meter, const struct meter_slot *slot, struct span text);
void meter_take_error(struct usage_meter *meter, const struct meter_slot *slot);

enum { IS_BLANK = 1, ENDS_BARE = 2, IN_BARE = 4, SHAPES = 8 };

/* clang-format off */
static const unsigned char meter_classes[256] = {
    [' '] = IS_BLANK | ENDS_BARE, ['\t'] = IS_BLANK | ENDS_BARE, ['\n'] = IS_BLANK | ENDS_BARE,
    ['\r'] = IS_BLANK | ENDS_BARE, [','] = ENDS_BARE, [']'] = ENDS_BARE | SHAPES, ['}'] = ENDS_BARE | SHAPES,
    ['"'] = SHAPES, ['['] = SHAPES, ['{'] = SHAPES,
    ['0'] = IN_BARE, ['1'] = IN_BARE, ['2'] = IN_BARE, ['3'] = IN_BARE, ['4'] = IN_BARE, ['5'] = IN_BARE,
    ['6'] = IN_BARE, ['7'] = IN_BARE, ['8'] = IN_BARE, ['9'] = IN_BARE, ['+'] = IN_BARE, ['-'] = IN_BARE,
    ['.'] = IN_BARE, ['e'] = IN_BARE, ['E'] = IN_BARE, ['t'] = IN_BARE, ['r'] = IN_BARE, ['u'] = IN_BARE,
    ['f'] = IN_BARE, ['a'] = IN_BARE, ['l'] = IN_BARE, ['s'] = IN_BARE, ['n'] = IN_BARE,
};
/* clang-format on */

static inline bool meter_is(char c, unsigned class)
{
    return (meter_classes[(unsigned char)c] & class) != 0;
}

static inline const char *meter_skip_blanks(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at <= ' ' && meter_is(*at, IS_BLANK))
        at++;
    return at;
}

static inline void meter_value_ended(struct usage_meter *meter)
{
    struct meter_state *s = meter_state(meter);
    s->lex = s->depth > 0 ? LEX_AFTER : LEX_END;
    if (s->depth == 0 && s->ending && meter->stream)
        meter->usage.finished = true;
}

/* The first quote or backslash, or the end. */
static inline const char *meter_find_quote(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int hits = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, slashes)));
        if (hits != 0)
            return at + __builtin_ctz((unsigned)hits);
    }
#else
    const uint64_t ones = 0x0101010101010101, tops = ones * 0x80;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
        if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & tops)
            break;
    }
#endif
    while (at < end && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* Moves *at behind the closing quote of a string that is passed over, or to the end; true for the former. */
static inline bool meter_pass_string(struct meter_state *s, const char **at, const char *end)
{
    if (*at == end)
        return false;
    *at += s->behind_backslash;
    while ((*at = meter_find_quote(*at, end)) < end) {
        s->behind_backslash = *(*at)++ == '\\';
        if (!s->behind_backslash)
            return true;
        if (*at < end)
            ++*at;
        else
            return false;
    }
    s->behind_backslash = false;
    return false;
}

#endif

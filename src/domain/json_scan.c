#include "domain/json_scan.h"

#include "base/unset.h"
#include "domain/json_text.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What the walk waits for next; the last three end it. */
enum want {
    WANT_VALUE,
    WANT_VALUE_OR_CLOSE,
    WANT_NAME,
    WANT_NAME_OR_CLOSE,
    WANT_COMMA_OR_CLOSE,
    WANT_END,
    WALK_DONE,
    WALK_STOPPED,
    WALK_BROKEN
};

struct walk {
    const unsigned char *at, *end;
    unsigned depth;
    enum json_kind top_kind, value_kind;
    const unsigned char *value_start; /* of a value directly in the top-level object */
    struct json_member member;
    bool (*visit)(const struct json_member *member, void *context);
    void *context;
    unsigned char closers[JSON_DEPTH_MAX]; /* the bracket that ends each open level */
};

static enum want walk_step(struct walk *w, enum want want);
static enum want value_step(struct walk *w);
static enum want name_step(struct walk *w);
static enum want close_step(struct walk *w);
static enum want value_ended(struct walk *w);
static enum want level_open(struct walk *w, enum json_kind kind);
static bool kind_of(unsigned char c, enum json_kind *ret_kind);
static bool take_literal(struct walk *w, struct span word);
static bool take_number(struct walk *w);
static bool take_digits(struct walk *w);
static bool take_string(struct walk *w, bool *ret_escaped);
static void skip_plain(struct walk *w);
static void skip_pieces(struct walk *w);
static bool is_plain(unsigned char c);
static bool take_escape(struct walk *w);
static bool take_utf8_run(struct walk *w);
static size_t utf8_size(const unsigned char *at, size_t left);
static void skip_blanks(struct walk *w);

enum json_verdict json_scan(struct span text,
                            bool (*visit)(const struct json_member *member, void *context),
                            void *context, size_t *ret_bad_at)
{
    const unsigned char *start = (const unsigned char *)(text.at ? text.at : "");
    UNSET struct walk
        w; /* closers stay unset: most of a small body's cost would be clearing them */
    w.at = start;
    w.end = start + text.size;
    w.depth = 0;
    w.top_kind = w.value_kind = JSON_NULL;
    w.value_start = NULL;
    w.visit = visit;
    w.context = context;

    enum want want = WANT_VALUE;
    while (want < WALK_DONE) {
        skip_blanks(&w);
        want = walk_step(&w, want);
    }
    if (want == WALK_BROKEN) {
        if (ret_bad_at)
            *ret_bad_at = (size_t)(w.at - start);
        return JSON_BROKEN;
    }
    return w.top_kind == JSON_OBJECT ? JSON_FINE : JSON_NOT_OBJECT;
}

static enum want walk_step(struct walk *w, enum want want)
{
    if (w->at == w->end)
        return want == WANT_END ? WALK_DONE : WALK_BROKEN;
    switch (want) {
    case WANT_VALUE_OR_CLOSE:
        if (*w->at == ']')
            return close_step(w);
        return value_step(w);
    case WANT_VALUE:
        return value_step(w);
    case WANT_NAME_OR_CLOSE:
        if (*w->at == '}')
            return close_step(w);
        return name_step(w);
    case WANT_NAME:
        return name_step(w);
    case WANT_COMMA_OR_CLOSE:
        if (*w->at != ',')
            return close_step(w);
        w->at++;
        return w->closers[w->depth - 1] == '}' ? WANT_NAME : WANT_VALUE;
    case WANT_END:
    case WALK_DONE:
    case WALK_STOPPED:
    case WALK_BROKEN:
        break;
    }
    return WALK_BROKEN;
}

static enum want value_step(struct walk *w)
{
    enum json_kind kind;
    if (!kind_of(*w->at, &kind))
        return WALK_BROKEN;
    if (w->depth == 0)
        w->top_kind = kind;
    if (w->depth == 1) {
        w->value_start = w->at;
        w->value_kind = kind;
    }
    bool fine = false, escaped;
    switch (kind) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return level_open(w, kind);
    case JSON_STRING:
        fine = take_string(w, &escaped);
        break;
    case JSON_NUMBER:
        fine = take_number(w);
        break;
    case JSON_TRUE:
        fine = take_literal(w, SPAN("true"));
        break;
    case JSON_FALSE:
        fine = take_literal(w, SPAN("false"));
        break;
    case JSON_NULL:
        fine = take_literal(w, SPAN("null"));
        break;
    }
    return fine ? value_ended(w) : WALK_BROKEN;
}

static enum want name_step(struct walk *w)
{
    const unsigned char *start = w->at;
    bool escaped;
    if (*w->at != '"' || !take_string(w, &escaped))
        return WALK_BROKEN;
    if (w->depth == 1) {
        w->member.name = (struct span){(const char *)start + 1, (size_t)(w->at - start) - 2};
        w->member.name_escaped = escaped;
    }
    skip_blanks(w);
    if (w->at == w->end || *w->at != ':')
        return WALK_BROKEN;
    w->at++;
    return WANT_VALUE;
}

static enum want close_step(struct walk *w)
{
    if (*w->at != w->closers[w->depth - 1])
        return WALK_BROKEN;
    w->at++;
    w->depth--;
    return value_ended(w);
}

static enum want value_ended(struct walk *w)
{
    if (w->depth == 0)
        return WANT_END;
    if (w->depth == 1 && w->closers[0] == '}' && w->visit) {
        w->member.kind = w->value_kind;
        w->member.value =
            (struct span){(const char *)w->value_start, (size_t)(w->at - w->value_start)};
        if (!w->visit(&w->member, w->context))
            return WALK_STOPPED;
    }
    return WANT_COMMA_OR_CLOSE;
}

static enum want level_open(struct walk *w, enum json_kind kind)
{
    if (w->depth == JSON_DEPTH_MAX)
        return WALK_BROKEN;
    w->at++;
    w->closers[w->depth++] = kind == JSON_OBJECT ? '}' : ']';
    return kind == JSON_OBJECT ? WANT_NAME_OR_CLOSE : WANT_VALUE_OR_CLOSE;
}

static bool kind_of(unsigned char c, enum json_kind *ret_kind)
{
    switch (c) {
    case '{':
        *ret_kind = JSON_OBJECT;
        return true;
    case '[':
        *ret_kind = JSON_ARRAY;
        return true;
    case '"':
        *ret_kind = JSON_STRING;
        return true;
    case 't':
        *ret_kind = JSON_TRUE;
        return true;
    case 'f':
        *ret_kind = JSON_FALSE;
        return true;
    case 'n':
        *ret_kind = JSON_NULL;
        return true;
    default:
        *ret_kind = JSON_NUMBER;
        return c == '-' || (c >= '0' && c <= '9');
    }
}

static bool take_literal(struct walk *w, struct span word)
{
    for (size_t i = 0; i < word.size; i++, w->at++)
        if (w->at == w->end || *w->at != (unsigned char)word.at[i])
            return false;
    return true;
}

static bool take_number(struct walk *w)
{
    if (*w->at == '-')
        w->at++;
    if (w->at < w->end && *w->at == '0')
        w->at++;
    else if (!take_digits(w))
        return false;
    if (w->at < w->end && *w->at == '.') {
        w->at++;
        if (!take_digits(w))
            return false;
    }
    if (w->at < w->end && (*w->at == 'e' || *w->at == 'E')) {
        w->at++;
        if (w->at < w->end && (*w->at == '+' || *w->at == '-'))
            w->at++;
        return take_digits(w);
    }
    return true;
}

static bool take_digits(struct walk *w)
{
    const unsigned char *start = w->at;
    while (w->at < w->end && *w->at >= '0' && *w->at <= '9')
        w->at++;
    return w->at > start;
}

static bool take_string(struct walk *w, bool *ret_escaped)
{
    *ret_escaped = false;
    w->at++;
    for (;;) {
        skip_plain(w);
        if (w->at == w->end)
            return false;
        if (*w->at == '"') {
            w->at++;
            return true;
        }
        bool escape = *w->at == '\\';
        *ret_escaped |= escape;
        if (escape ? !take_escape(w) : !take_utf8_run(w))
            return false;
    }
}

static void skip_plain(struct walk *w)
{
    skip_pieces(w);
    while (w->at < w->end && is_plain(*w->at))
        w->at++;
}

/* Goes on while none of the next bytes is a control, a quote, a backslash or beyond ASCII. Most of a body is the text of
 * a few messages: four pieces at a time. */
#ifdef __SSE2__
static inline __m128i ends_in(const unsigned char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i signs = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    /* beyond ASCII is negative: one comparison with the controls */
    return _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)), signs);
}

static void skip_pieces(struct walk *w)
{
    const unsigned char *at = w->at;
    int found = 0;

    while (w->end - at >= 64 &&
           !_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(ends_in(at), ends_in(at + 16)),
                                           _mm_or_si128(ends_in(at + 32), ends_in(at + 48)))))
        at += 64;
    while (w->end - at >= 16 && !(found = _mm_movemask_epi8(ends_in(at))))
        at += 16;
    w->at = at + (found ? __builtin_ctz((unsigned)found) : 0);
}
#else
static void skip_pieces(struct walk *w)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones * 0x80;

    while (w->end - w->at >= 8) {
        uint64_t word;
        memcpy(&word, w->at, sizeof(word));
        uint64_t quote = word ^ ones * '"', escape = word ^ ones * '\\';
        if ((word | (word - ones * 0x20) | (quote - ones) | (escape - ones)) & tops)
            return;
        w->at += 8;
    }
}
#endif

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static bool take_escape(struct walk *w)
{
    const unsigned char *at = w->at + 1;
    if (at == w->end)
        return false;
    if (*at != 'u') {
        bool known = *at != '\0' && strchr("\"\\/bfnrt", *at) != NULL;
        w->at += known ? 2 : 0;
        return known;
    }
    unsigned code, low;
    if (!json_hex4(at + 1, w->end, &code) || (code >= 0xdc00 && code <= 0xdfff))
        return false;
    at += 5;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (w->end - at < 6 || at[0] != '\\' || at[1] != 'u' || !json_hex4(at + 2, w->end, &low) ||
            low < 0xdc00 || low > 0xdfff)
            return false;
        at += 6;
    }
    w->at = at;
    return true;
}

/* At least one character beyond ASCII, and those right behind it. */
static bool take_utf8_run(struct walk *w)
{
    do {
        size_t size = utf8_size(w->at, (size_t)(w->end - w->at));
        if (size == 0)
            return false;
        w->at += size;
    } while (w->at < w->end && *w->at >= 0x80);
    return true;
}

/* Unicode, table 3-7: the second byte's range says what is overlong, a surrogate or beyond U+10FFFF. */
static size_t utf8_size(const unsigned char *at, size_t left)
{
    size_t size = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (size == 0 || left < size)
        return 0;
    unsigned char least = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char most = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

static void skip_blanks(struct walk *w)
{
    while (w->at < w->end && (*w->at == ' ' || *w->at == '\n' || *w->at == '\r' || *w->at == '\t'))
        w->at++;
}

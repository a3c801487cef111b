/* From bytes to texts.
 *
 * An event stream is cut into lines (LF, CRLF, CR). Of these only data: lines matter: every one is a text of its own,
 * unless it stops in the middle of one outside of a string: then the next data: line of the same event goes on
 * with it, as the standard joins them. No line is ever held, so none is too long.
 */
#include "domain/usage_meter.h"

#include <assert.h>

#include "domain/usage_meter_parts.h"

enum line {
    LINE_FIELD, /* matching "data:"; `matched` bytes of it so far */
    LINE_MARK,  /* before a text; matching "[DONE]" */
    LINE_TEXT,
    LINE_REST /* nothing that matters up to its end */
};

enum { BOM_SIZE = 3 };

static const struct span bom = {"\xef\xbb\xbf", BOM_SIZE}, data = {"data:", 5},
                         done = {"[DONE]", 6};

static struct span pass_bom(struct usage_meter *meter, struct span bytes);
static void feed_lines(struct usage_meter *meter, struct span bytes);
static void feed_line(struct usage_meter *meter, struct span bytes);
static struct span match_field(struct usage_meter *meter, struct span bytes);
static struct span match_done(struct usage_meter *meter, struct span bytes);
static void end_line(struct usage_meter *meter);
static void end_data(struct usage_meter *meter);
static bool text_open(const struct meter_state *s);
static bool in_string(const struct meter_state *s);

int64_t usage_bill(const struct usage *usage)
{
    if (usage->cost_nano_usd < 0 || !usage->is_byok)
        return usage->cost_nano_usd;
    if (usage->upstream_nano_usd < 0)
        return -1;
    return usage->cost_nano_usd > INT64_MAX - usage->upstream_nano_usd
               ? INT64_MAX
               : usage->cost_nano_usd + usage->upstream_nano_usd;
}

void usage_meter_init(struct usage_meter *meter, enum dialect dialect, bool stream)
{
    static_assert(sizeof(struct meter_state) <= sizeof(meter->state), "the header makes room");
    static_assert(offsetof(struct usage_meter, state) % _Alignof(struct meter_state) == 0,
                  "the header aligns");
    *meter = (struct usage_meter){.dialect = dialect, .stream = stream};
    meter->usage.prompt_tokens = meter->usage.cached_tokens = -1;
    meter->usage.completion_tokens = meter->usage.reasoning_tokens = -1;
    meter->usage.cost_nano_usd = meter->usage.upstream_nano_usd = -1;
    meter_lex_start(meter);
}

void usage_meter_feed(struct usage_meter *meter, struct span bytes)
{
    if (meter_state(meter)->bom_matched < BOM_SIZE)
        bytes = pass_bom(meter, bytes);
    if (meter->stream)
        feed_lines(meter, bytes);
    else
        meter_lex(meter, bytes);
}

void usage_meter_end(struct usage_meter *meter)
{
    struct meter_state *s = meter_state(meter);
    if (!meter->stream) {
        if (!in_string(s))
            meter_lex(meter, SPAN("\n")); /* ends a number */
        meter->usage.finished |= s->lex == LEX_END;
    }
    bool chooses = meter->dialect == DIALECT_CHAT || meter->dialect == DIALECT_TEXT;
    meter->usage.failed |= chooses && !s->choice_seen && !meter->usage.malformed;
}

/* Over a byte order mark at the very start. */
static struct span pass_bom(struct usage_meter *meter, struct span bytes)
{
    struct meter_state *s = meter_state(meter);
    for (; bytes.size > 0 && s->bom_matched < BOM_SIZE; bytes = span_from(bytes, 1)) {
        if (bytes.at[0] == bom.at[s->bom_matched]) {
            s->bom_matched++;
            continue;
        }
        if (s->bom_matched > 0 && meter->stream)
            s->line = LINE_REST;
        else if (s->bom_matched > 0)
            meter_broken(meter);
        s->bom_matched = BOM_SIZE;
        break;
    }
    return bytes;
}

static void feed_lines(struct usage_meter *meter, struct span bytes)
{
    struct meter_state *s = meter_state(meter);
    if (bytes.size == 0)
        return;
    const char *at = bytes.at, *end = at + bytes.size, *cr = memchr(at, '\r', bytes.size);
    while (at < end) {
        const char *limit = cr ? cr : end, *lf = memchr(at, '\n', (size_t)(limit - at));
        const char *stop = lf ? lf : limit;
        if (stop > at) {
            feed_line(meter, (struct span){at, (size_t)(stop - at)});
            s->behind_cr = false;
        }
        if (stop == end)
            return;
        if (stop > at || !s->behind_cr || *stop == '\r')
            end_line(meter);
        s->behind_cr = *stop == '\r';
        at = stop + 1;
        if (s->behind_cr)
            cr = memchr(at, '\r', (size_t)(end - at));
    }
}

/* Bytes of one line. */
static void feed_line(struct usage_meter *meter, struct span bytes)
{
    struct meter_state *s = meter_state(meter);
    if (s->line == LINE_FIELD)
        bytes = match_field(meter, bytes);
    if (s->line == LINE_MARK)
        bytes = match_done(meter, bytes);
    if (s->line == LINE_TEXT)
        meter_lex(meter, bytes);
}

static struct span match_field(struct usage_meter *meter, struct span bytes)
{
    struct meter_state *s = meter_state(meter);
    while (bytes.size > 0 && s->matched < data.size) {
        if (bytes.at[0] != data.at[s->matched]) {
            s->line = LINE_REST;
            return bytes;
        }
        s->matched++;
        bytes = span_from(bytes, 1);
    }
    if (s->matched < data.size)
        return bytes;
    s->line = text_open(s) ? LINE_TEXT : LINE_MARK;
    if (s->line == LINE_MARK)
        meter_lex_start(meter);
    s->matched = 0;
    return bytes;
}

/* What only began like the mark is a text after all. */
static struct span match_done(struct usage_meter *meter, struct span bytes)
{
    struct meter_state *s = meter_state(meter);
    while (bytes.size > 0) {
        char c = bytes.at[0];
        if (c == done.at[s->matched])
            s->matched++;
        else if (s->matched > 0 || (c != ' ' && c != '\t'))
            break;
        bytes = span_from(bytes, 1);
        if (s->matched < done.size)
            continue;
        meter->usage.finished = true;
        s->line = LINE_REST;
        return bytes;
    }
    if (bytes.size > 0) {
        meter_lex(meter, span_first(done, s->matched));
        s->line = LINE_TEXT;
    }
    return bytes;
}

static void end_line(struct usage_meter *meter)
{
    struct meter_state *s = meter_state(meter);
    bool blank = s->line == LINE_FIELD && s->matched == 0;
    if (s->line == LINE_MARK)
        meter_lex(meter, span_first(done, s->matched));
    if (s->line == LINE_MARK || s->line == LINE_TEXT)
        end_data(meter);
    if (blank && text_open(s))
        meter_broken(meter); /* the event is over, its text is not */
    s->line = LINE_FIELD;
    s->matched = 0;
}

static void end_data(struct usage_meter *meter)
{
    if (in_string(meter_state(meter)))
        meter_broken(meter);
    else
        meter_lex(meter, SPAN("\n"));
}

/* In the middle of a text. */
static bool text_open(const struct meter_state *s)
{
    bool fresh = s->lex == LEX_VALUE && s->depth == 0;
    return !fresh && s->lex != LEX_END && s->lex != LEX_BROKEN;
}

static bool in_string(const struct meter_state *s)
{
    return s->lex == LEX_KEY_TEXT || s->lex == LEX_TEXT || s->lex == LEX_LOOK ||
           s->lex == LEX_STRING || s->lex == LEX_SKIP_STRING;
}

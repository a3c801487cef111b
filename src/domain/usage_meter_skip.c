/* Passing over objects and arrays that do not matter, as fast as possible and only for their end: strings for their
 * quote, the rest for its brackets. These must match on the first METER_DEPTH_MAX levels and are only counted below, so
 * that no depth costs memory.
 */
#include "domain/usage_meter_parts.h"

static bool look_inside(struct usage_meter *meter, const char **at, const char *end);
static void take_bracket(struct usage_meter *meter, char c);

const char *meter_skip(struct usage_meter *meter, const char *at, const char *end)
{
    struct meter_state *s = meter_state(meter);
    if (s->look && !look_inside(meter, &at, end))
        return end;
    for (;;) {
        if (s->lex == LEX_SKIP_STRING && !meter_pass_string(s, &at, end))
            return end;
        s->lex = LEX_SKIP;
        while (at < end && !meter_is(*at, SHAPES))
            at++;
        if (at == end)
            return end;
        char c = *at++;
        if (c == '"')
            s->lex = LEX_SKIP_STRING;
        else
            take_bracket(meter, c);
        if (s->lex != LEX_SKIP && s->lex != LEX_SKIP_STRING)
            return at;
    }
}

/* Anything but its end behind the first bracket is content. */
static bool look_inside(struct usage_meter *meter, const char **at, const char *end)
{
    struct meter_state *s = meter_state(meter);
    if (s->skip_depth == 0)
        take_bracket(meter, *(*at)++);
    *at = meter_skip_blanks(*at, end);
    if (*at == end)
        return false;
    meter->usage.delivered |= **at != ']' && **at != '}';
    s->look = false;
    return true;
}

static void take_bracket(struct usage_meter *meter, char c)
{
    struct meter_state *s = meter_state(meter);
    bool array = c == '[' || c == ']', opens = c == '[' || c == '{';
    uint32_t level = opens ? s->skip_depth : s->skip_depth - 1;
    uint64_t bit = level < METER_DEPTH_MAX ? UINT64_C(1) << level : 0;
    if (opens && level < UINT32_MAX) {
        s->skip_kinds = array ? s->skip_kinds | bit : s->skip_kinds & ~bit;
        s->skip_depth++;
    } else if (opens || (bit && array != ((s->skip_kinds & bit) != 0))) {
        meter_broken(meter);
    } else if (--s->skip_depth == 0) {
        meter_value_ended(meter);
    }
}

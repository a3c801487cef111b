/* One walk over one JSON text, handed over in pieces cut anywhere.
 *
 * Places that matter (usage_meter_fields.c) are walked strictly: a fault in their grammar is malformed. Everything else
 * is passed over, only for its end. UTF-8 is nobody's business here.
 *
 * Every state may be the last of a piece. Within a piece one step runs on into the next one without coming back to the
 * switch; that is where the speed is.
 */
#include <assert.h>

#include "domain/usage_meter_parts.h"

struct walk {
    const char *at, *end;
    struct usage_meter *meter;
    struct meter_state *s;
};

static void step(struct walk *w);
static bool take_name(struct walk *w);
static bool take_key_quote(struct walk *w);
static bool take_key(struct walk *w);
static bool take_colon(struct walk *w);
static void take_value(struct walk *w);
static void start_string(struct walk *w, unsigned takes);
static void start_nest(struct walk *w, unsigned place);
static void open_place(struct walk *w, unsigned place);
static void take_after(struct walk *w);
static void close_place(struct walk *w);
static void take_text(struct walk *w);
static void pass_string(struct walk *w);
static void take_look(struct walk *w);
static void take_bare(struct walk *w);
static bool take_kept(struct walk *w, struct span *ret_text);
static bool skip_blanks(struct walk *w);

void meter_lex_start(struct usage_meter *meter)
{
    struct meter_state *s = meter_state(meter);
    s->slot = meter_root_slot();
    s->lex = LEX_VALUE;
    s->depth = 0;
    s->skip_depth = 0;
    s->look = s->ending = s->behind_backslash = false;
    meter_text_start(s);
}

__attribute__((flatten)) void meter_lex(struct usage_meter *meter, struct span bytes)
{
    struct walk w = {bytes.at, bytes.at + bytes.size, meter, meter_state(meter)};
    while (w.at < w.end)
        step(&w);
}

void meter_broken(struct usage_meter *meter)
{
    meter->usage.malformed = true;
    meter_state(meter)->lex = LEX_BROKEN;
}

static void step(struct walk *w)
{
    switch ((enum meter_lex)w->s->lex) {
    case LEX_FIRST_KEY:
    case LEX_KEY:
        if (take_name(w))
            break;
        if (!take_key_quote(w))
            return;
        __attribute__((fallthrough));
    case LEX_KEY_TEXT:
        if (!take_key(w))
            return;
        __attribute__((fallthrough));
    case LEX_COLON:
        if (!take_colon(w))
            return;
        break;
    case LEX_VALUE:
    case LEX_FIRST_ELEMENT:
        break;
    case LEX_AFTER:
        take_after(w);
        return;
    case LEX_TEXT:
        take_text(w);
        return;
    case LEX_LOOK:
        take_look(w);
        return;
    case LEX_STRING:
        pass_string(w);
        return;
    case LEX_BARE:
    case LEX_PASS_BARE:
        take_bare(w);
        return;
    case LEX_SKIP:
    case LEX_SKIP_STRING:
        w->at = meter_skip(w->meter, w->at, w->end);
        return;
    case LEX_END:
        if (skip_blanks(w))
            meter_broken(w->meter);
        return;
    case LEX_BROKEN:
        w->at = w->end;
        return;
    }
    take_value(w);
}

/* "name": as nearly all come, in one piece; otherwise takes nothing. */
static bool take_name(struct walk *w)
{
    struct meter_state *s = w->s;
    const char *name = w->at + 1;
    if (*w->at != '"')
        return false;
    const char *quote = meter_find_quote(name, w->end);
    if (w->end - quote < 3 || quote[0] != '"' || quote[1] != ':')
        return false;
    s->slot = meter_slot(s->places[s->depth - 1], (struct span){name, (size_t)(quote - name)});
    s->lex = LEX_VALUE;
    w->at = quote + 2;
    return true;
}

/* The steps up to a value: true when done and there are bytes left. */
static bool take_key_quote(struct walk *w)
{
    if (!skip_blanks(w))
        return false;
    if (*w->at == '"') {
        w->at++;
        w->s->lex = LEX_KEY_TEXT;
        return w->at < w->end;
    }
    if (*w->at == '}' && w->s->lex == LEX_FIRST_KEY)
        close_place(w);
    else
        meter_broken(w->meter);
    return false;
}

static bool take_key(struct walk *w)
{
    struct meter_state *s = w->s;
    struct span name;
    if (!take_kept(w, &name))
        return false;
    s->slot = meter_slot(s->places[s->depth - 1], s->text_cut ? SPAN("") : name);
    s->lex = LEX_COLON;
    meter_text_start(s);
    return w->at < w->end;
}

static bool take_colon(struct walk *w)
{
    if (!skip_blanks(w))
        return false;
    if (*w->at != ':') {
        meter_broken(w->meter);
        return false;
    }
    w->at++;
    w->s->lex = LEX_VALUE;
    return w->at < w->end;
}

static void take_value(struct walk *w)
{
    struct meter_state *s = w->s;
    if (!skip_blanks(w))
        return;
    char c = *w->at;
    unsigned takes = s->slot->takes;
    if (c == '"') {
        w->at++;
        start_string(w, takes);
    } else if (meter_is(c, IN_BARE)) {
        s->lex = takes >= TAKES_TOKENS || takes == TAKES_ERROR ? LEX_BARE : LEX_PASS_BARE;
        take_bare(w);
    } else if (c == '{' || c == '[') {
        start_nest(w, c == '{' ? s->slot->object : s->slot->array);
    } else if (c == ']' && s->lex == LEX_FIRST_ELEMENT) {
        close_place(w);
    } else {
        meter_broken(w->meter);
    }
}

static void start_string(struct walk *w, unsigned takes)
{
    struct meter_state *s = w->s;
    if (takes == TAKES_TEXT || takes == TAKES_WORD) {
        s->lex = LEX_TEXT;
        take_text(w);
    } else if (takes == TAKES_ERROR || (takes == TAKES_CONTENT && !w->meter->usage.delivered)) {
        s->lex = LEX_LOOK;
    } else {
        s->lex = LEX_STRING;
        pass_string(w);
    }
}

static void start_nest(struct walk *w, unsigned place)
{
    struct meter_state *s = w->s;
    if (s->slot->takes == TAKES_ERROR)
        meter_take_error(w->meter, s->slot);
    if (place != PLACE_NOWHERE) {
        w->at++;
        open_place(w, place);
    } else {
        s->lex = LEX_SKIP;
        s->look = s->slot->takes == TAKES_CONTENT && !w->meter->usage.delivered;
        w->at = meter_skip(w->meter, w->at, w->end);
    }
}

static void open_place(struct walk *w, unsigned place)
{
    struct meter_state *s = w->s;
    assert(s->depth < METER_PLACES_MAX);
    s->places[s->depth++] = (unsigned char)place;
    s->choice_seen |= place == PLACE_CHOICE;
    s->lex = place <= PLACE_LAST_ARRAY ? LEX_FIRST_ELEMENT : LEX_FIRST_KEY;
    if (place <= PLACE_LAST_ARRAY)
        s->slot = meter_slot(place, SPAN(""));
}

static void take_after(struct walk *w)
{
    struct meter_state *s = w->s;
    if (!skip_blanks(w))
        return;
    unsigned place = s->places[s->depth - 1];
    bool array = place <= PLACE_LAST_ARRAY;
    if (*w->at == ',') {
        w->at++;
        s->lex = array ? LEX_VALUE : LEX_KEY;
        if (array)
            s->slot = meter_slot(place, SPAN(""));
    } else if (*w->at == (array ? ']' : '}')) {
        close_place(w);
    } else {
        meter_broken(w->meter);
    }
}

static void close_place(struct walk *w)
{
    w->at++;
    w->s->depth--;
    meter_value_ended(w->meter);
}

static void take_text(struct walk *w)
{
    struct meter_state *s = w->s;
    struct span text;
    if (!take_kept(w, &text))
        return;
    if (!s->text_cut)
        meter_take_text(w->meter, s->slot, text);
    if (s->text_used)
        meter_text_start(s);
    meter_value_ended(w->meter);
}

static void pass_string(struct walk *w)
{
    const char *at = w->at;
    bool closed = meter_pass_string(w->s, &at, w->end);
    w->at = at;
    if (closed)
        meter_value_ended(w->meter);
}

static void take_look(struct walk *w)
{
    w->s->lex = LEX_STRING;
    if (*w->at == '"')
        return;
    if (w->s->slot->takes == TAKES_ERROR)
        meter_take_error(w->meter, w->s->slot);
    else
        w->meter->usage.delivered = true;
}

/* A number or literal; what one may consist of is all that is asked of those that are passed over. */
static void take_bare(struct walk *w)
{
    struct meter_state *s = w->s;
    const char *start = w->at;
    while (w->at < w->end && meter_is(*w->at, IN_BARE))
        w->at++;
    struct span text = {start, (size_t)(w->at - start)};
    bool keeps = s->lex == LEX_BARE;
    if (keeps && (w->at == w->end || s->text_used)) {
        meter_text_keep(s, text);
        text = meter_text_kept(s);
    }
    if (w->at == w->end)
        return;
    if (!meter_is(*w->at, ENDS_BARE)) {
        meter_broken(w->meter);
        return;
    }
    if (keeps)
        meter_take_bare(w->meter, s->slot,
                        s->text_cut || text.size > METER_TEXT_MAX ? SPAN("") : text);
    if (s->text_used)
        meter_text_start(s);
    meter_value_ended(w->meter);
}

/* True at its closing quote. What lies in one piece without escapes is not copied. */
static bool take_kept(struct walk *w, struct span *ret_text)
{
    struct meter_state *s = w->s;
    const char *found = meter_find_quote(w->at, w->end);
    if (found < w->end && *found == '"' && !s->text_used) {
        *ret_text = (struct span){w->at, (size_t)(found - w->at)};
        w->at = found + 1;
        return true;
    }
    struct span left = {w->at, (size_t)(w->end - w->at)};
    enum meter_text text = meter_text_take(s, &left, ret_text);
    w->at = left.at;
    if (text == TEXT_BROKEN)
        meter_broken(w->meter);
    return text == TEXT_CLOSED;
}

/* True when something else comes in this piece. */
static bool skip_blanks(struct walk *w)
{
    w->at = meter_skip_blanks(w->at, w->end);
    return w->at < w->end;
}

/* json_scan tells only the top level and a parsed tree would cost a copy of every conversation: so a walk of its own,
 * which needs no more than where strings end. */
#include "domain/media.h"

#include "base/unset.h"
#include "domain/json_scan.h"
#include "domain/json_text.h"

enum { NAME_MAX_BYTES = 16, ESCAPE_BYTES = 6 };

/* What a value means by the name it stands under. */
enum place { PLACE_OTHER, PLACE_TYPE, PLACE_URL, PLACE_SOURCE, PLACE_IMAGE, PLACE_DOCUMENT };

/* What told of the last image of an object; the other kind of sign then tells of the same one. */
enum sign { SIGN_NONE, SIGN_MEMBER, SIGN_TYPE };

struct level {
    enum place inside; /* where this object or array stands */
    enum place next;   /* where its next value stands */
    enum sign sign;
    bool is_image, is_other; /* by its type; both when the type is there twice */
    size_t sources;          /* urls in its source: what they are, its type tells, perhaps later */
};

struct walk {
    const char *at, *end;
    struct media media;
    size_t depth;
    struct level levels[JSON_DEPTH_MAX + 1]; /* the first is around the text; set when opened */
};

static const struct {
    struct span name;
    enum place place;
} places[] = {
    {{"type", 4}, PLACE_TYPE},          {{"url", 3}, PLACE_URL},
    {{"source", 6}, PLACE_SOURCE},      {{"image_url", 9}, PLACE_IMAGE},
    {{"file_data", 9}, PLACE_DOCUMENT}, {{"file_url", 8}, PLACE_DOCUMENT},
    {{"video_url", 9}, PLACE_DOCUMENT},
};

static bool open_level(struct walk *w);
static void close_level(struct walk *w);
static bool take_string(struct walk *w, struct span *ret_raw);
static void on_string(struct walk *w, struct span raw);
static bool is_name(const struct walk *w);
static void on_name(struct walk *w, struct span raw);
static void on_type(struct walk *w, struct span raw);
static void on_url(struct walk *w, struct span raw);
static void see_image(struct walk *w, enum sign sign);
static struct span short_text(struct span raw, char *memory);
static bool is_inline(struct span raw);

struct media media_count(struct span body)
{
    UNSET struct walk w; /* levels stay unset, as in json_scan */
    struct span raw;
    bool fine = true;

    w.at = body.at;
    w.end = body.at + body.size;
    w.media = (struct media){0};
    w.depth = 0;
    w.levels[0] = (struct level){0};
    while (fine && w.at < w.end) {
        char c = *w.at++;
        if (c == '"') {
            fine = take_string(&w, &raw);
            if (fine)
                on_string(&w, raw);
        } else if (c == '{' || c == '[') {
            fine = open_level(&w);
        } else if (c == '}' || c == ']') {
            fine = w.depth > 0;
            if (fine)
                close_level(&w);
        }
    }
    while (w.depth > 0)
        close_level(&w);
    return w.media;
}

/* What stands in an array stands where the array does. */
static bool open_level(struct walk *w)
{
    enum place place = w->levels[w->depth].next;

    if (w->depth == JSON_DEPTH_MAX)
        return false;
    w->levels[++w->depth] = (struct level){.inside = place, .next = place};
    return true;
}

static void close_level(struct walk *w)
{
    const struct level *level = &w->levels[w->depth--];

    if (level->inside == PLACE_SOURCE) {
        w->levels[w->depth].sources += level->sources;
        return;
    }
    /* the one source of an image is counted with it */
    size_t counted = level->is_image && !level->is_other ? 1 : 0;
    if (level->sources > counted)
        w->media.documents += level->sources - counted;
}

/* Behind the opening quote. A quote ends the string when the backslashes before it are even in number. */
static bool take_string(struct walk *w, struct span *ret_raw)
{
    const char *start = w->at, *quote = start;

    while ((quote = memchr(quote, '"', (size_t)(w->end - quote)))) {
        const char *before = quote;
        while (before > start && before[-1] == '\\')
            before--;
        if ((quote - before) % 2 == 0)
            break;
        quote++;
    }
    if (!quote)
        return false;
    *ret_raw = (struct span){start, (size_t)(quote - start)};
    w->at = quote + 1;
    return true;
}

static void on_string(struct walk *w, struct span raw)
{
    if (is_name(w)) {
        on_name(w, raw);
        return;
    }
    switch (w->levels[w->depth].next) {
    case PLACE_TYPE:
        on_type(w, raw);
        break;
    case PLACE_URL:
    case PLACE_DOCUMENT:
        on_url(w, raw);
        break;
    case PLACE_OTHER:
    case PLACE_SOURCE:
    case PLACE_IMAGE:
        break;
    }
}

static bool is_name(const struct walk *w)
{
    const char *at = w->at;

    while (at < w->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at < w->end && *at == ':';
}

static void on_name(struct walk *w, struct span raw)
{
    struct level *level = &w->levels[w->depth];
    char memory[NAME_MAX_BYTES];
    struct span name = short_text(raw, memory);

    level->next = PLACE_OTHER;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (span_equal(name, places[i].name))
            level->next = places[i].place;
    if (level->next == PLACE_IMAGE)
        see_image(w, SIGN_MEMBER);
}

static void on_type(struct walk *w, struct span raw)
{
    struct level *level = &w->levels[w->depth];
    char memory[NAME_MAX_BYTES];
    struct span type = short_text(raw, memory);

    if (!span_equal(type, SPAN("image")) && !span_equal(type, SPAN("input_image"))) {
        level->is_other = true;
        return;
    }
    level->is_image = true;
    see_image(w, SIGN_TYPE);
}

/* A url anywhere else is no medium, or an image's, which is counted already. */
static void on_url(struct walk *w, struct span raw)
{
    struct level *level = &w->levels[w->depth];

    if (is_inline(raw))
        return;
    if (level->next == PLACE_DOCUMENT || level->inside == PLACE_DOCUMENT)
        w->media.documents++;
    else if (level->inside == PLACE_SOURCE)
        level->sources++;
}

static void see_image(struct walk *w, enum sign sign)
{
    enum sign *last = &w->levels[w->depth].sign;
    bool is_same = *last != SIGN_NONE && *last != sign;

    if (!is_same)
        w->media.images++;
    *last = is_same ? SIGN_NONE : sign;
}

/* Resolved where it has escapes; SPAN_NONE when it is longer than any of ours. */
static struct span short_text(struct span raw, char *memory)
{
    size_t size;

    if (raw.size > NAME_MAX_BYTES * ESCAPE_BYTES)
        return SPAN_NONE;
    if (raw.size == 0 || !memchr(raw.at, '\\', raw.size))
        return raw;
    return json_resolve(raw, memory, NAME_MAX_BYTES, &size) ? (struct span){memory, size}
                                                            : SPAN_NONE;
}

/* Begins with data: - each of these letters is one byte or one escape. */
static bool is_inline(struct span raw)
{
    const struct span word = SPAN("data:");
    char memory[NAME_MAX_BYTES];
    size_t size;

    for (size_t end = word.size; end <= word.size * ESCAPE_BYTES; end += ESCAPE_BYTES - 1)
        if (end <= raw.size && json_resolve((struct span){raw.at, end}, memory, word.size, &size) &&
            span_equal((struct span){memory, size}, word))
            return true;
    return false;
}

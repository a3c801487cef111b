#include "domain/inference_body.h"

#include <assert.h>

#include "base/number.h"
#include "base/unset.h"
#include "domain/json_scan.h"
#include "domain/json_text.h"

enum { MEMBERS_MAX = 256, NAME_MAX_BYTES = 256, RESOLVED_MAX_BYTES = 4096 };

/* A value (of no bytes: the place behind the open brace) that becomes another text. */
struct edit {
    struct span value;
    size_t size;
    char text[PSEUDONYM_MAX + 16];
};

enum { EDITS_MAX = 3 + CAP_COUNT };

static_assert(EDITS_MAX * sizeof(((struct edit *)0)->text) <= BODY_EDITS_ROOM,
              "the body moves by all of them at most");

/* The bounds keep the comparison of all names cheap, whatever a client sends. */
struct reader {
    struct inference_body *body;
    struct body_fault fault;
    bool (*also)(const struct json_member *member, void *context); /* NULL: seen enough */
    void *context;
    size_t name_count, resolved_size;
    struct span names[MEMBERS_MAX];    /* resolved */
    char resolved[RESOLVED_MAX_BYTES]; /* of the names that had escapes */
};

static bool read_member(const struct json_member *member, void *context);
static bool name_resolve(struct reader *r, const struct json_member *member, struct span *ret_name);
static bool name_is_new(struct reader *r, struct span name);
static bool read_model(struct reader *r, const struct json_member *member);
static bool read_user(struct reader *r, const struct json_member *member);
static bool read_safety_identifier(struct reader *r, const struct json_member *member);
static bool read_stream(struct reader *r, const struct json_member *member);
static bool read_cap(struct reader *r, const struct json_member *member);
static bool refuse(struct reader *r, const char *detail, const char *param);
static size_t collect_edits(const struct inference_body *parsed, struct span body,
                            const struct body_edits *wanted, struct edit edits[EDITS_MAX]);
static struct edit *edit_begin(struct edit *edit, struct span value);
static void edit_put(struct edit *edit, struct span piece);
static void edit_put_text(struct edit *edit, struct span text);
static void edit_put_name(struct edit *edit, struct span name);
static void sort_edits(struct edit *edits, size_t count);
static size_t missing(size_t size, size_t whole);

static const struct field {
    struct span name;
    bool (*read)(struct reader *r, const struct json_member *member);
} fields[] = {
    {{"model", 5}, read_model},
    {{"user", 4}, read_user},
    {{"safety_identifier", 17}, read_safety_identifier},
    {{"stream", 6}, read_stream},
    {{"max_tokens", 10}, read_cap},
    {{"max_completion_tokens", 21}, read_cap},
    {{"max_output_tokens", 17}, read_cap},
};

static const char *const cap_names[CAP_COUNT] = {"max_tokens", "max_completion_tokens",
                                                 "max_output_tokens"};

struct body_fault inference_body_read(struct span body, struct inference_body *ret_body)
{
    return inference_body_read_with(body, ret_body, NULL, NULL);
}

struct body_fault inference_body_read_with(struct span body, struct inference_body *ret_body,
                                           bool (*also)(const struct json_member *member,
                                                        void *context),
                                           void *context)
{
    UNSET struct reader r; /* names and resolved stay unset */
    r.body = ret_body;
    r.also = also;
    r.context = context;
    r.fault = (struct body_fault){NULL, NULL};
    r.name_count = r.resolved_size = 0;
    *ret_body = (struct inference_body){.model = SPAN_NONE, .caps = {-1, -1, -1}};

    size_t bad_at;
    switch (json_scan(body, read_member, &r, &bad_at)) {
    case JSON_BROKEN:
        refuse(&r, "The body is not valid JSON (RFC 8259, UTF-8, at most 256 levels).", NULL);
        break;
    case JSON_NOT_OBJECT:
        refuse(&r, "The body must be a JSON object.", NULL);
        break;
    case JSON_FINE:
        break;
    }
    if (!r.fault.detail) {
        ret_body->open_brace = (size_t)((const char *)memchr(body.at, '{', body.size) - body.at);
        ret_body->empty = r.name_count == 0;
    }
    return r.fault;
}

int64_t inference_body_asked(const struct inference_body *parsed)
{
    int64_t asked = -1;

    for (int cap = 0; cap < CAP_COUNT; cap++)
        if (parsed->caps[cap] > asked)
            asked = parsed->caps[cap];
    return asked;
}

/* A piece moves by what the edits behind it need, so it never runs into one that has yet to move. */
struct span inference_body_edit(const struct inference_body *parsed, struct span body,
                                const struct body_edits *wanted)
{
    UNSET struct edit edits[EDITS_MAX];
    size_t count = collect_edits(parsed, body, wanted, edits), grows = 0, blanks;
    const char *from = body.at;
    char *start, *to;

    for (size_t i = 0; i < count; i++)
        grows += missing(edits[i].value.size, edits[i].size);
    assert(grows <= BODY_EDITS_ROOM);
    to = start = (char *)(uintptr_t)body.at - grows;
    for (size_t i = 0; i < count; i++) {
        size_t before = (size_t)(edits[i].value.at - from);
        memmove(to, from, before);
        memcpy(to + before, edits[i].text, edits[i].size);
        to += before + edits[i].size;
        blanks = missing(edits[i].size, edits[i].value.size);
        memset(to, ' ', blanks);
        to += blanks;
        from = edits[i].value.at + edits[i].value.size;
    }
    assert(to == from);
    return (struct span){start, body.size + grows};
}

static bool read_member(const struct json_member *member, void *context)
{
    struct reader *r = context;
    struct span name;
    if (!name_resolve(r, member, &name) || !name_is_new(r, name))
        return false;
    if (r->also && !r->also(member, r->context))
        r->also = NULL;
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (span_equal(name, fields[i].name))
            return fields[i].read(r, member);
    return true;
}

static bool name_resolve(struct reader *r, const struct json_member *member, struct span *ret_name)
{
    *ret_name = member->name;
    if (member->name.size > NAME_MAX_BYTES)
        return refuse(r, "The body has a top-level field whose name is longer than 256 bytes.",
                      NULL);
    if (!member->name_escaped)
        return true;
    size_t size;
    char *text = r->resolved + r->resolved_size;
    if (!json_resolve(member->name, text, RESOLVED_MAX_BYTES - r->resolved_size, &size))
        return refuse(
            r, "The body has too many top-level fields whose names are written with escapes.",
            NULL);
    r->resolved_size += size;
    *ret_name = (struct span){text, size};
    return true;
}

static bool name_is_new(struct reader *r, struct span name)
{
    if (r->name_count == MEMBERS_MAX)
        return refuse(r, "The body has more than 256 top-level fields.", NULL);
    for (size_t i = 0; i < r->name_count; i++)
        if (span_equal(r->names[i], name))
            return refuse(r, "The body names a top-level field twice. Send each field once.", NULL);
    r->names[r->name_count++] = name;
    return true;
}

static bool read_model(struct reader *r, const struct json_member *member)
{
    if (member->kind == JSON_NULL)
        return true;
    if (member->kind != JSON_STRING)
        return refuse(r, "model must be a string.", "model");
    r->body->model = (struct span){member->value.at + 1, member->value.size - 2};
    r->body->model_escaped = !json_plain_string(member->value).at;
    return true;
}

static bool read_user(struct reader *r, const struct json_member *member)
{
    if (member->kind != JSON_STRING && member->kind != JSON_NULL)
        return refuse(r, "user must be a string.", "user");
    r->body->user = json_plain_string(member->value);
    r->body->user_value = member->value;
    return true;
}

static bool read_safety_identifier(struct reader *r, const struct json_member *member)
{
    r->body->safety_value = member->value;
    return true;
}

static bool read_stream(struct reader *r, const struct json_member *member)
{
    if (member->kind != JSON_TRUE && member->kind != JSON_FALSE && member->kind != JSON_NULL)
        return refuse(r, "stream must be true or false.", "stream");
    r->body->stream = member->kind == JSON_TRUE;
    return true;
}

static bool read_cap(struct reader *r, const struct json_member *member)
{
    static const char *const details[CAP_COUNT] = {
        "max_tokens must be a whole number of at least 1.",
        "max_completion_tokens must be a whole number of at least 1.",
        "max_output_tokens must be a whole number of at least 1."};
    uint64_t tokens = 0;

    for (int cap = 0; cap < CAP_COUNT; cap++) {
        if (!span_equal(r->names[r->name_count - 1], span_of(cap_names[cap])))
            continue;
        r->body->cap_values[cap] = member->value;
        if (member->kind == JSON_NULL)
            return true;
        if (member->kind != JSON_NUMBER || !span_u64(member->value, &tokens) || tokens == 0 ||
            tokens > INT32_MAX)
            return refuse(r, details[cap], cap_names[cap]);
        r->body->caps[cap] = (int64_t)tokens;
    }
    return true;
}

/* In the order in which they stand in the body: insertions behind the brace first. */
static size_t collect_edits(const struct inference_body *parsed, struct span body,
                            const struct body_edits *wanted, struct edit edits[EDITS_MAX])
{
    struct span behind_brace = {body.at + parsed->open_brace + 1, 0};
    bool asked = inference_body_asked(parsed) >= 0, follows = !parsed->empty;
    struct span cap_value = parsed->cap_values[wanted->cap];
    char number[NUMBER_TEXT_SIZE];
    struct span tokens = number_text(wanted->cap_tokens, number);
    size_t count = 0;

    if (wanted->cap_tokens >= 0 && !asked && cap_value.at) { /* it stands there as null */
        edit_put(edit_begin(&edits[count++], cap_value), tokens);
    } else if (wanted->cap_tokens >= 0 && !asked) {
        struct edit *edit = edit_begin(&edits[count++], behind_brace);
        edit_put_name(edit, span_of(cap_names[wanted->cap]));
        edit_put(edit, tokens);
        edit_put(edit, follows || !parsed->user_value.at ? SPAN(",") : SPAN_NONE);
    }
    if (!parsed->user_value.at) {
        struct edit *edit = edit_begin(&edits[count++], behind_brace);
        edit_put_name(edit, SPAN("user"));
        edit_put_text(edit, wanted->pseudonym);
        edit_put(edit, follows ? SPAN(",") : SPAN_NONE);
    }
    if (parsed->user_value.at)
        edit_put_text(edit_begin(&edits[count++], parsed->user_value), wanted->pseudonym);
    if (parsed->safety_value.at)
        edit_put_text(edit_begin(&edits[count++], parsed->safety_value), wanted->pseudonym);
    for (int cap = 0; cap < CAP_COUNT; cap++)
        if (wanted->cap_tokens >= 0 && parsed->caps[cap] > wanted->cap_tokens)
            edit_put(edit_begin(&edits[count++], parsed->cap_values[cap]), tokens);
    sort_edits(edits, count);
    return count;
}

static struct edit *edit_begin(struct edit *edit, struct span value)
{
    edit->value = value;
    edit->size = 0;
    return edit;
}

static void edit_put(struct edit *edit, struct span piece)
{
    assert(piece.size <= sizeof(edit->text) - edit->size);
    if (piece.size > 0)
        memcpy(edit->text + edit->size, piece.at, piece.size);
    edit->size += piece.size;
}

static void edit_put_text(struct edit *edit, struct span text)
{
    edit_put(edit, SPAN("\""));
    edit_put(edit, text);
    edit_put(edit, SPAN("\""));
}

static void edit_put_name(struct edit *edit, struct span name)
{
    edit_put_text(edit, name);
    edit_put(edit, SPAN(":"));
}

/* Stable: two insertions at one place keep their order. */
static void sort_edits(struct edit *edits, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct edit edit = edits[i];
        size_t at = i;
        for (; at > 0 && edits[at - 1].value.at > edit.value.at; at--)
            edits[at] = edits[at - 1];
        edits[at] = edit;
    }
}

static bool refuse(struct reader *r, const char *detail, const char *param)
{
    r->fault = (struct body_fault){detail, param};
    return false;
}

/* How much of `whole` is left behind `size`. */
static size_t missing(size_t size, size_t whole)
{
    return whole > size ? whole - size : 0;
}

#include "domain/inference_body.h"

#include <assert.h>

#include "domain/json_scan.h"
#include "domain/json_text.h"

enum { MEMBERS_MAX = 256, NAME_MAX_BYTES = 256, RESOLVED_MAX_BYTES = 4096 };

/* A value (of no bytes: a place) that becomes the pseudonym between two texts. */
struct edit {
    struct span value, before, after;
};

/* The bounds keep the comparison of all names cheap, whatever a client sends. */
struct reader {
    struct inference_body *body;
    struct body_fault fault;
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
static bool refuse(struct reader *r, const char *detail, const char *param);
static char *put(char *at, struct span piece);

static const struct field {
    const char *name;
    bool (*read)(struct reader *r, const struct json_member *member);
} fields[] = {
    {"model", read_model},
    {"user", read_user},
    {"safety_identifier", read_safety_identifier},
    {"stream", read_stream},
};

struct body_fault inference_body_read(struct span body, struct inference_body *ret_body)
{
    struct reader r;
    r.body = ret_body;
    r.fault = (struct body_fault){NULL, NULL};
    r.name_count = r.resolved_size = 0;
    *ret_body = (struct inference_body){.model = SPAN_NONE};

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

bool inference_body_compose(const struct inference_body *parsed, struct span body,
                            struct span pseudonym, struct buffer *out)
{
    struct span first = parsed->user_value, second = parsed->safety_value;
    struct span before = SPAN("\""), after = SPAN("\"");
    if (!first.at) {
        first = (struct span){body.at + parsed->open_brace + 1, 0};
        before = SPAN("\"user\":\"");
        after = parsed->empty ? SPAN("\"") : SPAN("\",");
    }
    size_t size = body.size - first.size + before.size + pseudonym.size + after.size;
    size += second.at ? pseudonym.size + 2 - second.size : 0;
    char *room =
        buffer_room(out, size); /* all of it, so that nothing is appended rather than half */
    if (!room)
        return false;

    struct edit edits[] = {{first, before, after}, {second, SPAN("\""), SPAN("\"")}};
    if (second.at && second.at < first.at) {
        struct edit swap = edits[0];
        edits[0] = edits[1];
        edits[1] = swap;
    }
    const char *at = body.at;
    char *end = room;
    for (size_t i = 0; i < 2 && edits[i].value.at; i++) {
        end = put(end, (struct span){at, (size_t)(edits[i].value.at - at)});
        end = put(put(put(end, edits[i].before), pseudonym), edits[i].after);
        at = edits[i].value.at + edits[i].value.size;
    }
    end = put(end, span_from(body, (size_t)(at - body.at)));
    assert((size_t)(end - room) == size);
    buffer_grew(out, size);
    return true;
}

static bool read_member(const struct json_member *member, void *context)
{
    struct reader *r = context;
    struct span name;
    if (!name_resolve(r, member, &name) || !name_is_new(r, name))
        return false;
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (span_equal(name, span_of(fields[i].name)))
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

static bool refuse(struct reader *r, const char *detail, const char *param)
{
    r->fault = (struct body_fault){detail, param};
    return false;
}

static char *put(char *at, struct span piece)
{
    if (piece.size > 0)
        memcpy(at, piece.at, piece.size);
    return at + piece.size;
}

#include "io/redis/link.h"

/* Redis is there and did not do it: a state of the server, not a mistake of the command. */
static const struct span refusals[] = {
    {"LOADING", 7}, {"READONLY", 8},    {"MASTERDOWN", 10}, {"CLUSTERDOWN", 11}, {"OOM", 3},
    {"NOAUTH", 6},  {"NOREPLICAS", 10}, {"BUSY", 4},        {"NOPERM", 6},       {"MISCONF", 7},
    {"MOVED", 5},   {"ASK", 3},         {"TRYAGAIN", 8},
};

static const redisReply *of(const struct redis_reply *reply)
{
    return (const void *)reply;
}
static const struct redis_reply *as_ours(const redisReply *reply)
{
    return (const void *)reply;
}
static bool is_list(const redisReply *reply);

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
    switch (of(reply)->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_DOUBLE:
    case REDIS_REPLY_VERB:
    case REDIS_REPLY_BIGNUM:
        return REDIS_TEXT;
    case REDIS_REPLY_INTEGER:
    case REDIS_REPLY_BOOL:
        return REDIS_NUMBER;
    case REDIS_REPLY_ERROR:
        return REDIS_ERROR;
    default:
        return is_list(of(reply)) ? REDIS_LIST : REDIS_NIL;
    }
}

struct span redis_reply_text(const struct redis_reply *reply)
{
    enum redis_kind kind = redis_reply_kind(reply);

    if (kind != REDIS_TEXT && kind != REDIS_ERROR)
        return SPAN_NONE;
    return (struct span){of(reply)->str, of(reply)->len};
}

int64_t redis_reply_number(const struct redis_reply *reply)
{
    int64_t number = 0;

    if (redis_reply_kind(reply) == REDIS_NUMBER)
        return of(reply)->integer;
    if (redis_reply_kind(reply) != REDIS_TEXT || !span_i64(redis_reply_text(reply), &number))
        return 0;
    return number;
}

size_t redis_reply_count(const struct redis_reply *reply)
{
    return is_list(of(reply)) ? of(reply)->elements : 0;
}

const struct redis_reply *redis_reply_item(const struct redis_reply *reply, size_t index)
{
    return index < redis_reply_count(reply) ? as_ours(of(reply)->element[index]) : NULL;
}

const struct redis_reply *redis_reply_field(const struct redis_reply *reply, struct span name)
{
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        struct span text = redis_reply_text(redis_reply_item(reply, i));
        if (text.at && span_equal(text, name))
            return redis_reply_item(reply, i + 1);
    }
    return NULL;
}

struct span redis_error_code(const redisReply *reply)
{
    struct span text = {reply->str, reply->len}, code = SPAN_NONE;

    if (reply->type == REDIS_REPLY_ERROR)
        span_split(&text, ' ', &code);
    return code;
}

bool redis_error_is_refusal(struct span code)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (span_equal(code, refusals[i]))
            return true;
    return false;
}

static bool is_list(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY || reply->type == REDIS_REPLY_MAP ||
           reply->type == REDIS_REPLY_SET || reply->type == REDIS_REPLY_PUSH ||
           reply->type == REDIS_REPLY_ATTR;
}

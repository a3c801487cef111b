#include "store/schema.h"

#include <assert.h>

#define SIZED(literal) \
    { \
        literal, sizeof(literal) - 1 \
    }
#define ONE(name) \
    SIZED(name), \
    { \
        NULL, 0 \
    }
#define OF(head, tail) SIZED(head), SIZED(tail)

static const struct store_key_row rows[] = {
#define ROW(name, parts, type, text) [STORE_KEY_##name] = {#name, parts, type, text},
    STORE_KEYS(ROW)
#undef ROW
};

#define WATCH_TOKEN "kt:t:"
#define WATCH_KEY "kt:k:"
#define WATCH_USER "kt:u:"

static bool between(struct span name, struct span head, struct span tail, struct span *ret_id);

const struct store_key_row *store_key_row(enum store_key key)
{
    assert(key < STORE_KEY_COUNT);
    return &rows[key];
}

struct span store_key_name(enum store_key key, struct span id, char ret_name[STORE_KEY_MAX])
{
    const struct store_key_row *row = store_key_row(key);
    size_t id_size = row->tail.at ? id.size : 0;
    size_t size = row->head.size + id_size + row->tail.size;

    assert(size < STORE_KEY_MAX && (!row->tail.at || id.size > 0));
    memcpy(ret_name, row->head.at, row->head.size);
    if (row->tail.at) {
        memcpy(ret_name + row->head.size, id.at, id_size);
        memcpy(ret_name + row->head.size + id_size, row->tail.at, row->tail.size);
    }
    ret_name[size] = '\0';
    return (struct span){ret_name, size};
}

struct span store_window_key_name(enum store_key key, struct span id, struct span window,
                                  char ret_name[STORE_KEY_MAX])
{
    struct span name = store_key_name(key, id, ret_name);

    assert(span_ends(name, SPAN(":")) && window.size > 0);
    assert(name.size + window.size < STORE_KEY_MAX);
    memcpy(ret_name + name.size, window.at, window.size);
    ret_name[name.size + window.size] = '\0';
    return (struct span){ret_name, name.size + window.size};
}

const char *const *store_watch_prefixes(size_t *ret_count)
{
    static const char *const prefixes[] = {WATCH_TOKEN, WATCH_KEY, WATCH_USER};

    *ret_count = sizeof(prefixes) / sizeof(*prefixes);
    return prefixes;
}

bool store_key_is_token(struct span name, struct span *ret_token_id)
{
    return between(name, SPAN(WATCH_TOKEN), SPAN(""), ret_token_id);
}

bool store_key_is_key(struct span name, struct span *ret_user)
{
    return between(name, SPAN(WATCH_KEY "{u:"), SPAN("}"), ret_user);
}

bool store_key_is_user(struct span name, struct span *ret_user)
{
    return between(name, SPAN(WATCH_USER "{u:"), SPAN("}"), ret_user);
}

/* What stands between head and tail, if there is something. */
static bool between(struct span name, struct span head, struct span tail, struct span *ret_id)
{
    if (name.size <= head.size + tail.size || !span_starts(name, head) || !span_ends(name, tail))
        return false;
    *ret_id = span_first(span_from(name, head.size), name.size - head.size - tail.size);
    return true;
}

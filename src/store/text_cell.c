#include "store/text_cell.h"

static bool read_text(struct store_call *call, const struct redis_reply *reply);
static bool read_ok(struct store_call *call, const struct redis_reply *reply);

void text_load(struct store *store, struct text_load *load, enum store_key key, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span args[] = {SPAN("GET"), store_key_name(key, SPAN_NONE, name)};

    buffer_init(&load->text, TEXT_CELL_MAX);
    store_ask(store, &load->call, wake, read_text, args, 2);
}

void text_load_done(struct text_load *load)
{
    buffer_done(&load->text);
}

void text_save(struct store *store, struct text_save *save, enum store_key key, struct span text,
               struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span args[] = {SPAN("SET"), store_key_name(key, SPAN_NONE, name), text};

    store_ask(store, &save->call, wake, read_ok, args, 3);
}

static bool read_text(struct store_call *call, const struct redis_reply *reply)
{
    struct text_load *load = container_of(call, struct text_load, call);

    return redis_reply_kind(reply) == REDIS_NIL ||
           (redis_reply_kind(reply) == REDIS_TEXT &&
            buffer_append(&load->text, redis_reply_text(reply)));
}

static bool read_ok(struct store_call *call, const struct redis_reply *reply)
{
    (void)call;
    return redis_reply_kind(reply) == REDIS_TEXT;
}

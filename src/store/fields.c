#include "store/fields.h"

#include "base/number.h"

#include <assert.h>

static bool word_among(struct span word, const char *const *names, size_t count, size_t *ret_index);

void args_begin(struct store_args *args, const struct store *store)
{
    args->count = 1;
    args->items[0] = store_now_arg(store, args->numbers[0]);
}

void args_add(struct store_args *args, struct span text)
{
    assert(args->count < STORE_ARGS_MAX);
    args->items[args->count++] = text.at ? text : SPAN("");
}

void args_add_number(struct store_args *args, int64_t number)
{
    assert(args->count < STORE_ARGS_MAX);
    args_add(args, number_text(number, args->numbers[args->count]));
}

void args_send(const struct store_args *args, struct store *store, struct store_call *call,
               struct turn *wake,
               bool (*read)(struct store_call *call, const struct redis_reply *reply),
               enum store_script script, const struct span *keys, size_t key_count)
{
    store_eval(store, call, wake, read, store_script(script), keys, key_count, args->items,
               args->count);
}

struct span field_span(const struct redis_reply *reply, const char *name)
{
    const struct redis_reply *value = redis_reply_field(reply, span_of(name));
    struct span text = value ? redis_reply_text(value) : SPAN_NONE;

    return text.at ? text : SPAN("");
}

bool field_text(const struct redis_reply *reply, const char *name, char *ret_text, size_t capacity)
{
    return span_text(field_span(reply, name), ret_text, capacity);
}

bool field_number(const struct redis_reply *reply, const char *name, int64_t *ret_number)
{
    struct span text = field_span(reply, name);

    *ret_number = 0;
    return text.size == 0 || span_i64(text, ret_number);
}

bool field_flag(const struct redis_reply *reply, const char *name)
{
    return span_equal(field_span(reply, name), SPAN("1"));
}

bool field_word(const struct redis_reply *reply, const char *name, const char *const *names,
                size_t count, size_t *ret_index)
{
    return word_among(field_span(reply, name), names, count, ret_index);
}

bool item_text(const struct redis_reply *reply, size_t index, char *ret_text, size_t capacity)
{
    const struct redis_reply *item = redis_reply_item(reply, index);

    return item && redis_reply_kind(item) == REDIS_TEXT &&
           span_text(redis_reply_text(item), ret_text, capacity);
}

bool item_number(const struct redis_reply *reply, size_t index, int64_t *ret_number)
{
    const struct redis_reply *item = redis_reply_item(reply, index);

    if (!item || redis_reply_kind(item) != REDIS_NUMBER)
        return false;
    *ret_number = redis_reply_number(item);
    return true;
}

bool item_word(const struct redis_reply *reply, size_t index, const char *const *names,
               size_t count, size_t *ret_index)
{
    const struct redis_reply *item = redis_reply_item(reply, index);

    return item && redis_reply_kind(item) == REDIS_TEXT &&
           word_among(redis_reply_text(item), names, count, ret_index);
}

static bool word_among(struct span word, const char *const *names, size_t count, size_t *ret_index)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(word, span_of(names[i]))) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

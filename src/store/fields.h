/* fields.h: what goes into scripts and what comes out of hashes. For the files of this layer.
 *
 * Units     numbers are decimal text on both sides.
 * Fails     reading returns false when the text is no number or too long; a field that is not there is 0 or "".
 */
#ifndef KEYTURN_STORE_FIELDS_H
#define KEYTURN_STORE_FIELDS_H

#include "store/scripts.h"
#include "store/store.h"

enum { STORE_ARGS_MAX = 360, STORE_NUMBER_SIZE = 24 }; /* NUMBER_TEXT_SIZE fits */

struct store_args {
    size_t count;
    struct span items[STORE_ARGS_MAX];
    char numbers[STORE_ARGS_MAX][STORE_NUMBER_SIZE];
};

/* The first argument of every script is the clock. The args stay put until they are sent. */
void args_begin(struct store_args *args, const struct store *store);
void args_add(struct store_args *args, struct span text); /* SPAN_NONE is sent as "" */
void args_add_number(struct store_args *args, int64_t number);
void args_send(const struct store_args *args, struct store *store, struct store_call *call,
               struct turn *wake,
               bool (*read)(struct store_call *call, const struct redis_reply *reply),
               enum store_script script, const struct span *keys, size_t key_count);

struct span field_span(const struct redis_reply *reply, const char *name); /* never SPAN_NONE */
bool field_text(const struct redis_reply *reply, const char *name, char *ret_text, size_t capacity);
bool field_number(const struct redis_reply *reply, const char *name, int64_t *ret_number);
bool field_flag(const struct redis_reply *reply, const char *name); /* "1" */
/* The index of the field's word among names; false when it is none of them. */
bool field_word(const struct redis_reply *reply, const char *name, const char *const *names,
                size_t count, size_t *ret_index);

/* Answers that are read by position; false when the item is not there or of another kind. */
bool item_text(const struct redis_reply *reply, size_t index, char *ret_text, size_t capacity);
bool item_number(const struct redis_reply *reply, size_t index, int64_t *ret_number);
bool item_word(const struct redis_reply *reply, size_t index, const char *const *names,
               size_t count, size_t *ret_index);

#endif

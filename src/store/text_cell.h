/* text_cell.h: one large text under one key: the model catalogue, kept over restarts and shared by all instances.
 *
 * Owns      the loaded text until text_load_done.
 * Units     bytes; a text above TEXT_CELL_MAX is not loaded.
 */
#ifndef KEYTURN_STORE_TEXT_CELL_H
#define KEYTURN_STORE_TEXT_CELL_H

#include "base/buffer.h"
#include "store/store.h"

enum { TEXT_CELL_MAX = 16 << 20 };

struct text_load {
    struct store_call call;
    struct buffer text; /* empty when there is none */
};
void text_load(struct store *store, struct text_load *load, enum store_key key, struct turn *wake);
void text_load_done(struct text_load *load);

struct text_save {
    struct store_call call;
};
/* The text is copied before this returns. */
void text_save(struct store *store, struct text_save *save, enum store_key key, struct span text,
               struct turn *wake);

#endif

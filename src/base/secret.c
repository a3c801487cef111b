#include "base/secret.h"

#include <assert.h>

#include "base/alloc.h"

enum { MASK_STARS = 15, MASK_SHOWN = 4, MASK_SHORT = 12 };

void secret_set(struct secret *s, struct span bytes)
{
    char *copy = must_alloc(bytes.size + 1);
    if (bytes.size > 0)
        memcpy(copy, bytes.at, bytes.size);
    secret_done(s); /* after the copy: bytes may be our own */
    s->bytes = copy;
    s->size = bytes.size;
}

void secret_done(struct secret *s)
{
    wipe(s->bytes, s->size);
    must_free(s->bytes);
    *s = (struct secret){NULL, 0};
}

void secret_mask(const struct secret *s, char ret_mask[SECRET_MASK_SIZE])
{
    static_assert(MASK_STARS + MASK_SHOWN < SECRET_MASK_SIZE, "the mask and its NUL fit");
    memset(ret_mask, '*', MASK_STARS);
    size_t shown = s->size < MASK_SHORT ? 0 : MASK_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        char c = s->bytes[s->size - shown + i];
        ret_mask[MASK_STARS + i] = c > ' ' && c <= '~' ? c : '*';
    }
    ret_mask[MASK_STARS + shown] = '\0';
}

void wipe(void *memory, size_t size)
{
    if (size > 0)
        explicit_bzero(memory, size);
}

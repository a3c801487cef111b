/* secret.h: a credential in memory: a type that no log or format function takes.
 *
 * Owns      its bytes, on the ordinary heap, wiped before they are freed. Not locked, not marked page by page: a hundred
 *           thousand of them are cached, each far smaller than a page. The process as a whole writes no core dumps
 *           (main sets RLIMIT_CORE 0 and PR_SET_DUMPABLE 0); keeping memory off a disk is the host's swap setting.
 * Ends      secret_done wipes; a secret is never copied by assignment.
 * Source    docs/style.md "Secrets"; masks show at most the last four characters.
 */
#ifndef KEYTURN_BASE_SECRET_H
#define KEYTURN_BASE_SECRET_H

#include "base/span.h"

enum { SECRET_MASK_SIZE = 24 };

struct secret {
    char *bytes; /* NUL-terminated; private to secret_reveal's callers */
    size_t size;
};

void secret_set(struct secret *s, struct span bytes); /* wipes what was inside */
void secret_done(struct secret *s);                   /* safe twice and on a zeroed one */
static inline bool secret_is_set(const struct secret *s)
{
    return s->bytes != NULL;
}
/* The only way to the bytes; callers hand them to crypto or to the wire. */
static inline struct span secret_reveal(const struct secret *s)
{
    return (struct span){s->bytes ? s->bytes : "", s->size};
}
/* "***************b465": fifteen stars and the last four characters; stars alone below twelve characters. */
void secret_mask(const struct secret *s, char ret_mask[SECRET_MASK_SIZE]);
void wipe(void *memory, size_t size);

#endif

/* alloc.h: memory whose size we choose. Running out of it stops the process with a line on stderr:
 * a half-built object is worse than a restart. What a client can make large goes through buffer.h
 * and arena.h, which have caps and can refuse.
 *
 * Fails     never returns NULL.
 */
#ifndef KEYTURN_BASE_ALLOC_H
#define KEYTURN_BASE_ALLOC_H

#include <stddef.h>

void *must_alloc(size_t size);                /* zeroed */
void *must_resize(void *memory, size_t size); /* new bytes are not zeroed */
char *must_copy(const char *text);
void must_free(void *memory);

#endif

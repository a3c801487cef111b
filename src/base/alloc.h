/* alloc.h: memory whose size we choose. Running out of it stops the process with a line on stderr:
 * a half-built object is worse than a restart. What a client can make large goes through buffer.h
 * and arena.h, which have caps and can refuse.
 *
 * Fails     never returns NULL.
 */
#ifndef KEYTURN_BASE_ALLOC_H
#define KEYTURN_BASE_ALLOC_H

#include <stddef.h>

enum { ALLOC_KEPT_BYTES = 8 * 1024 * 1024, ALLOC_MAPPED_BYTES = 1024 * 1024 };

void *must_alloc(size_t size);                /* zeroed */
void *must_resize(void *memory, size_t size); /* new bytes are not zeroed */
char *must_copy(const char *text);
void must_free(void *memory);
/* For a process that serves: freed memory stays ours up to ALLOC_KEPT_BYTES. Giving the end of the heap back after each
 * large body and taking it again for the next one costs page faults, more than the body's walk. glibc only. */
void alloc_keep_freed(void);
/* Freed memory between used one goes back to the system too, as far as it is whole pages. It takes milliseconds. */
void alloc_give_back(void);

#endif

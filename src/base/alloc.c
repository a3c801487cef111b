#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#ifdef NDEBUG
#error "Asserts are part of keyturn: build without NDEBUG."
#endif

static void *or_stop(void *memory);

void *must_alloc(size_t size)
{
    return or_stop(calloc(1, size ? size : 1));
}

void *must_resize(void *memory, size_t size)
{
    return or_stop(realloc(memory, size ? size : 1));
}

char *must_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(must_alloc(size), text, size);
}

void must_free(void *memory)
{
    free(memory);
}

/* Setting one ends glibc's own adapting of both. */
void alloc_keep_freed(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, ALLOC_KEPT_BYTES);
    mallopt(M_MMAP_THRESHOLD, ALLOC_MAPPED_BYTES);
#endif
}

void alloc_give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(ALLOC_KEPT_BYTES);
#endif
}

static void *or_stop(void *memory)
{
    static const char line[] =
        "keyturn: out of memory, stopping. Give the process more memory or lower its limits.\n";
    if (memory)
        return memory;
    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        abort();
    abort();
}

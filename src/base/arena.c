#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/secret.h"

/* Most arenas live as long as a request and hold a few hundred bytes of it: the first chunk is for those. */
enum { FIRST_BYTES = 1024 - 64, CHUNK_BYTES = 4096 - 64, ALIGNMENT = _Alignof(max_align_t) };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

static struct arena_chunk *chunk_for(struct arena *arena, size_t size);
static void arena_end(struct arena *arena, bool wiped);

void arena_init(struct arena *arena, size_t limit_bytes)
{
    *arena = (struct arena){NULL, 0, limit_bytes};
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t left = arena->limit_bytes - arena->used_bytes;
    if (size > left)
        return NULL;
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded < size || rounded > left)
        return NULL;
    struct arena_chunk *chunk = chunk_for(arena, rounded);
    void *memory = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used_bytes += rounded;
    return memory;
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
    if (!bytes.at || bytes.size == SIZE_MAX)
        return SPAN_NONE;
    char *copy = arena_alloc(arena, bytes.size + 1);
    if (!copy)
        return SPAN_NONE;
    memcpy(copy, bytes.at, bytes.size);
    return (struct span){copy, bytes.size};
}

struct span arena_join(struct arena *arena, struct span first, struct span second)
{
    char *text = NULL;
    if (second.size < SIZE_MAX - first.size)
        text = arena_alloc(arena, first.size + second.size + 1);
    if (!text)
        return SPAN_NONE;
    if (first.size)
        memcpy(text, first.at, first.size);
    if (second.size)
        memcpy(text + first.size, second.at, second.size);
    return (struct span){text, first.size + second.size};
}

struct span arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    if (text)
        vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text ? (struct span){text, (size_t)size} : SPAN_NONE;
}

/* What was used is zero again, so that memory handed out is. */
void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = arena->chunks;

    if (!kept)
        return;
    arena->chunks = kept->next;
    arena_end(arena, false);
    if (kept->size != FIRST_BYTES && kept->size != CHUNK_BYTES) {
        must_free(kept);
        return;
    }
    memset(kept->bytes, 0, kept->used);
    kept->used = 0;
    kept->next = NULL;
    arena->chunks = kept;
}

void arena_done(struct arena *arena)
{
    arena_end(arena, false);
}

void arena_wipe(struct arena *arena)
{
    arena_end(arena, true);
}

/* The first chunk is the one being filled. What would waste much of it gets its own, behind it. */
static struct arena_chunk *chunk_for(struct arena *arena, size_t size)
{
    struct arena_chunk *first = arena->chunks;
    if (first && first->size - first->used >= size)
        return first;
    size_t room = first ? CHUNK_BYTES : FIRST_BYTES;
    if (size > (first ? room / 2 : room))
        room = size;
    struct arena_chunk *chunk = must_alloc(sizeof(*chunk) + room);
    chunk->size = room;
    if (first && room == size) {
        chunk->next = first->next;
        first->next = chunk;
    } else {
        chunk->next = first;
        arena->chunks = chunk;
    }
    return chunk;
}

static void arena_end(struct arena *arena, bool wiped)
{
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        if (wiped)
            wipe(chunk->bytes, chunk->used);
        must_free(chunk);
    }
    arena->used_bytes = 0;
}

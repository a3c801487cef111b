#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/secret.h"

enum { FIRST_CAPACITY = 512, FORMAT_STACK = 1024 };

static void buffer_move(struct buffer *b, size_t needed);
static size_t capacity_for(const struct buffer *b, size_t needed);
static bool buffer_format_large(struct buffer *b, size_t size, const char *format,
                                va_list arguments) __attribute__((format(printf, 3, 0)));

void buffer_init(struct buffer *b, size_t limit_bytes)
{
    *b = (struct buffer){NULL, 0, 0, 0, limit_bytes};
}

void buffer_done(struct buffer *b)
{
    must_free(b->memory);
    buffer_init(b, b->limit_bytes);
}

void buffer_wipe(struct buffer *b)
{
    wipe(b->memory, b->capacity);
    buffer_done(b);
}

bool buffer_append(struct buffer *b, struct span bytes)
{
    if (bytes.size == 0)
        return true;
    assert(buffer_size(b) <= b->limit_bytes);
    if (bytes.size > b->limit_bytes - buffer_size(b))
        return false;
    if (bytes.size > b->capacity - b->tail)
        buffer_move(b, buffer_size(b) + bytes.size);
    memcpy(b->memory + b->tail, bytes.at, bytes.size);
    b->tail += bytes.size;
    return true;
}

bool buffer_format(struct buffer *b, const char *format, ...)
{
    char text[FORMAT_STACK];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert(size >= 0);
    bool fits;
    if ((size_t)size < sizeof(text))
        fits = buffer_append(b, (struct span){text, (size_t)size});
    else
        fits = buffer_format_large(b, (size_t)size, format, again);
    va_end(again);
    return fits;
}

char *buffer_room(struct buffer *b, size_t size)
{
    assert(size > 0);
    size_t live = buffer_size(b);
    assert(live <= b->limit_bytes);
    if (size > b->limit_bytes - live)
        return NULL;
    if (size > b->capacity - b->tail)
        buffer_move(b, live + size);
    return b->memory + b->tail;
}

void buffer_grew(struct buffer *b, size_t size)
{
    assert(size <= b->capacity - b->tail);
    b->tail += size;
}

void buffer_consume(struct buffer *b, size_t size)
{
    assert(size <= buffer_size(b));
    b->head += size;
    if (b->head == b->tail)
        b->head = b->tail = 0;
}

void buffer_shrink(struct buffer *b)
{
    if (b->memory && buffer_size(b) == 0)
        buffer_wipe(b);
}

/* Makes room by moving to the front when that frees at least half, else by growing: either way a
 * byte moves O(1) times. */
static void buffer_move(struct buffer *b, size_t needed)
{
    size_t live = buffer_size(b);
    if (needed <= b->capacity && live <= b->capacity / 2) {
        memmove(b->memory, b->memory + b->head, live);
    } else {
        size_t capacity = capacity_for(b, needed);
        char *memory = must_resize(NULL, capacity);
        if (b->memory)
            memcpy(memory, b->memory + b->head, live);
        wipe(b->memory, b->capacity);
        must_free(b->memory);
        b->memory = memory;
        b->capacity = capacity;
    }
    b->head = 0;
    b->tail = live;
}

/* Doubling, up to the cap; up to twice the cap once bytes are taken from the front, so that moving
 * stays rare. */
static size_t capacity_for(const struct buffer *b, size_t needed)
{
    size_t most = b->limit_bytes;
    if (b->head > 0)
        most = most > SIZE_MAX / 2 ? SIZE_MAX : most * 2;
    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
    if (b->capacity)
        capacity = capacity > most / 2 ? most : capacity * 2;
    while (capacity < needed)
        capacity = capacity > most / 2 ? most : capacity * 2;
    return capacity < most ? capacity : most;
}

static bool buffer_format_large(struct buffer *b, size_t size, const char *format,
                                va_list arguments)
{
    if (size > b->limit_bytes - buffer_size(b))
        return false;
    char *text = must_alloc(size + 1);
    vsnprintf(text, size + 1, format, arguments);
    bool fits = buffer_append(b, (struct span){text, size});
    wipe(text, size);
    must_free(text);
    return fits;
}

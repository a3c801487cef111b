#include "flow/bodies.h"

#include <assert.h>

/* A sanitizer is to see what is used after its end. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)0)
#endif

static size_t find(const struct bodies *bodies, size_t size);
static void keep(struct bodies *bodies, struct buffer *body);
static struct buffer take(struct bodies *bodies, size_t row);
static void drop_oldest(struct bodies *bodies);
static void trim(struct turn *turn);

void bodies_open(struct bodies *bodies, struct loop *loop, size_t bytes_max)
{
    bodies->count = bodies->least = bodies->bytes = 0;
    bodies->bytes_max = bytes_max;
    deadline_class_open(&bodies->trims, loop, BODIES_TRIM_MS);
    turn_init(&bodies->turn, trim);
    deadline_init(&bodies->trim, &bodies->turn);
}

bool bodies_lend(struct bodies *bodies, struct buffer *body, size_t size)
{
    size_t row = size < BODIES_LEAST_BYTES ? bodies->count : find(bodies, size);
    struct buffer block;
    bool fits;

    if (row == bodies->count)
        return false;
    block = take(bodies, row);
    block.limit_bytes = body->limit_bytes;
    fits = buffer_append(&block, buffer_view(body));
    assert(fits);
    buffer_wipe(body);
    *body = block;
    return true;
}

void bodies_take_back(struct bodies *bodies, struct buffer *body)
{
    if (body->capacity < BODIES_LEAST_BYTES || body->capacity > bodies->bytes_max)
        buffer_done(body);
    else
        keep(bodies, body);
}

void bodies_close(struct bodies *bodies)
{
    while (bodies->count)
        drop_oldest(bodies);
    turn_cancel(&bodies->turn);
    deadline_class_close(&bodies->trims);
}

/* The smallest that holds it, of equal ones the one used last. */
static size_t find(const struct bodies *bodies, size_t size)
{
    size_t best = bodies->count;

    for (size_t row = bodies->count; row-- > 0;)
        if (bodies->rows[row].capacity >= size &&
            (best == bodies->count || bodies->rows[row].capacity < bodies->rows[best].capacity))
            best = row;
    return best;
}

static void keep(struct bodies *bodies, struct buffer *body)
{
    while (bodies->count == BODIES_KEPT_MAX || body->capacity > bodies->bytes_max - bodies->bytes)
        drop_oldest(bodies);
    body->head = body->tail = 0;
    ASAN_POISON_MEMORY_REGION(body->memory, body->capacity);
    bodies->rows[bodies->count++] = *body;
    bodies->bytes += body->capacity;
    buffer_init(body, body->limit_bytes);
    if (!deadline_is_set(&bodies->trim))
        deadline_join(&bodies->trims, &bodies->trim);
}

static struct buffer take(struct bodies *bodies, size_t row)
{
    struct buffer block = bodies->rows[row];

    bodies->count--;
    memmove(&bodies->rows[row], &bodies->rows[row + 1],
            (bodies->count - row) * sizeof(bodies->rows[0]));
    bodies->bytes -= block.capacity;
    if (bodies->count < bodies->least)
        bodies->least = bodies->count;
    ASAN_UNPOISON_MEMORY_REGION(block.memory, block.capacity);
    return block;
}

static void drop_oldest(struct bodies *bodies)
{
    struct buffer oldest = take(bodies, 0);

    buffer_done(&oldest);
}

static void trim(struct turn *turn)
{
    struct bodies *bodies = container_of(turn, struct bodies, turn);

    for (size_t unused = bodies->least; unused > 0; unused--)
        drop_oldest(bodies);
    bodies->least = bodies->count;
    if (bodies->count)
        deadline_join(&bodies->trims, &bodies->trim);
}

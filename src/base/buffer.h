/* buffer.h: bytes that grow at the end and are taken from the front, with a cap.
 *
 * Owns      its memory.
 * Fails     false when the cap would be passed; nothing was appended then.
 * Ends      buffer_done; buffer_wipe where secrets were inside. Growing and shrinking leave no copy in freed memory.
 *           An ended buffer is empty, keeps its cap and may be used again.
 */
#ifndef KEYTURN_BASE_BUFFER_H
#define KEYTURN_BASE_BUFFER_H

#include "base/span.h"

struct buffer {
    char *memory;
    size_t head, tail, capacity; /* head <= tail <= capacity */
    size_t limit_bytes;          /* of tail - head */
};

void buffer_init(struct buffer *b, size_t limit_bytes); /* allocates nothing yet */
void buffer_done(struct buffer *b);
void buffer_wipe(struct buffer *b); /* zeroes and ends */
static inline size_t buffer_size(const struct buffer *b)
{
    return b->tail - b->head;
}
static inline struct span buffer_view(const struct buffer *b)
{
    return (struct span){b->memory ? b->memory + b->head : "", buffer_size(b)};
}
bool buffer_append(struct buffer *b, struct span bytes);
bool buffer_format(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for at least size (> 0) bytes at the end, to be written by a reader; NULL when over the cap.
 * buffer_grew tells how many came. */
char *buffer_room(struct buffer *b, size_t size);
void buffer_grew(struct buffer *b, size_t size);
void buffer_consume(struct buffer *b, size_t size); /* from the front */
/* Gives memory back when the buffer is empty: idle connections cost nothing. */
void buffer_shrink(struct buffer *b);

#endif

/*
 * A growing piece of text, and the memory under everything else here. Memory that is refused stops
 * the simulator: a judge that runs on without it would judge wrongly.
 *
 * Owns   struct text owns its bytes; text_done gives them back, text_clear keeps them for the next
 *        use.
 * Fails  never.
 */
#ifndef SIM_TEXT_H
#define SIM_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes;
    size_t length;
    size_t capacity;
};

void *must_alloc(size_t bytes);
void *must_resize(void *old, size_t bytes);
char *must_copy(const char *string); /* NULL stays NULL */

void text_add(struct text *text, const void *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
void text_fill(struct text *text, char byte, size_t count);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_clear(struct text *text);
void text_done(struct text *text);
const char *text_string(struct text *text); /* ends it with a NUL that is not counted */

/* Adds a JSON string with its quotes; a NULL string becomes null. */
void text_add_json(struct text *text, const char *string);

void hex_write(char *ret_hex, const uint8_t *bytes, size_t count); /* writes 2 * count + 1 */
int hex_read(uint8_t *ret_bytes, size_t count, const char *hex);   /* -1: not exactly that many */

#endif

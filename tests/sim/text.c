#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_reserve(struct text *text, size_t more);
static int hex_digit(char digit);

void *must_alloc(size_t bytes)
{
    return must_resize(NULL, bytes);
}

void *must_resize(void *old, size_t bytes)
{
    void *fresh = realloc(old, bytes ? bytes : 1);
    if (!fresh) {
        fprintf(stderr, "openrouter-sim: no memory for %zu bytes\n", bytes);
        abort();
    }
    if (!old)
        memset(fresh, 0, bytes);
    return fresh;
}

char *must_copy(const char *string)
{
    if (!string)
        return NULL;
    size_t bytes = strlen(string) + 1;
    return memcpy(must_alloc(bytes), string, bytes);
}

void text_add(struct text *text, const void *bytes, size_t length)
{
    if (!length)
        return;
    text_reserve(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

void text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_fill(struct text *text, char byte, size_t count)
{
    if (!count)
        return;
    text_reserve(text, count);
    memset(text->bytes + text->length, byte, count);
    text->length += count;
}

void text_format(struct text *text, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    text_reserve(text, 256);
    size_t room = text->capacity - text->length;
    int length = vsnprintf(text->bytes + text->length, room, format, list);
    if (length < 0)
        abort();
    if ((size_t)length >= room) {
        text_reserve(text, (size_t)length + 1);
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
    }
    text->length += (size_t)length;
    va_end(again);
    va_end(list);
}

void text_clear(struct text *text)
{
    text->length = 0;
}

void text_done(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

const char *text_string(struct text *text)
{
    text_reserve(text, 1);
    text->bytes[text->length] = '\0';
    return text->bytes;
}

void text_add_json(struct text *text, const char *string)
{
    if (!string) {
        text_add_string(text, "null");
        return;
    }
    text_add(text, "\"", 1);
    for (const char *at = string; *at; at++) {
        if (*at == '"' || *at == '\\')
            text_format(text, "\\%c", *at);
        else if ((unsigned char)*at < 0x20)
            text_format(text, "\\u%04x", (unsigned)*at);
        else
            text_add(text, at, 1);
    }
    text_add(text, "\"", 1);
}

void hex_write(char *ret_hex, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_hex[2 * count] = '\0';
}

int hex_read(uint8_t *ret_bytes, size_t count, const char *hex)
{
    if (strlen(hex) != 2 * count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

static void text_reserve(struct text *text, size_t more)
{
    size_t need = text->length + more;
    if (need <= text->capacity)
        return;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < need)
        capacity *= 2;
    text->bytes = must_resize(text->bytes, capacity);
    text->capacity = capacity;
}

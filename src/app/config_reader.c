#include "app/config_reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "app/config_value.h"
#include "base/alloc.h"

enum { FAULT_SIZE = 640, LIST_SIZE = 160 };

static bool text_is_plain(struct span text);
static bool choice_has(const char *words, struct span text);
static void choice_list(const char *words, char ret_list[LIST_SIZE]);
static void store_text(struct config_reader *reader, const struct config_row *row,
                       struct span text);
static void set_number(struct config_reader *reader, size_t number, struct span text,
                       struct config_place place);

void config_reader_set(struct config_reader *reader, size_t number, struct span text,
                       struct config_place place)
{
    size_t count;
    const struct config_row *row = config_rows(&count) + number;
    char quote[CONFIG_QUOTE_SIZE], list[LIST_SIZE];

    reader->places[number] = place;
    config_quote(text, quote);
    if (row->type == CONFIG_TEXT) {
        if (text_is_plain(text))
            store_text(reader, row, text);
        else
            config_reader_fault(reader, number, place,
                                "%s.%s must be one line of text without control characters",
                                row->section, row->field);
    } else if (row->type == CONFIG_CHOICE) {
        choice_list(row->min, list);
        if (choice_has(row->min, text))
            store_text(reader, row, text);
        else
            config_reader_fault(reader, number, place, "%s.%s is \"%s\"; it must be one of %s",
                                row->section, row->field, quote, list);
    } else {
        set_number(reader, number, text, place);
    }
}

void config_reader_fault(struct config_reader *reader, size_t number, struct config_place place,
                         const char *format, ...)
{
    size_t count;
    char message[FAULT_SIZE], variable[CONFIG_VARIABLE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    reader->fault_count++;
    if (place.by == CONFIG_BY_FILE) {
        buffer_format(reader->faults, "%s:%zu:%zu: %s\n", reader->file, place.line, place.column,
                      message);
    } else if (place.by == CONFIG_BY_VARIABLE) {
        config_variable(config_rows(&count) + number, variable);
        buffer_format(reader->faults, "%s: %s\n", variable, message);
    } else {
        buffer_format(reader->faults, "%s\n", message);
    }
}

void config_quote(struct span text, char ret_text[CONFIG_QUOTE_SIZE])
{
    static const char more[] = "...";
    size_t most = CONFIG_QUOTE_SIZE - sizeof(more), size = text.size;

    if (size > most)
        for (size = most; size > 0 && ((unsigned char)text.at[size] & 0xc0) == 0x80;)
            size--; /* not within a character */
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text.at[i];
        ret_text[i] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    memcpy(ret_text + size, more, sizeof(more));
    if (size == text.size)
        ret_text[size] = '\0';
}

static bool text_is_plain(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
            return false;
    return true;
}

static bool choice_has(const char *words, struct span text)
{
    struct span list = span_of(words), word;

    while (span_split(&list, '|', &word))
        if (span_equal(word, text))
            return true;
    return false;
}

static void choice_list(const char *words, char ret_list[LIST_SIZE])
{
    struct span list = span_of(words), word;
    size_t size = 0;

    ret_list[0] = '\0';
    while (span_split(&list, '|', &word) && size < LIST_SIZE)
        size += (size_t)snprintf(ret_list + size, LIST_SIZE - size, "%s%.*s", size ? ", " : "",
                                 SPAN_PRINT(word));
}

static void store_text(struct config_reader *reader, const struct config_row *row, struct span text)
{
    char *copy = must_alloc(text.size + 1), *old;
    char *slot = (char *)reader->config + row->offset;

    if (text.size > 0)
        memcpy(copy, text.at, text.size);
    memcpy(&old, slot, sizeof(old));
    must_free(old);
    memcpy(slot, &copy, sizeof(copy));
}

static void set_number(struct config_reader *reader, size_t number, struct span text,
                       struct config_place place)
{
    size_t count;
    const struct config_row *row = config_rows(&count) + number;
    int64_t value, min = 0, max = INT64_MAX;
    char quote[CONFIG_QUOTE_SIZE];

    config_value_parse(row->type, span_of(row->min), &min);
    config_value_parse(row->type, span_of(row->max), &max);
    if (config_value_parse(row->type, text, &value) && value >= min && value <= max) {
        memcpy((char *)reader->config + row->offset, &value, sizeof(value));
        return;
    }
    config_quote(text, quote);
    config_reader_fault(reader, number, place, "%s.%s is \"%s\"; it must be %s, from %s to %s",
                        row->section, row->field, quote, config_value_kind(row->type), row->min,
                        row->max);
}

/* An array of bulk strings: hiredis would grow a string word by word and format every size with printf. */
#include "base/alloc.h"
#include "io/redis_link.h"

static size_t digits_of(size_t number);
static char *put_size(char *to, char kind, size_t number);

char *redis_wire(const struct span *args, size_t count, size_t *ret_size)
{
    static const size_t framing = sizeof("$\r\n\r\n") - 1;
    size_t size = sizeof("*\r\n") - 1 + digits_of(count);
    char *wire, *to;

    for (size_t i = 0; i < count; i++)
        size += framing + digits_of(args[i].size) + args[i].size;
    wire = must_resize(NULL, size + 1);
    to = put_size(wire, '*', count);
    for (size_t i = 0; i < count; i++) {
        to = put_size(to, '$', args[i].size);
        if (args[i].size)
            memcpy(to, args[i].at, args[i].size);
        to += args[i].size;
        *to++ = '\r';
        *to++ = '\n';
    }
    *to = '\0';
    *ret_size = size;
    return wire;
}

static size_t digits_of(size_t number)
{
    size_t digits = 1;

    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

static char *put_size(char *to, char kind, size_t number)
{
    size_t digits = digits_of(number);

    *to++ = kind;
    for (size_t i = digits; i > 0; i--) {
        to[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    to += digits;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

/* An array of bulk strings: hiredis would grow a string word by word and format every size with printf. */
#include "base/alloc.h"
#include "base/number.h"
#include "io/redis/link.h"

static char *put_size(char *to, char kind, size_t number);

char *redis_wire(const struct span *args, size_t count, size_t *ret_size)
{
    static const size_t framing = sizeof("$\r\n\r\n") - 1;
    size_t size = sizeof("*\r\n") - 1 + number_digits(count);
    char *wire, *to;

    for (size_t i = 0; i < count; i++)
        size += framing + number_digits(args[i].size) + args[i].size;
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

static char *put_size(char *to, char kind, size_t number)
{
    size_t digits = number_digits(number);

    *to++ = kind;
    for (size_t i = digits; i > 1; i--) {
        to[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    *to = (char)('0' + number);
    to += digits;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

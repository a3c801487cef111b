#include "base/number.h"

struct span number_text(int64_t number, char ret_text[NUMBER_TEXT_SIZE])
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t size = number_digits(rest) + (number < 0);
    char *at = ret_text + size;

    *at = '\0';
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    return (struct span){ret_text, size};
}

#include "base/number.h"

#include <string.h>

struct span number_text(int64_t number, char ret_text[NUMBER_TEXT_SIZE])
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char digits[NUMBER_TEXT_SIZE], *end = digits + sizeof(digits), *first = end;
    size_t size;

    *--first = '\0';
    do
        *--first = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--first = '-';
    size = (size_t)(end - first) - 1;
    memcpy(ret_text, first, size + 1);
    return (struct span){ret_text, size};
}

/* Two digits at a time: half the divisions. */
#include "base/number.h"

/* clang-format off */
static const char pairs[] =
    "00010203040506070809" "10111213141516171819" "20212223242526272829" "30313233343536373839"
    "40414243444546474849" "50515253545556575859" "60616263646566676869" "70717273747576777879"
    "80818283848586878889" "90919293949596979899";
/* clang-format on */

struct span number_text(int64_t number, char ret_text[NUMBER_TEXT_SIZE])
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t size = number_digits(rest) + (number < 0);
    char *at = ret_text + size;

    *at = '\0';
    for (; rest >= 100; rest /= 100)
        at = memcpy(at - 2, pairs + 2 * (rest % 100), 2);
    if (rest >= 10)
        at = memcpy(at - 2, pairs + 2 * rest, 2);
    else
        *--at = (char)('0' + rest);
    if (number < 0)
        *--at = '-';
    return (struct span){ret_text, size};
}

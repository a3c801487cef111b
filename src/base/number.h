/* number.h: whole numbers as decimal text, for the places every request passes: printf costs more than all around it.
 *
 * Units     at most NUMBER_TEXT_SIZE bytes with the NUL.
 * Fails     never.
 */
#ifndef KEYTURN_BASE_NUMBER_H
#define KEYTURN_BASE_NUMBER_H

#include "base/span.h"

enum { NUMBER_TEXT_SIZE = 21 }; /* a sign, 19 digits, a NUL */

static inline size_t number_digits(uint64_t number)
{
    size_t digits = 1;

    for (; number >= 100; number /= 100)
        digits += 2;
    return digits + (number >= 10);
}
/* As "%lld" writes it. */
struct span number_text(int64_t number, char ret_text[NUMBER_TEXT_SIZE]);
/* In a line: the separator stands where its NUL would; the place after it. */
static inline char *number_put(char *at, int64_t number, char separator)
{
    at += number_text(number, at).size;
    *at = separator;
    return at + 1;
}

#endif

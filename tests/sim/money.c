#include "money.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void fixed_write(char ret_text[USD_TEXT], int64_t amount, int64_t one, int digits);
static void exponent_write(char ret_text[USD_TEXT], int64_t nano);
static void drop_zeros(char *text);

void usd_write(char ret_text[USD_TEXT], int64_t nano, enum usd_form form)
{
    if (form == USD_EXPONENT && nano > 0)
        exponent_write(ret_text, nano);
    else
        fixed_write(ret_text, nano, 1000000000, 9);
}

void pico_write(char ret_text[USD_TEXT], int64_t pico)
{
    fixed_write(ret_text, pico, 1000000000000, 12);
}

int64_t usd_from_number(double usd)
{
    return (int64_t)(usd * 1e9 + (usd < 0 ? -0.5 : 0.5));
}

static void fixed_write(char ret_text[USD_TEXT], int64_t amount, int64_t one, int digits)
{
    const char *sign = amount < 0 ? "-" : "";
    int64_t size = amount < 0 ? -amount : amount;
    snprintf(ret_text, USD_TEXT, "%s%" PRId64 ".%0*" PRId64, sign, size / one, digits, size % one);
    drop_zeros(ret_text);
}

static void exponent_write(char ret_text[USD_TEXT], int64_t nano)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRId64, nano);
    snprintf(ret_text, USD_TEXT, "%c.%s", digits[0], count > 1 ? digits + 1 : "0");
    drop_zeros(ret_text);
    size_t length = strlen(ret_text);
    snprintf(ret_text + length, USD_TEXT - length, "e%d", count - 1 - 9);
}

static void drop_zeros(char *text)
{
    size_t length = strlen(text);
    while (length && text[length - 1] == '0')
        length--;
    if (length && text[length - 1] == '.')
        length--;
    text[length] = '\0';
}

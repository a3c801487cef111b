/*
 * Money is an integer of nano-USD; only its text is decimal.
 */
#ifndef SIM_MONEY_H
#define SIM_MONEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { USD_TEXT = 40 };

enum usd_form { USD_DECIMAL, USD_EXPONENT };

/* 1581420 -> 0.00158142 or 1.58142e-3: exact in both forms. */
void usd_write(char ret_text[USD_TEXT], int64_t nano, enum usd_form form);

/* A price of a token, in pico-USD: 150000 -> 0.00000015 */
void pico_write(char ret_text[USD_TEXT], int64_t pico);

int64_t usd_from_number(double usd);

#endif

/*
 * Wall time as OpenRouter counts it: UTC, days from 00:00, weeks from Monday, months from the
 * first.
 *
 * Units  milliseconds since 1970 everywhere.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ISO_TIME = 32 };

enum period { PERIOD_TOTAL, PERIOD_DAILY, PERIOD_WEEKLY, PERIOD_MONTHLY, PERIODS };

int64_t clock_real_ms(void);

/* 2026-11-20T14:25:07.123Z */
void clock_write_iso(char ret_text[ISO_TIME], int64_t ms);

/* Only UTC with seconds, as POST /keys accepts it: YYYY-MM-DDTHH:MM:SS[.fraction]Z. */
bool clock_read_iso(int64_t *ret_ms, const char *text);

/* The Date header. */
void clock_write_http(char *ret_text, size_t size, int64_t ms);

/* The first millisecond of the period that holds ms, and of the one after it; 0 and 0 for TOTAL. */
int64_t period_start_ms(enum period period, int64_t ms);
int64_t period_end_ms(enum period period, int64_t ms);

const char *period_name(enum period period); /* "total", "daily", … */
bool period_find(enum period *ret_period, const char *name);

#endif

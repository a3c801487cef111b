/* clock.h: the operating system's clocks and the texts of points in time.
 *
 * Units     wall time is unix milliseconds (int64), durations come from the monotonic clock.
 * Source    RFC 3339; OpenRouter writes times as ...Z and as ...+00:00 with fractions, both are read.
 */
#ifndef KEYTURN_BASE_CLOCK_H
#define KEYTURN_BASE_CLOCK_H

#include "base/span.h"

enum { CLOCK_TEXT_SIZE = 32 };

uint64_t clock_monotonic_ns(void);
int64_t clock_wall_ms(void);
/* 2026-11-20T14:18:54Z and, with milliseconds, 2026-11-20T14:18:54.123Z */
void clock_text(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE]);
void clock_text_ms(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE]);
/* Any RFC 3339 time with Z or a numeric offset; false if it is none. */
bool clock_parse(struct span text, int64_t *ret_wall_ms);

#endif

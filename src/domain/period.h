/* period.h: budget windows by the calendar, UTC: their names stand in keys, so nothing is ever reset by a job.
 *
 * Units     unix milliseconds. Days start at 00:00, weeks on Monday (ISO 8601), months on the 1st.
 * Source    openrouter-api 1.2 (limit_reset), design 5.1
 */
#ifndef KEYTURN_DOMAIN_PERIOD_H
#define KEYTURN_DOMAIN_PERIOD_H

#include "domain/key_record.h"

enum { PERIOD_NAME_SIZE = 16 };

struct period {
    char name[PERIOD_NAME_SIZE]; /* "2026-11-20", "2026-W47", "2026-11" */
    int64_t starts_ms, ends_ms;
};

struct period period_of(enum limit_reset reset, int64_t wall_ms); /* not for LIMIT_RESET_NONE */
struct period period_before(const struct period *period, enum limit_reset reset);

#endif

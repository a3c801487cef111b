#include "domain/period.h"

#include <assert.h>

/* The years 0000 to 9999: what a name has room for. */
#define EARLIEST_MS INT64_C(-62167219200000)
#define LATEST_MS INT64_C(253402300799999)

static const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;

struct date {
    int year, month, day; /* from 1 */
};

static struct period day_of(int64_t day);
static struct period week_of(int64_t day);
static struct period month_of(int64_t day);
static struct period period_named(int64_t first_day, int64_t next_day);
static int64_t floor_of(int64_t value, int64_t by);
static struct date date_of(int64_t day);
static int64_t day_number(struct date date);

struct period period_of(enum limit_reset reset, int64_t wall_ms)
{
    assert(wall_ms >= EARLIEST_MS && wall_ms <= LATEST_MS);
    int64_t day = floor_of(wall_ms, day_ms);
    switch (reset) {
    case LIMIT_RESET_DAILY:
        return day_of(day);
    case LIMIT_RESET_WEEKLY:
        return week_of(day);
    case LIMIT_RESET_MONTHLY:
        return month_of(day);
    case LIMIT_RESET_NONE:
        break;
    }
    assert(reset != LIMIT_RESET_NONE);
    return (struct period){.starts_ms = EARLIEST_MS, .ends_ms = LATEST_MS};
}

struct period period_before(const struct period *period, enum limit_reset reset)
{
    return period_of(reset, period->starts_ms - 1);
}

/* Every admission names two windows. Years have four digits: see EARLIEST_MS and LATEST_MS. */
static char *put(char *to, int number, int width, char behind)
{
    for (int i = width - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    to[width] = behind;
    return to + width + 1;
}

static struct period day_of(int64_t day)
{
    struct period period = period_named(day, day + 1);
    struct date date = date_of(day);
    put(put(put(period.name, date.year, 4, '-'), date.month, 2, '-'), date.day, 2, '\0');
    return period;
}

/* A week belongs to the year its Thursday is in; it is number 1 if that Thursday is the year's first. */
static struct period week_of(int64_t day)
{
    int64_t monday = floor_of(day + 3, 7) * 7 - 3; /* day 0 was a Thursday */
    struct period period = period_named(monday, monday + 7);
    int year = date_of(monday + 3).year;
    int64_t new_year = day_number((struct date){year, 1, 1});
    put(put(period.name, year, 4, '-') + 1, (int)((monday + 3 - new_year) / 7 + 1), 2, '\0');
    period.name[sizeof("2026-") - 1] = 'W';
    return period;
}

static struct period month_of(int64_t day)
{
    struct date first = date_of(day);
    first.day = 1;
    struct date next = first.month == 12 ? (struct date){first.year + 1, 1, 1}
                                         : (struct date){first.year, first.month + 1, 1};
    struct period period = period_named(day_number(first), day_number(next));
    put(put(period.name, first.year, 4, '-'), first.month, 2, '\0');
    return period;
}

static struct period period_named(int64_t first_day, int64_t next_day)
{
    return (struct period){.starts_ms = first_day * day_ms, .ends_ms = next_day * day_ms};
}

static int64_t floor_of(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* The Gregorian calendar in years that begin in March, so that the leap day is the last one; days count from 1970. */
static struct date date_of(int64_t day)
{
    const int64_t from_march_0000 = 719468, days_in_400_years = 146097;
    day += from_march_0000;
    int64_t era = floor_of(day, days_in_400_years);
    int64_t of_era = day - era * days_in_400_years;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0 is March */
    struct date date = {.year = (int)(era * 400 + year + (month >= 10)),
                        .month = (int)(month < 10 ? month + 3 : month - 9),
                        .day = (int)(of_year - (153 * month + 2) / 5 + 1)};
    return date;
}

static int64_t day_number(struct date date)
{
    int64_t year = date.year - (date.month <= 2), era = floor_of(year, 400);
    int64_t of_era = year - era * 400, month = date.month > 2 ? date.month - 3 : date.month + 9;
    int64_t of_year = (153 * month + 2) / 5 + date.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

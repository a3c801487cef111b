#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_MS = 1000 };

static const int64_t day_ms = 86400 * (int64_t)SECOND_MS;

static const char *const period_names[PERIODS] = {
    [PERIOD_TOTAL] = "total",
    [PERIOD_DAILY] = "daily",
    [PERIOD_WEEKLY] = "weekly",
    [PERIOD_MONTHLY] = "monthly",
};

static int64_t month_start_ms(int64_t ms, int months_later);
static void split(struct tm *ret_parts, int64_t ms);

int64_t clock_real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND_MS + now.tv_nsec / 1000000;
}

void clock_write_iso(char ret_text[ISO_TIME], int64_t ms)
{
    struct tm parts;
    split(&parts, ms);
    size_t length = strftime(ret_text, ISO_TIME, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(ret_text + length, ISO_TIME - length, ".%03dZ", (int)(ms % SECOND_MS));
}

bool clock_read_iso(int64_t *ret_ms, const char *text)
{
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!end || end - text != 19)
        return false;
    int64_t fraction = 0, unit = 100;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
            fraction += unit * (*end - '0');
    if (strcmp(end, "Z") != 0)
        return false;
    *ret_ms = (int64_t)timegm(&parts) * SECOND_MS + fraction;
    return true;
}

void clock_write_http(char *ret_text, size_t size, int64_t ms)
{
    struct tm parts;
    split(&parts, ms);
    if (!strftime(ret_text, size, "%a, %d %b %Y %H:%M:%S GMT", &parts))
        *ret_text = '\0';
}

int64_t period_start_ms(enum period period, int64_t ms)
{
    int64_t day = ms / day_ms;
    switch (period) {
    case PERIOD_DAILY:
        return day * day_ms;
    case PERIOD_WEEKLY: /* 1970-01-01 was a Thursday */
        return (day - (day + 3) % 7) * day_ms;
    case PERIOD_MONTHLY:
        return month_start_ms(ms, 0);
    case PERIOD_TOTAL:
    case PERIODS:
        break;
    }
    return 0;
}

int64_t period_end_ms(enum period period, int64_t ms)
{
    switch (period) {
    case PERIOD_DAILY:
        return period_start_ms(period, ms) + day_ms;
    case PERIOD_WEEKLY:
        return period_start_ms(period, ms) + 7 * day_ms;
    case PERIOD_MONTHLY:
        return month_start_ms(ms, 1);
    case PERIOD_TOTAL:
    case PERIODS:
        break;
    }
    return 0;
}

const char *period_name(enum period period)
{
    return period_names[period];
}

bool period_find(enum period *ret_period, const char *name)
{
    for (int i = PERIOD_DAILY; i < PERIODS; i++)
        if (strcmp(period_names[i], name) == 0) {
            *ret_period = (enum period)i;
            return true;
        }
    return false;
}

static int64_t month_start_ms(int64_t ms, int months_later)
{
    struct tm parts;
    split(&parts, ms);
    struct tm first = {
        .tm_year = parts.tm_year, .tm_mon = parts.tm_mon + months_later, .tm_mday = 1};
    return (int64_t)timegm(&first) * SECOND_MS;
}

static void split(struct tm *ret_parts, int64_t ms)
{
    time_t seconds = (time_t)(ms / SECOND_MS);
    gmtime_r(&seconds, ret_parts);
}

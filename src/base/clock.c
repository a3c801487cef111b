#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60 };

static size_t civil_text(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE], int *ret_ms);
static bool parse_date(struct span *text, int64_t *ret_days);
static bool parse_time(struct span *text, int64_t *ret_ms);
static bool parse_fraction(struct span *text, int64_t *ret_ms);
static bool parse_zone(struct span *text, int64_t *ret_offset_s);
static bool take_number(struct span *text, size_t digits, int64_t *ret_number);
static bool take_mark(struct span *text, const char *marks);
static int64_t days_of_month(int64_t year, int64_t month);
static int64_t days_since_epoch(int64_t year, int64_t month, int64_t day);

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(!failed);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    assert(!failed);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_text(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE])
{
    int ms;
    size_t size = civil_text(wall_ms, ret_text, &ms);
    snprintf(ret_text + size, CLOCK_TEXT_SIZE - size, "Z");
}

void clock_text_ms(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE])
{
    int ms;
    size_t size = civil_text(wall_ms, ret_text, &ms);
    snprintf(ret_text + size, CLOCK_TEXT_SIZE - size, ".%03dZ", ms);
}

bool clock_parse(struct span text, int64_t *ret_wall_ms)
{
    int64_t days, time_ms, offset_s;
    if (!parse_date(&text, &days) || !take_mark(&text, "Tt ") || !parse_time(&text, &time_ms) ||
        !parse_zone(&text, &offset_s) || text.size > 0)
        return false;
    *ret_wall_ms = (days * DAY_S - offset_s) * 1000 + time_ms;
    return true;
}

/* The text down to the seconds, and what is left of them. */
static size_t civil_text(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE], int *ret_ms)
{
    int ms = (int)(wall_ms % 1000);
    time_t seconds = wall_ms / 1000;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm civil;
    struct tm *done = gmtime_r(&seconds, &civil);
    assert(done);
    size_t size = strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &civil);
    assert(size > 0);
    *ret_ms = ms;
    return size;
}

static bool parse_date(struct span *text, int64_t *ret_days)
{
    int64_t year, month, day;
    if (!take_number(text, 4, &year) || !take_mark(text, "-") || !take_number(text, 2, &month) ||
        !take_mark(text, "-") || !take_number(text, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    *ret_days = days_since_epoch(year, month, day);
    return true;
}

/* A leap second (:60) is read as the second after it. */
static bool parse_time(struct span *text, int64_t *ret_ms)
{
    int64_t hour, minute, second, fraction_ms;
    if (!take_number(text, 2, &hour) || !take_mark(text, ":") || !take_number(text, 2, &minute) ||
        !take_mark(text, ":") || !take_number(text, 2, &second) ||
        !parse_fraction(text, &fraction_ms))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms;
    return true;
}

/* Any number of digits after the point; what is finer than a millisecond is dropped. */
static bool parse_fraction(struct span *text, int64_t *ret_ms)
{
    int64_t digit, weight = 100;
    *ret_ms = 0;
    if (!take_mark(text, "."))
        return true;
    if (!take_number(text, 1, &digit))
        return false;
    do {
        *ret_ms += digit * weight;
        weight /= 10;
    } while (take_number(text, 1, &digit));
    return true;
}

static bool parse_zone(struct span *text, int64_t *ret_offset_s)
{
    *ret_offset_s = 0;
    if (take_mark(text, "Zz"))
        return true;
    bool west = take_mark(text, "-");
    int64_t hour, minute;
    if (!west && !take_mark(text, "+"))
        return false;
    if (!take_number(text, 2, &hour) || !take_mark(text, ":") || !take_number(text, 2, &minute))
        return false;
    if (hour > 23 || minute > 59)
        return false;
    *ret_offset_s = (hour * 60 + minute) * (west ? -60 : 60);
    return true;
}

static bool take_number(struct span *text, size_t digits, int64_t *ret_number)
{
    uint64_t number;
    if (text->size < digits || !span_u64(span_first(*text, digits), &number))
        return false;
    *ret_number = (int64_t)number;
    *text = span_from(*text, digits);
    return true;
}

static bool take_mark(struct span *text, const char *marks)
{
    if (text->size == 0 || text->at[0] == '\0' || !strchr(marks, text->at[0]))
        return false;
    *text = span_from(*text, 1);
    return true;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2)
        return leap ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Years begin in March here, so that the leap day is the last. */
static int64_t days_since_epoch(int64_t year, int64_t month, int64_t day)
{
    int64_t from_march = (month + 9) % 12;
    int64_t y = year + 400 - (month <= 2 ? 1 : 0); /* positive; 400 years have 146097 days */
    int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 146097 - 719468;
}

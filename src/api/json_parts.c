#include "api/json_parts.h"

#include "base/clock.h"
#include "domain/nano_usd.h"

#include <stdio.h>

enum { NAME_SIZE = 48 };

void json_usd(struct json *j, const char *name, int64_t nano_usd)
{
    char usd[NANO_USD_TEXT_SIZE];

    nano_usd_text(nano_usd, usd);
    json_name(j, name);
    if (nano_usd < 0)
        json_null(j);
    else
        json_raw(j, span_of(usd));
}

void json_amount(struct json *j, const char *name, int64_t nano_usd)
{
    char whole[NAME_SIZE];

    snprintf(whole, sizeof(whole), "%s_nano_usd", name);
    json_count(j, whole, nano_usd);
    snprintf(whole, sizeof(whole), "%s_usd", name);
    json_usd(j, whole, nano_usd);
}

void json_count(struct json *j, const char *name, int64_t count)
{
    json_name(j, name);
    json_int(j, count);
}

void json_string(struct json *j, const char *name, struct span text)
{
    json_name(j, name);
    json_text(j, text);
}

void json_time(struct json *j, const char *name, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    json_name(j, name);
    if (wall_ms <= 0) {
        json_null(j);
        return;
    }
    clock_text(wall_ms, text);
    json_text(j, span_of(text));
}

#include "api/user_patch.h"

#include "base/clock.h"
#include "base/word.h"
#include "domain/json_scan.h"
#include "domain/json_text.h"
#include "domain/nano_usd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define USD_MAX INT64_C(1000000000000000) /* a million dollars */

enum { NAME_MAX_BYTES = 64, LIST_SIZE = 320, WANTED_SIZE = 160, QUOTE_SIZE = 41 };

struct value {
    enum { VALUE_NULL, VALUE_NUMBER, VALUE_TEXT, VALUE_WORD, VALUE_OTHER } kind; /* WORD: either */
    struct span text;
};

struct row;
/* False: it is no such value. */
typedef bool parse_value(const struct row *row, struct span text,
                         char ret_value[USER_VALUE_MAX + 1]);
static bool parse_status(const struct row *row, struct span text,
                         char ret_value[USER_VALUE_MAX + 1]);
static bool parse_tier(const struct row *row, struct span text, char ret_value[USER_VALUE_MAX + 1]);
static bool parse_usd(const struct row *row, struct span text, char ret_value[USER_VALUE_MAX + 1]);
static bool parse_count(const struct row *row, struct span text,
                        char ret_value[USER_VALUE_MAX + 1]);
static bool parse_time(const struct row *row, struct span text, char ret_value[USER_VALUE_MAX + 1]);

/* clang-format off */
static const struct row {
    const char *name, *option;
    unsigned bodies;
    enum user_field field;
    bool is_number, may_be_nothing, may_be_unlimited;
    int64_t min, max;
    parse_value *parse;
    const char *wanted;
} rows[] = {
    {"status", "--status", USER_BODY_FIELDS, USER_FIELD_STATUS, false, false, false, 0, 0,
     parse_status, "active or disabled"},
    {"tier", "--tier", USER_BODY_FIELDS | USER_BODY_TIER, USER_FIELD_TIER, false, false, false, 0, 0,
     parse_tier, "the name of a tier"},
    {"limit_usd", "--limit-usd", USER_BODY_FIELDS, USER_FIELD_LIMIT, true, true, true, 0, USD_MAX,
     parse_usd, "an amount in USD from 0 to 1000000"},
    {"messages_per_day", "--messages-per-day", USER_BODY_FIELDS, USER_FIELD_MESSAGES, true, true, true, 0, 1000000000,
     parse_count, "a whole number from 0 to 1000000000"},
    {"requests_per_minute", "--requests-per-minute", USER_BODY_FIELDS, USER_FIELD_REQUESTS, true, true, true, 1, 1000000,
     parse_count, "a whole number from 1 to 1000000"},
    {"max_concurrent", "--max-concurrent", USER_BODY_FIELDS, USER_FIELD_CONCURRENT, true, true, true, 1, 1000000,
     parse_count, "a whole number from 1 to 1000000"},
    {"limit_usd", "--limit-usd", USER_BODY_BOOST, USER_FIELD_BOOST, true, false, false, 0, USD_MAX,
     parse_usd, "an amount in USD from 0 to 1000000 (0 ends a boost)"},
    {"until", "--until", USER_BODY_BOOST, USER_FIELD_BOOST_UNTIL, false, false, false, 0, 0,
     parse_time, "a time such as 2026-12-01T00:00:00Z"},
};
/* clang-format on */

enum { ROW_COUNT = sizeof(rows) / sizeof(*rows) };

static bool read_member(const struct json_member *member, void *context);
static struct value value_of(const struct json_member *member, char text[USER_VALUE_MAX + 1]);
static const struct row *find_row(const struct user_patch *patch, struct span name);
static bool unknown_field(struct user_patch *patch, struct span name);
static void list_fields(const struct user_patch *patch, char ret_list[LIST_SIZE]);
static bool set(struct user_patch *patch, const struct row *row, struct value value);
static bool is_wrong(struct user_patch *patch, const struct row *row);
static void end_boost(struct user_patch *patch);
static bool check_tier(struct user_patch *patch, const struct tiers *tiers);
static bool check_until(struct user_patch *patch, int64_t now_ms);
static struct user_write *find_write(struct user_patch *patch, enum user_field field);
static bool refuse(struct user_patch *patch, const char *param, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse_unknown(struct user_patch *patch, const char *what,
                           const struct word_search *search, const char *list);
static const char *name_of(const struct user_patch *patch, const struct row *row);
static void append_name(char list[LIST_SIZE], const char *name);
static void quote(struct span text, char ret_text[QUOTE_SIZE]);

bool user_patch_read(struct user_patch *patch, struct span text)
{
    char list[LIST_SIZE];
    size_t bad_at;

    list_fields(patch, list);
    switch (json_scan(text, read_member, patch, &bad_at)) {
    case JSON_BROKEN:
        return refuse(patch, "",
                      "The body is not valid JSON (byte %zu); it must be an object with one or "
                      "more of the fields %s.",
                      bad_at, list);
    case JSON_NOT_OBJECT:
        return refuse(patch, "",
                      "The body must be a JSON object with one or more of the fields %s.", list);
    case JSON_FINE:
        break;
    }
    return patch->detail[0] == '\0';
}

const char *user_patch_option(const struct user_patch *patch, size_t index)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].bodies & patch->body && index-- == 0)
            return rows[i].option;
    return NULL;
}

bool user_patch_set_option(struct user_patch *patch, size_t index, struct span word)
{
    bool nothing = span_equal(word, SPAN("none"));

    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].bodies & patch->body && index-- == 0)
            return set(
                patch, &rows[i],
                (struct value){nothing && rows[i].may_be_nothing ? VALUE_NULL : VALUE_WORD, word});
    return false;
}

bool user_patch_whole(struct user_patch *patch)
{
    end_boost(patch);
    for (size_t i = 0; i < ROW_COUNT && patch->body != USER_BODY_FIELDS; i++)
        if (rows[i].bodies & patch->body && !find_write(patch, rows[i].field))
            return refuse(patch, rows[i].name, "%s is missing; it must be %s.",
                          name_of(patch, &rows[i]), rows[i].wanted);
    return true;
}

bool user_patch_seal(struct user_patch *patch, const struct tiers *tiers, int64_t now_ms)
{
    return user_patch_whole(patch) && check_tier(patch, tiers) && check_until(patch, now_ms);
}

bool user_patch_make(struct user_patch *patch, const struct tier *preset)
{
    const struct user_write *tier = find_write(patch, USER_FIELD_TIER);

    if (!tier && !preset)
        return refuse(patch, "tier",
                      "There is no default tier (keys.default_tier): give the user "
                      "one, such as {\"tier\":\"Pro\"}.");
    snprintf(patch->change.make_with, sizeof(patch->change.make_with), "%s",
             tier ? tier->value : preset->name);
    return true;
}

static bool read_member(const struct json_member *member, void *context)
{
    struct user_patch *patch = context;
    char name[NAME_MAX_BYTES], text[USER_VALUE_MAX + 1];
    size_t size;
    const struct row *row = NULL;

    if (json_resolve(member->name, name, sizeof(name), &size))
        row = find_row(patch, (struct span){name, size});
    if (!row)
        return unknown_field(patch, member->name);
    return set(patch, row, value_of(member, text));
}

static struct value value_of(const struct json_member *member, char text[USER_VALUE_MAX + 1])
{
    struct span inside = span_from(member->value, 1);
    size_t size;

    if (member->kind == JSON_NULL)
        return (struct value){VALUE_NULL, SPAN_NONE};
    if (member->kind == JSON_NUMBER)
        return (struct value){VALUE_NUMBER, member->value};
    if (member->kind != JSON_STRING)
        return (struct value){VALUE_OTHER, SPAN_NONE};
    inside.size--;
    if (!json_resolve(inside, text, USER_VALUE_MAX, &size))
        return (struct value){VALUE_OTHER, SPAN_NONE}; /* longer than any that is fine */
    return (struct value){VALUE_TEXT, {text, size}};
}

static const struct row *find_row(const struct user_patch *patch, struct span name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].bodies & patch->body && span_equal(name, span_of(rows[i].name)))
            return &rows[i];
    return NULL;
}

static bool unknown_field(struct user_patch *patch, struct span name)
{
    struct word_search search = {.word = name};
    char list[LIST_SIZE];

    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].bodies & patch->body)
            word_compare(&search, rows[i].name);
    list_fields(patch, list);
    refuse_unknown(patch, "field", &search, list);
    quote(name, patch->param);
    return false;
}

static void list_fields(const struct user_patch *patch, char ret_list[LIST_SIZE])
{
    ret_list[0] = '\0';
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].bodies & patch->body)
            append_name(ret_list, rows[i].name);
}

static bool set(struct user_patch *patch, const struct row *row, struct value value)
{
    unsigned bit = 1u << (row - rows);
    struct user_write *write = &patch->change.writes[patch->change.count];
    bool fits =
        value.kind == VALUE_WORD || value.kind == (row->is_number ? VALUE_NUMBER : VALUE_TEXT);

    if (patch->given & bit)
        return refuse(patch, row->name, "%s is given twice; keep one.", name_of(patch, row));
    patch->given |= bit;
    write->field = row->field;
    if (value.kind == VALUE_NULL && row->may_be_nothing)
        write->value[0] = '\0';
    else if (fits && row->may_be_unlimited && span_equal(value.text, SPAN("-1")))
        snprintf(write->value, sizeof(write->value), "%d", UNLIMITED);
    else if (!fits || !row->parse(row, value.text, write->value))
        return is_wrong(patch, row);
    patch->change.count++;
    return true;
}

static bool is_wrong(struct user_patch *patch, const struct row *row)
{
    return refuse(patch, row->name, "%s must be %s%s%s%s.", name_of(patch, row), row->wanted,
                  row->may_be_unlimited ? ", -1 for no limit" : "",
                  row->may_be_nothing ? patch->shell ? ", or none" : ", or null" : "",
                  row->may_be_nothing ? " for that of the tier" : "");
}

static bool parse_status(const struct row *row, struct span text,
                         char ret_value[USER_VALUE_MAX + 1])
{
    (void)row;
    return (span_equal(text, SPAN("active")) || span_equal(text, SPAN("disabled"))) &&
           span_text(text, ret_value, USER_VALUE_MAX + 1);
}

/* Whether there is such a tier is seen when the patch is sealed. */
static bool parse_tier(const struct row *row, struct span text, char ret_value[USER_VALUE_MAX + 1])
{
    (void)row;
    return text.size > 0 && span_text(text, ret_value, USER_VALUE_MAX + 1);
}

static bool parse_usd(const struct row *row, struct span text, char ret_value[USER_VALUE_MAX + 1])
{
    int64_t nano_usd;

    if (!nano_usd_parse(text, &nano_usd) || nano_usd < row->min || nano_usd > row->max)
        return false;
    snprintf(ret_value, USER_VALUE_MAX + 1, "%" PRId64, nano_usd);
    return true;
}

static bool parse_count(const struct row *row, struct span text, char ret_value[USER_VALUE_MAX + 1])
{
    int64_t count;

    if (!span_i64(text, &count) || count < row->min || count > row->max)
        return false;
    snprintf(ret_value, USER_VALUE_MAX + 1, "%" PRId64, count);
    return true;
}

static bool parse_time(const struct row *row, struct span text, char ret_value[USER_VALUE_MAX + 1])
{
    int64_t wall_ms;

    (void)row;
    if (!clock_parse(text, &wall_ms))
        return false;
    snprintf(ret_value, USER_VALUE_MAX + 1, "%" PRId64, wall_ms);
    return true;
}

/* A boost of nothing is none: both fields go. */
static void end_boost(struct user_patch *patch)
{
    const struct user_write *amount = find_write(patch, USER_FIELD_BOOST);

    if (!amount || strcmp(amount->value, "0") != 0)
        return;
    patch->change.count = 2;
    patch->change.writes[0] = (struct user_write){.field = USER_FIELD_BOOST};
    patch->change.writes[1] = (struct user_write){.field = USER_FIELD_BOOST_UNTIL};
}

static bool check_tier(struct user_patch *patch, const struct tiers *tiers)
{
    const struct user_write *tier = find_write(patch, USER_FIELD_TIER);
    struct word_search search;
    char list[LIST_SIZE] = "";

    if (!tier || tiers_find(tiers, span_of(tier->value)))
        return true;
    search = (struct word_search){.word = span_of(tier->value)};
    for (size_t i = 0; i < tiers->count; i++) {
        word_compare(&search, tiers->rows[i].name);
        append_name(list, tiers->rows[i].name);
    }
    return refuse_unknown(patch, "tier", &search, list);
}

/* A boost is for a time. */
static bool check_until(struct user_patch *patch, int64_t now_ms)
{
    const struct user_write *until = find_write(patch, USER_FIELD_BOOST_UNTIL);
    int64_t until_ms = 0;

    if (!until || !until->value[0])
        return true;
    span_i64(span_of(until->value), &until_ms);
    return until_ms > now_ms || refuse(patch, "until",
                                       "The time a boost ends (%suntil) must be in the future; an "
                                       "amount of 0 ends one now.",
                                       patch->shell ? "--" : "");
}

static struct user_write *find_write(struct user_patch *patch, enum user_field field)
{
    for (size_t i = 0; i < patch->change.count; i++)
        if (patch->change.writes[i].field == field)
            return &patch->change.writes[i];
    return NULL;
}

static bool refuse(struct user_patch *patch, const char *param, const char *format, ...)
{
    va_list args;

    snprintf(patch->param, sizeof(patch->param), "%s", param);
    va_start(args, format);
    vsnprintf(patch->detail, sizeof(patch->detail), format, args);
    va_end(args);
    return false;
}

static bool refuse_unknown(struct user_patch *patch, const char *what,
                           const struct word_search *search, const char *list)
{
    char text[QUOTE_SIZE];

    quote(search->word, text);
    return refuse(patch, what, "There is no %s '%s'%s%s%s The %ss are: %s.", what, text,
                  search->near ? "; did you mean " : ".", search->near ? search->near : "",
                  search->near ? "?" : "", what, list);
}

static const char *name_of(const struct user_patch *patch, const struct row *row)
{
    return patch->shell ? row->option : row->name;
}

/* As many as fit; dots stand for the rest. */
static void append_name(char list[LIST_SIZE], const char *name)
{
    const struct span rest = SPAN("...");
    size_t used = strlen(list);
    bool fits = used + strlen(", , ...") + strlen(name) < LIST_SIZE;

    if (!span_ends((struct span){list, used}, rest))
        snprintf(list + used, LIST_SIZE - used, "%s%s", used ? ", " : "", fits ? name : rest.at);
}

/* For a sentence: cut when long, without control characters. */
static void quote(struct span text, char ret_text[QUOTE_SIZE])
{
    struct span part = span_first(text, QUOTE_SIZE - 1);

    for (size_t i = 0; i < part.size; i++)
        ret_text[i] = (unsigned char)part.at[i] < ' ' || part.at[i] == 0x7f ? '?' : part.at[i];
    ret_text[part.size] = '\0';
}

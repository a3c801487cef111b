#include "domain/key_record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const reset_names[] = {
    [LIMIT_RESET_NONE] = NULL,
    [LIMIT_RESET_DAILY] = "daily",
    [LIMIT_RESET_WEEKLY] = "weekly",
    [LIMIT_RESET_MONTHLY] = "monthly",
};

static const char *const state_names[] = {
    [KEY_ABSENT] = "absent",
    [KEY_ACTIVE] = "active",
    [KEY_DISABLED] = "disabled",
};

static const char name_prefix[] = "keyturn";

static bool part_is_fine(struct span part);
static bool number_parse(struct span text, int64_t *ret_number);

const char *limit_reset_name(enum limit_reset reset)
{
    assert((size_t)reset < sizeof(reset_names) / sizeof(*reset_names));
    return reset_names[reset];
}

bool limit_reset_parse(struct span name, enum limit_reset *ret_reset)
{
    if (name.size == 0 || span_equal(name, SPAN("none"))) {
        *ret_reset = LIMIT_RESET_NONE;
        return true;
    }
    for (size_t i = LIMIT_RESET_DAILY; i < sizeof(reset_names) / sizeof(*reset_names); i++)
        if (span_equal(name, span_of(reset_names[i]))) {
            *ret_reset = (enum limit_reset)i;
            return true;
        }
    return false;
}

const char *key_state_name(enum key_state state)
{
    assert((size_t)state < sizeof(state_names) / sizeof(*state_names));
    return state_names[state];
}

bool key_state_parse(struct span name, enum key_state *ret_state)
{
    for (size_t i = 0; i < sizeof(state_names) / sizeof(*state_names); i++)
        if (span_equal(name, span_of(state_names[i]))) {
            *ret_state = (enum key_state)i;
            return true;
        }
    return false;
}

bool key_name_compose(const struct key_name *name, char ret_name[KEY_NAME_MAX + 1])
{
    ret_name[0] = '\0';
    if (!part_is_fine(name->deployment) || !part_is_fine(name->pseudonym) ||
        !part_is_fine(name->nonce) || name->version < 0 || name->fence < 0)
        return false;
    int size = snprintf(ret_name, KEY_NAME_MAX + 1, "%s/%.*s/%.*s/v%" PRId64 "/%" PRId64 "/%.*s",
                        name_prefix, SPAN_PRINT(name->deployment), SPAN_PRINT(name->pseudonym),
                        name->version, name->fence, SPAN_PRINT(name->nonce));
    if (size < 0 || size > KEY_NAME_MAX) {
        ret_name[0] = '\0';
        return false;
    }
    return true;
}

bool key_name_parse(struct span text, struct key_name *ret_name)
{
    enum { PREFIX, DEPLOYMENT, PSEUDONYM, VERSION, FENCE, NONCE, PART_COUNT };
    struct span parts[PART_COUNT];
    size_t count = 0;
    if (text.size > KEY_NAME_MAX)
        return false;
    while (count < PART_COUNT && span_split(&text, '/', &parts[count]))
        count++;
    if (count != PART_COUNT || text.at || !span_equal(parts[PREFIX], span_of(name_prefix)) ||
        !part_is_fine(parts[DEPLOYMENT]) || !part_is_fine(parts[PSEUDONYM]) ||
        !part_is_fine(parts[NONCE]) || !span_starts(parts[VERSION], SPAN("v")))
        return false;
    struct key_name name = {parts[DEPLOYMENT], parts[PSEUDONYM], parts[NONCE], 0, 0};
    if (!number_parse(span_from(parts[VERSION], 1), &name.version) ||
        !number_parse(parts[FENCE], &name.fence))
        return false;
    *ret_name = name;
    return true;
}

static bool part_is_fine(struct span part)
{
    if (part.size == 0 || part.size > KEY_NAME_MAX)
        return false;
    for (size_t i = 0; i < part.size; i++)
        if (part.at[i] <= ' ' || part.at[i] > '~' || part.at[i] == '/')
            return false;
    return true;
}

/* One spelling for each number, so that a name that parses is one that was composed. */
static bool number_parse(struct span text, int64_t *ret_number)
{
    uint64_t number;
    if (!span_u64(text, &number) || number > INT64_MAX || (text.size > 1 && text.at[0] == '0'))
        return false;
    *ret_number = (int64_t)number;
    return true;
}

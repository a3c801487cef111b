#include "store/users.h"

#include "store/fields.h"

#include <assert.h>

static_assert(2 + 2 * USER_WRITES_MAX <= STORE_ARGS_MAX, "a change fits into one call");

static const char *const fields[] = {
#define ROW(name, field) [USER_FIELD_##name] = field,
    USER_FIELDS(ROW)
#undef ROW
};

static const char *const own_limits[] = {
#define ROW(name, field) [USER_OWN_##name] = field,
    USER_OWN_LIMITS(ROW)
#undef ROW
};

static const char *const statuses[] = {"", "active", "disabled"};

static bool read_ensured(struct store_call *call, const struct redis_reply *reply);
static bool read_set(struct store_call *call, const struct redis_reply *reply);
static bool read_record(const struct redis_reply *reply, struct user_record *ret_record);
static bool read_was(const struct redis_reply *reply, struct user_set *set);

const char *user_field_name(enum user_field field)
{
    assert(field < USER_FIELD_COUNT);
    return fields[field];
}

/* lua/user_ensure.lua */
void user_ensure(struct store *store, struct user_ensure *ensure, struct span user,
                 struct span tier, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_USER, user, name);
    struct store_args args;

    args_begin(&args, store);
    args_add(&args, tier);
    args_send(&args, store, &ensure->call, wake, read_ensured, SCRIPT_user_ensure, &key, 1);
}

/* lua/user_set.lua */
void user_set(struct store *store, struct user_set *set, struct span user,
              const struct user_change *change, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_USER, user, name);
    struct store_args args;

    assert(change->count <= USER_WRITES_MAX);
    args_begin(&args, store);
    args_add(&args, span_of(change->make_with));
    for (size_t i = 0; i < change->count; i++) {
        args_add(&args, span_of(user_field_name(change->writes[i].field)));
        args_add(&args, span_of(change->writes[i].value));
    }
    args_send(&args, store, &set->call, wake, read_set, SCRIPT_user_set, &key, 1);
}

static bool read_ensured(struct store_call *call, const struct redis_reply *reply)
{
    struct user_ensure *ensure = container_of(call, struct user_ensure, call);

    ensure->created = field_flag(reply, "created");
    return redis_reply_kind(reply) == REDIS_LIST;
}

static bool read_set(struct store_call *call, const struct redis_reply *reply)
{
    struct user_set *set = container_of(call, struct user_set, call);

    if (redis_reply_kind(reply) != REDIS_LIST)
        return false;
    set->created = field_flag(reply, "created");
    return read_record(reply, &set->record) && read_was(reply, set);
}

static bool read_record(const struct redis_reply *reply, struct user_record *ret_record)
{
    struct user_record *record = ret_record;
    size_t status;

    *record = (struct user_record){0};
    if (!field_word(reply, "status", statuses, sizeof(statuses) / sizeof(*statuses), &status))
        return false;
    record->found = status > 0;
    record->disabled = status == 2;
    for (size_t i = 0; i < USER_OWN_COUNT; i++) {
        record->own[i].set = field_span(reply, own_limits[i]).size > 0;
        if (!field_number(reply, own_limits[i], &record->own[i].value))
            return false;
    }
    return field_text(reply, "tier", record->tier, sizeof(record->tier)) &&
           field_number(reply, "created_at", &record->created_at_ms) &&
           field_number(reply, "boost_nano_usd", &record->boost_nano_usd) &&
           field_number(reply, "boost_until_ms", &record->boost_until_ms);
}

static bool read_was(const struct redis_reply *reply, struct user_set *set)
{
    const struct redis_reply *was = redis_reply_field(reply, SPAN("was"));
    size_t count = was ? redis_reply_count(was) : 0;

    if (!was || count > USER_WRITES_MAX)
        return false;
    set->was_count = count;
    for (size_t i = 0; i < count; i++)
        if (!item_text(was, i, set->was[i], sizeof(set->was[i])))
            return false;
    return true;
}

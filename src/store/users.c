#include "store/users.h"

#include "store/fields.h"

static const char *const statuses[] = {"unknown", "active", "disabled"};

static bool read_admission(struct store_call *call, const struct redis_reply *reply);
static bool read_ensured(struct store_call *call, const struct redis_reply *reply);

/* lua/admit.lua */
void user_admit(struct store *store, struct user_admission *admission, struct span user,
                struct span default_tier, struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_USER, user, name);
    struct store_args args;

    args_begin(&args, store);
    args_add(&args, default_tier);
    args_send(&args, store, &admission->call, wake, read_admission, SCRIPT_admit, &key, 1);
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

static bool read_admission(struct store_call *call, const struct redis_reply *reply)
{
    struct user_admission *admission = container_of(call, struct user_admission, call);
    size_t status;

    if (!field_word(reply, "status", statuses, sizeof(statuses) / sizeof(*statuses), &status))
        return false;
    admission->status = (enum user_status)status;
    admission->created = field_flag(reply, "created");
    return field_text(reply, "tier", admission->tier, sizeof(admission->tier));
}

static bool read_ensured(struct store_call *call, const struct redis_reply *reply)
{
    struct user_ensure *ensure = container_of(call, struct user_ensure, call);

    ensure->created = field_flag(reply, "created");
    return redis_reply_kind(reply) == REDIS_LIST;
}

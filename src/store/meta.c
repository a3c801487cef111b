#include "store/meta.h"

#include "store/fields.h"

static bool read_meta(struct store_call *call, const struct redis_reply *reply);

/* lua/meta_claim.lua */
void meta_claim(struct store *store, struct meta_claim *claim, const struct meta_record *proposed,
                struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span key = store_key_name(STORE_KEY_META, SPAN_NONE, name);
    struct store_args args;

    args_begin(&args, store);
    args_add(&args, span_of(proposed->deployment));
    args_add_number(&args, proposed->schema);
    args_add(&args, span_of(proposed->environment));
    args_add(&args, span_of(proposed->upstream));
    args_add(&args, span_of(proposed->check));
    args_send(&args, store, &claim->call, wake, read_meta, SCRIPT_meta_claim, &key, 1);
}

static bool read_meta(struct store_call *call, const struct redis_reply *reply)
{
    struct meta_claim *claim = container_of(call, struct meta_claim, call);
    const struct redis_reply *meta = redis_reply_field(reply, SPAN("meta"));
    struct meta_record *found = &claim->found;

    if (!meta)
        return false;
    *found = (struct meta_record){0};
    claim->founded = field_flag(reply, "founded");
    claim->foreign = field_flag(reply, "foreign");
    return field_text(meta, "deployment", found->deployment, sizeof(found->deployment)) &&
           field_number(meta, "schema", &found->schema) &&
           field_text(meta, "environment", found->environment, sizeof(found->environment)) &&
           field_text(meta, "upstream", found->upstream, sizeof(found->upstream)) &&
           field_text(meta, "check", found->check, sizeof(found->check));
}

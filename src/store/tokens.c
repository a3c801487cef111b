#include "store/tokens.h"

#include "store/fields.h"

static const char *const kinds[] = {[TOKEN_OF_USER] = "user", [TOKEN_OF_SERVICE] = "service"};
static const char *const statuses[] = {"active", "revoked"};

static bool read_token(struct store_call *call, const struct redis_reply *reply);
static bool read_saved(struct store_call *call, const struct redis_reply *reply);

void token_load(struct store *store, struct token_load *load, struct span token_id,
                struct turn *wake)
{
    char name[STORE_KEY_MAX];
    struct span args[] = {SPAN("HGETALL"), store_key_name(STORE_KEY_TOKEN, token_id, name)};

    store_ask(store, &load->call, wake, read_token, args, 2);
}

/* lua/token_save.lua */
void token_save(struct store *store, struct token_save *save, struct span token_id,
                const struct token_record *record, struct turn *wake)
{
    char name[STORE_KEY_MAX], mac[2 * DIGEST_SIZE + 1];
    struct span key = store_key_name(STORE_KEY_TOKEN, token_id, name);
    struct store_args args;

    hex_text(record->mac, DIGEST_SIZE, mac);
    args_begin(&args, store);
    args_add(&args, span_of(mac));
    args_add(&args, span_of(record->kid));
    args_add(&args, span_of(record->user));
    args_add(&args, span_of(kinds[record->kind]));
    args_add(&args, span_of(statuses[record->revoked]));
    args_add_number(&args, record->created_at_ms);
    args_add_number(&args, record->expires_at_ms);
    args_send(&args, store, &save->call, wake, read_saved, SCRIPT_token_save, &key, 1);
}

static bool read_token(struct store_call *call, const struct redis_reply *reply)
{
    struct token_record *record = &container_of(call, struct token_load, call)->record;
    size_t kind, status;

    *record = (struct token_record){0};
    if (redis_reply_kind(reply) != REDIS_LIST)
        return false;
    if (redis_reply_count(reply) == 0)
        return true;
    if (!field_word(reply, "kind", kinds, 2, &kind) ||
        !field_word(reply, "status", statuses, 2, &status))
        return false;
    record->found = true;
    record->kind = (enum token_kind)kind;
    record->revoked = status == 1;
    return hex_bytes(field_span(reply, "mac"), record->mac, DIGEST_SIZE) &&
           field_text(reply, "kid", record->kid, sizeof(record->kid)) &&
           field_text(reply, "user", record->user, sizeof(record->user)) &&
           field_number(reply, "created_at", &record->created_at_ms) &&
           field_number(reply, "expires_at", &record->expires_at_ms);
}

static bool read_saved(struct store_call *call, const struct redis_reply *reply)
{
    (void)call;
    return span_equal(redis_reply_text(reply), SPAN("saved"));
}

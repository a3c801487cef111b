/* The words of vocabulary.h for who is there, and with what key. */
#include "scene/vocabulary.h"
#include "store/users.h"

#include <assert.h>
#include <stdio.h>

static void desk_waits(struct world *w);
static void on_nothing(struct turn *turn);
static struct person *new_person(struct world *w, const char *id);
static void give_token(struct world *w, struct person *person, enum token_kind kind);
static void write_record(struct world *w, const struct person *person, const struct fake_key *key,
                         const struct key_claim *claim, struct key_story state);

struct person *a_user(struct world *w, const char *id)
{
    struct person *person = new_person(w, id);
    struct user_ensure ensure = {0};
    struct turn turn;

    turn_init(&turn, on_nothing);
    user_ensure(&w->desk.store, &ensure, span_of(id), SPAN_NONE, &turn);
    desk_waits(w);
    assert(ensure.call.end == STORE_OK);
    give_token(w, person, TOKEN_OF_USER);
    person->afterwards = 200;
    return person;
}

struct person *a_user_of(struct world *w, const char *id, const char *tier)
{
    struct person *person = a_user(w, id);

    tier_becomes(w, person, tier);
    return person;
}

void tier_becomes(struct world *w, const struct person *person, const char *tier)
{
    char name[STORE_KEY_MAX], key[STORE_KEY_MAX + 1], text[1024];

    span_text(store_key_name(STORE_KEY_USER, span_of(person->id), name), key, sizeof(key));
    LOOK(w, text, "HSET", key, "tier", tier);
}

struct person *a_service(struct world *w, const char *id)
{
    struct person *person = new_person(w, id);

    give_token(w, person, TOKEN_OF_SERVICE);
    return person;
}

struct person *a_user_of_a_service(struct world *w, const char *id)
{
    return new_person(w, id);
}

/* By the store's own claim and commit, as if another instance had made it. */
struct fake_key *a_key(struct world *w, struct person *person, struct key_story state)
{
    struct key_claim claim = {0};
    char head[KEY_NAME_MAX + 1];
    struct key_claim_ask ask = {.user = span_of(person->id),
                                .holder = SPAN("desk"),
                                .nonce = SPAN("desk"),
                                .reason = CLAIM_PROVISION,
                                .lease_ms = 1000,
                                .pace_ms = 1000,
                                .outcome_hold_ms = 0};
    struct fake_key *key;
    struct turn turn;
    int64_t expires_ms = state.expires_in_ms ? w->keys.now_ms + state.expires_in_ms : 0;

    turn_init(&turn, on_nothing);
    snprintf(head, sizeof(head), "keyturn/scene/%s", person->pseudonym);
    ask.name_head = span_of(head);
    key_claim(&w->desk.store, &claim, &ask, &turn);
    desk_waits(w);
    assert(claim.call.end == STORE_OK && claim.verdict == CLAIM_GRANTED);
    key = fake_keys_add(&w->keys, span_of(claim.name), expires_ms);
    write_record(w, person, key, &claim, state);
    return key;
}

void was_used(struct world *w, const struct person *person, struct fake_key *key, int64_t nano_usd)
{
    char name[STORE_KEY_MAX], account[STORE_KEY_MAX + 1], sum[24], text[1024];

    key->used_nano_usd = nano_usd;
    span_text(store_key_name(STORE_KEY_ACCOUNT, span_of(person->id), name), account,
              sizeof(account));
    snprintf(sum, sizeof(sum), "%lld", (long long)nano_usd);
    FAKE_LOOK(w->desk.redis, text, "HSET", account, "billed|1", sum);
}

const char *record_field(struct world *w, const struct person *person, const char *field,
                         char ret_text[1024])
{
    char name[STORE_KEY_MAX], key[STORE_KEY_MAX + 1];

    span_text(store_key_name(STORE_KEY_KEY, span_of(person->id), name), key, sizeof(key));
    FAKE_LOOK(w->desk.redis, ret_text, "HGET", key, field);
    return ret_text;
}

static void desk_waits(struct world *w)
{
    fake_redis_answer_all(w->desk.redis);
    fake_loop_run(w->desk.loop);
    pump_changes(w);
}

static void on_nothing(struct turn *turn)
{
    (void)turn;
}

static struct person *new_person(struct world *w, const char *id)
{
    struct person *person = &w->people[w->person_count];

    assert(w->person_count < PEOPLE_MAX);
    w->person_count++;
    snprintf(person->id, sizeof(person->id), "%s", id);
    flow_pseudonym(&w->instances[0].flow, span_of(id), person->pseudonym);
    return person;
}

static void give_token(struct world *w, struct person *person, enum token_kind kind)
{
    struct token_record record = {.kind = kind, .created_at_ms = w->keys.now_ms};
    struct token_save save = {0};
    unsigned char bytes[32];
    struct span kid = vault_newest_kid(w->vault), token;
    struct turn turn;

    memset(bytes, (int)w->person_count + 40, sizeof(bytes));
    token_compose(bytes, bytes, person->token);
    token = span_of(person->token);
    span_text(kid, record.kid, sizeof(record.kid));
    snprintf(record.user, sizeof(record.user), "%s", person->id);
    token_mac(w->vault, kid, span_from(token, 3 + TOKEN_ID_SIZE + 1), record.mac);
    turn_init(&turn, on_nothing);
    token_save(&w->desk.store, &save, span_first(span_from(token, 3), TOKEN_ID_SIZE), &record,
               &turn);
    desk_waits(w);
    assert(save.call.end == STORE_OK);
}

static void write_record(struct world *w, const struct person *person, const struct fake_key *key,
                         const struct key_claim *claim, struct key_story state)
{
    struct seal_context context = {span_of(person->id), SPAN("sub-key"), claim->version};
    struct key_record record = {.state = KEY_ACTIVE,
                                .version = claim->version,
                                .limit_nano_usd = -1,
                                .expires_at_ms = state.record_expires_in_ms
                                                     ? w->keys.now_ms + state.record_expires_in_ms
                                                     : key->expires_ms};
    struct key_list none = {0};
    struct key_commit commit = {0};
    struct key_proven proven = {0};
    struct buffer sealed;
    struct turn turn;

    turn_init(&turn, on_nothing);
    buffer_init(&sealed, KEY_SEALED_MAX);
    vault_seal(w->vault, &context, span_of(key->secret), &sealed);
    span_text(buffer_view(&sealed), record.sealed, sizeof(record.sealed));
    buffer_done(&sealed);
    snprintf(record.hash, sizeof(record.hash), "%s", key->hash);
    snprintf(record.name, sizeof(record.name), "%s", key->name);
    key_commit(&w->desk.store, &commit, span_of(person->id), claim->fence, &record, &none, SPAN(""),
               &turn);
    desk_waits(w);
    assert(commit.call.end == STORE_OK && !commit.fenced);
    if (state.unproven)
        return;
    key_proven(&w->desk.store, &proven, span_of(person->id), record.version, &turn);
    desk_waits(w);
    assert(proven.call.end == STORE_OK);
}

#include "scene/vocabulary.h"

#include "store/users.h"

#include <assert.h>
#include <stdio.h>

enum { BODY_PIECE = 64 };

static void desk_waits(struct world *w);
static void on_nothing(struct turn *turn);
static struct person *new_person(struct world *w, const char *id);
static void give_token(struct world *w, struct person *person, enum token_kind kind);
static void write_record(struct world *w, const struct person *person, const struct fake_key *key,
                         const struct key_claim *claim, struct key_story state);
static void compose_body(struct asker *asker, size_t number);
static void on_request(void *context, struct client *client, const struct request_head *head);
static void on_body(void *attached, struct span bytes);
static void on_body_end(void *attached);
static void on_fault(void *attached, enum fault fault);
static void on_drained(void *attached);
static void on_gone(void *attached);

static const struct client_calls calls = {on_request, on_body,    on_body_end,
                                          on_fault,   on_drained, on_gone};

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

struct asker *client_sends(struct world *w, struct asking asking)
{
    struct instance *instance = world_instance(w, asking.instance);
    struct asker *asker = &w->askers[w->asker_count];
    char bearer[16 + TOKEN_SIZE];
    struct header fields[3];
    struct request_head head = {.method = HTTP_POST_METHOD,
                                .method_name = SPAN("POST"),
                                .path = SPAN("/v1/chat/completions"),
                                .headers = {fields, 0}};

    assert(w->asker_count < CLIENTS_MAX);
    asker->asking = asking;
    asker->instance = (unsigned)(instance - w->instances);
    compose_body(asker, w->asker_count);
    w->asker_count++;
    if (asking.token) {
        snprintf(bearer, sizeof(bearer), "Bearer %s", asking.token);
        fields[head.headers.count++] = (struct header){SPAN("Authorization"), span_of(bearer)};
    }
    if (asking.end_user)
        fields[head.headers.count++] =
            (struct header){SPAN("X-Keyturn-User"), span_of(asking.end_user)};
    fields[head.headers.count++] = (struct header){SPAN("Cookie"), SPAN("not=for-openrouter")};
    head.body_size = (int64_t)strlen(asker->body);
    asker->client = fake_client_new(instance->loop, &calls, asker);
    fake_client_sends(asker->client, &head, span_of(asker->body), BODY_PIECE);
    asker->flow = &instance->flow;
    fake_loop_run(instance->loop);
    return asker;
}

void client_leaves(struct world *w, struct asker *asker)
{
    fake_client_leaves(asker->client);
    if (w->instances[asker->instance].alive)
        fake_loop_run(w->instances[asker->instance].loop);
}

void upstream_answers(struct world *w, int status, const char *body)
{
    upstream_answers_after(w, status, body, NULL);
}

void upstream_answers_after(struct world *w, int status, const char *body, const char *retry_after)
{
    struct fake_answer *answer = &w->next_answers[w->next_answer_count];

    assert(w->next_answer_count < NEXT_ANSWERS_MAX);
    w->next_answer_count++;
    *answer = (struct fake_answer){
        .status = status, .field_count = 1, .pieces = {body}, .piece_count = body[0] != '\0'};
    answer->fields[0] = (struct header){SPAN("Content-Type"), SPAN("application/json")};
    if (retry_after)
        answer->fields[answer->field_count++] =
            (struct header){SPAN("Retry-After"), span_of(retry_after)};
}

void upstream_holds_after(struct world *w, size_t pieces)
{
    for (unsigned i = 0; i < w->instance_count; i++)
        fake_upstream_hold_after(w->instances[i].upstream, pieces);
}

void goes_wrong(struct world *w, const char *label, enum break_kind kind)
{
    assert(w->mishap_count < MISHAPS_MAX);
    w->mishaps[w->mishap_count++] = (struct mishap){label, kind};
}

void retry_after_is(struct world *w, int64_t seconds)
{
    for (unsigned i = 0; i < w->instance_count; i++)
        fake_fetch_retry_after(w->instances[i].fetcher, seconds);
}

void redis_is_there(struct world *w, bool there)
{
    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive) {
            fake_redis_set_link(w->instances[i].redis, there);
            fake_redis_blind(w->instances[i].redis, !there);
        }
}

void instance_drains(struct world *w, unsigned index)
{
    if (w->instances[index].alive)
        flow_drain(&w->instances[index].flow);
}

void instance_cuts(struct world *w, unsigned index)
{
    if (w->instances[index].alive)
        flow_cut(&w->instances[index].flow);
}

int status_of(const struct asker *asker)
{
    return fake_client_status(asker->client);
}

bool reply_has(const struct asker *asker, const char *part)
{
    return span_contains(fake_client_body(asker->client), span_of(part));
}

bool reply_was(const struct asker *asker, const char *header, const char *value)
{
    return span_equal(fake_client_header(asker->client, span_of(header)), span_of(value));
}

const char *record_field(struct world *w, const struct person *person, const char *field,
                         char ret_text[1024])
{
    char name[STORE_KEY_MAX], key[STORE_KEY_MAX + 1];

    span_text(store_key_name(STORE_KEY_KEY, span_of(person->id), name), key, sizeof(key));
    FAKE_LOOK(w->desk.redis, ret_text, "HGET", key, field);
    return ret_text;
}

const char *look(struct world *w, char ret_text[1024], const char *const *words, size_t count)
{
    fake_redis_look(w->desk.redis, words, count, ret_text);
    pump_changes(w);
    return ret_text;
}

int64_t measured(const struct world *w, enum measure measure, unsigned label0, unsigned label1)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < w->instance_count; i++)
        sum += metric_value(w->instances[i].metrics, measure, label0, label1);
    return sum;
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

/* Each has a number of its own inside, so that its tries can be compared. */
static void compose_body(struct asker *asker, size_t number)
{
    const struct asking *asking = &asker->asking;

    asker->whole = asking->body ? SPAN_NONE
                   : asking->stream
                       ? SPAN(": OPENROUTER PROCESSING\n\ndata: {\"choices\":[{\"n\":1}]}\n\n"
                              "data: {\"choices\":[{\"n\":2}]}\n\ndata: [DONE]\n\n")
                       : SPAN("{\"id\":\"gen-1\",\"choices\":[],\"usage\":{\"cost\":0.1}}");
    if (asking->body)
        snprintf(asker->body, sizeof(asker->body), "%s", asking->body);
    else
        snprintf(asker->body, sizeof(asker->body),
                 "{\"n\":%zu,\"model\":\"openai/gpt-4o-mini\"%s%s%s%s}", number,
                 asking->stream ? ",\"stream\":true" : "", asking->body_user ? ",\"user\":\"" : "",
                 asking->body_user ? asking->body_user : "", asking->body_user ? "\"" : "");
}

/* What the router does. */
static void on_request(void *context, struct client *client, const struct request_head *head)
{
    struct asker *asker = context;

    exchange_begin(asker->flow, client, head, asker->asking.dialect);
}

static void on_body(void *attached, struct span bytes)
{
    struct visit *visit = attached;

    visit->calls->on_body(visit, bytes);
}

static void on_body_end(void *attached)
{
    struct visit *visit = attached;

    visit->calls->on_body_end(visit);
}

static void on_fault(void *attached, enum fault fault)
{
    struct visit *visit = attached;

    visit->calls->on_fault(visit, fault);
}

static void on_drained(void *attached)
{
    struct visit *visit = attached;

    visit->calls->on_drained(visit);
}

static void on_gone(void *attached)
{
    struct visit *visit = attached;

    visit->calls->on_gone(visit);
}

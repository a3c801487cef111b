#include "scene/vocabulary.h"

#include <assert.h>
#include <stdio.h>

enum { BODY_PIECE = 64 };

static const struct person *person_of(const struct world *w, const struct asking *asking);
static void compose_body(struct asker *asker);
static void on_request(void *context, struct client *client, const struct request_head *head);
static void on_body(void *attached, struct span bytes);
static void on_body_end(void *attached);
static void on_fault(void *attached, enum fault fault);
static void on_drained(void *attached);
static void on_gone(void *attached);

static const struct client_calls calls = {on_request, on_body,    on_body_end,
                                          on_fault,   on_drained, on_gone};

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
    asker->person = person_of(w, &asking);
    asker->number = w->asker_count++;
    compose_body(asker);
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

void instance_sees_redis(struct world *w, unsigned index, bool sees)
{
    if (!w->instances[index].alive)
        return;
    w->instances[index].was_cut_off = true;
    fake_redis_set_link(w->instances[index].redis, sees);
    fake_redis_blind(w->instances[index].redis, !sees);
}

void instance_dies(struct world *w, unsigned index)
{
    if (w->instances[index].alive)
        world_kill(w, index, false);
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

bool whole_answer(const struct world *w, const struct asker *asker, char ret_text[4096])
{
    const struct fake_bill *bill = bill_of(w, asker);
    size_t size = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; bill && i < bill->piece_count; i++)
        size += (size_t)snprintf(ret_text + size, 4096 - size, "%s", bill->texts[i]);
    return bill != NULL;
}

struct span told_without_comment(const struct asker *asker, char ret_text[4096],
                                 char ret_comment[256])
{
    const struct span mark = SPAN(": keyturn ");
    struct span body = fake_client_body(asker->client);
    const char *at = memmem(body.at, body.size, mark.at, mark.size), *end = body.at + body.size;
    const char *line_end = at ? memmem(at, (size_t)(end - at), "\n\n", 2) : NULL;
    size_t before = line_end ? (size_t)(at - body.at) : body.size;
    int size = snprintf(ret_text, 4096, "%.*s", (int)before, body.at);

    ret_comment[0] = '\0';
    if (line_end) {
        snprintf(ret_comment, 256, "%.*s", (int)(line_end - at), at);
        size += snprintf(ret_text + size, 4096 - (size_t)size, "%.*s", (int)(end - line_end - 2),
                         line_end + 2);
    }
    return (struct span){ret_text, (size_t)size};
}

const struct fake_bill *bill_of(const struct world *w, const struct asker *asker)
{
    for (size_t i = w->asks.count; i-- > 0;)
        if (w->asks.rows[i].bill.worked_on && w->asks.rows[i].bill.number == (int64_t)asker->number)
            return &w->asks.rows[i].bill;
    return NULL;
}

void was_refused(struct world *w, const struct asker *asker, int status, const char *code)
{
    char text[80];

    snprintf(text, sizeof(text), "\"code\":\"%s\"", code);
    if (status_of(asker) != status || !reply_has(asker, text))
        world_fails(w, __FILE__, __LINE__, "not refused by %d %s but by %d: %.*s", status, code,
                    status_of(asker), SPAN_PRINT(fake_client_body(asker->client)));
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

static const struct person *person_of(const struct world *w, const struct asking *asking)
{
    const char *named = asking->end_user ? asking->end_user : asking->body_user;

    for (size_t i = 0; i < w->person_count; i++) {
        const struct person *person = &w->people[i];
        if (named ? strcmp(named, person->id) == 0
                  : asking->token && strcmp(asking->token, person->token) == 0)
            return person;
    }
    return NULL;
}

/* Each has a number of its own inside, so that its tries can be compared; all are of one length. */
static void compose_body(struct asker *asker)
{
    const struct asking *asking = &asker->asking;
    size_t size = sizeof(asker->body), at;

    if (asking->body) {
        snprintf(asker->body, size, "%s", asking->body);
        return;
    }
    at = (size_t)snprintf(asker->body, size, "{\"n\":%4zu,\"model\":\"%s\"", asker->number,
                          asking->model ? asking->model : "openai/gpt-4o-mini");
    if (asking->stream)
        at += (size_t)snprintf(asker->body + at, size - at, ",\"stream\":true");
    if (asking->max_tokens)
        at +=
            (size_t)snprintf(asker->body + at, size - at, ",\"max_tokens\":%u", asking->max_tokens);
    if (asking->body_user)
        at += (size_t)snprintf(asker->body + at, size - at, ",\"user\":\"%s\"", asking->body_user);
    snprintf(asker->body + at, size - at, "}");
}

/* What the router does. */
static void on_request(void *context, struct client *client, const struct request_head *head)
{
    struct asker *asker = context;
    struct request_ids ids = *asker->flow->request_ids;

    request_id_next(&ids, asker->request_id); /* as it will be */
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

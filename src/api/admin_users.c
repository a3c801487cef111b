#include "api/admin_users.h"

#include "api/reply.h"
#include "api/target.h"
#include "api/user_patch.h"
#include "api/user_view.h"
#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>

enum { BODY_MAX = 16 * 1024, SENTENCE_SIZE = USER_ID_MAX + 120 };

struct admin_user {
    struct visit visit;
    struct turn turn;
    struct api *api;       /* borrowed */
    struct client *client; /* borrowed; NULL once it is gone or has its reply */
    enum admin_user_act act;
    bool asked; /* the store; else the body is coming */
    struct buffer body;
    bool body_complete;
    enum fault body_fault;
    char user[USER_ID_MAX + 1];
    struct user_patch patch;
    struct user_view view;
};

static void on_body(struct visit *visit, struct span bytes);
static void on_body_end(struct visit *visit);
static void on_body_fault(struct visit *visit, enum fault fault);
static void on_gone(struct visit *visit);
static void on_turn(struct turn *turn);
static bool got_body(struct admin_user *user);
static bool read_patch(struct admin_user *user);
static void ask(struct admin_user *user);
static void answer(struct admin_user *user);
static void answer_unknown(struct admin_user *user);
static void refuse(struct admin_user *user, enum fault fault, struct span detail,
                   struct span param);
static void write_down(const struct admin_user *user);
static void admin_user_free(struct admin_user *user);

static const struct visit_calls calls = {
    .on_body = on_body, .on_body_end = on_body_end, .on_fault = on_body_fault, .on_gone = on_gone};

static const enum user_body bodies[] = {[ADMIN_USER_SHOW] = USER_BODY_FIELDS,
                                        [ADMIN_USER_MAKE] = USER_BODY_FIELDS,
                                        [ADMIN_USER_PATCH] = USER_BODY_FIELDS,
                                        [ADMIN_USER_TIER] = USER_BODY_TIER,
                                        [ADMIN_USER_BOOST] = USER_BODY_BOOST};

void admin_user_begin(struct api *api, struct client *client, struct span user,
                      enum admin_user_act act)
{
    char id[USER_ID_MAX + 1];
    struct admin_user *begun;

    if (!percent_decode(user, id, sizeof(id)) || !user_id_is_fine(span_of(id))) {
        reply_fault_because(api, client, FAULT_BAD_REQUEST,
                            SPAN("There can be no such user: an id is 1 to 128 characters of A-Z "
                                 "a-z 0-9 . _ @ : | + ~ = / -, the / as %2F."),
                            SPAN("id"));
        return;
    }
    begun = must_alloc(sizeof(*begun));
    begun->visit.calls = &calls;
    begun->api = api;
    begun->client = client;
    begun->act = act;
    begun->patch.body = bodies[act];
    span_text(span_of(id), begun->user, sizeof(begun->user));
    buffer_init(&begun->body, BODY_MAX);
    turn_init(&begun->turn, on_turn);
    client_attach(client, &begun->visit);
    if (act == ADMIN_USER_SHOW)
        ask(begun);
    else
        client_want_body(client);
}

static void on_body(struct visit *visit, struct span bytes)
{
    struct admin_user *user = container_of(visit, struct admin_user, visit);

    if (!buffer_append(&user->body, bytes))
        on_body_fault(visit, FAULT_BODY_TOO_LARGE);
}

static void on_body_end(struct visit *visit)
{
    struct admin_user *user = container_of(visit, struct admin_user, visit);

    user->body_complete = true;
    loop_post(user->api->flow->loop, &user->turn);
}

static void on_body_fault(struct visit *visit, enum fault fault)
{
    struct admin_user *user = container_of(visit, struct admin_user, visit);

    if (user->body_fault == FAULT_NONE)
        user->body_fault = fault;
    loop_post(user->api->flow->loop, &user->turn);
}

/* It stays for the answer that is under way. */
static void on_gone(struct visit *visit)
{
    struct admin_user *user = container_of(visit, struct admin_user, visit);

    user->client = NULL;
    if (!user->asked)
        loop_post(user->api->flow->loop, &user->turn);
}

/* The body's end, or the store's answer. */
static void on_turn(struct turn *turn)
{
    struct admin_user *user = container_of(turn, struct admin_user, turn);

    if (!user->asked) {
        if (got_body(user))
            ask(user);
        else if (!user->client)
            admin_user_free(user);
        return;
    }
    if (!user->view.done)
        return;
    if (user->view.set.call.end == STORE_OK)
        write_down(user);
    if (user->client)
        answer(user);
    admin_user_free(user);
}

/* False: it is not whole yet, or refused and the client has its reply, or the client left. */
static bool got_body(struct admin_user *user)
{
    if (!user->client)
        return false;
    if (user->body_fault == FAULT_BODY_TOO_LARGE)
        refuse(user, user->body_fault, SPAN("The body of an admin request is at most 16 KiB."),
               SPAN_NONE);
    else if (user->body_fault != FAULT_NONE)
        refuse(user, user->body_fault, SPAN_NONE, SPAN_NONE);
    else if (user->body_complete && !read_patch(user))
        refuse(user, FAULT_BAD_REQUEST, span_of(user->patch.detail),
               user->patch.param[0] ? span_of(user->patch.param) : SPAN_NONE);
    return user->client && user->body_complete;
}

static bool read_patch(struct admin_user *user)
{
    const struct flow *flow = user->api->flow;
    bool optional = user->act == ADMIN_USER_MAKE;
    struct span body = buffer_view(&user->body);

    return ((optional && body.size == 0) || user_patch_read(&user->patch, body)) &&
           user_patch_seal(&user->patch, flow->settings->tiers, flow_store_ms(flow)) &&
           (!optional || user_patch_make(&user->patch, flow->settings->default_tier));
}

static void ask(struct admin_user *user)
{
    struct flow *flow = user->api->flow;

    user->asked = true;
    advance_end(&flow->advances, span_of(user->user));
    settlements_hurry(&flow->settlements, span_of(user->user));
    user_view_ask(&user->view, flow->store, flow->settings->tiers, flow->settings->default_tier,
                  span_of(user->user), &user->patch.change, flow_store_ms(flow), &user->turn);
}

static void answer(struct admin_user *user)
{
    struct buffer body;

    buffer_init(&body, USER_PRINTED_MAX);
    if (user->view.end == USER_UNKNOWN) {
        answer_unknown(user);
    } else if (user->view.end == USER_STORE_DOWN) {
        refuse(user, FAULT_STORE_DOWN, SPAN_NONE, SPAN_NONE);
    } else if (!user_print_json(&user->view, &body)) {
        refuse(user, FAULT_INTERNAL, SPAN_NONE, SPAN_NONE);
    } else {
        reply_late(user->api, user->client, SPAN("application/json"), buffer_view(&body));
        user->client = NULL;
    }
    buffer_done(&body);
}

static void answer_unknown(struct admin_user *user)
{
    char sentence[SENTENCE_SIZE];

    snprintf(sentence, sizeof(sentence),
             "There is no user '%s'. PUT /admin/users/{id} makes one, and so does a user's first "
             "request.",
             user->user);
    refuse(user, FAULT_NO_SUCH_ROUTE, span_of(sentence), SPAN("id"));
}

static void refuse(struct admin_user *user, enum fault fault, struct span detail, struct span param)
{
    reply_late_fault(user->api, user->client, fault, detail, param);
    user->client = NULL;
}

/* A line for each change; what was so already is none. */
static void write_down(const struct admin_user *user)
{
    const struct user_set *set = &user->view.set;
    const struct user_change *change = &user->patch.change;
    struct log *log = user->api->flow->log;

    if (set->created)
        log_info(log, "user made", log_text("who", "admin"), log_text("user", user->user),
                 log_text("tier", change->make_with));
    for (size_t i = 0; i < set->was_count && i < change->count; i++)
        if (strcmp(set->was[i], change->writes[i].value) != 0)
            log_info(log, "user changed", log_text("who", "admin"), log_text("user", user->user),
                     log_text("what", user_field_name(change->writes[i].field)),
                     log_text("old", set->was[i]), log_text("new", change->writes[i].value));
}

static void admin_user_free(struct admin_user *user)
{
    assert(!user->client && !store_call_is_open(&user->view.set.call));
    buffer_done(&user->body);
    turn_cancel(&user->turn);
    must_free(user);
}

#include "api/api.h"

#include "api/admin_usage.h"
#include "api/admin_users.h"
#include "api/guard.h"
#include "api/reply.h"
#include "api/self_service.h"
#include "api/target.h"
#include "api/vitals.h"
#include "flow/exchange.h"

#include <assert.h>
#include <stdio.h>

enum plane { DATA = 1, ADMIN = 2, BOTH = 3 };
enum { ALLOW_SIZE = 64 };

struct call {
    struct api *api;
    struct client *client;
    const struct request_head *head;
    struct span parameter; /* of the path, as sent */
    int kind;              /* the route's */
};

struct route {
    enum http_method method;
    const char *path;
    enum plane plane;
    bool guarded; /* the admin key is asked for */
    void (*run)(const struct call *call);
    int kind; /* which dialect, which page, which act */
    const char *text;
};

static void on_data_request(void *context, struct client *client, const struct request_head *head);
static void on_admin_request(void *context, struct client *client, const struct request_head *head);
static void on_request(struct api *api, struct client *client, const struct request_head *head,
                       enum plane plane);
static void on_body(void *attached, struct span bytes);
static void on_body_end(void *attached);
static void on_fault(void *attached, enum fault fault);
static void on_drained(void *attached);
static void on_gone(void *attached);
static void answer(const struct route *route, const struct call *call);
static void inference(const struct call *call);
static void self_service(const struct call *call);
static void usage(const struct call *call);
static void user_usage(const struct call *call);
static void admin_user(const struct call *call);
static void healthz(const struct call *call);
static void readyz(const struct call *call);
static void metrics_page(const struct call *call);
static struct span allowed(unsigned methods, char ret_list[ALLOW_SIZE]);
static struct span without_prefix(struct span path);

static const char *const method_names[] = {
    [HTTP_GET_METHOD] = "GET",        [HTTP_HEAD_METHOD] = "HEAD",
    [HTTP_POST_METHOD] = "POST",      [HTTP_PUT_METHOD] = "PUT",
    [HTTP_PATCH_METHOD] = "PATCH",    [HTTP_DELETE_METHOD] = "DELETE",
    [HTTP_OPTIONS_METHOD] = "OPTIONS"};

/* clang-format off */
static const struct route routes[] = {
    {HTTP_POST_METHOD, "/v1/chat/completions", DATA,  false, inference,    DIALECT_CHAT,       "Chat completions, streaming or not."},
    {HTTP_POST_METHOD, "/v1/completions",      DATA,  false, inference,    DIALECT_TEXT,       "Text completions."},
    {HTTP_POST_METHOD, "/v1/responses",        DATA,  false, inference,    DIALECT_RESPONSES,  "OpenAI Responses."},
    {HTTP_POST_METHOD, "/v1/messages",         DATA,  false, inference,    DIALECT_MESSAGES,   "Anthropic Messages."},
    {HTTP_POST_METHOD, "/v1/embeddings",       DATA,  false, inference,    DIALECT_EMBEDDINGS, "Embeddings."},
    {HTTP_GET_METHOD,  "/v1/models",           DATA,  false, self_service, SELF_MODELS,        "The models the caller's tier includes."},
    {HTTP_GET_METHOD,  "/v1/key",              DATA,  false, self_service, SELF_KEY,           "Limit and usage in the shape of OpenRouter's current key."},
    {HTTP_GET_METHOD,  "/v1/me",               DATA,  false, self_service, SELF_ME,            "The caller's tier, limits, what is left and when it resets, state of the key."},
    {HTTP_GET_METHOD,  "/v1/me/usage",         DATA,  false, self_service, SELF_USAGE,         "The caller's usage by day: this month and the two before."},
    {HTTP_GET_METHOD,  "/admin/usage",         ADMIN, true,  usage,        0,                  "Usage `from`, `to` (days), `group_by` user, tier, model or day, `format` json or csv."},
    {HTTP_GET_METHOD,  "/admin/users/{id}/usage", ADMIN, true, user_usage, 0,                  "One user's usage by day of a `month` (2026-11)."},
    {HTTP_GET_METHOD,  "/admin/users/{id}",    ADMIN, true,  admin_user,   ADMIN_USER_SHOW,    "A user: status, tier, own limits, boost, what is left and when it resets, state of the key."},
    {HTTP_PUT_METHOD,  "/admin/users/{id}",    ADMIN, true,  admin_user,   ADMIN_USER_MAKE,    "Makes the user if it is not there; the body is optional, as that of PATCH."},
    {HTTP_PATCH_METHOD, "/admin/users/{id}",   ADMIN, true,  admin_user,   ADMIN_USER_PATCH,   "Changes `status`, `tier`, `limit_usd`, `messages_per_day`, `requests_per_minute`, `max_concurrent`; null: that of the tier again, -1: no limit."},
    {HTTP_PUT_METHOD,  "/admin/users/{id}/tier", ADMIN, true, admin_user,  ADMIN_USER_TIER,    "Another `tier`."},
    {HTTP_POST_METHOD, "/admin/users/{id}/boost", ADMIN, true, admin_user, ADMIN_USER_BOOST,   "`limit_usd` more `until` a time; 0 ends it."},
    {HTTP_GET_METHOD,  "/healthz",             BOTH,  false, healthz,      0,                  "Alive; asks nobody."},
    {HTTP_GET_METHOD,  "/readyz",              BOTH,  false, readyz,       0,                  "503 before start-up ends and while draining."},
    {HTTP_GET_METHOD,  "/metrics",             ADMIN, false, metrics_page, 0,                  "Prometheus text format."},
};
/* clang-format on */

static const struct client_calls data_plane = {on_data_request, on_body,    on_body_end,
                                               on_fault,        on_drained, on_gone};
static const struct client_calls admin_plane = {on_admin_request, on_body,    on_body_end,
                                                on_fault,         on_drained, on_gone};
static const struct visit_calls nobodys_calls;

const struct client_calls *api_data_plane(void)
{
    return &data_plane;
}
const struct client_calls *api_admin_plane(void)
{
    return &admin_plane;
}

void api_open(struct api *api, struct flow *flow, struct redis *redis)
{
    api->flow = flow;
    api->redis = redis;
    api->nobody.calls = &nobodys_calls;
}

bool api_print_routes(struct buffer *out)
{
    static const char *const planes[] = {[DATA] = "data", [ADMIN] = "admin", [BOTH] = "both"};
    bool fits = buffer_append(out, SPAN("| method | path | plane | what |\n|---|---|---|---|\n"));

    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
        fits =
            fits && buffer_format(out, "| %s | `%s` | %s | %s |\n", method_names[routes[i].method],
                                  routes[i].path, planes[routes[i].plane], routes[i].text);
    return fits;
}

static void on_data_request(void *context, struct client *client, const struct request_head *head)
{
    on_request(context, client, head, DATA);
}

static void on_admin_request(void *context, struct client *client, const struct request_head *head)
{
    on_request(context, client, head, ADMIN);
}

static void on_request(struct api *api, struct client *client, const struct request_head *head,
                       enum plane plane)
{
    struct call call = {.api = api, .client = client, .head = head};
    struct span path = without_prefix(head->path);
    char list[ALLOW_SIZE];
    unsigned others = 0;

    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        const struct route *route = &routes[i];
        if (!(route->plane & plane) || !target_matches(path, route->path, &call.parameter))
            continue;
        if (route->method == head->method ||
            (route->method == HTTP_GET_METHOD && head->method == HTTP_HEAD_METHOD)) {
            answer(route, &call);
            return;
        }
        others |= 1u << route->method;
    }
    if (others)
        reply_fault(api, client, FAULT_WRONG_METHOD, allowed(others, list));
    else
        reply_fault(api, client, FAULT_NO_SUCH_ROUTE, SPAN_NONE);
}

static void answer(const struct route *route, const struct call *call)
{
    struct call known = *call;
    enum fault fault =
        route->guarded ? guard_admin(call->api->admin_key, call->head->headers) : FAULT_NONE;

    known.kind = route->kind;
    if (fault == FAULT_NONE)
        route->run(&known);
    else
        reply_fault_because(call->api, call->client, fault,
                            SPAN("The admin API wants Authorization: Bearer with the value of "
                                 "KEYTURN_ADMIN_KEY."),
                            SPAN_NONE);
}

static void inference(const struct call *call)
{
    exchange_begin(call->api->flow, call->client, call->head, (enum dialect)call->kind);
}

static void self_service(const struct call *call)
{
    self_service_begin(call->api, call->client, call->head, (enum self_page)call->kind);
}

static void usage(const struct call *call)
{
    admin_usage_begin(call->api, call->client, call->head);
}

static void user_usage(const struct call *call)
{
    admin_user_usage_begin(call->api, call->client, call->head, call->parameter);
}

static void admin_user(const struct call *call)
{
    admin_user_begin(call->api, call->client, call->parameter, (enum admin_user_act)call->kind);
}

static void healthz(const struct call *call)
{
    reply_whole(call->api, call->client, 200, SPAN("application/json"),
                SPAN("{\"status\":\"ok\"}\n"));
}

static void readyz(const struct call *call)
{
    static const struct span bodies[] = {
        [API_STARTING] = {"{\"status\":\"starting\"}\n", 22},
        [API_READY] = {"{\"status\":\"ready\"}\n", 19},
        [API_DRAINING] = {"{\"status\":\"draining\"}\n", 22},
    };
    enum readiness readiness = call->api->readiness;

    reply_whole(call->api, call->client, readiness == API_READY ? 200 : 503,
                SPAN("application/json"), bodies[readiness]);
}

static void metrics_page(const struct call *call)
{
    struct buffer body;

    buffer_init(&body, 1 << 20);
    vitals_read(call->api);
    metrics_print(call->api->flow->metrics, &body);
    reply_whole(call->api, call->client, 200, SPAN("text/plain; version=0.0.4"),
                buffer_view(&body));
    buffer_done(&body);
}

/* "GET, HEAD, PUT": who answers GET answers HEAD. */
static struct span allowed(unsigned methods, char ret_list[ALLOW_SIZE])
{
    size_t used = 0;

    if (methods & 1u << HTTP_GET_METHOD)
        methods |= 1u << HTTP_HEAD_METHOD;
    for (size_t i = 0; i < sizeof(method_names) / sizeof(*method_names); i++)
        if (methods & 1u << i)
            used += (size_t)snprintf(ret_list + used, ALLOW_SIZE - used, "%s%s", used ? ", " : "",
                                     method_names[i]);
    assert(used < ALLOW_SIZE);
    return (struct span){ret_list, used};
}

/* /api/v1/... is /v1/... */
static struct span without_prefix(struct span path)
{
    return span_starts(path, SPAN("/api/v1/")) ? span_from(path, 4) : path;
}

/* Whoever is attached is reached by its own table; nobody has none. */
#define VISIT_CALL(attached, name, ...) \
    do { \
        struct visit *visit = attached; \
        if (visit->calls->name) \
            visit->calls->name(visit __VA_ARGS__); \
    } while (0)

static void on_body(void *attached, struct span bytes)
{
    VISIT_CALL(attached, on_body, , bytes);
}
static void on_body_end(void *attached)
{
    VISIT_CALL(attached, on_body_end);
}
static void on_fault(void *attached, enum fault fault)
{
    VISIT_CALL(attached, on_fault, , fault);
}
static void on_drained(void *attached)
{
    VISIT_CALL(attached, on_drained);
}
static void on_gone(void *attached)
{
    VISIT_CALL(attached, on_gone);
}

#include "api/api.h"

#include "api/reply.h"
#include "api/vitals.h"
#include "flow/exchange.h"

#include <assert.h>
#include <stdio.h>

enum plane { DATA = 1, ADMIN = 2, BOTH = 3 };

struct route;
typedef void route_run(struct api *api, struct client *client, const struct request_head *head,
                       const struct route *route);

struct route {
    enum http_method method;
    const char *path;
    enum plane plane;
    route_run *run;
    enum dialect dialect;
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
static void inference(struct api *api, struct client *client, const struct request_head *head,
                      const struct route *route);
static void healthz(struct api *api, struct client *client, const struct request_head *head,
                    const struct route *route);
static void readyz(struct api *api, struct client *client, const struct request_head *head,
                   const struct route *route);
static void metrics_page(struct api *api, struct client *client, const struct request_head *head,
                         const struct route *route);
static struct span without_prefix(struct span path);

/* clang-format off */
static const struct route routes[] = {
    {HTTP_POST_METHOD, "/v1/chat/completions", DATA,  inference,    DIALECT_CHAT,       "Chat completions, streaming or not."},
    {HTTP_POST_METHOD, "/v1/completions",      DATA,  inference,    DIALECT_TEXT,       "Text completions."},
    {HTTP_POST_METHOD, "/v1/responses",        DATA,  inference,    DIALECT_RESPONSES,  "OpenAI Responses."},
    {HTTP_POST_METHOD, "/v1/messages",         DATA,  inference,    DIALECT_MESSAGES,   "Anthropic Messages."},
    {HTTP_POST_METHOD, "/v1/embeddings",       DATA,  inference,    DIALECT_EMBEDDINGS, "Embeddings."},
    {HTTP_GET_METHOD,  "/healthz",             BOTH,  healthz,      0,                  "Alive; asks nobody."},
    {HTTP_GET_METHOD,  "/readyz",              BOTH,  readyz,       0,                  "503 before start-up ends and while draining."},
    {HTTP_GET_METHOD,  "/metrics",             ADMIN, metrics_page, 0,                  "Prometheus text format."},
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
        fits = fits && buffer_format(out, "| %s | `%s` | %s | %s |\n",
                                     routes[i].method == HTTP_POST_METHOD ? "POST" : "GET",
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
    struct span path = without_prefix(head->path);
    const struct route *other = NULL;

    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        const struct route *route = &routes[i];
        if (!(route->plane & plane) || !span_equal(path, span_of(route->path)))
            continue;
        if (route->method == head->method ||
            (route->method == HTTP_GET_METHOD && head->method == HTTP_HEAD_METHOD)) {
            route->run(api, client, head, route);
            return;
        }
        other = route;
    }
    if (other)
        reply_fault(api, client, FAULT_WRONG_METHOD,
                    other->method == HTTP_POST_METHOD ? SPAN("POST") : SPAN("GET, HEAD"));
    else
        reply_fault(api, client, FAULT_NO_SUCH_ROUTE, SPAN_NONE);
}

static void inference(struct api *api, struct client *client, const struct request_head *head,
                      const struct route *route)
{
    exchange_begin(api->flow, client, head, route->dialect);
}

static void healthz(struct api *api, struct client *client, const struct request_head *head,
                    const struct route *route)
{
    (void)head;
    (void)route;
    reply_whole(api, client, 200, SPAN("application/json"), SPAN("{\"status\":\"ok\"}\n"));
}

static void readyz(struct api *api, struct client *client, const struct request_head *head,
                   const struct route *route)
{
    static const struct span bodies[] = {
        [API_STARTING] = {"{\"status\":\"starting\"}\n", 22},
        [API_READY] = {"{\"status\":\"ready\"}\n", 19},
        [API_DRAINING] = {"{\"status\":\"draining\"}\n", 22},
    };

    (void)head;
    (void)route;
    reply_whole(api, client, api->readiness == API_READY ? 200 : 503, SPAN("application/json"),
                bodies[api->readiness]);
}

static void metrics_page(struct api *api, struct client *client, const struct request_head *head,
                         const struct route *route)
{
    struct buffer body;

    (void)head;
    (void)route;
    buffer_init(&body, 1 << 20);
    vitals_read(api);
    metrics_print(api->flow->metrics, &body);
    reply_whole(api, client, 200, SPAN("text/plain; version=0.0.4"), buffer_view(&body));
    buffer_done(&body);
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

#include "api/reply.h"

#include <stdio.h>

enum { BODY_MAX = 4096, NUMBER_SIZE = 16, FAULT_HEADERS_MAX = 5 };

static void send(struct client *client, int status, struct headers headers, struct span body);
static void send_whole(struct api *api, struct client *client, int status, struct span content_type,
                       struct span body);
static void send_fault(struct api *api, struct client *client, enum fault fault, struct span detail,
                       struct span param, struct span allow);

void reply_whole(struct api *api, struct client *client, int status, struct span content_type,
                 struct span body)
{
    client_attach(client, &api->nobody);
    send_whole(api, client, status, content_type, body);
}

void reply_fault(struct api *api, struct client *client, enum fault fault, struct span allow)
{
    client_attach(client, &api->nobody);
    send_fault(api, client, fault, SPAN_NONE, SPAN_NONE, allow);
}

void reply_fault_because(struct api *api, struct client *client, enum fault fault,
                         struct span detail, struct span param)
{
    client_attach(client, &api->nobody);
    send_fault(api, client, fault, detail, param, SPAN_NONE);
}

void reply_late(struct api *api, struct client *client, struct span content_type, struct span body)
{
    send_whole(api, client, 200, content_type, body);
}

void reply_late_fault(struct api *api, struct client *client, enum fault fault, struct span detail,
                      struct span param)
{
    send_fault(api, client, fault, detail, param, SPAN_NONE);
}

static void send(struct client *client, int status, struct headers headers, struct span body)
{
    client_reply_head(client, &(struct reply_head){status, headers, (int64_t)body.size});
    client_reply_body(client, body);
    client_reply_end(client);
}

static void send_whole(struct api *api, struct client *client, int status, struct span content_type,
                       struct span body)
{
    char id[REQUEST_ID_MAX + 1];
    struct header rows[] = {{SPAN("content-type"), content_type},
                            {SPAN("x-request-id"), request_id_next(api->flow->request_ids, id)},
                            {SPAN("cache-control"), SPAN("no-store")}};

    send(client, status, (struct headers){rows, sizeof(rows) / sizeof(*rows)}, body);
}

static void send_fault(struct api *api, struct client *client, enum fault fault, struct span detail,
                       struct span param, struct span allow)
{
    const struct fault_row *row = fault_row(fault);
    char id[REQUEST_ID_MAX + 1], seconds[NUMBER_SIZE];
    struct span request_id = request_id_next(api->flow->request_ids, id);
    struct header rows[FAULT_HEADERS_MAX] = {{SPAN("content-type"), SPAN("application/json")},
                                             {SPAN("x-request-id"), request_id}};
    size_t count = 2;
    struct buffer body;

    if (allow.at)
        rows[count++] = (struct header){SPAN("allow"), allow};
    snprintf(seconds, sizeof(seconds), "%d", row->retry_after_s);
    if (row->retry_after_s)
        rows[count++] = (struct header){SPAN("retry-after"), span_of(seconds)};
    if (fault_wants_no_retry(fault))
        rows[count++] = (struct header){SPAN("x-should-retry"), SPAN("false")};
    buffer_init(&body, BODY_MAX);
    fault_body(&body, fault, detail, param, request_id);
    send(client, row->status, (struct headers){rows, count}, buffer_view(&body));
    buffer_done(&body);
}

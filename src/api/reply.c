#include "api/reply.h"

enum { BODY_MAX = 4096 };

void reply_whole(struct api *api, struct client *client, int status, struct span content_type,
                 struct span body)
{
    char id[REQUEST_ID_MAX + 1];
    struct header rows[] = {{SPAN("content-type"), content_type},
                            {SPAN("x-request-id"), request_id_next(api->flow->request_ids, id)},
                            {SPAN("cache-control"), SPAN("no-store")}};

    client_attach(client, &api->nobody);
    client_reply_head(client, &(struct reply_head){status, {rows, 3}, (int64_t)body.size});
    client_reply_body(client, body);
    client_reply_end(client);
}

void reply_fault(struct api *api, struct client *client, enum fault fault, struct span allow)
{
    char id[REQUEST_ID_MAX + 1];
    struct span request_id = request_id_next(api->flow->request_ids, id);
    struct header rows[] = {{SPAN("content-type"), SPAN("application/json")},
                            {SPAN("x-request-id"), request_id},
                            {SPAN("allow"), allow}};
    struct buffer body;

    buffer_init(&body, BODY_MAX);
    fault_body(&body, fault, SPAN_NONE, SPAN_NONE, request_id);
    client_attach(client, &api->nobody);
    client_reply_head(client, &(struct reply_head){fault_row(fault)->status,
                                                   {rows, allow.at ? 3 : 2},
                                                   (int64_t)buffer_size(&body)});
    client_reply_body(client, buffer_view(&body));
    client_reply_end(client);
    buffer_done(&body);
}

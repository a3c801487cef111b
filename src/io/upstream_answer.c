/* The answer as libcurl reads it: head lines are gathered and told at once, pieces go straight to
 * the caller. */
#include "io/upstream_flight.h"

static size_t tell_head(struct upstream_flight *flight);

enum { REFUSE = 0 }; /* anything but the size given ends the transfer and closes the connection */

size_t upstream_answer_line(char *bytes, size_t one, size_t size, void *context)
{
    struct upstream_flight *flight = context;

    switch (curl_head_line(&flight->head, (struct span){bytes, one * size})) {
    case CURL_HEAD_MORE:
        return one * size;
    case CURL_HEAD_WHOLE:
        return tell_head(flight) ? one * size : REFUSE;
    case CURL_HEAD_BAD:
        break;
    }
    return REFUSE;
}

/* A piece is held back by not taking it: libcurl hands out the same bytes again after
 * curl_engine_unpause. */
size_t upstream_answer_piece(char *bytes, size_t one, size_t size, void *context)
{
    struct upstream_flight *flight = context;
    struct upstream_call *call = flight->call;

    if (!flight->head.is_told)
        return REFUSE;
    if (flight->paused) {
        flight->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    deadline_join_in(&flight->upstream->pieces, &flight->deadline, flight->idle_ms);
    if (!call->events->on_body(call, (struct span){bytes, one * size})) {
        flight->paused = true;
        deadline_leave(&flight->deadline);
    }
    return one * size;
}

static size_t tell_head(struct upstream_flight *flight)
{
    struct header rows[CURL_HEAD_FIELDS_MAX];
    struct upstream_head head;

    if (!curl_head_read(&flight->head, flight->asked_head, rows, &head)) {
        flight->head.is_told = false;
        return REFUSE;
    }
    deadline_join_in(&flight->upstream->pieces, &flight->deadline, flight->idle_ms);
    flight->call->events->on_head(flight->call, &head);
    buffer_consume(&flight->head.lines, buffer_size(&flight->head.lines));
    buffer_shrink(&flight->head.lines); /* a stream may go on for long */
    return true;
}

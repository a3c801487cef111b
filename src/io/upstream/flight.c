/* A call on its connection: bytes out, bytes in, until the answer is whole or it broke. */
#include "io/upstream/flight.h"

#include <assert.h>

enum { READS_PER_TURN = 4 };

static void on_ready(void *user);
static bool send_some(struct upstream_flight *flight);
static bool receive_some(struct upstream_flight *flight, bool *ret_more);
static bool receive_once(struct upstream_flight *flight, bool *ret_more);
static enum upstream_answer_state feed(struct upstream_flight *flight, struct span bytes,
                                       size_t *ret_taken);
static bool settle(struct upstream_flight *flight, enum upstream_answer_state state,
                   bool has_surplus);
static void answer_is_whole(struct upstream_flight *flight, bool has_surplus);
static void connection_ended(struct upstream_flight *flight, bool broken);
static enum upstream_end end_of(const struct upstream_flight *flight);
static void want(struct upstream_flight *flight, bool again);

void upstream_flight_board(struct upstream_flight *flight, struct upstream_connection *connection)
{
    flight->connection = connection;
    connection->user = flight;
    connection->on_ready = on_ready;
    if (send_some(flight))
        want(flight, false);
}

void upstream_flight_resume(struct upstream_flight *flight)
{
    struct span rest = buffer_view(&flight->rest);
    enum upstream_answer_state state;
    bool more = false;
    size_t taken;

    flight->paused = false;
    deadline_join_in(&flight->upstream->pieces, &flight->deadline, flight->idle_ms);
    state = feed(flight, rest, &taken);
    buffer_consume(&flight->rest, taken);
    if (!settle(flight, state, taken < rest.size))
        return;
    buffer_shrink(&flight->rest);
    if (receive_some(flight, &more))
        want(flight, more);
}

/* Reading comes first: what is there now cannot be the answer to what is only sent now. */
static void on_ready(void *user)
{
    struct upstream_flight *flight = user;
    bool more = false;

    if (!receive_some(flight, &more))
        return;
    if (!upstream_request_is_sent(&flight->request) && !flight->cannot_send && !send_some(flight))
        return;
    want(flight, more);
}

/* False: the flight has ended. */
static bool send_some(struct upstream_flight *flight)
{
    struct upstream_request *request = &flight->request;
    struct upstream_wire *wire = &flight->connection->wire;
    bool nothing_left = !request->has_left && !wire->ssl;
    ssize_t sent;

    request->has_left = true; /* a record of TLS may leave in part */
    sent = upstream_wire_write(wire, buffer_view(&request->head), request->body,
                               flight->upstream->room);
    if (sent > 0) {
        upstream_request_took(request, (size_t)sent);
        return true;
    }
    request->has_left = !nothing_left;
    if (sent == UPSTREAM_WIRE_BROKEN && nothing_left) {
        upstream_flight_end(flight, UPSTREAM_UNREACHED, "the connection was closed");
        return false;
    }
    flight->cannot_send = sent == UPSTREAM_WIRE_BROKEN;
    return true;
}

/* False: the flight has ended or was paused just now. */
static bool receive_some(struct upstream_flight *flight, bool *ret_more)
{
    *ret_more = !flight->paused;
    for (int reads = 0; *ret_more && reads < READS_PER_TURN; reads++)
        if (!receive_once(flight, ret_more))
            return false;
    return true;
}

static bool receive_once(struct upstream_flight *flight, bool *ret_more)
{
    struct upstream_wire *wire = &flight->connection->wire;
    char *room = flight->upstream->room;
    enum upstream_answer_state state;
    size_t taken;
    ssize_t got;

    if (upstream_answer_is_due(&flight->answer))
        flight->answer.is_early =
            flight->connection->is_used &&
            (!upstream_request_is_sent(&flight->request) || upstream_wire_is_unconfirmed(wire));
    got = upstream_wire_read(wire, room);
    if (got < 0) {
        connection_ended(flight, got == UPSTREAM_WIRE_BROKEN);
        return false;
    }
    *ret_more = got && (wire->ssl ? upstream_wire_holds_more(wire) : got == UPSTREAM_ROOM_BYTES);
    if (!got)
        return true;
    state = feed(flight, (struct span){room, (size_t)got}, &taken);
    if (state == UPSTREAM_ANSWER_PAUSED) {
        bool fits = buffer_append(&flight->rest, (struct span){room + taken, (size_t)got - taken});
        assert(fits);
    }
    return settle(flight, state, taken < (size_t)got);
}

static enum upstream_answer_state feed(struct upstream_flight *flight, struct span bytes,
                                       size_t *ret_taken)
{
    return upstream_answer_feed(&flight->answer, bytes, flight->upstream->rows, ret_taken);
}

static bool settle(struct upstream_flight *flight, enum upstream_answer_state state,
                   bool has_surplus)
{
    switch (state) {
    case UPSTREAM_ANSWER_MORE:
        if (flight->answer.head_is_told)
            deadline_join_in(&flight->upstream->pieces, &flight->deadline, flight->idle_ms);
        return true;
    case UPSTREAM_ANSWER_PAUSED:
        flight->paused = true;
        deadline_leave(&flight->deadline);
        want(flight, false);
        return false;
    case UPSTREAM_ANSWER_WHOLE:
        answer_is_whole(flight, has_surplus);
        return false;
    case UPSTREAM_ANSWER_BAD:
        break;
    }
    upstream_flight_end(flight, end_of(flight),
                        flight->answer.is_early ? "an answer before the request was read"
                                                : "the answer is malformed");
    return false;
}

static void answer_is_whole(struct upstream_flight *flight, bool has_surplus)
{
    struct upstream_connection *connection = flight->connection;

    if (flight->answer.keeps_alive && !has_surplus && upstream_request_is_sent(&flight->request) &&
        !upstream_wire_holds_more(&connection->wire)) {
        flight->connection = NULL;
        upstream_pool_keep(connection, flight->owner);
    }
    upstream_flight_end(flight, UPSTREAM_DONE, "");
}

static void connection_ended(struct upstream_flight *flight, bool broken)
{
    if (!broken && upstream_answer_end(&flight->answer))
        answer_is_whole(flight, false);
    else
        upstream_flight_end(flight, end_of(flight),
                            broken ? "the connection broke" : "the upstream closed the connection");
}

/* Where both are possible it is "lost", never "safe to try again". */
static enum upstream_end end_of(const struct upstream_flight *flight)
{
    if (flight->answer.head_is_told)
        return UPSTREAM_CUT;
    return flight->request.has_left ? UPSTREAM_LOST : UPSTREAM_UNREACHED;
}

/* again: there is more to read than one turn's share. What OpenSSL holds makes no event, that one can write does. */
static void want(struct upstream_flight *flight, bool again)
{
    bool has_more = !upstream_request_is_sent(&flight->request) && !flight->cannot_send;

    again = again && !flight->paused && flight->connection->wire.ssl;
    upstream_wire_want(&flight->connection->wire, !flight->paused, has_more || again);
}

#include "connection.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim.h"

static void join(struct connection *connection);
static void leave(struct connection *connection);
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer);
static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);
static void on_timer(uv_timer_t *timer);
static void on_late(uv_timer_t *timer);
static void on_closed(uv_handle_t *handle);
static int on_head(llhttp_t *parser);
static int on_complete(llhttp_t *parser);
static void parse(struct connection *connection, const char *bytes, size_t length);
static void pump(struct connection *connection);
static void refuse(struct connection *connection);

void connection_accept(struct sim *sim, uv_stream_t *listener)
{
    struct connection *connection = must_alloc(sizeof *connection);
    connection->sim = sim;
    connection->open_handles = 3;
    uv_tcp_init(&sim->loop, &connection->tcp);
    uv_timer_init(&sim->loop, &connection->timer);
    uv_timer_init(&sim->loop, &connection->late);
    connection->tcp.data = connection->timer.data = connection->late.data = connection;
    connection->exchange.sim = sim;
    connection->exchange.connection = connection;
    connection->exchange.request = &connection->request;
    request_callbacks(&connection->callbacks);
    connection->callbacks.on_headers_complete = on_head;
    connection->callbacks.on_message_complete = on_complete;
    llhttp_init(&connection->parser, HTTP_REQUEST, &connection->callbacks);
    connection->parser.data = &connection->request;
    join(connection);
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0) {
        connection_close(connection, PLAY_CLOSE);
        return;
    }
    sim->ledger.totals.connections++;
    uv_tcp_nodelay(&connection->tcp, 1);
    uv_read_start((uv_stream_t *)&connection->tcp, on_room, on_read);
}

void connection_exchange_over(struct connection *connection, enum play_end end)
{
    connection->busy = false;
    request_clear(&connection->request);
    if (end != PLAY_KEEP)
        connection_close(connection, end);
    else
        pump(connection);
}

void connection_lost(struct connection *connection)
{
    if (connection->closing)
        return;
    if (connection->busy)
        exchange_client_gone(&connection->exchange);
    connection->busy = false;
    connection_close(connection, PLAY_CLOSE);
}

void connection_close(struct connection *connection, enum play_end how)
{
    if (connection->closing)
        return;
    connection->closing = true;
    leave(connection);
    if (how != PLAY_RESET || uv_tcp_close_reset(&connection->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
    uv_close((uv_handle_t *)&connection->timer, on_closed);
    uv_close((uv_handle_t *)&connection->late, on_closed);
}

void connection_send_late(struct connection *connection, const char *body, int64_t delay_ms)
{
    static const char fallback[] =
        "{\"late_bytes\":true,\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":\"LATE BYTES OF ANOTHER ANSWER\"},\"finish_reason\":\"stop\"}]}";
    const char *sent = body ? body : fallback;
    text_clear(&connection->late_bytes);
    text_format(&connection->late_bytes,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-late-bytes: true\r\n"
                "content-length: %zu\r\n\r\n%s",
                strlen(sent), sent);
    uv_timer_start(&connection->late, on_late, (uint64_t)delay_ms, 0);
}

void connection_start_timer(struct connection *connection, int64_t delay_ms)
{
    uv_timer_start(&connection->timer, on_timer, (uint64_t)delay_ms, 0);
}

static void join(struct connection *connection)
{
    connection->next = connection->sim->connections;
    if (connection->next)
        connection->next->previous = connection;
    connection->sim->connections = connection;
}

static void leave(struct connection *connection)
{
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connection->sim->connections = connection->next;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *connection = handle->data;
    (void)suggested;
    *ret_buffer = uv_buf_init(connection->sim->read_buffer, sizeof connection->sim->read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;
    if (count < 0)
        connection_lost(connection);
    else if (connection->busy || connection->waiting.length)
        text_add(&connection->waiting, buffer->base, (size_t)count);
    else if (count > 0) {
        parse(connection, buffer->base, (size_t)count);
        pump(connection);
    }
}

/* Runs the requests that wait, one after the other; an exchange that ends at once lands here
 * again. */
static void pump(struct connection *connection)
{
    if (connection->pumping)
        return;
    connection->pumping = true;
    while (!connection->busy && !connection->closing && connection->waiting.length) {
        struct text taken = connection->waiting;
        connection->waiting = (struct text){0};
        parse(connection, taken.bytes, taken.length);
        text_done(&taken);
    }
    connection->pumping = false;
}

static void parse(struct connection *connection, const char *bytes, size_t length)
{
    enum llhttp_errno error = llhttp_execute(&connection->parser, bytes, length);
    if (error == HPE_OK)
        return;
    if (error != HPE_PAUSED) {
        refuse(connection);
        return;
    }
    const char *rest = llhttp_get_error_pos(&connection->parser);
    llhttp_resume(&connection->parser);
    text_add(&connection->waiting, rest, length - (size_t)(rest - bytes));
    connection->busy = true;
    request_complete(&connection->request, &connection->parser);
    exchange_start(&connection->exchange);
}

static void refuse(struct connection *connection)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    uv_buf_t buffer = uv_buf_init((char *)answer, sizeof answer - 1);
    uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
    connection_close(connection, PLAY_CLOSE);
}

static int on_head(llhttp_t *parser)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct request *request = parser->data;
    struct connection *connection =
        (struct connection *)(void *)((char *)request - offsetof(struct connection, request));
    size_t length = request->headers.length;
    text_add(&request->headers, "", 1); /* so that it can be searched already */
    const char *expect = request_header(request, "expect");
    request->headers.length = length;
    if (expect && strcasecmp(expect, "100-continue") == 0) {
        uv_buf_t buffer = uv_buf_init((char *)go_on, sizeof go_on - 1);
        uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
    }
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static void on_timer(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    exchange_on_timer(&connection->exchange);
}

static void on_late(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    uv_buf_t buffer =
        uv_buf_init(connection->late_bytes.bytes, (unsigned)connection->late_bytes.length);
    uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->open_handles)
        return;
    exchange_done(&connection->exchange);
    request_done(&connection->request);
    text_done(&connection->waiting);
    text_done(&connection->late_bytes);
    free(connection);
}

#include "server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "connection.h"
#include "sim.h"

enum { BACKLOG = 4096 };

static void on_connection(uv_stream_t *listener, int status);
static void on_accept_again(uv_timer_t *timer);
static void on_listener_closed(uv_handle_t *handle);
static void close_idle(struct sim *sim);

int server_listen(struct sim *sim)
{
    uv_tcp_t *listener = must_alloc(sizeof *listener);
    int error = uv_tcp_init(&sim->loop, listener);
    listener->data = sim;
    sim->listener = listener;
    if (!error)
        error = uv_tcp_bind(listener, (const struct sockaddr *)&sim->address, 0);
    if (!error)
        error = uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
    int length = sizeof sim->address;
    if (!error)
        error = uv_tcp_getsockname(listener, (struct sockaddr *)&sim->address, &length);
    return error;
}

int server_port(const struct sim *sim)
{
    return ntohs(((const struct sockaddr_in *)(const void *)&sim->address)->sin_port);
}

void server_refuse(struct sim *sim, int64_t delay_ms)
{
    server_close(sim);
    close_idle(sim);
    uv_timer_start(&sim->accept_again, on_accept_again, (uint64_t)delay_ms, 0);
}

void server_close(struct sim *sim)
{
    if (sim->listener)
        uv_close((uv_handle_t *)sim->listener, on_listener_closed);
    sim->listener = NULL;
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        connection_accept(listener->data, listener);
}

static void on_accept_again(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    int error = server_listen(sim);
    if (error)
        fprintf(stderr, "openrouter-sim: cannot listen again: %s\n", uv_strerror(error));
}

static void on_listener_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_idle(struct sim *sim)
{
    for (struct connection *next, *at = sim->connections; at; at = next) {
        next = at->next;
        if (!at->busy)
            connection_close(at, PLAY_CLOSE);
    }
}

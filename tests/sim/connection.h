/*
 * A client's connection: reads requests, runs one exchange at a time, keeps what is pipelined for
 * later.
 *
 * Owns  itself: freed after the last of its handles is closed.
 */
#ifndef SIM_CONNECTION_H
#define SIM_CONNECTION_H

#include <uv.h>

#include "exchange.h"
#include "play.h"
#include "request.h"

struct connection {
    struct sim *sim;
    struct connection *next, *previous;
    uv_tcp_t tcp;
    uv_timer_t timer; /* of the exchange */
    uv_timer_t late;  /* bytes after the answer */
    uv_write_t write;
    size_t written_end; /* where the running write ends in the play */
    int open_handles;
    llhttp_t parser;
    llhttp_settings_t callbacks;
    struct request request;
    struct exchange exchange;
    struct text waiting; /* read while an exchange runs */
    struct text late_bytes;
    bool busy;
    bool pumping;
    bool closing;
};

void connection_accept(struct sim *sim, uv_stream_t *listener);
void connection_exchange_over(struct connection *connection, enum play_end end);
void connection_lost(struct connection *connection); /* the client is gone */
void connection_close(struct connection *connection, enum play_end how);
void connection_start_timer(struct connection *connection, int64_t delay_ms);
void connection_send_late(struct connection *connection, const char *body, int64_t delay_ms);

#endif

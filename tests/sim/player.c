#include "player.h"

#include "connection.h"

static void play_on(struct exchange *exchange);
static bool must_wait(struct exchange *exchange);
static size_t next_end(const struct exchange *exchange);
static bool send_until(struct exchange *exchange, size_t end);
static void sent_until(struct exchange *exchange, size_t end);
static void on_written(uv_write_t *write, int status);

void player_start(struct exchange *exchange)
{
    exchange->position = exchange->piece = 0;
    exchange->piece_waited = exchange->stall_passed = exchange->split_pause = false;
    play_on(exchange);
}

void player_go_on(struct exchange *exchange)
{
    if (exchange->phase == PHASE_STALLED)
        exchange->stall_passed = true;
    exchange->phase = PHASE_WRITING;
    play_on(exchange);
}

int64_t player_tokens_at(const struct exchange *exchange, size_t position)
{
    const struct track *track = &exchange->play.track;
    int64_t tokens = 0;
    for (size_t i = 0; i < track->count && track->pieces[i].end <= position; i++)
        tokens = track->pieces[i].tokens;
    return tokens;
}

static void play_on(struct exchange *exchange)
{
    exchange->phase = PHASE_WRITING;
    while (exchange->position < exchange->play.track.bytes.length) {
        if (must_wait(exchange))
            return;
        size_t end = next_end(exchange);
        if (end == exchange->play.track.bytes.length)
            exchange_last_bytes(exchange, end);
        if (!send_until(exchange, end))
            return;
    }
    exchange_over(exchange);
}

static bool must_wait(struct exchange *exchange)
{
    const struct play *play = &exchange->play;
    const struct piece *piece = &play->track.pieces[exchange->piece];
    if (play->stalls && !exchange->stall_passed && exchange->position == play->stall_at) {
        int64_t delay_ms = exchange->fault.delay_ms;
        exchange_wait(exchange, PHASE_STALLED, delay_ms, delay_ms == 0);
        return true;
    }
    if (piece->delay_ms && !exchange->piece_waited) {
        exchange->piece_waited = true;
        exchange_wait(exchange, PHASE_PAUSED, piece->delay_ms, false);
        return true;
    }
    if (exchange->split_pause) {
        exchange->split_pause = false;
        exchange_wait(exchange, PHASE_PAUSED, play->split_delay_ms, false);
        return true;
    }
    return false;
}

/* As far as can go in one write: over pieces that need no pause, not over a stall. */
static size_t next_end(const struct exchange *exchange)
{
    const struct play *play = &exchange->play;
    size_t piece = exchange->piece;
    while (piece + 1 < play->track.count && !play->track.pieces[piece + 1].delay_ms)
        piece++;
    size_t end = play->track.pieces[piece].end;
    if (play->stalls && exchange->position < play->stall_at && play->stall_at < end)
        end = play->stall_at;
    if (play->split_bytes && end - exchange->position > play->split_bytes)
        end = exchange->position + play->split_bytes;
    return end;
}

static bool send_until(struct exchange *exchange, size_t end)
{
    struct connection *connection = exchange->connection;
    char *from = exchange->play.track.bytes.bytes + exchange->position;
    uv_buf_t buffer = uv_buf_init(from, (unsigned)(end - exchange->position));
    int sent = uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        connection_lost(connection);
        return false;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == buffer.len) {
        sent_until(exchange, end);
        return true;
    }
    buffer = uv_buf_init(from + done, (unsigned)(buffer.len - done));
    exchange->position = end - buffer.len;
    connection->write.data = exchange;
    connection->written_end = end;
    uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written);
    return false;
}

static void sent_until(struct exchange *exchange, size_t end)
{
    const struct track *track = &exchange->play.track;
    exchange->position = end;
    exchange->split_pause = exchange->play.split_bytes > 0;
    while (exchange->piece < track->count && track->pieces[exchange->piece].end <= end) {
        exchange->piece++;
        exchange->piece_waited = false;
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct exchange *exchange = write->data;
    if (exchange->connection->closing)
        return;
    if (status < 0) {
        connection_lost(exchange->connection);
        return;
    }
    sent_until(exchange, exchange->connection->written_end);
    play_on(exchange);
}

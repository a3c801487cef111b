#include "play.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct reason {
    int status;
    const char *phrase;
};

static const struct reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {408, "Request Timeout"},
    {413, "Payload Too Large"},
    {422, "Unprocessable Entity"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {0, "Unknown"},
};

static void add_piece(struct track *track, struct piece piece);
static void write_head(struct text *text, const struct head *head, size_t length);
static void write_chunks(struct track *track, const struct track *body, bool unfinished);
static void write_plain(struct track *track, const struct track *body);
static const char *phrase_of(int status);

void track_cut(struct track *track, int64_t tokens, int64_t delay_ms)
{
    add_piece(track, (struct piece){track->bytes.length, tokens, delay_ms});
}

void track_recut(struct track *track, size_t piece_bytes, int64_t delay_ms)
{
    struct track fresh = {0};
    size_t at = 0, old = 0;
    for (int64_t tokens = 0; old < track->count; old++) {
        const struct piece *piece = &track->pieces[old];
        for (int64_t delay = piece->delay_ms; at < piece->end; delay = delay_ms) {
            size_t end = piece->end - at > piece_bytes ? at + piece_bytes : piece->end;
            tokens = end == piece->end ? piece->tokens : tokens;
            add_piece(&fresh, (struct piece){end, tokens, delay});
            at = end;
        }
    }
    free(track->pieces);
    track->pieces = fresh.pieces;
    track->count = fresh.count;
    track->capacity = fresh.capacity;
}

void track_truncate(struct track *track, size_t bytes)
{
    if (bytes >= track->bytes.length)
        return;
    int64_t tokens = 0;
    size_t kept = 0;
    for (; kept < track->count && track->pieces[kept].end <= bytes; kept++)
        tokens = track->pieces[kept].tokens;
    int64_t delay_ms = track->pieces[kept].delay_ms;
    size_t start = kept ? track->pieces[kept - 1].end : 0;
    track->count = kept;
    track->bytes.length = bytes;
    if (start < bytes)
        add_piece(track, (struct piece){bytes, tokens, delay_ms});
}

void track_copy(struct track *track, const struct track *from)
{
    track_clear(track);
    text_add(&track->bytes, from->bytes.bytes, from->bytes.length);
    for (size_t i = 0; i < from->count; i++)
        add_piece(track, from->pieces[i]);
}

void track_clear(struct track *track)
{
    text_clear(&track->bytes);
    track->count = 0;
}

void track_done(struct track *track)
{
    text_done(&track->bytes);
    free(track->pieces);
    *track = (struct track){0};
}

void play_build(struct play *play, const struct head *head, const struct track *body)
{
    struct track *track = &play->track;
    write_head(&track->bytes, head, body->bytes.length);
    track_cut(track, 0, head->latency_ms);
    if (head->content_length)
        write_plain(track, body);
    else
        write_chunks(track, body, head->unfinished);
    if (!head->keep_alive || head->unfinished)
        play->end = PLAY_CLOSE;
    play->cut = play->cut || head->unfinished;
}

void play_clear(struct play *play)
{
    struct track track = play->track;
    track_clear(&track);
    *play = (struct play){.track = track};
}

void play_done(struct play *play)
{
    track_done(&play->track);
}

static void add_piece(struct track *track, struct piece piece)
{
    if (track->count == track->capacity) {
        track->capacity = track->capacity ? 2 * track->capacity : 8;
        track->pieces = must_resize(track->pieces, track->capacity * sizeof *track->pieces);
    }
    track->pieces[track->count++] = piece;
}

static void write_head(struct text *text, const struct head *head, size_t length)
{
    char date[40];
    clock_write_http(date, sizeof date, head->now_ms);
    text_format(text, "HTTP/1.1 %d %s\r\ndate: %s\r\ncontent-type: %s\r\n", head->status,
                phrase_of(head->status), date, head->content_type);
    text_format(text, "server: cloudflare\r\ncf-ray: %016" PRIx64 "-SIM\r\n%s", head->ray,
                head->headers);
    if (*head->generation_id)
        text_format(text, "x-generation-id: %s\r\n", head->generation_id);
    if (!head->keep_alive)
        text_add_string(text, "connection: close\r\n");
    if (head->content_length)
        text_format(text, "content-length: %zu\r\n\r\n", length);
    else
        text_add_string(text, "transfer-encoding: chunked\r\n\r\n");
}

static void write_chunks(struct track *track, const struct track *body, bool unfinished)
{
    size_t at = 0;
    for (size_t i = 0; i < body->count; at = body->pieces[i].end, i++) {
        const struct piece *piece = &body->pieces[i];
        bool last = i + 1 == body->count && !unfinished;
        if (piece->end > at) {
            text_format(&track->bytes, "%zx\r\n", piece->end - at);
            text_add(&track->bytes, body->bytes.bytes + at, piece->end - at);
            text_add(&track->bytes, "\r\n", 2);
        }
        if (last)
            text_add_string(&track->bytes, "0\r\n\r\n");
        track_cut(track, piece->tokens, piece->delay_ms);
    }
    if (!body->count && !unfinished) {
        text_add_string(&track->bytes, "0\r\n\r\n");
        track_cut(track, 0, 0);
    }
}

static void write_plain(struct track *track, const struct track *body)
{
    size_t head = track->bytes.length;
    text_add(&track->bytes, body->bytes.bytes, body->bytes.length);
    for (size_t i = 0; i < body->count; i++)
        add_piece(track, (struct piece){head + body->pieces[i].end, body->pieces[i].tokens,
                                        body->pieces[i].delay_ms});
}

static const char *phrase_of(int status)
{
    const struct reason *reason = reasons;
    while (reason->status && reason->status != status)
        reason++;
    return reason->phrase;
}

/*
 * A response as it will be played: its bytes, cut into pieces, and how it ends. A track is bytes
 * with cuts; the body is one track, the play (head, framing and body) another.
 *
 * Owns  a track owns its bytes and pieces; play_clear keeps the memory for the next response.
 */
#ifndef SIM_PLAY_H
#define SIM_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct piece {
    size_t end;       /* the first byte after it */
    int64_t tokens;   /* generated once it is sent, counted from the start */
    int64_t delay_ms; /* waited before it */
};

struct track {
    struct text bytes;
    struct piece *pieces;
    size_t count;
    size_t capacity;
};

/* Ends the piece that began where the last one ended: what was added to bytes since. */
void track_cut(struct track *track, int64_t tokens, int64_t delay_ms);
void track_recut(struct track *track, size_t piece_bytes, int64_t delay_ms);
void track_truncate(struct track *track, size_t bytes);
void track_copy(struct track *track, const struct track *from);
void track_clear(struct track *track);
void track_done(struct track *track);

enum play_end { PLAY_KEEP, PLAY_CLOSE, PLAY_RESET };

struct play {
    struct track track;
    enum play_end end;
    bool cut; /* the rest is never sent, so what was generated is what was sent */
    bool stalls;
    bool late_bytes;
    size_t stall_at;
    size_t split_bytes; /* 0: pieces as they are */
    int64_t split_delay_ms;
};

struct head {
    int status;
    const char *content_type;
    const char *headers;       /* whole lines, or "" */
    const char *generation_id; /* or "" */
    int64_t now_ms;
    int64_t latency_ms;
    uint64_t ray;
    bool content_length; /* otherwise chunked */
    bool keep_alive;
    bool unfinished; /* the body is not ended: the connection closes in its middle */
};

void play_build(struct play *play, const struct head *head, const struct track *body);
void play_clear(struct play *play);
void play_done(struct play *play);

#endif

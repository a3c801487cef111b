/* sse_done.h: finds the line `data: [DONE]` of an event stream as it passes, so that something can be put before it.
 *
 *     while (sse_done_take(&done, &bytes, &run, &at_done)) ... put before run if at_done ... pass run on
 *     at the end: sse_done_end likewise, once
 *
 * The runs are the stream, byte for byte and in order, at any split. Found is the first such line that begins where no
 * event is open: before it a whole event of ours splits none of theirs. Comments (": OPENROUTER PROCESSING") open none.
 *
 * Owns      at most SSE_DONE_HELD_MAX bytes: of a line that may still become the mark, until its next byte tells.
 * Units     bytes. All zero is the beginning of a stream.
 * Fails     never; a stream without the mark passes as it is.
 * Source    the standard's "event stream interpretation": LF, CRLF and CR end lines, a space behind the colon may be
 *           missing; openrouter-api 3.6
 */
#ifndef KEYTURN_DOMAIN_SSE_DONE_H
#define KEYTURN_DOMAIN_SSE_DONE_H

#include "base/span.h"

enum { SSE_DONE_HELD_MAX = 12 };

struct sse_done {
    unsigned char held_size;
    char held[SSE_DONE_HELD_MAX];
    bool in_line;   /* behind a line's first byte */
    bool in_event;  /* behind a field that no blank line ended */
    bool behind_cr; /* a LF that comes now belongs to it */
    bool found;     /* the mark went by: the rest is passed on unseen */
};

/* The next run that may go on now, taken from the front of *bytes; valid until the next call. at_done: it begins with the
 * mark's line. False when there is nothing more to pass on; *bytes is empty then. */
bool sse_done_take(struct sse_done *done, struct span *bytes, struct span *ret_run,
                   bool *ret_at_done);
/* The stream is over: what is still held, if anything. The mark needs no line end then. */
bool sse_done_end(struct sse_done *done, struct span *ret_run, bool *ret_at_done);
/* The mark was not there, and everything so far is whole events: one more may follow. */
bool sse_done_is_between_events(const struct sse_done *done);

#endif

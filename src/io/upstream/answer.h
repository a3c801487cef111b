/* upstream/answer.h: the answer to one request, from the bytes of its connection: a head, read by us, and what follows it,
 * read by llhttp. That both agree where the answer ends is checked.
 *
 * Owns      a head that is not whole yet.
 * Runs on   upstream_answer_feed, which calls on_head and on_body of the call.
 * Fails     UPSTREAM_ANSWER_BAD: malformed; nothing may be fed any more.
 * Source    RFC 9112 sections 4 to 7; reliability D2. Interim heads are skipped, trailers are read and dropped.
 */
#ifndef KEYTURN_IO_UPSTREAM_ANSWER_H
#define KEYTURN_IO_UPSTREAM_ANSWER_H

#include "base/buffer.h"
#include "io/upstream/head.h"

#include <llhttp.h>

enum upstream_answer_state {
    UPSTREAM_ANSWER_MORE,
    UPSTREAM_ANSWER_PAUSED, /* on_body said so: feed the rest later */
    UPSTREAM_ANSWER_WHOLE,
    UPSTREAM_ANSWER_BAD
};

struct upstream_answer {
    llhttp_t parser;
    struct upstream_call *call; /* borrowed; NULL outside an answer */
    struct buffer head;
    size_t interim_bytes;
    bool asked_head;
    bool head_is_told, is_whole, keeps_alive;
    bool
        is_early; /* set by the feeder: the final head may only be a last word, see upstream/flight.h */
};

void upstream_answer_init(struct upstream_answer *answer);
void upstream_answer_begin(struct upstream_answer *answer, struct upstream_call *call,
                           bool asked_head);
void upstream_answer_done(struct upstream_answer *answer);
/* Nothing of a final head has come. */
static inline bool upstream_answer_is_due(const struct upstream_answer *answer)
{
    return !answer->head_is_told && buffer_size(&answer->head) == 0;
}
/* rows is room for UPSTREAM_FIELDS_MAX headers. *ret_taken: what was used up of the bytes; all of them at MORE. */
enum upstream_answer_state upstream_answer_feed(struct upstream_answer *answer, struct span bytes,
                                                struct header *rows, size_t *ret_taken);
/* The connection has ended: was that the end of the answer? */
bool upstream_answer_end(struct upstream_answer *answer);

#endif

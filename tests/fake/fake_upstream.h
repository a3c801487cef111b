/* fake_upstream.h: io/upstream.h for scenes: a started call waits until the scene takes it a step further: its head, one
 * piece, its end. What is answered is decided by the scene when the head goes out. What it costs is in fake_bills.h.
 *
 * Owns      copies of what was asked (fake_asks, shared by all instances).
 * Runs on   the scene; a call that is withheld ends by its own head_ms or idle_ms, which stand still while it is paused.
 * Fails     a caller that breaks the contract of io/upstream.h stops the scene: a body that changed under way, a call
 *           that is resumed though it is not paused, one that is started twice.
 * Ends      fake_upstream_forget: the instance died.
 */
#ifndef KEYTURN_TESTS_FAKE_UPSTREAM_H
#define KEYTURN_TESTS_FAKE_UPSTREAM_H

#include "base/buffer.h"
#include "fake/fake_bills.h"
#include "io/upstream.h"

enum { FAKE_ASKS_MAX = 512, FAKE_FIELDS_MAX = 4 };

struct fake_asked {
    char path[64], bearer[96];
    struct buffer headers; /* "Name: value\n" ... */
    struct buffer body;
    struct fake_bill bill;
};

struct fake_asks {
    struct fake_billing billing;
    struct fake_asked rows[FAKE_ASKS_MAX];
    size_t count;
};

struct fake_answer {
    int status;
    struct header fields[FAKE_FIELDS_MAX];
    size_t field_count;
    const char *pieces[FAKE_PIECES_MAX];
    size_t piece_count;
    bool tells_size;
};

enum fake_fate {
    FATE_NEXT, /* the next step of the answer */
    FATE_UNREACHED,
    FATE_LOST,    /* before the head */
    FATE_CUT,     /* after it */
    FATE_WITHHELD /* nothing more is heard */
};

enum fake_step { STEP_HEAD, STEP_PIECE, STEP_END };

/* The head goes out: what is answered. A 200 that is billed has its texts from fake_bill_answer. */
typedef void fake_answers(void *context, struct fake_asked *asked, struct fake_answer *ret_answer);
/* Whether a call of which no head is heard was worked on. */
typedef bool fake_accepts(void *context, const struct fake_asked *asked);

void fake_upstream_serve(struct upstream *upstream, struct fake_asks *asks, fake_answers *answers,
                         fake_accepts *accepts, void *context);
size_t fake_upstream_pending(const struct upstream *upstream); /* those with a next step */
size_t fake_upstream_open(const struct upstream *upstream);
size_t fake_upstream_paused(const struct upstream *upstream);
enum fake_step fake_upstream_next(const struct upstream *upstream);
void fake_upstream_step(struct upstream *upstream, enum fake_fate fate);
/* Calls that were told so many pieces wait for this to be lifted (SIZE_MAX). */
void fake_upstream_hold_after(struct upstream *upstream, size_t pieces);
void fake_upstream_forget(struct upstream *upstream);
void fake_asks_done(struct fake_asks *asks);
/* By its generation id; NULL: there is none. */
const struct fake_bill *fake_asks_bill(const struct fake_asks *asks, struct span generation);

#endif

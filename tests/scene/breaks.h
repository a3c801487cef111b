/* breaks.h: what can go wrong at a wait, as one table. Each scene is replayed once for each wait and each break that its
 * kind of wait knows.
 *
 * Source    design 5.5; io/redis.h, io/fetch.h and io/upstream.h say what each of them may end with
 */
#ifndef KEYTURN_TESTS_SCENE_BREAKS_H
#define KEYTURN_TESTS_SCENE_BREAKS_H

#include <stdbool.h>
#include <stddef.h>

enum wait_kind {
    WAIT_REDIS = 1,
    WAIT_FETCH = 2,
    WAIT_HEAD = 4,    /* of an inference call */
    WAIT_BODY = 8,    /* a piece of its answer, or its end */
    WAIT_CLIENT = 16, /* a piece of a client's body */
    WAIT_ANY = 31
};

#define BREAKS(ROW) \
    ROW(lost_applied, WAIT_REDIS, \
        "the command was applied, its answer is lost, and so is the link's rest") \
    ROW(lost_unapplied, WAIT_REDIS, "the same, but it was not applied") \
    ROW(down, WAIT_REDIS, "there is no link") \
    ROW(refused, WAIT_REDIS, "Redis is there and not ready, for this one command") \
    ROW(away, WAIT_REDIS, "applied, lost, and for 5 s there is no link") \
    ROW(unreached, WAIT_FETCH | WAIT_HEAD, "nothing of the request left") \
    ROW(unknown_done, WAIT_FETCH, "carried out, the reply is lost") \
    ROW(unknown_undone, WAIT_FETCH, "not carried out, nothing is heard until the time is over") \
    ROW(status_500, WAIT_FETCH, "refused with 500") \
    ROW(status_502, WAIT_FETCH, "carried out, a gateway says 502") \
    ROW(status_429, WAIT_FETCH, "refused with 429") \
    ROW(status_401, WAIT_FETCH, "the management key is refused, once") \
    ROW(garbage, WAIT_FETCH, "carried out, the answer is no JSON") \
    ROW(lost, WAIT_HEAD, "the request left, no answer came") \
    ROW(late_head, WAIT_HEAD, "no head within its time") \
    ROW(cut, WAIT_BODY, "the answer breaks off") \
    ROW(stalled, WAIT_BODY, "the answer stops coming") \
    ROW(body_fault, WAIT_CLIENT, "the rest of the client's body is malformed") \
    ROW(client_leaves, WAIT_ANY, "the client who has waited longest leaves") \
    ROW(blind, WAIT_ANY, "nobody is told of changes for a second") \
    ROW(dies_undone, WAIT_ANY, "the instance is killed, what it asked for is not carried out") \
    ROW(dies_done, WAIT_ANY, "the instance is killed, what it asked for is carried out")

enum break_kind {
    BREAK_NONE,
#define ROW(name, waits, text) BREAK_##name,
    BREAKS(ROW)
#undef ROW
        BREAK_SHUFFLE, /* nothing breaks; who is next is drawn by lot, `at` being the seed */
    BREAK_COUNT
};

struct break_point {
    enum break_kind kind;
    size_t at;
};

const char *break_name(enum break_kind kind);
bool break_fits(enum break_kind kind, enum wait_kind wait);
bool break_find(const char *name, enum break_kind *ret_kind);

#endif

/* exchange/way.h: one exchange, for the files of exchange/, which hold its rows. */
#ifndef KEYTURN_FLOW_EXCHANGE_WAY_H
#define KEYTURN_FLOW_EXCHANGE_WAY_H

#include "base/arena.h"
#include "domain/catalogue.h"
#include "domain/hidden_error.h"
#include "domain/inference_body.h"
#include "domain/sse_done.h"
#include "domain/upstream_error.h"
#include "flow/caller.h"
#include "flow/exchange.h"
#include "flow/flow.h"
#include "flow/step.h"
#include "store/free_models.h"
#include "store/quota.h"

enum exchange_at {
#define ROW(name, text) EXCHANGE_AT_##name,
    EXCHANGE_WAY(ROW)
#undef ROW
        EXCHANGE_AT_COUNT
};

enum {
    DRAINS_MAX = 1024,
    EXCHANGE_ARENA_MAX = 64 * 1024,
    PASSED_HEADERS_MAX = 16,
    HELD_MAX = 256 * 1024,
    TRIES_MAX = 2,
    FRESH_KEY_TRIES_MAX = 2
};

/* What the upstream told, recorded by its callbacks. */
struct upstream_record {
    int status;             /* 0: no head yet; of an error in an answer the error's own */
    bool is_answer;         /* its head said that it had worked: the meter was fed */
    struct headers headers; /* those that go down; in the arena */
    int64_t body_size;
    struct span content_type, generation_id, retry_after;
    struct buffer held; /* body bytes nobody could take yet, or an error's whole body */
    bool paused, ended;
    enum upstream_end end;
    uint64_t looked_us; /* since when it is looked whether it hides an error; 0: not yet */
};

/* Lies before the request's bytes, in one piece of memory with them: it comes and goes with them. */
struct body_room {
    struct model_names names;
    char edits[BODY_EDITS_ROOM]; /* where the body grows into: right before it */
};

struct exchange {
    struct visit visit;
    struct turn turn;
    struct list in_flight; /* flow->exchanges */
    struct flow *flow;     /* borrowed */
    struct client *client; /* borrowed; NULL once it is gone or has its reply */
    struct arena memory;
    enum exchange_at at;
    enum dialect dialect;
    enum fault fault;
    struct span fault_detail, fault_param;

    char request_id[REQUEST_ID_MAX + 1]; /* ours: the log's, the ledger's */
    struct span echoed_id;               /* the caller's own, if it sent a fine one */
    struct headers passed;               /* the client's fields that go up; in the arena */

    struct caller caller;
    char user[USER_ID_MAX + 1];

    struct buffer
        body; /* a body_room, then the request's bytes; once sending.at is set, as they go */
    struct span sending; /* SPAN_NONE: not made yet */
    struct inference_body parsed;
    int64_t body_size; /* as announced; -1: not */
    bool body_complete;
    enum fault body_fault;

    const struct tier *tier;   /* borrowed from the configuration; NULL: not known yet */
    bool tier_confirmed;       /* the store said so during this request */
    struct model_names *names; /* in the body's memory; NULL once that may go */
    struct span billed_model;  /* what is left of them */
    struct cost_bound bound;
    struct quota_look look;
    struct admit_ask ask;
    struct admission admission;
    unsigned quota_tries;
    struct advance_wait ahead;
    bool has_waited;            /* for holds ahead: not again */
    struct free_take free_take; /* a free model's place among the account's */
    struct free_close free_close;
    bool hold_taken; /* a promise: it is settled, whatever happens */
    struct quota_extend extend;
    struct turn extend_turn;
    struct deadline extend_due;
    bool shared_key; /* runs on the operator's shared key */
    bool sent;       /* a request left for OpenRouter that it did not refuse */

    struct key_ask key;
    int64_t key_version;
    struct renewal_wait renewal;
    bool renewed;   /* its key was made or renewed for it */
    bool limit_met; /* its own key's limit refused it: once it is looked at */
    bool drains;    /* read to its end though its client left */
    bool client_gone;
    bool outage; /* a healthy key was refused: one more try, then 503 */

    struct upstream_call call;
    struct upstream_record up;
    struct upstream_error *error; /* the last one it told, owned; NULL: none */
    struct usage_meter meter;
    struct deadline pause;
    unsigned tries, fresh_key_tries;
    bool replying;                /* the reply's head is out */
    bool content_down;            /* some of it is content: the message counts */
    bool stream;                  /* the reply is an event stream */
    bool wants_comment, comments; /* on what is left, in streams; comments: in this one, still */
    struct sse_done done;         /* where it goes */
    int reply_status;

    uint64_t began_us, body_us, asked_us, upstream_us, first_byte_us;
    uint64_t bytes_down;
};

#define ROW(name, text) enum verdict exchange_##name(struct exchange *x);
EXCHANGE_WAY(ROW)
#undef ROW

enum verdict exchange_go(struct exchange *x, enum exchange_at at);
/* The first cause wins; detail and param must outlive the exchange or live in its arena. */
enum verdict exchange_fail(struct exchange *x, enum fault fault);
enum verdict exchange_fail_because(struct exchange *x, enum fault fault, struct span detail,
                                   struct span param);
/* Tries again after a pause, with whatever key is current then. */
enum verdict exchange_pause(struct exchange *x, uint64_t after_ms);
/* exchange/ask.c: the last error that the upstream told; an empty one before there is any. */
const struct upstream_error *exchange_error(const struct exchange *x);
/* exchange.c: copies of the fields that may pass, in the arena: PASSED_HEADERS_MAX at most. */
struct headers exchange_copy_headers(struct exchange *x, struct headers all,
                                     bool (*passes)(struct span name));
/* exchange/ask.c: before a good answer's head goes on: does it hide an error? OPEN: to be asked again. */
enum body_beginning exchange_look_inside(struct exchange *x);
/* exchange/comment.c: bytes of the answer to the client, who is there; with the quota's comment if that is wanted. rest: what
 * the search for its place still holds back, before anything of ours. */
bool exchange_wants_comment(const struct exchange *x, struct headers headers);
void exchange_pass_down(struct exchange *x, struct span bytes);
void exchange_pass_rest(struct exchange *x, bool ended_well);
/* exchange/quota.c: what the body may cost; whether a tier falls back on the shared key. */
struct span exchange_model(const struct exchange *x); /* the first that may be billed; SPAN_NONE */
bool exchange_may_share_key(const struct exchange *x, enum renewal_outcome outcome);
/* exchange/quota.c: the running request's lease goes on, and learns its generation id. */
void exchange_extend_hold(struct exchange *x);
/* exchange/quota_tell.c: a refusal's sentence; header fields and error members; SPAN_NONE and 0 where there is nothing to
 * tell. */
struct span exchange_quota_sentence(struct exchange *x, enum fault fault);
size_t exchange_quota_headers(struct exchange *x, struct header *rows, size_t capacity);
struct span exchange_quota_members(struct exchange *x);
/* Seconds until a retry makes sense, 0: the fault's own. */
uint64_t exchange_quota_retry_s(const struct exchange *x);
/* exchange/free.c: runs on free models too, perhaps: each try counts for the whole account. */
bool exchange_is_free(const struct exchange *x);
struct span exchange_free_members(struct exchange *x);
uint64_t exchange_free_retry_s(const struct exchange *x);
/* exchange/settle.c: the hold's promise is kept: the cost, or the way to find it, is handed over. */
void exchange_settle_hold(struct exchange *x);
/* No second try is possible any more: the request's bytes go as soon as they were sent, its model's name stays. */
void exchange_drop_body(struct exchange *x);
struct span exchange_body(
    const struct exchange *x);               /* as it came; not once it was made to be sent */
bool exchange_may_retry(struct exchange *x); /* takes from the budget of second tries */
/* Nobody is there to take the answer: may it be read to its end all the same? At most DRAINS_MAX at a time. */
bool exchange_may_drain(struct exchange *x);
bool exchange_client_left(const struct exchange *x);
void exchange_give_client_back(struct exchange *x);

#endif

/* exchange_way.h: one exchange, for the files that hold its rows (exchange*.c) alone. */
#ifndef KEYTURN_FLOW_EXCHANGE_WAY_H
#define KEYTURN_FLOW_EXCHANGE_WAY_H

#include "base/arena.h"
#include "domain/inference_body.h"
#include "domain/upstream_error.h"
#include "flow/exchange.h"
#include "flow/flow.h"
#include "flow/step.h"
#include "store/users.h"

enum exchange_at {
#define ROW(name, text) EXCHANGE_AT_##name,
    EXCHANGE_WAY(ROW)
#undef ROW
        EXCHANGE_AT_COUNT
};

enum {
    DRAINS_MAX = 64,
    EXCHANGE_ARENA_MAX = 64 * 1024,
    PASSED_HEADERS_MAX = 16,
    HELD_MAX = 256 * 1024,
    TRIES_MAX = 2,
    FRESH_KEY_TRIES_MAX = 2
};

/* What the upstream told, recorded by its callbacks. */
struct upstream_record {
    int status; /* 0: no head yet */
    struct header headers[PASSED_HEADERS_MAX];
    size_t header_count;
    int64_t body_size;
    struct span content_type, generation_id, retry_after;
    struct buffer held; /* body bytes nobody could take yet, or an error's whole body */
    bool paused, ended;
    enum upstream_end end;
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

    char request_id[REQUEST_ID_MAX + 1];      /* ours: the log's, the ledger's */
    struct span echoed_id;                    /* the caller's own, if it sent a fine one */
    struct header passed[PASSED_HEADERS_MAX]; /* the client's fields that go up */
    size_t passed_count;
    struct span end_user; /* X-Keyturn-User */

    struct credential
        credential; /* spans into the client's head; taken by ask_identity, cleared then */
    struct identity_ask identity;
    char user[USER_ID_MAX + 1];

    struct buffer body, sent_body; /* as it came, as it goes */
    struct inference_body parsed;
    bool body_complete;
    enum fault body_fault;

    struct user_admission admission;
    struct key_ask key;
    int64_t key_version;
    struct renewal_wait renewal;
    bool renewed; /* its key was made or renewed for it */
    bool drains;  /* read to its end though its client left */
    bool client_gone;
    bool outage; /* a healthy key was refused: one more try, then 503 */

    struct upstream_call call;
    struct upstream_record up;
    struct upstream_error error;
    struct deadline pause;
    unsigned tries, fresh_key_tries;
    bool replying; /* the reply's head is out */
    bool stream;   /* the reply is an event stream */
    int reply_status;

    uint64_t began_us, body_us, asked_us, upstream_us, first_byte_us;
    uint64_t bytes_down;
    char tier[TIER_NAME_MAX + 1];
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
/* No second try is possible any more: the request's bytes go, its model's name stays. */
void exchange_drop_bodies(struct exchange *x);
bool exchange_may_retry(struct exchange *x); /* takes from the budget of second tries */
/* Nobody is there to take the answer: may it be read to its end all the same? At most DRAINS_MAX at a time. */
bool exchange_may_drain(struct exchange *x);
bool exchange_client_left(const struct exchange *x);
void exchange_give_client_back(struct exchange *x);

#endif

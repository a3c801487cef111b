/*
 * One request and its answer: find the route, meet the faults, do the work, play the answer, book
 * the bill.
 *
 * Owns  what it composed and what it parsed; lives inside its connection.
 * Ends  with exchange_over (all was sent or cut) or exchange_client_gone.
 */
#ifndef SIM_EXCHANGE_H
#define SIM_EXCHANGE_H

#include "faults.h"
#include "json.h"
#include "keys.h"
#include "ledger.h"
#include "play.h"
#include "texts.h"

struct connection;
struct request;
struct route;
struct sim;

enum phase { PHASE_IDLE, PHASE_HELD, PHASE_PAUSED, PHASE_STALLED, PHASE_WRITING };

enum presented {
    PRESENTED_NOTHING,
    PRESENTED_MALFORMED,
    PRESENTED_MANAGEMENT,
    PRESENTED_KEY,
    PRESENTED_UNKNOWN
};

struct reply {
    int status;
    const char *content_type;
    struct text headers;
    struct track body;
    char generation_id[GENERATION_ID];
    int64_t latency_ms;
    bool error;
    bool silent; /* not one byte: the connection closes */
    bool unfinished;
};

/* What an inference request will cost; open until it is booked. */
struct bill {
    bool open;
    bool stream;
    bool failed;
    struct key *key;           /* borrowed, good while epoch is the sim's */
    const char *finish_reason; /* when it runs to its end */
    const char *billed_model;  /* borrowed from the row's model or the catalogue */
    int64_t prompt_tokens;
    int64_t completion_tokens;
};

struct exchange {
    struct sim *sim;
    struct connection *connection;
    struct request *request;
    const struct route *route;
    const char *argument; /* what stood for {…} in the path */
    enum phase phase;
    enum presented presented;
    struct key *key; /* the one presented, or NULL */
    char presented_hash[SHA256_HEX];
    yyjson_doc *doc; /* the body, or NULL */
    uint64_t epoch;
    uint64_t row_seq; /* 0: no row */
    struct fault_hit fault;
    struct reply reply;
    struct bill bill;
    struct play play;
    size_t position; /* sent so far */
    size_t piece;    /* the one position lies in */
    bool piece_waited;
    bool stall_passed;
    bool split_pause;
};

void exchange_start(struct exchange *exchange);
void exchange_on_timer(struct exchange *exchange);
void exchange_release(struct exchange *exchange, uint64_t fault_id); /* 0: whatever it waits for */
void exchange_wait(struct exchange *exchange, enum phase phase, int64_t delay_ms, bool for_ever);
void exchange_last_bytes(struct exchange *exchange, size_t end); /* about to send up to here */
void exchange_over(struct exchange *exchange);
void exchange_client_gone(struct exchange *exchange);
void exchange_done(struct exchange *exchange);

struct row *exchange_row(struct exchange *exchange); /* NULL: none, or no longer kept */

/* What a route answers with. */
void reply_json(struct exchange *exchange, int status, struct json json);
void reply_canned(struct exchange *exchange, const struct canned *canned);
void reply_error(struct exchange *exchange, int status, const char *message);

/* Books the bill for that many completion tokens. */
void bill_settle(struct exchange *exchange, int64_t completion_tokens, const char *finish_reason);

#endif

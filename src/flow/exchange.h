/* exchange.h: one inference request on its way, from its head to the books.
 *
 * The way is the table below; exchange/exchange.c runs it, the files beside it hold the rows. Library callbacks record
 * into the exchange and post its turn; rows decide. The exchange outlives its client: once money may have been spent it
 * goes on to settle, whoever is still there.
 *
 * Owns      the request's copy (arena), its body, its questions to store, renewal and upstream.
 * Units     microseconds for its stopwatch, milliseconds for waits.
 * Runs on   the loop.
 * Fails     by fault (base/fault.h): the first cause wins.
 * Ends      by itself, after finish.
 */
#ifndef KEYTURN_FLOW_EXCHANGE_H
#define KEYTURN_FLOW_EXCHANGE_H

#include "base/list.h"
#include "domain/dialect.h"
#include "flow/visit.h"

struct flow;

#define EXCHANGE_WAY(ROW) \
    ROW(ask_identity, "whose token is it: from the cache, or one read in Redis") \
    ROW(got_identity, "the user, or 401") \
    ROW(ask_body, \
        "100 Continue; the whole body is read before anything is sent: a retry must be the same " \
        "bytes") \
    ROW(got_body, "strict JSON, no field twice; every model it names") \
    ROW(ask_tier, "the user's tier: remembered, or one read in Redis") \
    ROW(got_tier, "what it allows: the model, or 403") \
    ROW(ask_quota, "the hold: one taken ahead, or one script in Redis, on all axes at once") \
    ROW(got_ahead, "holds for the same user that are on their way: one of them, or the script") \
    ROW(got_quota, "the hold and the tokens it pays for, or which limit refused") \
    ROW(ask_free, \
        "a free model: one of the account's requests, shared by one script in Redis; or, when " \
        "OpenRouter says they are used up, closes them for everybody") \
    ROW(got_free, "on, or which limit of the account refused and until when") \
    ROW(ask_key, "the user's own sub-key: open in this process, or one read in Redis") \
    ROW(got_key, "none yet, or expired: it is made; else on") \
    ROW(ask_renewal, "one renewal for everybody: verify, create, commit") \
    ROW(got_renewal, "a new key version, or the fault that says why not") \
    ROW(ask_upstream, "one POST") \
    ROW(got_head, "200: relay; else read the error") \
    ROW(got_error, \
        "whose fault: the key's (renew, retry), the upstream's (retry once), the client's (tell)") \
    ROW(wait_retry, "a pause before the second try") \
    ROW(relay, "bytes down as they come, pressure up, the meter beside") \
    ROW(answer_error, "OpenRouter's error in our shape, without what clients must not see") \
    ROW(answer_fault, "our error, as a reply or as the stream's last event") \
    ROW(settle, "the cost goes to the quotas and the books; unknown: it is looked up first") \
    ROW(finish, "everything given back")

/* From a route's handler: attaches itself to the client. */
void exchange_begin(struct flow *flow, struct client *client, const struct request_head *head,
                    enum dialect dialect);

/* Frees what is kept of exchanges that ended. */
void exchange_spares_free(struct flow *flow);
/* A member of flow->exchanges looks around again. */
void exchange_wake(struct list *in_flight);

#endif

/* caller.h: for whom a request speaks: exactly one credential, and the end user whom a service names beside it. Every
 * route asks here, so no two can differ in what they accept.
 *
 *     caller_read   takes the credential and X-Keyturn-User from the head
 *     caller_ask    whose token is it
 *     caller_got    the user, or why not
 *
 * Owns      copies and the question to the identities; the credential's spans point into the client's head and are
 *           cleared by caller_ask.
 * Runs on   the loop; wake is posted when the answer was not there at once.
 * Fails     CALLER_REFUSED: fault, detail and param tell why; the texts are constants.
 * Ends      caller_done, never while CALLER_WAITING.
 * Source    design 4.3, CVE-2026-45339 (one extractor for every header)
 */
#ifndef KEYTURN_FLOW_CALLER_H
#define KEYTURN_FLOW_CALLER_H

#include "base/fault.h"
#include "flow/identities.h"
#include "io/header.h"

enum caller_verdict {
    CALLER_WAITING,
    CALLER_USER,
    CALLER_SERVICE, /* a service that named nobody in the head */
    CALLER_REFUSED
};

struct caller {
    struct credential credential;
    struct identity_ask identity;
    bool user_named;
    char named_user[USER_ID_MAX +
                    2]; /* one more than an id may have, so that a cut one is not fine */
    enum fault fault;
    struct span detail, param;
};

void caller_read(struct caller *caller, struct headers headers);
void caller_ask(struct flow *flow, struct caller *caller, struct turn *wake);
/* ret_user is set with CALLER_USER alone. */
enum caller_verdict caller_got(struct caller *caller, char ret_user[USER_ID_MAX + 1]);
/* The end user of a service, named elsewhere; false: refused. */
bool caller_take_user(struct caller *caller, struct span user, char ret_user[USER_ID_MAX + 1]);
void caller_done(struct caller *caller);

#endif

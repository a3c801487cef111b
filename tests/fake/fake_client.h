/* fake_client.h: io/client.h for scenes: a client that sends and takes when the scene says so, and remembers its reply.
 *
 * Owns      copies of what it sends, freed as soon as the real server may forget them; its reply.
 * Runs on   the scene; whatever it tells the other side it tells from a turn.
 * Fails     a caller that breaks the contract of io/client.h stops the scene: a reply without a head, two ends, a length
 *           that was promised and not kept, any call after the client was given back or is gone.
 * Ends      fake_client_free, once it has its reply or is gone.
 */
#ifndef KEYTURN_TESTS_FAKE_CLIENT_H
#define KEYTURN_TESTS_FAKE_CLIENT_H

#include "base/buffer.h"
#include "io/client.h"
#include "io/loop.h"

enum { FAKE_CLIENT_FIELDS_MAX = 8 };

struct client *fake_client_new(struct loop *loop, const struct client_calls *calls, void *context);
void fake_client_free(struct client *client);

/* The head arrives; the body waits until it is wanted, and then for fake_client_step, piece by piece. */
void fake_client_sends(struct client *client, const struct request_head *head, struct span body,
                       size_t piece_size);
bool fake_client_has_step(const struct client *client);
void fake_client_step(struct client *client);
void fake_client_fails(struct client *client, enum fault fault); /* the rest of its body is bad */
void fake_client_leaves(struct client *client); /* nothing happens when it has its reply */
void fake_client_vanishes(
    struct client *client); /* with the instance it spoke to: nobody is told */

/* From now on it takes nothing: full at high_bytes. Taking again empties its backlog. */
void fake_client_stops_taking(struct client *client, size_t high_bytes);
void fake_client_takes(struct client *client);

bool fake_client_is_open(const struct client *client); /* neither replied nor cut nor gone */
bool fake_client_is_gone(const struct client *client);
bool fake_client_was_cut(const struct client *client);
bool fake_client_has_ended(const struct client *client); /* its reply came to a clean end */
int fake_client_status(const struct client *client);     /* 0: no head yet */
struct span fake_client_header(const struct client *client, struct span name);
struct span fake_client_body(const struct client *client);

#endif

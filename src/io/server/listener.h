/* server/listener.h: a listening socket that accepts by itself. libuv's own listener sheds waiting
 * connections without a word when descriptors run out; here they wait in the kernel and accepting
 * pauses for LISTENER_PAUSE_MS.
 *
 * Owns      the descriptor, its watch and, of a unix socket, the file while it is still ours.
 * Runs on   the loop: the watch posts a turn, the turn accepts.
 * Fails     listener_open: NULL and a sentence.
 * Ends      listeners_close: takes those who already wait, then closes; each leaves the server's
 *           list at the last callback.
 * Source    reliability F4, D30, L4
 */
#ifndef KEYTURN_IO_SERVER_LISTENER_H
#define KEYTURN_IO_SERVER_LISTENER_H

#include "io/server.h"

enum { LISTENER_PAUSE_MS = 100 };

struct listener;

struct listener *listener_open(struct server *server, const char *address, char ret_bound[128],
                               char ret_error[160]);
void listeners_close(struct list *listeners);

#endif

/* resolve.h: the address of one origin, looked up off the loop and kept: libcurl is only ever given
 * literals.
 *
 * The last good answer is used for keep_ms, however dead the name service is; while it is used it
 * is renewed in the background every fresh_ms. One address is preferred until it leaves the answer
 * or is bad: connects to it failed RESOLVE_FAILURES times in a row. Then the next one is preferred;
 * the bad one gets a single connect every again_ms and is as good as any once that succeeds.
 *
 * Owns      its answers. A lookup that is under way outlives the resolver by itself; the loop waits
 *           for it.
 * Units     milliseconds.
 * Runs on   the loop; the changed turn is posted when an answer or a failure came.
 * Fails     RESOLVE_FAILED: no usable answer within patience_ms; asked again, it tries at most
 *           every retry_ms.
 * Ends      resolver_close.
 * Source    reliability F3, D11
 */
#ifndef KEYTURN_IO_RESOLVE_H
#define KEYTURN_IO_RESOLVE_H

#include "io/loop.h"
#include "io/origin.h"

enum { RESOLVE_FAILURES = 2 };

struct resolver;

struct resolver_settings {
    uint64_t patience_ms, fresh_ms, keep_ms, retry_ms, again_ms;
};

enum resolve_state { RESOLVE_READY, RESOLVE_WAIT, RESOLVE_FAILED };

struct resolver *resolver_open(struct loop *loop, struct log *log, const struct origin *origin,
                               const struct resolver_settings *settings, struct turn *changed);
void resolver_close(struct resolver *resolver);

enum resolve_state resolver_ask(struct resolver *resolver);
/* After RESOLVE_READY, once for each connect: where to, as CURLOPT_CONNECT_TO wants it,
 * "::192.0.2.1:443", "::[2001:db8::1]:443"; valid until the next turn. */
const char *resolver_connect_to(struct resolver *resolver);
/* How the connect went. An address that is not in the answer any more is nobody's. */
void resolver_reached(struct resolver *resolver, const char *connect_to);
void resolver_blame(struct resolver *resolver, const char *connect_to);
/* Changes when the preferred address leaves the answer: what is connected to it is not used then.
 * A bad address changes nothing for what is connected. */
uint64_t resolver_generation(const struct resolver *resolver);

#endif

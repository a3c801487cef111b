/* serve.h: the running proxy: every part in place, started and stopped in order.
 *
 *     start   gate (store, whose data) → management key's self-check → listen → ready
 *     stop    not ready, no new connections → exchanges finish, the rest is told → settle → everything closes
 *
 * Owns      all parts.
 * Source    design 5.5 (SIGTERM), c-style 5.5
 */
#ifndef KEYTURN_APP_SERVE_H
#define KEYTURN_APP_SERVE_H

#include "api/api.h"
#include "api/vitals.h"
#include "app/core.h"
#include "app/gate.h"
#include "flow/flow.h"

enum serve_at {
    SERVE_GATE,
    SERVE_SELF_CHECK,
    SERVE_RUNNING,
    SERVE_DRAINING,
    SERVE_CUTTING,
    SERVE_STOPPED
};

struct serve {
    struct core core;
    struct gate gate;
    struct turn turn, signal, hangup;
    struct deadline_class waits;
    struct deadline wait;
    enum serve_at at;
    int signals, exit_code;
    uint64_t drain_until_ms;
    bool gate_opened, flow_opened;

    struct fetch_call self_check;
    struct upstream *upstream;
    struct fetcher *fetcher;
    struct metrics *metrics;
    struct journal *journal; /* NULL: none could be kept */
    struct request_ids request_ids;
    struct flow_settings settings;
    struct flow flow;
    struct api api;
    struct vitals vitals;
    struct server *data, *admin;
    char origin[256];
    char self_check_path[256];
};

/* Making the parts from the configuration, and taking them down (serve_parts.c). */
void serve_open_parts(struct serve *s);
void serve_open_flow(struct serve *s); /* once the gate told whose data it is */
bool serve_listen(struct serve *s);    /* false: told on stderr */
void serve_close_parts(struct serve *s);

#endif

#include "io/server/front.h"

#include "base/alloc.h"

#include <assert.h>

enum { TRIM_MS = 1000, AT_CAP_MAX = 64, SPARE_BULK_BYTES = 131072, SPARE_HEAD_BYTES = 4096 };

static void drain_client(struct client *c);
static void trim(struct turn *turn);

struct server *server_open(struct loop *loop, const struct server_settings *settings,
                           const struct client_calls *calls, void *context,
                           struct request_ids *request_ids)
{
    struct server *s = must_alloc(sizeof(*s));

    assert(settings->backlog_low_bytes > 0 &&
           settings->backlog_low_bytes <= settings->backlog_high_bytes);
    s->loop = loop;
    s->settings = *settings;
    s->calls = *calls;
    s->context = context;
    s->request_ids = request_ids;
    for (int at = 0; at < CLIENT_STATES; at++)
        list_init(&s->clients[at]);
    list_init(&s->listeners);
    deadline_class_open(&s->head_class, loop, settings->head_ms);
    deadline_class_open(&s->body_class, loop, settings->body_ms);
    deadline_class_open(&s->idle_class, loop, settings->idle_ms);
    deadline_class_open(&s->linger_class, loop, settings->linger_ms);
    deadline_class_open(&s->write_class, loop, settings->write_ms);
    deadline_class_open(&s->pause_class, loop, LISTENER_PAUSE_MS);
    deadline_class_open(&s->trim_class, loop, TRIM_MS);
    turn_init(&s->trim_turn, trim);
    deadline_init(&s->trim, &s->trim_turn);
    spares_init(&s->bulk, SPARE_BULK_BYTES);
    spares_init(&s->heads, SPARE_HEAD_BYTES);
    return s;
}

bool server_listen(struct server *server, const char *address, char ret_bound[128],
                   char ret_error[160])
{
    return listener_open(server, address, ret_bound, ret_error) != NULL;
}

struct server_stats server_stats(const struct server *server)
{
    struct server_stats stats = server->stats;

    for (int at = 0; at < CLIENT_STATES; at++)
        stats.connections += server->counts[at];
    stats.idle_connections = server->counts[CLIENT_FRESH] + server->counts[CLIENT_IDLE];
    return stats;
}

void server_drain(struct server *server)
{
    if (server->draining)
        return;
    listeners_close(&server->listeners);
    server->draining = true;
    LIST_EACH (node, &server->clients[CLIENT_FRESH])
        drain_client(container_of(node, struct client, place));
    LIST_EACH (node, &server->clients[CLIENT_IDLE])
        drain_client(container_of(node, struct client, place));
}

void server_cut(struct server *server)
{
    server_drain(server);
    for (int at = 0; at < CLIENT_CLOSED; at++) {
        LIST_EACH (node, &server->clients[at]) {
            struct client *c = container_of(node, struct client, place);
            c->wire.failed = true; /* its own turn does the rest */
            loop_post(server->loop, &c->turn);
        }
    }
}

bool server_is_closed(const struct server *server)
{
    return server->draining && !server_stats(server).connections &&
           list_is_empty(&server->listeners);
}

void server_close(struct server *server)
{
    assert(server_is_closed(server));
    deadline_class_close(&server->head_class);
    deadline_class_close(&server->body_class);
    deadline_class_close(&server->idle_class);
    deadline_class_close(&server->linger_class);
    deadline_class_close(&server->write_class);
    deadline_class_close(&server->pause_class);
    deadline_class_close(&server->trim_class);
    turn_cancel(&server->trim_turn);
    spares_done(&server->bulk);
    spares_done(&server->heads);
    must_free(server);
}

bool server_has_room(const struct server *s)
{
    return s->at_cap < AT_CAP_MAX ||
           server_stats(s).connections - s->at_cap < s->settings.connections_max;
}

void server_adopt(struct server *s, int fd, bool local, bool over_unix)
{
    bool at_cap = server_stats(s).connections - s->at_cap >= s->settings.connections_max;

    if (at_cap)
        s->stats.refused_at_cap++;
    else
        s->stats.accepted++;
    client_open(s, fd, local, over_unix, at_cap);
}

void server_trim_later(struct server *s)
{
    if (!deadline_is_set(&s->trim))
        deadline_join(&s->trim_class, &s->trim);
}

static void trim(struct turn *turn)
{
    struct server *s = container_of(turn, struct server, trim_turn);

    spares_trim(&s->bulk);
    spares_trim(&s->heads);
    if (s->bulk.count || s->heads.count)
        server_trim_later(s);
}

/* Idle ones leave. One whose request is already here, or that has just connected, gets an answer
   first. */
static void drain_client(struct client *c)
{
    if (wire_has_unread(&c->wire))
        return;
    if (c->at == CLIENT_FRESH) {
        deadline_join_in(&c->server->head_class, &c->waiting, c->server->settings.linger_ms);
    } else {
        client_move(c, CLIENT_LEAVING);
        loop_post(c->server->loop, &c->turn);
    }
}

#include "io/redis/link.h"

#include "base/alloc.h"
#include "io/uv_loop.h"

#include <stdio.h>

/* A try waits 25 to 50 ms at first, up to 2 s later: half of it certain, half by chance. */
enum { BACKOFF_FIRST_MS = 50, BACKOFF_LAST_MS = 2000, BACKOFF_DOUBLINGS = 6, STABLE_MS = 2000 };

static void run_alarm(struct turn *turn);
static void attempt(struct redis_link *link);
static void ask_addresses(struct redis_link *link);
static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list);
static void run_resolved(struct turn *turn);
static void connect_next(struct redis_link *link);
static void on_connected(void *context);
static void send_greeting(struct redis_link *link);
static void on_reply(void *context, redisReply *reply);
static void got_greeting(struct redis_link *link, redisReply *reply);
static void greeting_refused(struct redis_link *link, bool login, const redisReply *reply);
static void on_broken(void *context, enum redis_fault fault, const char *reason);
static void on_gone(void *context);
static void close_socket(struct redis_link *link);
static void wait_for_next(struct redis_link *link);
static uint64_t random_below(struct redis_link *link, uint64_t limit);

static const struct redis_socket_events socket_events = {on_connected, on_reply, on_broken,
                                                         on_gone};

void redis_link_open(struct redis_link *link, struct loop *loop, struct log *log,
                     const struct redis_settings *settings, struct redis_tls *tls,
                     const struct redis_link_owner *owner)
{
    link->loop = loop;
    link->log = log;
    link->settings = settings;
    link->tls = tls;
    link->owner = owner;
    turn_init(&link->alarm_turn, run_alarm);
    turn_init(&link->resolved_turn, run_resolved);
    deadline_init(&link->alarm, &link->alarm_turn);
    deadline_class_open(&link->deadlines, loop, settings->connect_ms);
    if (uv_random(NULL, NULL, &link->random, sizeof(link->random), 0, NULL))
        link->random = uv_hrtime(); /* only spreads reconnects */
    link->random |= 1;
    link->state = REDIS_LINK_WAITING;
    deadline_join_in(&link->deadlines, &link->alarm, 0);
}

void redis_link_close(struct redis_link *link)
{
    bool was_up = redis_link_is_up(link);

    if (link->state == REDIS_LINK_CLOSED)
        return;
    close_socket(link);
    link->state = REDIS_LINK_CLOSED;
    deadline_class_close(&link->deadlines);
    turn_cancel(&link->alarm_turn);
    if (link->resolving)
        uv_cancel(
            (uv_req_t *)&link
                ->resolver); /* when it is at work already, its callback comes when it is done */
    if (was_up)
        link->owner->on_down(link);
}

bool redis_link_is_closed(const struct redis_link *link)
{
    return link->state == REDIS_LINK_CLOSED && !link->sockets_open && !link->resolving &&
           !list_is_linked(&link->resolved_turn.link);
}

void redis_link_drop(struct redis_link *link, enum redis_fault fault, const char *reason)
{
    bool was_up = redis_link_is_up(link);

    if (link->state == REDIS_LINK_CLOSED || link->state == REDIS_LINK_WAITING)
        return;
    redis_link_tell_fault(link, fault, reason);
    close_socket(link);
    if (was_up && loop_now_ms(link->loop) - link->up_ms >= STABLE_MS)
        link->attempts = 0;
    wait_for_next(link);
    if (was_up)
        link->owner->on_down(link);
}

void redis_link_send(struct redis_link *link, const char *wire, size_t size)
{
    assert(link->socket);
    redis_socket_send(link->socket, wire, size);
}

void redis_link_ask(struct redis_link *link, const struct span *args, size_t count)
{
    size_t size = 0;
    char *wire = redis_wire(args, count, &size);

    redis_link_send(link, wire, size);
    must_free(wire);
    if (link->state == REDIS_LINK_GREETING)
        link->greeting_sent++;
}

void redis_link_alarm_in(struct redis_link *link, uint64_t after_ms)
{
    deadline_join_in(&link->deadlines, &link->alarm, after_ms);
}

static void run_alarm(struct turn *turn)
{
    struct redis_link *link = container_of(turn, struct redis_link, alarm_turn);

    if (!link->alarm.passed) /* it moved after the turn was posted */
        return;
    link->alarm.passed = false;
    if (link->state == REDIS_LINK_WAITING) {
        attempt(link);
        return;
    }
    if (link->socket)
        redis_socket_read(link->socket); /* a held-up loop is not a late server */
    if (redis_link_is_up(link)) {
        link->owner->on_alarm(link);
        return;
    }
    redis_link_drop(link,
                    link->state == REDIS_LINK_RESOLVING ? REDIS_FAULT_RESOLVE : REDIS_FAULT_LATE,
                    "no link within the time allowed for connecting");
}

static void attempt(struct redis_link *link)
{
    const struct redis_settings *settings = link->settings;

    deadline_join(&link->deadlines, &link->alarm);
    link->address_count = link->address_next = 0;
    if (settings->path
            ? redis_address_of_path(settings->path, &link->addresses[0])
            : redis_address_of_literal(settings->host, settings->port, &link->addresses[0]))
        link->address_count = 1;
    if (settings->path || link->address_count) {
        link->state = REDIS_LINK_CONNECTING;
        connect_next(link);
    } else {
        link->state = REDIS_LINK_RESOLVING;
        ask_addresses(link);
    }
}

static void ask_addresses(struct redis_link *link)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[16];

    if (link->resolving) /* the one of an earlier attempt: a dead name server must not fill libuv's threads */
        return;
    snprintf(port, sizeof(port), "%d", link->settings->port);
    link->resolver.data = link;
    link->resolve_status = uv_getaddrinfo(loop_uv(link->loop), &link->resolver, on_resolved,
                                          link->settings->host, port, &hints);
    if (link->resolve_status)
        loop_post(link->loop, &link->resolved_turn);
    else
        link->resolving = true;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct redis_link *link = request->data;

    link->resolving = false;
    link->resolve_status = status;
    link->address_count = redis_addresses_of(list, link->addresses);
    uv_freeaddrinfo(list);
    if (link->state == REDIS_LINK_RESOLVING)
        loop_post(link->loop, &link->resolved_turn);
}

static void run_resolved(struct turn *turn)
{
    struct redis_link *link = container_of(turn, struct redis_link, resolved_turn);

    if (link->state != REDIS_LINK_RESOLVING || link->resolving)
        return;
    if (link->resolve_status || !link->address_count) {
        redis_link_drop(link, REDIS_FAULT_RESOLVE,
                        link->resolve_status ? uv_strerror(link->resolve_status)
                                             : "the name has no address");
        return;
    }
    link->state = REDIS_LINK_CONNECTING;
    connect_next(link);
}

static void connect_next(struct redis_link *link)
{
    char reason[REDIS_REASON_SIZE] = "the path of the socket is empty or too long";

    while (link->address_next < link->address_count) {
        const struct redis_address *address = &link->addresses[link->address_next++];
        link->socket =
            redis_socket_open(link->loop, address, link->tls, &socket_events, link, reason);
        if (link->socket) {
            link->sockets_open++;
            return;
        }
    }
    redis_link_drop(link, REDIS_FAULT_CONNECT, reason);
}

static void on_connected(void *context)
{
    struct redis_link *link = context;

    link->state = REDIS_LINK_GREETING;
    link->greeting_sent = link->greeting_got = 0;
    send_greeting(link);
    link->greeting_own = link->greeting_sent;
    link->owner->greet(link);
}

static void send_greeting(struct redis_link *link)
{
    const struct redis_settings *settings = link->settings;
    char number[16];

    if (settings->password) {
        struct span auth[] = {SPAN("AUTH"), span_of(settings->user),
                              secret_reveal(settings->password)};
        if (!settings->user)
            auth[1] = auth[2];
        redis_link_ask(link, auth, settings->user ? 3 : 2);
    }
    redis_link_ask(link, &SPAN("PING"), 1); /* tells LOADING, MASTERDOWN and NOAUTH */
    if (settings->database) {
        snprintf(number, sizeof(number), "%d", settings->database);
        redis_link_ask(link, (const struct span[]){SPAN("SELECT"), span_of(number)}, 2);
    }
}

static void on_reply(void *context, redisReply *reply)
{
    struct redis_link *link = context;

    if (reply->type == REDIS_REPLY_PUSH) {
        if (link->owner->on_push)
            link->owner->on_push(link, reply);
    } else if (link->state == REDIS_LINK_GREETING) {
        got_greeting(link, reply);
    } else {
        link->owner->on_reply(link, reply);
    }
}

static void got_greeting(struct redis_link *link, redisReply *reply)
{
    unsigned step = link->greeting_got++;

    if (reply->type == REDIS_REPLY_ERROR) {
        greeting_refused(link, link->settings->password && step == 0, reply);
        return;
    }
    if (step >= link->greeting_own &&
        !link->owner->got_greeting(link, step - link->greeting_own, reply)) {
        redis_link_drop(link, REDIS_FAULT_PROTOCOL, "an answer to the greeting was not understood");
        return;
    }
    if (link->greeting_got < link->greeting_sent)
        return;
    link->state = REDIS_LINK_UP;
    link->up_ms = loop_now_ms(link->loop);
    deadline_leave(&link->alarm);
    redis_link_tell_up(link);
    link->owner->on_up(link);
}

/* Servers that do not know AUTH repeat its arguments in the error: of that reply only the code is told. */
static void greeting_refused(struct redis_link *link, bool login, const redisReply *reply)
{
    struct span code = redis_error_code(reply), told = {reply->str, reply->len};
    enum redis_fault fault = REDIS_FAULT_REFUSED;
    char reason[REDIS_REASON_SIZE];

    if (login || span_equal(code, SPAN("NOAUTH")) || span_equal(code, SPAN("NOPERM")) ||
        span_equal(code, SPAN("WRONGPASS")))
        fault = REDIS_FAULT_LOGIN;
    else if (redis_error_is_refusal(code))
        fault = REDIS_FAULT_NOT_READY;
    if (login)
        told = span_first(code, 16);
    snprintf(reason, sizeof(reason), "%s: %.*s", login ? "AUTH was refused" : "Redis answered",
             SPAN_PRINT(span_first(told, 160)));
    redis_link_drop(link, fault, reason);
}

static void on_broken(void *context, enum redis_fault fault, const char *reason)
{
    struct redis_link *link = context;

    if (link->state == REDIS_LINK_CONNECTING && link->address_next < link->address_count) {
        close_socket(link);
        connect_next(link);
    } else {
        redis_link_drop(link, fault, reason);
    }
}

static void on_gone(void *context)
{
    struct redis_link *link = context;

    link->sockets_open--;
}

static void close_socket(struct redis_link *link)
{
    struct redis_socket *socket = link->socket;

    link->socket = NULL;
    if (socket)
        redis_socket_close(socket);
}

static void wait_for_next(struct redis_link *link)
{
    uint64_t wait_ms = (uint64_t)BACKOFF_FIRST_MS << link->attempts;

    if (wait_ms > BACKOFF_LAST_MS)
        wait_ms = BACKOFF_LAST_MS;
    if (link->attempts < BACKOFF_DOUBLINGS)
        link->attempts++;
    link->state = REDIS_LINK_WAITING;
    deadline_join_in(&link->deadlines, &link->alarm,
                     wait_ms / 2 + random_below(link, wait_ms / 2 + 1));
}

static uint64_t random_below(struct redis_link *link, uint64_t limit)
{
    link->random ^= link->random << 13;
    link->random ^= link->random >> 7;
    link->random ^= link->random << 17;
    return link->random % limit;
}

#include "io/curl_engine.h"

#include "base/alloc.h"
#include "io/curl/watch.h"
#include "io/uv_loop.h"

#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

struct curl_engine {
    CURLM *multi; /* NULL once closed */
    struct loop *loop;
    struct curl_watches watches;
    uv_timer_t timer;
    bool timer_is_open;
    uint64_t due_ms;   /* when libcurl wants to run; UINT64_MAX: no need */
    uint64_t armed_ms; /* when the timer rings: never later than due_ms; UINT64_MAX: not set */
    struct turn kick;  /* posted when libcurl wants to run now */
    struct turn give_up;
    struct list unwatchable; /* transfers whose socket cannot be polled */
    bool pumping, kicking;
    int handed_over; /* a socket that libcurl believes to close; -1: none */
    size_t sockets;
};

static void on_kick(struct turn *turn);
static void on_give_up(struct turn *turn);
static void on_ready(struct curl_watches *watches, int fd, int curl_events);
static void on_timer(uv_timer_t *timer);
static void on_timer_closed(uv_handle_t *handle);
static void pump(struct curl_engine *engine, curl_socket_t fd, int events);
static void collect_ended(struct curl_engine *engine);
static void transfer_ended(struct curl_transfer *transfer, CURLcode code);
static int on_timeout_wish(CURLM *multi, long timeout_ms, void *context);
static void arm_timer(struct curl_engine *engine);
static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *context, void *unused);
static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address);
static int on_close_socket(void *context, curl_socket_t fd);
static void multi_must(CURLMcode code);

struct curl_engine *curl_engine_open(struct loop *loop)
{
    struct curl_engine *engine = must_alloc(sizeof(*engine));

    curl_must(curl_global_init(CURL_GLOBAL_DEFAULT));
    engine->loop = loop;
    engine->multi = curl_multi_init();
    assert(engine->multi);
    curl_watches_init(&engine->watches, loop, on_ready);
    uv_timer_init(loop_uv(loop), &engine->timer);
    engine->timer_is_open = true;
    engine->due_ms = engine->armed_ms = UINT64_MAX;
    engine->handed_over = -1;
    turn_init(&engine->kick, on_kick);
    turn_init(&engine->give_up, on_give_up);
    list_init(&engine->unwatchable);
    multi_must(curl_multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish));
    multi_must(curl_multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine));
    multi_must(curl_multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wish));
    multi_must(curl_multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine));
    multi_must(curl_multi_setopt(engine->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING));
    return engine;
}

/* Closing the multi closes its connections, and those drop their watches, so these go last. */
void curl_engine_close(struct curl_engine *engine)
{
    assert(engine->multi && !engine->pumping);
    engine->pumping = true;
    multi_must(curl_multi_cleanup(engine->multi));
    engine->pumping = false;
    engine->multi = NULL;
    turn_cancel(&engine->kick);
    turn_cancel(&engine->give_up);
    curl_watches_close(&engine->watches);
    uv_close((uv_handle_t *)&engine->timer, on_timer_closed);
}

bool curl_engine_is_closed(const struct curl_engine *engine)
{
    return !engine->multi && !engine->timer_is_open && curl_watches_are_closed(&engine->watches);
}

void curl_engine_free(struct curl_engine *engine)
{
    assert(curl_engine_is_closed(engine) && list_is_empty(&engine->unwatchable));
    must_free(engine);
    curl_global_cleanup();
}

size_t curl_engine_sockets(const struct curl_engine *engine)
{
    return engine->sockets;
}

void curl_engine_add(struct curl_engine *engine, struct curl_transfer *transfer)
{
    assert(
        !engine
             ->pumping); /* libcurl refuses this inside its callbacks (CURLM_RECURSIVE_API_CALL) */
    assert(!transfer->engine);
    transfer->engine = engine;
    list_init(&transfer->link);
    CURL_SET(transfer->easy, CURLOPT_CONNECT_ONLY, 1L);
    CURL_SET(transfer->easy, CURLOPT_PRIVATE, (void *)transfer);
    CURL_SET(transfer->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    CURL_SET(transfer->easy, CURLOPT_OPENSOCKETDATA, (void *)engine);
    CURL_SET(transfer->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    CURL_SET(transfer->easy, CURLOPT_CLOSESOCKETDATA, (void *)engine);
    multi_must(curl_multi_add_handle(engine->multi, transfer->easy));
}

void curl_engine_remove(struct curl_transfer *transfer)
{
    struct curl_engine *engine = transfer->engine;

    if (!engine)
        return;
    assert(!engine->pumping);
    engine->pumping = true; /* socket and timer callbacks run in here */
    multi_must(curl_multi_remove_handle(engine->multi, transfer->easy));
    engine->pumping = false;
    list_remove(&transfer->link);
    transfer->engine = NULL;
}

void curl_must(CURLcode code)
{
    assert(code == CURLE_OK);
}

static void on_kick(struct turn *turn)
{
    struct curl_engine *engine = container_of(turn, struct curl_engine, kick);

    engine->kicking = true;
    pump(engine, CURL_SOCKET_TIMEOUT, 0);
    engine->kicking = false;
}

static void on_give_up(struct turn *turn)
{
    struct curl_engine *engine = container_of(turn, struct curl_engine, give_up);
    struct list *node;

    while ((node = list_first(&engine->unwatchable)))
        transfer_ended(container_of(node, struct curl_transfer, link), CURLE_RECV_ERROR);
}

static void on_ready(struct curl_watches *watches, int fd, int curl_events)
{
    pump(container_of(watches, struct curl_engine, watches), fd, curl_events);
}

static void on_timer(uv_timer_t *timer)
{
    struct curl_engine *engine = container_of(timer, struct curl_engine, timer);

    engine->armed_ms = UINT64_MAX;
    if (engine->due_ms <= loop_now_ms(engine->loop))
        loop_post(engine->loop, &engine->kick);
    else
        arm_timer(engine);
}

static void on_timer_closed(uv_handle_t *handle)
{
    container_of(handle, struct curl_engine, timer)->timer_is_open = false;
}

/* The only way into libcurl's engine. */
static void pump(struct curl_engine *engine, curl_socket_t fd, int events)
{
    int running;

    assert(!engine->pumping);
    engine->pumping = true;
    multi_must(curl_multi_socket_action(engine->multi, fd, events, &running));
    engine->pumping = false;
    collect_ended(engine);
}

/* Until empty, whatever `running` says: it does not tell which one ended. */
static void collect_ended(struct curl_engine *engine)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(engine->multi, &left))) {
        CURLcode code = message->data.result; /* the message goes with remove_handle */
        char *context = NULL;

        assert(message->msg == CURLMSG_DONE);
        curl_must(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &context));
        transfer_ended((struct curl_transfer *)(void *)context, code);
    }
}

/* A connection that was made is taken away from libcurl while it closes it. */
static void transfer_ended(struct curl_transfer *transfer, CURLcode code)
{
    struct curl_engine *engine = transfer->engine;
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (code == CURLE_OK)
        curl_must(curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd));
    if (fd != CURL_SOCKET_BAD)
        transfer->on_connected(transfer, fd);
    engine->handed_over = fd;
    curl_engine_remove(transfer);
    assert(engine->handed_over == -1 || code != CURLE_OK);
    engine->handed_over = -1;
    if (code == CURLE_OK && fd == CURL_SOCKET_BAD) /* it died at once */
        code = CURLE_COULDNT_CONNECT;
    transfer->on_end(transfer, code, fd);
}

/* "Now" is a turn, so that what was started in this tick leaves in this tick; libcurl must not be
 * called from here. A pump that was such a turn itself waits for the next poll: a fast transfer
 * must not starve the other sockets. */
static int on_timeout_wish(CURLM *multi, long timeout_ms, void *context)
{
    struct curl_engine *engine = context;

    (void)multi;
    if (timeout_ms < 0) {
        engine->due_ms = UINT64_MAX;
    } else if (timeout_ms == 0 && !engine->kicking) {
        engine->due_ms = loop_now_ms(engine->loop);
        loop_post(engine->loop, &engine->kick);
    } else {
        engine->due_ms = loop_now_ms(engine->loop) + (uint64_t)timeout_ms;
        arm_timer(engine);
    }
    return 0;
}

/* Moves the timer only to an earlier time; a timer that rings too early is set again then. */
static void arm_timer(struct curl_engine *engine)
{
    uint64_t now_ms = loop_now_ms(engine->loop);

    if (engine->due_ms >= engine->armed_ms)
        return;
    engine->armed_ms = engine->due_ms;
    uv_timer_start(&engine->timer, on_timer, engine->due_ms > now_ms ? engine->due_ms - now_ms : 0,
                   0);
}

/* May be called with a handle of libcurl's own, which has no transfer. Returning -1 would kill the
 * whole multi. */
static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct curl_engine *engine = context;
    char *found = NULL;
    struct curl_transfer *transfer;

    (void)unused;
    if (curl_watches_want(&engine->watches, fd, what))
        return 0;
    curl_must(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &found));
    transfer = (struct curl_transfer *)(void *)found;
    if (transfer && transfer->engine && !list_is_linked(&transfer->link)) {
        list_append(&engine->unwatchable, &transfer->link);
        loop_post(engine->loop, &engine->give_up);
    }
    return 0;
}

/* As libcurl would do it, but closed on exec: a child of ours must not hold connections. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct curl_engine *engine = context;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    curl_watches_drop(&engine->watches, fd); /* the number was closed without telling us */
    engine->sockets++;
    return fd;
}

static int on_close_socket(void *context, curl_socket_t fd)
{
    struct curl_engine *engine = context;

    curl_watches_drop(&engine->watches, fd);
    engine->sockets--;
    if (fd != engine->handed_over)
        return close(fd);
    engine->handed_over = -1;
    return 0;
}

static void multi_must(CURLMcode code)
{
    assert(code == CURLM_OK);
}

#include "io/server/listener.h"

#include "base/alloc.h"
#include "io/address.h"
#include "io/server/front.h"
#include "io/uv_loop.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ACCEPTS_PER_TURN = 64, ACCEPTS_AT_END = 4096 };

struct listener {
    struct list link; /* owner: server->listeners */
    struct server *server;
    struct turn turn;
    struct deadline pause;
    struct address address;
    uv_poll_t watch;
    int fd;
    struct stat file; /* of a unix socket: what we made */
    bool watching, closing;
};

static void listener_close(struct listener *l);
static void on_readable(uv_poll_t *watch, int status, int events);
static void on_closed(uv_handle_t *handle);
static void listener_turn(struct turn *turn);
static void accept_some(struct listener *l, int most);
static bool accept_one(struct listener *l);
static void listener_watch(struct listener *l, bool wanted);
static void remove_file(const struct listener *l);

struct listener *listener_open(struct server *server, const char *address, char ret_bound[128],
                               char ret_error[160])
{
    struct address wanted;
    struct listener *l;
    int fd;

    if (!address_parse(address, &wanted, ret_error) ||
        (fd = address_listen(&wanted, ret_error)) < 0)
        return NULL;
    l = must_alloc(sizeof(*l));
    l->server = server;
    l->fd = fd;
    l->address = wanted;
    if (address_is_file(&wanted))
        lstat(wanted.socket.file.sun_path, &l->file);
    else
        getsockname(fd, &l->address.socket.any, &l->address.size);
    address_text(&l->address, ret_bound);
    turn_init(&l->turn, listener_turn);
    deadline_init(&l->pause, &l->turn);
    if (uv_poll_init(loop_uv(server->loop), &l->watch, fd)) {
        snprintf(ret_error, 160, "cannot watch %.70s; is the descriptor limit (ulimit -n) too low?",
                 ret_bound);
        remove_file(l);
        close(fd);
        must_free(l);
        return NULL;
    }
    l->watch.data = l;
    list_append(&server->listeners, &l->link);
    listener_watch(l, true);
    return l;
}

void listeners_close(struct list *listeners)
{
    LIST_EACH (node, listeners)
        listener_close(container_of(node, struct listener, link));
}

/* Who has connected before the end is served: closing the socket would reset them. */
static void listener_close(struct listener *l)
{
    if (l->closing)
        return;
    accept_some(l, ACCEPTS_AT_END);
    l->closing = true;
    deadline_leave(&l->pause);
    turn_cancel(&l->turn);
    remove_file(l);
    uv_close((uv_handle_t *)&l->watch, on_closed);
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    close(l->fd);
    list_remove(&l->link);
    must_free(l);
}

static void on_readable(uv_poll_t *watch, int status, int events)
{
    struct listener *l = watch->data;

    (void)events;
    if (status < 0)
        l->watching = false; /* uv has stopped by itself */
    loop_post(l->server->loop, &l->turn);
}

static void listener_turn(struct turn *turn)
{
    struct listener *l = container_of(turn, struct listener, turn);

    if (l->closing || deadline_is_set(&l->pause))
        return;
    listener_watch(l, true);
    accept_some(l, ACCEPTS_PER_TURN);
}

/* No descriptor or no room: they wait in the kernel's queue and we do not spin on them. */
static void accept_some(struct listener *l, int most)
{
    for (int i = 0; i < most; i++) {
        errno = 0;
        if (server_has_room(l->server) && accept_one(l))
            continue;
        if (errno == EAGAIN)
            return;
        listener_watch(l, false);
        deadline_join(&l->server->pause_class, &l->pause);
        return;
    }
}

/* False with errno EAGAIN when nobody waits, with another errno when accepting cannot go on. */
static bool accept_one(struct listener *l)
{
    struct address peer;
    bool over_unix = address_is_file(&l->address);
    int fd;

    peer.size = sizeof(peer.socket);
    fd = accept4(l->fd, &peer.socket.any, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return errno == ECONNABORTED || errno == EPROTO || errno == EINTR; /* that one left again */
    server_adopt(l->server, fd, over_unix || address_is_loopback(&peer), over_unix);
    return true;
}

static void listener_watch(struct listener *l, bool wanted)
{
    if (wanted == l->watching)
        return;
    l->watching = wanted;
    if (wanted)
        uv_poll_start(&l->watch, UV_READABLE, on_readable);
    else
        uv_poll_stop(&l->watch);
}

/* Only our own: a successor may have put its socket there. */
static void remove_file(const struct listener *l)
{
    const char *path = l->address.socket.file.sun_path;
    struct stat now;

    if (address_is_file(&l->address) && !lstat(path, &now) && now.st_ino == l->file.st_ino &&
        now.st_dev == l->file.st_dev)
        unlink(path);
}

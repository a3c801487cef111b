#include "io/curl/watch.h"

#include "base/alloc.h"
#include "io/uv_loop.h"

#include <assert.h>
#include <curl/curl.h>

struct curl_watch {
    uv_poll_t poll;
    struct curl_watches *watches; /* borrowed: ends after its last watch */
    int fd;
    int armed; /* uv events the kernel was told */
};

static struct curl_watch *watch_open(struct curl_watches *watches, int fd);
static void make_room(struct curl_watches *watches, int fd);
static void watch_arm(struct curl_watch *watch, int events);
static void on_poll(uv_poll_t *poll, int status, int events);
static void on_closed(uv_handle_t *handle);

void curl_watches_init(struct curl_watches *watches, struct loop *loop,
                       void (*on_ready)(struct curl_watches *watches, int fd, int curl_events))
{
    *watches = (struct curl_watches){.loop = loop, .on_ready = on_ready};
}

bool curl_watches_want(struct curl_watches *watches, int fd, int curl_poll)
{
    struct curl_watch *watch = (size_t)fd < watches->size ? watches->by_fd[fd] : NULL;
    int wanted = (curl_poll == CURL_POLL_IN || curl_poll == CURL_POLL_INOUT ? UV_READABLE : 0) |
                 (curl_poll == CURL_POLL_OUT || curl_poll == CURL_POLL_INOUT ? UV_WRITABLE : 0);

    if (!wanted) {
        curl_watches_drop(watches, fd);
        return true;
    }
    if (!watch && !(watch = watch_open(watches, fd)))
        return false;
    if (wanted != watch->armed)
        watch_arm(watch, wanted);
    return watch->armed == wanted;
}

void curl_watches_drop(struct curl_watches *watches, int fd)
{
    struct curl_watch *watch = (size_t)fd < watches->size ? watches->by_fd[fd] : NULL;

    if (!watch)
        return;
    watches->by_fd[fd] = NULL;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

void curl_watches_close(struct curl_watches *watches)
{
    for (size_t fd = 0; fd < watches->size; fd++)
        curl_watches_drop(watches, (int)fd);
    must_free(watches->by_fd);
    watches->by_fd = NULL;
    watches->size = 0;
}

bool curl_watches_are_closed(const struct curl_watches *watches)
{
    return !watches->by_fd && watches->open_handles == 0;
}

static struct curl_watch *watch_open(struct curl_watches *watches, int fd)
{
    struct curl_watch *watch = must_alloc(sizeof(*watch));

    if (uv_poll_init(loop_uv(watches->loop), &watch->poll, fd)) {
        must_free(watch);
        return NULL;
    }
    make_room(watches, fd);
    watch->watches = watches;
    watch->fd = fd;
    watches->by_fd[fd] = watch;
    watches->open_handles++;
    return watch;
}

static void make_room(struct curl_watches *watches, int fd)
{
    size_t size = watches->size ? watches->size : 64;

    while (size <= (size_t)fd)
        size *= 2;
    if (size == watches->size)
        return;
    watches->by_fd = must_resize(watches->by_fd, size * sizeof(*watches->by_fd));
    memset(watches->by_fd + watches->size, 0, (size - watches->size) * sizeof(*watches->by_fd));
    watches->size = size;
}

static void watch_arm(struct curl_watch *watch, int events)
{
    watch->armed = uv_poll_start(&watch->poll, events, on_poll) ? 0 : events;
}

/* A negative status means that libuv has stopped polling by itself; the next want restarts it. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct curl_watch *watch = container_of(poll, struct curl_watch, poll);
    int curl_events = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                      (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    if (status < 0) {
        watch->armed = 0;
        curl_events = CURL_CSELECT_ERR;
    }
    watch->watches->on_ready(watch->watches, watch->fd, curl_events);
}

static void on_closed(uv_handle_t *handle)
{
    struct curl_watch *watch = container_of(handle, struct curl_watch, poll);

    watch->watches->open_handles--;
    must_free(watch);
}

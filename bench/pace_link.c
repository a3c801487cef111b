/*
 * One connection, kept alive. What it reads is counted here and told to the job when the read is
 * over, so that no callback of the parser acts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <netinet/tcp.h>

#include "pace.h"

enum { READ_BYTES = 65536 };

static const char mark[] = "data:";

static bool send_rest(struct link *link);
static bool read_all(struct link *link, bool to_the_end);
static void lose(struct link *link);
static void tell(struct link *link, uint64_t now);
static int on_body(llhttp_t *parser, const char *at, size_t length);
static int on_complete(llhttp_t *parser);

void links_new(struct pace *pace)
{
    llhttp_settings_init(&pace->callbacks);
    pace->callbacks.on_body = on_body;
    pace->callbacks.on_message_complete = on_complete;
    pace->links = pace_alloc(pace->order->links * sizeof *pace->links);
    for (unsigned i = 0; i < pace->order->links; i++)
        pace->links[i] = (struct link){.pace = pace, .fd = -1, .number = i};
}

void links_free(struct pace *pace)
{
    for (unsigned i = 0; i < pace->order->links; i++)
        link_close(&pace->links[i]);
    free(pace->links);
}

void link_open(struct link *link)
{
    const struct sockaddr_in *to = &link->pace->order->to;
    int one = 1;
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        pace_die("no socket: is the limit of open files high enough?");
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    link->open = link->busy = link->answered = false;
    llhttp_init(&link->parser, HTTP_RESPONSE, &link->pace->callbacks);
    link->parser.data = link;
    if (connect(link->fd, (const struct sockaddr *)to, sizeof *to) && errno != EINPROGRESS)
        pace_die("cannot connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = link};
    if (epoll_ctl(link->pace->epoll, EPOLL_CTL_ADD, link->fd, &event))
        pace_die("cannot watch a socket");
}

void link_close(struct link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    link->open = link->busy = false;
}

void link_ask(struct link *link, uint64_t due)
{
    struct pace *pace = link->pace;
    link->head = &pace->order->heads[pace->next_head++ % pace->order->head_count];
    link->due = due;
    link->sent = 0;
    link->busy = true;
    link->last_chunk = 0;
    link->matched = 0;
    send_rest(link); /* an error shows at the next read */
}

void link_turn(struct link *link, uint32_t ready)
{
    if (link->fd < 0)
        return;
    if (!link->open && (ready & EPOLLOUT) && !(ready & (EPOLLERR | EPOLLHUP))) {
        link->open = true;
        link->pace->job->on_open(link->pace, link);
    }
    bool alive = !(ready & EPOLLERR);
    if (alive && (ready & EPOLLOUT) && link->busy)
        alive = send_rest(link);
    if (alive && (ready & (EPOLLIN | EPOLLRDHUP)))
        alive = read_all(link, ready & EPOLLRDHUP);
    if (!alive || (ready & EPOLLHUP))
        lose(link);
}

static bool send_rest(struct link *link)
{
    const struct text *head = link->head, *body = &link->pace->order->body;
    size_t whole = head->length + body->length;
    while (link->sent < whole) {
        size_t of_head = link->sent < head->length ? link->sent : head->length;
        size_t of_body = link->sent - of_head;
        struct iovec parts[] = {{head->bytes + of_head, head->length - of_head},
                                {body->bytes + of_body, body->length - of_body}};
        ssize_t sent = writev(link->fd, parts, 2);
        if (sent < 0)
            return errno == EAGAIN;
        link->sent += (size_t)sent;
    }
    return true;
}

/* False: the link is of no use any more. */
static bool read_all(struct link *link, bool to_the_end)
{
    static char bytes[READ_BYTES]; /* one thread, one read at a time */
    for (;;) {
        ssize_t got = read(link->fd, bytes, sizeof bytes);
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        uint64_t now = pace_now();
        link->chunks = 0;
        if (llhttp_execute(&link->parser, bytes, (size_t)got) != HPE_OK)
            return false;
        tell(link, now);
        if (link->fd < 0 || (!to_the_end && (size_t)got < sizeof bytes))
            return true;
    }
}

static void tell(struct link *link, uint64_t now)
{
    struct pace *pace = link->pace;
    if (link->chunks)
        pace->job->on_read(pace, link, now);
    if (!link->answered)
        return;
    link->answered = link->busy = false;
    pace->job->on_answer(pace, link, now);
}

static void lose(struct link *link)
{
    bool was_there = link->fd >= 0;
    int fd = link->fd;
    link->fd = -1;
    link->open = false;
    if (was_there) {
        close(fd);
        link->pace->job->on_lost(link->pace, link);
    }
}

/* Counts the lines that begin with "data:"; a line may come in several parts. */
static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct link *link = parser->data;
    const char *end = at + length;
    while (at < end) {
        if (link->matched == sizeof mark) { /* the rest of a line */
            const char *line_end = memchr(at, '\n', (size_t)(end - at));
            if (!line_end)
                return 0;
            at = line_end + 1;
            link->matched = 0;
        } else if (*at == '\n') {
            link->matched = 0;
            at++;
        } else {
            link->matched = *at++ == mark[link->matched] ? link->matched + 1 : sizeof mark;
            if (link->matched == sizeof mark - 1) {
                link->chunks++;
                link->matched = sizeof mark;
            }
        }
    }
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    ((struct link *)parser->data)->answered = true;
    return 0;
}

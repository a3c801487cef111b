/* curl/watch.h: the sockets libcurl wants to be told about while it connects, one poll handle for each descriptor.
 *
 * A watch ends when libcurl has no more interest, or in curl_watches_drop, which is called while libcurl closes the
 * descriptor and before the number can mean anything else: nothing here ever outlives its descriptor, or is left when
 * somebody else takes it over.
 *
 * Owns      the poll handles.
 * Runs on   the loop; on_ready is called from inside libuv.
 * Fails     curl_watches_want: false when the descriptor cannot be polled (somebody else watches
 *           it, or it is closed).
 * Ends      curl_watches_close drops what is left; curl_watches_are_closed once the last close
 *           callback has run.
 */
#ifndef KEYTURN_IO_CURL_WATCH_H
#define KEYTURN_IO_CURL_WATCH_H

#include "io/loop.h"

struct curl_watch;

struct curl_watches {
    struct loop *loop; /* borrowed */
    struct curl_watch **by_fd;
    size_t size;         /* of by_fd */
    size_t open_handles; /* close callbacks still due */
    void (*on_ready)(struct curl_watches *watches, int fd, int curl_events);
};

void curl_watches_init(struct curl_watches *watches, struct loop *loop,
                       void (*on_ready)(struct curl_watches *watches, int fd, int curl_events));
bool curl_watches_want(struct curl_watches *watches, int fd, int curl_poll); /* CURL_POLL_* */
void curl_watches_drop(struct curl_watches *watches, int fd); /* safe on one that is not watched */
void curl_watches_close(struct curl_watches *watches);
bool curl_watches_are_closed(const struct curl_watches *watches);

#endif

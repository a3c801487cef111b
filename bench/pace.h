/*
 * pace: the load wrk cannot make. Requests that arrive at a constant rate whatever becomes of the
 * answers (pace_rate.c), and many event streams at once (pace_streams.c).
 *
 * Owns     a pace owns its links, its epoll and its timer; a job owns what it counts.
 * Units    times are nanoseconds of the monotonic clock.
 * Runs on  one thread: links and the timer are looked at in turn, and callbacks of a job may ask
 *          again on their link.
 * Fails    a link that is lost is told to the job; what cannot be set up ends the process with 1.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

struct text {
    char *bytes;
    size_t length;
};

struct order {
    struct sockaddr_in to;
    struct text *heads; /* one for each identity, whole; the content-length counts body */
    size_t head_count;
    struct text body;
    unsigned links;
    double seconds;
    double rate;        /* requests a second */
    double open_rate;   /* streams opened a second */
    double gap_ms;      /* the upstream's pause between two chunks */
    double open_within; /* seconds until all streams must run */
};

struct link {
    struct pace *pace;
    int fd; /* -1: none */
    unsigned number;
    bool open; /* connected */
    bool busy; /* asked, not answered */
    bool answered;
    const struct text *head;
    size_t sent; /* of head and body together */
    uint64_t due;
    uint64_t last_chunk; /* 0: none yet */
    unsigned matched;    /* of "data:", in this line; past its end: not such a line */
    unsigned chunks;     /* in this read */
    llhttp_t parser;
};

struct job {
    const char *name;
    uint64_t (*start)(struct pace *pace);                  /* when to look at the time first */
    uint64_t (*on_time)(struct pace *pace, uint64_t now);  /* and when next; 0: it is over */
    void (*on_open)(struct pace *pace, struct link *link); /* may ask */
    void (*on_read)(struct pace *pace, struct link *link, uint64_t now); /* chunks came */
    void (*on_answer)(struct pace *pace, struct link *link, uint64_t now);
    void (*on_lost)(struct pace *pace, struct link *link); /* it is closed; may be opened again */
    void (*report)(struct pace *pace);
};

struct pace {
    const struct order *order;
    const struct job *job;
    void *state; /* of the job */
    struct link *links;
    int epoll;
    size_t next_head;
    llhttp_settings_t callbacks;
};

extern const struct job rate_job;
extern const struct job streams_job;

uint64_t pace_now(void);
void *pace_alloc(size_t bytes);
_Noreturn void pace_die(const char *what);

void links_new(struct pace *pace);
void links_free(struct pace *pace);
void link_open(struct link *link);
void link_close(struct link *link);
void link_ask(struct link *link, uint64_t due);
void link_turn(struct link *link, uint32_t ready);

/*
 * Many event streams at once. They are opened one after the other; when each has brought its first
 * chunk a line says so, and the window begins in which chunks are counted. A stream that ends is
 * asked for again.
 *
 * The upstream sends a chunk every order->gap_ms. What a chunk comes later than that after the one
 * before is its lateness; chunks that come in one read after a late one are not late.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pace.h"
#include "pace_samples.h"

enum { HTTP_OK = 200 };

static const uint64_t second_ns = 1000000000;
static const uint64_t tick_ns = 1000000;

struct streams {
    struct samples lateness;
    uint64_t started;
    uint64_t window; /* when it began; 0: streams are being opened */
    unsigned opened;
    unsigned running; /* first chunk seen, not lost */
    uint64_t chunks;  /* in the window */
    uint64_t joined;  /* of these, not the first of their read */
    uint64_t refused;
    uint64_t lost;
};

static uint64_t streams_start(struct pace *pace);
static uint64_t streams_on_time(struct pace *pace, uint64_t now);
static void streams_on_open(struct pace *pace, struct link *link);
static void streams_on_read(struct pace *pace, struct link *link, uint64_t now);
static void streams_on_answer(struct pace *pace, struct link *link, uint64_t now);
static void streams_on_lost(struct pace *pace, struct link *link);
static void streams_report(struct pace *pace);
static uint64_t open_more(struct pace *pace, uint64_t now);

const struct job streams_job = {"streams",       streams_start,   streams_on_time,
                                streams_on_open, streams_on_read, streams_on_answer,
                                streams_on_lost, streams_report};

static uint64_t streams_start(struct pace *pace)
{
    struct streams *streams = pace_alloc(sizeof *streams);
    pace->state = streams;
    streams->started = pace_now();
    return streams->started + 1;
}

static uint64_t streams_on_time(struct pace *pace, uint64_t now)
{
    struct streams *streams = pace->state;
    if (!streams->window)
        return open_more(pace, now);
    uint64_t end = streams->window + (uint64_t)(pace->order->seconds * (double)second_ns);
    return now < end ? end : 0;
}

static uint64_t open_more(struct pace *pace, uint64_t now)
{
    struct streams *streams = pace->state;
    double since = (double)(now - streams->started) / (double)second_ns;
    unsigned all = pace->order->links;
    double wanted = since * pace->order->open_rate + 1;
    while (streams->opened < all && streams->opened < wanted)
        link_open(&pace->links[streams->opened++]);
    if (streams->running < all && since < pace->order->open_within)
        return now + tick_ns;
    printf("{\"event\":\"running\",\"streams\":%u,\"asked\":%u}\n", streams->running, all);
    fflush(stdout);
    streams->window = now;
    return now + 1;
}

static void streams_on_open(struct pace *pace, struct link *link)
{
    (void)pace;
    link_ask(link, 0);
}

static void streams_on_read(struct pace *pace, struct link *link, uint64_t now)
{
    struct streams *streams = pace->state;
    uint64_t gap = (uint64_t)(pace->order->gap_ms * 1e6);
    bool first_ever = !link->due;
    if (first_ever) {
        link->due = now;
        streams->running++;
    }
    if (streams->window) {
        streams->chunks += link->chunks;
        streams->joined += link->chunks - 1;
        if (link->last_chunk)
            samples_add(&streams->lateness,
                        now > link->last_chunk + gap ? now - link->last_chunk - gap : 0);
        for (unsigned i = 1; i < link->chunks; i++)
            samples_add(&streams->lateness, 0);
    }
    link->last_chunk = now;
}

static void streams_on_answer(struct pace *pace, struct link *link, uint64_t now)
{
    struct streams *streams = pace->state;
    if (link->parser.status_code == HTTP_OK) {
        link_ask(link, now);
        return;
    }
    streams->refused++;
    link_close(link);
    if (link->due)
        streams->running--;
}

static void streams_on_lost(struct pace *pace, struct link *link)
{
    struct streams *streams = pace->state;
    streams->lost++;
    if (link->due)
        streams->running--;
}

static void streams_report(struct pace *pace)
{
    struct streams *streams = pace->state;
    double seconds = (double)(pace_now() - streams->window) / (double)second_ns;
    printf("{\"event\":\"over\",\"streams\":%u,\"seconds\":%.3f,\"chunks\":%llu,\"joined\":%llu,"
           "\"refused\":%llu,\"lost\":%llu,",
           streams->running, seconds, (unsigned long long)streams->chunks,
           (unsigned long long)streams->joined, (unsigned long long)streams->refused,
           (unsigned long long)streams->lost);
    samples_print(&streams->lateness);
    printf("}\n");
    samples_done(&streams->lateness);
    free(streams);
}

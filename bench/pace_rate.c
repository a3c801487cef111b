/*
 * Requests at a constant rate. Each is due at a time fixed before the run; its latency counts from
 * then, also while it waits for a link, so a pause of the proxy is felt by every request that fell
 * into it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pace.h"
#include "pace_samples.h"

enum { HTTP_OK = 200 };

static const uint64_t second_ns = 1000000000;
static const uint64_t warm_up_ns = 300000000;   /* not measured */
static const uint64_t patience_ns = 2000000000; /* for links to open, for the last answers */

struct rate {
    struct samples latency;
    struct link **idle;
    unsigned idle_count;
    unsigned open_count;
    uint64_t started;
    uint64_t began; /* the first arrival; 0: links are being opened */
    uint64_t arrivals;
    uint64_t arrived;
    uint64_t asked;
    uint64_t answered;
    uint64_t refused; /* not 200 */
    uint64_t lost;
};

static uint64_t rate_start(struct pace *pace);
static uint64_t rate_on_time(struct pace *pace, uint64_t now);
static void rate_on_open(struct pace *pace, struct link *link);
static void rate_on_read(struct pace *pace, struct link *link, uint64_t now);
static void rate_on_answer(struct pace *pace, struct link *link, uint64_t now);
static void rate_on_lost(struct pace *pace, struct link *link);
static void rate_report(struct pace *pace);
static uint64_t due_at(const struct pace *pace, uint64_t arrival);
static void ask_what_waits(struct pace *pace);
static void measure(struct pace *pace, uint64_t due, uint64_t now);

const struct job rate_job = {"rate",       rate_start,     rate_on_time, rate_on_open,
                             rate_on_read, rate_on_answer, rate_on_lost, rate_report};

static uint64_t rate_start(struct pace *pace)
{
    struct rate *rate = pace_alloc(sizeof *rate);
    pace->state = rate;
    rate->idle = pace_alloc(pace->order->links * sizeof *rate->idle);
    rate->started = pace_now();
    rate->arrivals = (uint64_t)(pace->order->rate * pace->order->seconds);
    for (unsigned i = 0; i < pace->order->links; i++)
        link_open(&pace->links[i]);
    return rate->started + 1;
}

static uint64_t rate_on_time(struct pace *pace, uint64_t now)
{
    struct rate *rate = pace->state;
    if (!rate->began) {
        bool ready = rate->open_count == pace->order->links;
        if (!ready && now < rate->started + patience_ns)
            return now + second_ns / 1000;
        rate->began = now;
    }
    while (rate->arrived < rate->arrivals && due_at(pace, rate->arrived) <= now)
        rate->arrived++;
    ask_what_waits(pace);
    if (rate->arrived < rate->arrivals)
        return due_at(pace, rate->arrived);
    bool over = rate->answered + rate->lost == rate->arrivals;
    bool late = now > due_at(pace, rate->arrivals) + patience_ns;
    return over || late ? 0 : now + second_ns / 1000;
}

static void rate_on_open(struct pace *pace, struct link *link)
{
    struct rate *rate = pace->state;
    rate->idle[rate->idle_count++] = link;
    rate->open_count++;
    ask_what_waits(pace);
}

static void rate_on_read(struct pace *pace, struct link *link, uint64_t now)
{
    (void)pace, (void)link, (void)now;
}

static void rate_on_answer(struct pace *pace, struct link *link, uint64_t now)
{
    struct rate *rate = pace->state;
    rate->answered++;
    rate->refused += link->parser.status_code != HTTP_OK;
    measure(pace, link->due, now);
    rate->idle[rate->idle_count++] = link;
    ask_what_waits(pace);
}

static void rate_on_lost(struct pace *pace, struct link *link)
{
    struct rate *rate = pace->state;
    if (link->busy)
        rate->lost++;
    for (unsigned i = 0; i < rate->idle_count; i++)
        if (rate->idle[i] == link)
            rate->idle[i] = rate->idle[--rate->idle_count];
    link_open(link);
}

static void rate_report(struct pace *pace)
{
    struct rate *rate = pace->state;
    uint64_t now = pace_now();
    for (unsigned i = 0; i < pace->order->links; i++)
        if (pace->links[i].busy)
            measure(pace, pace->links[i].due, now);
    for (uint64_t i = rate->asked; i < rate->arrivals; i++)
        measure(pace, due_at(pace, i), now);
    printf(
        "{\"requests\":%llu,\"measured\":%zu,\"refused\":%llu,\"lost\":%llu,\"unanswered\":%llu,",
        (unsigned long long)rate->arrivals, rate->latency.count, (unsigned long long)rate->refused,
        (unsigned long long)rate->lost,
        (unsigned long long)(rate->arrivals - rate->answered - rate->lost));
    samples_print(&rate->latency);
    printf("}\n");
    samples_done(&rate->latency);
    free(rate->idle);
    free(rate);
}

static uint64_t due_at(const struct pace *pace, uint64_t arrival)
{
    const struct rate *rate = pace->state;
    return rate->began + (uint64_t)((double)arrival * (double)second_ns / pace->order->rate);
}

static void ask_what_waits(struct pace *pace)
{
    struct rate *rate = pace->state;
    while (rate->asked < rate->arrived && rate->idle_count) {
        uint64_t due = due_at(pace, rate->asked++);
        link_ask(rate->idle[--rate->idle_count], due);
    }
}

static void measure(struct pace *pace, uint64_t due, uint64_t now)
{
    struct rate *rate = pace->state;
    if (due >= rate->began + warm_up_ns)
        samples_add(&rate->latency, now > due ? now - due : 0);
}

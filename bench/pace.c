/*
 *     pace rate    --to ADDRESS:PORT --heads FILE --body FILE --links N --seconds S --rate R
 *     pace streams --to ADDRESS:PORT --heads FILE --body FILE --links N --seconds S --gap-ms MS
 *                  [--open-rate R] [--open-within S]
 *
 * --heads  one identity a line: header lines of a request, separated by a tab; they take turns
 * --path   of every request (default /api/v1/chat/completions)
 *
 * Prints JSON, one object a line.
 */
#include "pace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, HEAD_BYTES = 4096 };

struct options {
    const char *to, *path, *heads, *body;
    double links, seconds, rate, open_rate, gap_ms, open_within;
};

struct option {
    const char *name;
    size_t offset;
    bool is_text;
};

#define TEXT(name, field) \
    { \
        name, offsetof(struct options, field), true \
    }
#define NUMBER(name, field) \
    { \
        name, offsetof(struct options, field), false \
    }

static const struct option table[] = {
    TEXT("--to", to),           TEXT("--path", path),
    TEXT("--heads", heads),     TEXT("--body", body),
    NUMBER("--links", links),   NUMBER("--seconds", seconds),
    NUMBER("--rate", rate),     NUMBER("--open-rate", open_rate),
    NUMBER("--gap-ms", gap_ms), NUMBER("--open-within", open_within),
};

static const struct job *const jobs[] = {&rate_job, &streams_job};

static void read_options(struct options *options, int count, char **words);
static void set_option(struct options *options, const char *name, const char *value);
static struct order order_of(const struct options *options);
static struct sockaddr_in address_of(const char *text);
static struct text read_file(const char *path);
static void make_heads(struct order *order, const struct options *options, struct text lines);
static struct text make_head(const struct options *options, char *line, size_t body_bytes);
static void order_done(struct order *order);
static void run(struct pace *pace);
static void wake_at(int timer, uint64_t when);

int main(int count, char **words)
{
    struct options options = {.path = "/api/v1/chat/completions",
                              .links = 1,
                              .seconds = 1,
                              .rate = 1000,
                              .open_rate = 2000,
                              .open_within = 30};
    struct pace pace = {0};
    for (size_t i = 0; count > 1 && i < sizeof jobs / sizeof *jobs; i++)
        if (strcmp(words[1], jobs[i]->name) == 0)
            pace.job = jobs[i];
    if (!pace.job)
        pace_die("say 'rate' or 'streams'");
    read_options(&options, count - 2, words + 2);
    struct order order = order_of(&options);
    pace.order = &order;
    run(&pace);
    order_done(&order);
    return 0;
}

uint64_t pace_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void *pace_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (!memory)
        pace_die("no memory");
    return memory;
}

void pace_die(const char *what)
{
    fprintf(stderr, "pace: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static void read_options(struct options *options, int count, char **words)
{
    for (int i = 0; i < count; i += 2) {
        if (i + 1 == count)
            pace_die("an option without its value");
        set_option(options, words[i], words[i + 1]);
    }
    if (!options->to || !options->heads || !options->body)
        pace_die("--to, --heads and --body are needed");
    if (options->links < 1 || options->seconds <= 0 || options->rate <= 0)
        pace_die("--links, --seconds and --rate must be above 0");
}

static void set_option(struct options *options, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, name) != 0)
            continue;
        char *field = (char *)options + table[i].offset;
        if (table[i].is_text)
            memcpy(field, &value, sizeof value);
        else {
            double number = strtod(value, NULL);
            memcpy(field, &number, sizeof number);
        }
        return;
    }
    fprintf(stderr, "pace: there is no option %s\n", name);
    exit(2);
}

static struct order order_of(const struct options *options)
{
    struct order order = {
        .to = address_of(options->to),
        .body = read_file(options->body),
        .links = (unsigned)options->links,
        .seconds = options->seconds,
        .rate = options->rate,
        .open_rate = options->open_rate,
        .gap_ms = options->gap_ms,
        .open_within = options->open_within,
    };
    struct text lines = read_file(options->heads);
    make_heads(&order, options, lines);
    free(lines.bytes);
    return order;
}

static struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strrchr(text, ':');
    if (colon && (size_t)(colon - text) < sizeof host)
        memcpy(host, text, (size_t)(colon - text));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        pace_die("--to is an IPv4 address and a port");
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return address;
}

static struct text read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        pace_die(path);
    long size = ftell(file);
    rewind(file);
    struct text text = {pace_alloc((size_t)size + 1), (size_t)size};
    if (fread(text.bytes, 1, text.length, file) != text.length)
        pace_die(path);
    fclose(file);
    return text;
}

static void make_heads(struct order *order, const struct options *options, struct text lines)
{
    size_t room = 1;
    for (size_t i = 0; i < lines.length; i++)
        room += lines.bytes[i] == '\n';
    order->heads = pace_alloc(room * sizeof *order->heads);
    char *rest = lines.bytes, *line;
    while ((line = strsep(&rest, "\n")))
        if (*line)
            order->heads[order->head_count++] = make_head(options, line, order->body.length);
    if (!order->head_count)
        pace_die("--heads is empty");
}

static struct text make_head(const struct options *options, char *line, size_t body_bytes)
{
    struct text head = {pace_alloc(HEAD_BYTES), 0};
    int length = snprintf(head.bytes, HEAD_BYTES,
                          "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n",
                          options->path, options->to, body_bytes);
    char *field;
    while ((field = strsep(&line, "\t")) && length < HEAD_BYTES)
        length += snprintf(head.bytes + length, HEAD_BYTES - (size_t)length, "%s\r\n", field);
    if (length > HEAD_BYTES - 3)
        pace_die("a line of --heads is too long");
    memcpy(head.bytes + length, "\r\n", 2);
    head.length = (size_t)length + 2;
    return head;
}

static void order_done(struct order *order)
{
    for (size_t i = 0; i < order->head_count; i++)
        free(order->heads[i].bytes);
    free(order->heads);
    free(order->body.bytes);
}

static void run(struct pace *pace)
{
    struct epoll_event events[EVENTS], clock = {.events = EPOLLIN | EPOLLET};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    pace->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (timer < 0 || pace->epoll < 0 || epoll_ctl(pace->epoll, EPOLL_CTL_ADD, timer, &clock))
        pace_die("no epoll or no timer");
    links_new(pace);
    uint64_t next = pace->job->start(pace), armed = 0;
    while (next) {
        if (armed != next)
            wake_at(timer, armed = next);
        int count = epoll_wait(pace->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr) /* the timer has none: the clock says whether it is time */
                link_turn(events[i].data.ptr, events[i].events);
        uint64_t now = pace_now();
        if (now >= next)
            next = pace->job->on_time(pace, now);
    }
    pace->job->report(pace);
    links_free(pace);
    close(timer);
    close(pace->epoll);
}

static void wake_at(int timer, uint64_t when)
{
    struct itimerspec at = {.it_value = {(time_t)(when / 1000000000), (long)(when % 1000000000)}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL))
        pace_die("the timer cannot be set");
}

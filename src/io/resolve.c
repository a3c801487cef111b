#include "io/resolve.h"

#include "base/alloc.h"
#include "io/deadline.h"
#include "io/uv_loop.h"

#include <assert.h>
#include <stdio.h>

enum { ADDRESSES_MAX = 8, ADDRESS_SIZE = 48 };

/* One getaddrinfo. It belongs to libuv until its callback, whatever happens to the resolver. */
struct lookup {
    uv_getaddrinfo_t request;
    struct resolver *resolver; /* NULL once the resolver is gone */
};

struct resolver {
    struct loop *loop;
    struct log *log;
    struct origin origin;
    struct resolver_settings settings;
    struct turn *changed;  /* borrowed */
    struct lookup *lookup; /* NULL while none is under way */
    struct deadline_class patience;
    struct deadline deadline;
    struct turn impatient;
    bool gave_up; /* the lookup under way took too long: do not wait for it */
    char addresses[ADDRESSES_MAX][ADDRESS_SIZE];
    size_t count, preferred;
    uint64_t answered_ms, asked_ms; /* of the last good answer, of the last start */
    uint64_t generation;
    char connect_to[ADDRESS_SIZE + 16];
};

static bool has_answer(const struct resolver *resolver);
static void start_lookup(struct resolver *resolver);
static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list);
static void take_answer(struct resolver *resolver, const struct addrinfo *list);
static bool address_text(const struct addrinfo *address, char ret_text[ADDRESS_SIZE]);
static void prefer(struct resolver *resolver, size_t index);
static void on_impatient(struct turn *turn);

struct resolver *resolver_open(struct loop *loop, struct log *log, const struct origin *origin,
                               const struct resolver_settings *settings, struct turn *changed)
{
    struct resolver *resolver = must_alloc(sizeof(*resolver));

    resolver->loop = loop;
    resolver->log = log;
    resolver->origin = *origin;
    resolver->settings = *settings;
    resolver->changed = changed;
    turn_init(&resolver->impatient, on_impatient);
    deadline_init(&resolver->deadline, &resolver->impatient);
    deadline_class_open(&resolver->patience, loop, settings->patience_ms);
    if (origin->host_is_v4 || origin->host_is_v6) {
        snprintf(resolver->addresses[0], ADDRESS_SIZE, origin->host_is_v6 ? "[%.45s]" : "%.45s",
                 origin->host);
        resolver->count = 1;
        prefer(resolver, 0);
    }
    return resolver;
}

void resolver_close(struct resolver *resolver)
{
    deadline_class_close(&resolver->patience);
    turn_cancel(&resolver->impatient);
    if (resolver->lookup) {
        resolver->lookup->resolver = NULL;
        uv_cancel(
            (uv_req_t *)&resolver->lookup->request); /* works while no thread has taken it up */
    }
    must_free(resolver);
}

enum resolve_state resolver_ask(struct resolver *resolver)
{
    uint64_t now_ms = loop_now_ms(resolver->loop);
    bool literal = resolver->origin.host_is_v4 || resolver->origin.host_is_v6;
    bool is_old =
        !has_answer(resolver) || now_ms - resolver->answered_ms >= resolver->settings.fresh_ms;
    bool may_try =
        resolver->asked_ms == 0 || now_ms - resolver->asked_ms >= resolver->settings.retry_ms;

    if (literal)
        return RESOLVE_READY;
    if (is_old && may_try && !resolver->lookup)
        start_lookup(resolver);
    if (has_answer(resolver))
        return RESOLVE_READY;
    return resolver->lookup && !resolver->gave_up ? RESOLVE_WAIT : RESOLVE_FAILED;
}

const char *resolver_connect_to(const struct resolver *resolver)
{
    assert(resolver->count);
    return resolver->connect_to;
}

uint64_t resolver_generation(const struct resolver *resolver)
{
    return resolver->generation;
}

void resolver_blame(struct resolver *resolver, uint64_t generation)
{
    if (generation != resolver->generation || resolver->count < 2)
        return;
    prefer(resolver, (resolver->preferred + 1) % resolver->count);
    log_warn(resolver->log, "no connection to this address, trying the next one",
             log_text("host", resolver->origin.host),
             log_text("address", resolver->addresses[resolver->preferred]));
}

static bool has_answer(const struct resolver *resolver)
{
    return resolver->count &&
           loop_now_ms(resolver->loop) - resolver->answered_ms < resolver->settings.keep_ms;
}

static void start_lookup(struct resolver *resolver)
{
    struct lookup *lookup = must_alloc(sizeof(*lookup));
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

    lookup->resolver = resolver;
    resolver->asked_ms = loop_now_ms(resolver->loop);
    resolver->gave_up = false;
    if (uv_getaddrinfo(loop_uv(resolver->loop), &lookup->request, on_looked_up,
                       resolver->origin.host, NULL, &hints)) {
        must_free(lookup);
        return;
    }
    resolver->lookup = lookup;
    deadline_join(&resolver->patience, &resolver->deadline);
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = container_of(request, struct lookup, request);
    struct resolver *resolver = lookup->resolver;

    must_free(lookup);
    if (resolver) {
        resolver->lookup = NULL;
        deadline_leave(&resolver->deadline);
        if (status == 0)
            take_answer(resolver, list);
        else
            log_warn(resolver->log, "the name service did not answer",
                     log_text("host", resolver->origin.host),
                     log_text("reason", uv_strerror(status)),
                     log_bool("old_answer_used", has_answer(resolver)));
        loop_post(resolver->loop, resolver->changed);
    }
    uv_freeaddrinfo(list);
}

/* The preferred address stays preferred while it is in the answer. */
static void take_answer(struct resolver *resolver, const struct addrinfo *list)
{
    char old[ADDRESS_SIZE];
    size_t count = 0, index = 0;
    bool had_one = resolver->count > 0;

    memcpy(old, resolver->addresses[resolver->preferred], sizeof(old));
    for (; list && count < ADDRESSES_MAX; list = list->ai_next) {
        if (!address_text(list, resolver->addresses[count]))
            continue;
        if (had_one && strcmp(resolver->addresses[count], old) == 0)
            index = count;
        count++;
    }
    if (count == 0) /* nothing usable: nothing was written over either */
        return;
    resolver->count = count;
    resolver->answered_ms = loop_now_ms(resolver->loop);
    if (had_one && strcmp(resolver->addresses[index], old) == 0)
        resolver->preferred = index;
    else
        prefer(resolver, index);
}

static bool address_text(const struct addrinfo *address, char ret_text[ADDRESS_SIZE])
{
    char text[46];

    if (address->ai_family == AF_INET) {
        uv_ip4_name((const struct sockaddr_in *)(const void *)address->ai_addr, text, sizeof(text));
        snprintf(ret_text, ADDRESS_SIZE, "%s", text);
        return true;
    }
    if (address->ai_family == AF_INET6) {
        uv_ip6_name((const struct sockaddr_in6 *)(const void *)address->ai_addr, text,
                    sizeof(text));
        snprintf(ret_text, ADDRESS_SIZE, "[%s]", text);
        return true;
    }
    return false;
}

static void prefer(struct resolver *resolver, size_t index)
{
    resolver->preferred = index;
    resolver->generation++;
    snprintf(resolver->connect_to, sizeof(resolver->connect_to), "::%s:%u",
             resolver->addresses[index], (unsigned)resolver->origin.port);
}

static void on_impatient(struct turn *turn)
{
    struct resolver *resolver = container_of(turn, struct resolver, impatient);

    if (!resolver->deadline.passed)
        return;
    resolver->gave_up = true;
    log_warn(resolver->log, "the name service does not answer in time",
             log_text("host", resolver->origin.host),
             log_bool("old_answer_used", has_answer(resolver)));
    loop_post(resolver->loop, resolver->changed);
}

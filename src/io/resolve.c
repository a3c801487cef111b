#include "io/resolve.h"

#include "base/alloc.h"
#include "io/deadline.h"
#include "io/uv_loop.h"

#include <assert.h>
#include <stdio.h>

enum { ADDRESSES_MAX = 8, CONNECT_TO_SIZE = 64 };

struct address {
    char connect_to[CONNECT_TO_SIZE];
    unsigned failures; /* in a row */
    uint64_t again_ms; /* bad: when it is tried again; else 0 */
};

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
    struct address addresses[ADDRESSES_MAX];
    size_t count, preferred;
    bool in_doubt; /* the last connect to the preferred address failed: the next goes elsewhere */
    uint64_t answered_ms, asked_ms; /* of the last good answer, of the last start */
    uint64_t generation;
};

static bool has_answer(const struct resolver *resolver);
static void start_lookup(struct resolver *resolver);
static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list);
static void take_answer(struct resolver *resolver, const struct addrinfo *list);
static bool address_read(const struct resolver *resolver, const struct addrinfo *info,
                         struct address *ret_address);
static struct address *address_find(struct resolver *resolver, const char *connect_to);
static size_t best_from(const struct resolver *resolver, size_t start);
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
        snprintf(resolver->addresses[0].connect_to, CONNECT_TO_SIZE,
                 origin->host_is_v6 ? "::[%.45s]:%u" : "::%.45s:%u", origin->host,
                 (unsigned)origin->port);
        resolver->count = 1;
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

/* One connect alone is risked on a bad address. In doubt the next one goes elsewhere: it is likely to be the failed call's
 * second try. */
const char *resolver_connect_to(struct resolver *resolver)
{
    uint64_t now_ms = loop_now_ms(resolver->loop);
    size_t index = resolver->preferred;

    assert(resolver->count);
    for (size_t i = 0; i < resolver->count; i++) {
        struct address *address = &resolver->addresses[i];
        if (address->again_ms && address->again_ms <= now_ms) {
            address->again_ms = now_ms + resolver->settings.again_ms;
            return address->connect_to;
        }
    }
    if (resolver->in_doubt)
        index = best_from(resolver, index + 1);
    resolver->in_doubt = false;
    return resolver->addresses[index].connect_to;
}

void resolver_reached(struct resolver *resolver, const char *connect_to)
{
    struct address *address = address_find(resolver, connect_to);

    if (!address)
        return;
    address->failures = 0;
    address->again_ms = 0;
}

void resolver_blame(struct resolver *resolver, const char *connect_to)
{
    struct address *address = address_find(resolver, connect_to);
    size_t old = resolver->preferred;

    if (!address)
        return;
    resolver->in_doubt = address == &resolver->addresses[old];
    if (++address->failures < RESOLVE_FAILURES)
        return;
    resolver->in_doubt = false;
    address->again_ms = loop_now_ms(resolver->loop) + resolver->settings.again_ms;
    if (address != &resolver->addresses[old])
        return;
    resolver->preferred = best_from(resolver, old + 1);
    if (resolver->preferred != old)
        log_warn(resolver->log, "no connection to this address, trying another one",
                 log_text("host", resolver->origin.host),
                 log_text("address", address->connect_to + 2),
                 log_text("now", resolver->addresses[resolver->preferred].connect_to + 2));
}

uint64_t resolver_generation(const struct resolver *resolver)
{
    return resolver->generation;
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

/* The preferred address stays preferred while it is in the answer, and what is known of the others stays known. */
static void take_answer(struct resolver *resolver, const struct addrinfo *list)
{
    struct address answer[ADDRESSES_MAX];
    size_t count = 0, preferred = ADDRESSES_MAX;

    for (; list && count < ADDRESSES_MAX; list = list->ai_next) {
        struct address *known;
        if (!address_read(resolver, list, &answer[count]))
            continue;
        known = address_find(resolver, answer[count].connect_to);
        if (known)
            answer[count] = *known;
        if (known == &resolver->addresses[resolver->preferred])
            preferred = count;
        count++;
    }
    if (count == 0)
        return;
    memcpy(resolver->addresses, answer, count * sizeof(*answer));
    resolver->count = count;
    resolver->answered_ms = loop_now_ms(resolver->loop);
    if (preferred == ADDRESSES_MAX) {
        preferred = best_from(resolver, 0);
        resolver->generation++;
    }
    resolver->preferred = preferred;
}

static bool address_read(const struct resolver *resolver, const struct addrinfo *info,
                         struct address *ret_address)
{
    const struct sockaddr *name = info->ai_addr;
    bool is_v6 = info->ai_family == AF_INET6;
    char text[46];

    if (!is_v6 && info->ai_family != AF_INET)
        return false;
    if (is_v6)
        uv_ip6_name((const struct sockaddr_in6 *)(const void *)name, text, sizeof(text));
    else
        uv_ip4_name((const struct sockaddr_in *)(const void *)name, text, sizeof(text));
    *ret_address = (struct address){0};
    snprintf(ret_address->connect_to, CONNECT_TO_SIZE, is_v6 ? "::[%s]:%u" : "::%s:%u", text,
             (unsigned)resolver->origin.port);
    return true;
}

static struct address *address_find(struct resolver *resolver, const char *connect_to)
{
    for (size_t i = 0; i < resolver->count; i++)
        if (strcmp(resolver->addresses[i].connect_to, connect_to) == 0)
            return &resolver->addresses[i];
    return NULL;
}

/* The first good one going round from there; all are bad: the one left longest ago. */
static size_t best_from(const struct resolver *resolver, size_t start)
{
    size_t best = start % resolver->count;

    for (size_t i = 1; i < resolver->count; i++) {
        size_t index = (start + i) % resolver->count;
        if (resolver->addresses[index].again_ms < resolver->addresses[best].again_ms)
            best = index;
    }
    return best;
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

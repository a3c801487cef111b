#include "fake/fake_fetch.h"

#include "base/alloc.h"
#include "io/deadline.h"

#include <assert.h>
#include <stdio.h>

enum { PATH_MAX_SIZE = 600 };

struct fetcher {
    struct loop *loop;      /* borrowed */
    struct fake_keys *keys; /* borrowed */
    struct fake_asks *asks; /* borrowed */
    struct span base_path;
    struct list pending, withheld;
    struct deadline_class totals;
    size_t body_max_bytes;
    int64_t retry_after_s;
    bool closed;
};

struct fetch_flight {
    struct list link;
    struct fetcher *fetcher;
    struct fetch_call *call; /* borrowed */
    char method[8], path[PATH_MAX_SIZE];
    struct secret bearer;
    struct buffer body;
    struct deadline total;
    struct turn late;
};

static void on_late(struct turn *turn);
static int carry_out(struct fetch_flight *flight, struct buffer *out);
static int answer_generation(struct fetch_flight *flight, struct span id, struct buffer *out);
static void end(struct fetch_flight *flight, enum fetch_end how, int status, struct span body);
static void flight_free(struct fetch_flight *flight);
static struct fetch_flight *oldest(const struct fetcher *fetcher);
static size_t length(const struct list *head);

struct fetcher *fetcher_open(struct loop *loop, struct log *log,
                             const struct fetch_settings *settings)
{
    struct fetcher *fetcher = must_alloc(sizeof(*fetcher));

    (void)log;
    fetcher->loop = loop;
    fetcher->body_max_bytes = settings->body_max_bytes;
    fetcher->retry_after_s = -1;
    list_init(&fetcher->pending);
    list_init(&fetcher->withheld);
    deadline_class_open(&fetcher->totals, loop, 0);
    return fetcher;
}

void fetcher_close(struct fetcher *fetcher)
{
    assert(fake_fetch_open(fetcher) == 0);
    deadline_class_close(&fetcher->totals);
    fetcher->closed = true;
}

bool fetcher_is_closed(const struct fetcher *fetcher)
{
    return fetcher->closed;
}

void fetcher_free(struct fetcher *fetcher)
{
    assert(fetcher->closed);
    must_free(fetcher);
}

void fetch_start(struct fetcher *fetcher, struct fetch_call *call, const char *method,
                 struct span path, const struct secret *bearer, struct span body, uint64_t total_ms,
                 struct turn *wake)
{
    struct fetch_flight *flight = must_alloc(sizeof(*flight));

    assert(!fetcher->closed && wake && total_ms > 0);
    assert(!call->flight && !call->body.memory); /* fetch_done comes first */
    *call = (struct fetch_call){
        .fetcher = fetcher, .flight = flight, .wake = wake, .retry_after_s = -1};
    buffer_init(&call->body, fetcher->body_max_bytes);
    flight->fetcher = fetcher;
    flight->call = call;
    snprintf(flight->method, sizeof(flight->method), "%s", method);
    assert(span_starts(path, fetcher->base_path));
    assert(span_text(span_from(path, fetcher->base_path.size), flight->path, PATH_MAX_SIZE));
    assert(!bearer == (strcmp(flight->path, "/models") == 0)); /* it needs none and gets none */
    if (bearer)
        secret_set(&flight->bearer, secret_reveal(bearer));
    buffer_init(&flight->body, body.size);
    buffer_append(&flight->body, body);
    turn_init(&flight->late, on_late);
    deadline_init(&flight->total, &flight->late);
    deadline_join_in(&fetcher->totals, &flight->total, total_ms);
    list_append(&fetcher->pending, &flight->link);
}

void fetch_cancel(struct fetch_call *call)
{
    if (!call->flight)
        return;
    flight_free(call->flight);
    call->flight = NULL;
}

void fetch_done(struct fetch_call *call)
{
    assert(!call->flight); /* cancel first */
    buffer_wipe(&call->body);
    *call = (struct fetch_call){0};
}

void fake_fetch_serve(struct fetcher *fetcher, struct fake_keys *keys, struct fake_asks *asks,
                      struct span base_path)
{
    fetcher->keys = keys;
    fetcher->asks = asks;
    fetcher->base_path = base_path;
}

void fake_fetch_retry_after(struct fetcher *fetcher, int64_t seconds)
{
    fetcher->retry_after_s = seconds;
}

size_t fake_fetch_pending(const struct fetcher *fetcher)
{
    return length(&fetcher->pending);
}

size_t fake_fetch_open(const struct fetcher *fetcher)
{
    return length(&fetcher->pending) + length(&fetcher->withheld);
}

void fake_fetch_oldest(const struct fetcher *fetcher, char ret_label[FAKE_FETCH_LABEL_SIZE])
{
    const struct fetch_flight *flight = oldest(fetcher);
    struct span path = span_of(flight->path);
    const char *form = span_starts(path, SPAN("/keys/"))         ? "/keys/{hash}"
                       : span_starts(path, SPAN("/keys?"))       ? "/keys?offset"
                       : span_starts(path, SPAN("/generation?")) ? "/generation?id"
                                                                 : flight->path;

    snprintf(ret_label, FAKE_FETCH_LABEL_SIZE, "%s %.20s", flight->method, form);
}

void fake_fetch_deliver(struct fetcher *fetcher, enum fake_fetched how)
{
    static const int refusals[] = {
        [FETCHED_500] = 500, [FETCHED_429] = 429, [FETCHED_401] = 401, [FETCHED_403] = 403};
    struct fetch_flight *flight = oldest(fetcher);
    struct buffer body;
    int status = 0;

    if (how == FETCHED_UNKNOWN_UNDONE) {
        list_remove(&flight->link);
        list_append(&fetcher->withheld, &flight->link);
        return;
    }
    buffer_init(&body, SIZE_MAX / 4);
    if (how == FETCHED_ANSWER || how == FETCHED_UNKNOWN_DONE || how == FETCHED_502_DONE ||
        how == FETCHED_GARBAGE)
        status = carry_out(flight, &body);
    if (how == FETCHED_UNREACHED)
        end(flight, FETCH_UNREACHED, 0, SPAN(""));
    else if (how == FETCHED_UNKNOWN_DONE)
        end(flight, FETCH_UNKNOWN, 0, SPAN(""));
    else if (how == FETCHED_502_DONE)
        end(flight, FETCH_ANSWERED, 502, SPAN("<html>502 Bad Gateway</html>"));
    else if (how == FETCHED_GARBAGE)
        end(flight, FETCH_ANSWERED, status, SPAN("{\"data\":[{\"na"));
    else if (how == FETCHED_ANSWER)
        end(flight, FETCH_ANSWERED, status, buffer_view(&body));
    else
        end(flight, FETCH_ANSWERED, refusals[how], SPAN("{\"error\":{\"message\":\"no\"}}"));
    buffer_wipe(&body);
}

void fake_fetch_forget(struct fetcher *fetcher, bool carried_out)
{
    struct list *node;
    struct buffer nobody;

    buffer_init(&nobody, SIZE_MAX / 4);
    while ((node = list_first(&fetcher->pending))) {
        struct fetch_flight *flight = container_of(node, struct fetch_flight, link);
        if (carried_out)
            carry_out(flight, &nobody);
        flight_free(flight);
    }
    while ((node = list_first(&fetcher->withheld)))
        flight_free(container_of(node, struct fetch_flight, link));
    buffer_wipe(&nobody);
}

static void on_late(struct turn *turn)
{
    struct fetch_flight *flight = container_of(turn, struct fetch_flight, late);

    end(flight, FETCH_UNKNOWN, 0, SPAN(""));
}

static int carry_out(struct fetch_flight *flight, struct buffer *out)
{
    struct span path = span_of(flight->path), id = span_from(path, sizeof("/generation?id=") - 1);

    if (span_starts(path, SPAN("/generation?id=")))
        return answer_generation(flight, id, out);
    if (span_equal(path, SPAN("/models"))) {
        fake_models_print(out);
        return 200;
    }
    return fake_keys_answer(flight->fetcher->keys, span_of(flight->method), span_of(flight->path),
                            secret_reveal(&flight->bearer), buffer_view(&flight->body), out);
}

/* Its record is written some time after the call. */
static int answer_generation(struct fetch_flight *flight, struct span id, struct buffer *out)
{
    const struct fetcher *fetcher = flight->fetcher;
    const struct fake_bill *bill = fake_asks_bill(fetcher->asks, id);

    if (!fake_keys_accept(fetcher->keys, secret_reveal(&flight->bearer))) {
        buffer_append(out, SPAN("{\"error\":{\"code\":401,\"message\":\"User not found.\"}}"));
        return 401;
    }
    if (!bill || !bill->known_from_ms || bill->known_from_ms > fetcher->keys->now_ms) {
        buffer_append(out, SPAN("{\"error\":{\"code\":404,\"message\":\"Not found\"}}"));
        return 404;
    }
    fake_bill_record(bill, out);
    return 200;
}

static void end(struct fetch_flight *flight, enum fetch_end how, int status, struct span body)
{
    struct fetch_call *call = flight->call;
    struct fetcher *fetcher = flight->fetcher;

    call->end = how;
    call->status = status;
    call->flight = NULL;
    if (status == 429)
        call->retry_after_s = fetcher->retry_after_s;
    assert(buffer_append(&call->body, body));
    flight_free(flight);
    loop_post(fetcher->loop, call->wake);
}

static void flight_free(struct fetch_flight *flight)
{
    list_remove(&flight->link);
    deadline_leave(&flight->total);
    turn_cancel(&flight->late);
    secret_done(&flight->bearer);
    buffer_wipe(&flight->body);
    must_free(flight);
}

static struct fetch_flight *oldest(const struct fetcher *fetcher)
{
    assert(!list_is_empty(&fetcher->pending)); /* nothing is pending */
    return container_of(fetcher->pending.next, struct fetch_flight, link);
}

static size_t length(const struct list *head)
{
    size_t count = 0;

    for (const struct list *node = head->next; node != head; node = node->next)
        count++;
    return count;
}

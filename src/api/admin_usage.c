#include "api/admin_usage.h"

#include "api/json_parts.h"
#include "api/reply.h"
#include "api/target.h"
#include "api/usage_reader.h"
#include "base/alloc.h"

#include <assert.h>

struct admin_usage {
    struct visit visit;
    struct turn turn;
    struct api *api;       /* borrowed */
    struct client *client; /* borrowed; NULL once it is gone */
    struct usage_sheet sheet;
    /* Of everybody's usage. */
    struct usage_query query;
    struct usage_reader reader;
    /* Of one user's. */
    char user[USER_ID_MAX + 1];
    struct period month;
    struct sums_read read;
};

static struct admin_usage *begin(struct api *api, struct client *client);
static void on_gone(struct visit *visit);
static void on_turn(struct turn *turn);
static void take(struct sums_read *read, const struct sums_row *row);
static void answer(struct admin_usage *usage);
static bool print_user(const struct admin_usage *usage, struct buffer *out);

static const struct visit_calls calls = {.on_gone = on_gone};

void admin_usage_begin(struct api *api, struct client *client, const struct request_head *head)
{
    struct admin_usage *usage;
    struct usage_query query;
    char error[USAGE_ERROR_SIZE];

    if (!usage_query_read(&query, head->query, flow_store_ms(api->flow), error)) {
        reply_fault_because(api, client, FAULT_BAD_REQUEST, span_of(error), SPAN_NONE);
        return;
    }
    usage = begin(api, client);
    usage->query = query;
    usage_read(api->flow->store, &usage->reader, &usage->query, &usage->sheet, &usage->turn);
}

void admin_user_usage_begin(struct api *api, struct client *client, const struct request_head *head,
                            struct span user)
{
    struct admin_usage *usage;
    struct period month;
    char error[USAGE_ERROR_SIZE], id[USER_ID_MAX + 1];

    if (!percent_decode(user, id, sizeof(id)) || !user_id_is_fine(span_of(id))) {
        reply_fault_because(api, client, FAULT_BAD_REQUEST, SPAN("There can be no such user id."),
                            SPAN("id"));
        return;
    }
    if (!usage_month_read(&month, head->query, flow_store_ms(api->flow), error)) {
        reply_fault_because(api, client, FAULT_BAD_REQUEST, span_of(error), SPAN("month"));
        return;
    }
    usage = begin(api, client);
    span_text(span_of(id), usage->user, sizeof(usage->user));
    usage->month = month;
    sums_of_user(api->flow->store, &usage->read, span_of(usage->user), &usage->month, take,
                 &usage->turn);
}

static struct admin_usage *begin(struct api *api, struct client *client)
{
    struct admin_usage *usage = must_alloc(sizeof(*usage));

    usage->visit.calls = &calls;
    usage->api = api;
    usage->client = client;
    turn_init(&usage->turn, on_turn);
    usage_sheet_init(&usage->sheet, (uint64_t[2]){api->flow->random(), api->flow->random()});
    client_attach(client, &usage->visit);
    return usage;
}

/* It stays for the answer that is under way. */
static void on_gone(struct visit *visit)
{
    container_of(visit, struct admin_usage, visit)->client = NULL;
}

static void on_turn(struct turn *turn)
{
    struct admin_usage *usage = container_of(turn, struct admin_usage, turn);

    assert(!store_call_is_open(&usage->read.call) && !store_call_is_open(&usage->reader.read.call));
    if (usage->client)
        answer(usage);
    usage_sheet_done(&usage->sheet);
    turn_cancel(&usage->turn);
    must_free(usage);
}

static void take(struct sums_read *read, const struct sums_row *row)
{
    usage_sheet_add(&container_of(read, struct admin_usage, read)->sheet, row);
}

static void answer(struct admin_usage *usage)
{
    bool of_user = usage->user[0] != '\0';
    bool csv = !of_user && usage->query.format == USAGE_CSV;
    enum store_end end = of_user ? usage->read.call.end : usage->reader.end;
    struct buffer body;

    buffer_init(&body, USAGE_PRINTED_MAX);
    if (end != STORE_OK)
        reply_late_fault(usage->api, usage->client, FAULT_STORE_DOWN, SPAN_NONE, SPAN_NONE);
    else if (usage->sheet.full || !(of_user ? print_user(usage, &body)
                                            : usage_print(&usage->sheet, &usage->query, &body)))
        reply_late_fault(usage->api, usage->client, FAULT_BAD_REQUEST,
                         SPAN("There are too many rows for one answer. Ask for fewer days or by "
                              "another group."),
                         SPAN("group_by"));
    else
        reply_late(usage->api, usage->client,
                   csv ? SPAN("text/csv; charset=utf-8") : SPAN("application/json"),
                   buffer_view(&body));
    buffer_done(&body);
}

static bool print_user(const struct admin_usage *usage, struct buffer *out)
{
    struct json j = json_into(out);

    json_open(&j, '{');
    json_string(&j, "user", span_of(usage->user));
    usage_print_month(&usage->sheet, &usage->month, &j);
    json_close(&j, '}');
    return json_ok(&j) && buffer_append(out, SPAN("\n"));
}

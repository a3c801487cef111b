/* What is left of the quota, told in the stream itself: a comment, which clients that know nothing of it skip, right before
 * `data: [DONE]`. Only for those who asked for it; all others' bytes pass as they are.
 *
 *     : keyturn {"remaining_usd":"4.99","remaining_nano_usd":4990000000,"messages_remaining":12,"reset_at":"..."}
 *
 * A stream without that line (messages) has it at its end, if it ended well and between two events; one that broke has
 * none: what it cost is not known yet. The figures are those of this request's admission, less what it cost; what others
 * did meanwhile is not in them. Axes without a limit are left out. */
#include "base/clock.h"
#include "base/json_write.h"
#include "domain/nano_usd.h"
#include "flow/exchange/way.h"

enum { COMMENT_MAX = 512 };

static void send_run(struct exchange *x, struct span run);
static void send_comment(struct exchange *x);
static void put_budget(struct json *j, const struct exchange *x);
static void put_messages(struct json *j, const struct exchange *x);
static void put_reset(struct json *j, const struct quota_view *view);

bool exchange_wants_comment(const struct exchange *x, struct headers headers)
{
    return x->flow->settings->quota_comment ||
           span_equal_nocase(header_find(headers, SPAN("x-keyturn-quota-comment")), SPAN("true"));
}

void exchange_pass_down(struct exchange *x, struct span bytes)
{
    struct span run;
    bool at_done;

    if (!x->comments) {
        send_run(x, bytes);
        return;
    }
    while (sse_done_take(&x->done, &bytes, &run, &at_done)) {
        if (at_done)
            send_comment(x);
        send_run(x, run);
    }
}

void exchange_pass_rest(struct exchange *x, bool ended_well)
{
    struct span run;
    bool at_done;

    if (!x->comments)
        return;
    if (ended_well && sse_done_is_between_events(&x->done))
        send_comment(x);
    if (sse_done_end(&x->done, &run, &at_done)) {
        if (at_done && ended_well)
            send_comment(x);
        send_run(x, run);
    }
    x->comments = false;
}

static void send_run(struct exchange *x, struct span run)
{
    x->bytes_down += run.size;
    client_reply_body(x->client, run);
}

static void send_comment(struct exchange *x)
{
    const struct quota_view *view = &x->admission.view;
    struct buffer event;
    struct json j;

    buffer_init(&event, COMMENT_MAX);
    buffer_append(&event, SPAN(": keyturn "));
    j = json_into(&event);
    json_open(&j, '{');
    if (view->limit_nano_usd >= 0)
        put_budget(&j, x);
    if (view->messages_limit >= 0)
        put_messages(&j, x);
    put_reset(&j, view);
    json_close(&j, '}');
    if (json_ok(&j) && buffer_append(&event, SPAN("\n\n")))
        send_run(x, buffer_view(&event));
    buffer_done(&event);
}

/* A cost that was not told is at most the hold. */
static void put_budget(struct json *j, const struct exchange *x)
{
    const struct quota_view *view = &x->admission.view;
    int64_t bill = usage_bill(&x->meter.usage), held = x->admission.granted_nano_usd;
    int64_t others = view->spent_nano_usd + view->held_nano_usd - held;
    int64_t rest = view->limit_nano_usd - others - (bill >= 0 ? quota_amount(bill) : held);
    char usd[NANO_USD_TEXT_SIZE];

    rest = rest > 0 ? rest : 0;
    nano_usd_text(rest, usd);
    json_name(j, "remaining_usd");
    json_text(j, span_of(usd));
    json_name(j, "remaining_nano_usd");
    json_int(j, rest);
}

/* This one is counted among those used, and is given back when it brought nothing. */
static void put_messages(struct json *j, const struct exchange *x)
{
    const struct quota_view *view = &x->admission.view;
    int64_t rest = view->messages_limit - view->messages_used + !x->meter.usage.delivered;

    json_name(j, "messages_remaining");
    json_int(j, rest > 0 ? rest : 0);
}

/* When the budget comes back; where there is none, the messages. */
static void put_reset(struct json *j, const struct quota_view *view)
{
    char resets[CLOCK_TEXT_SIZE];

    if (view->limit_nano_usd < 0 && view->messages_limit < 0)
        return;
    clock_text(view->limit_nano_usd >= 0 ? view->budget_resets_ms : view->day_resets_ms, resets);
    json_name(j, "reset_at");
    json_text(j, span_of(resets));
}

/* What a request asks of the holds ahead. */
#include "base/alloc.h"
#include "flow/advance/way.h"
#include "flow/flow.h"

#include <assert.h>

enum {
    BUSY_COUNT = 8, /* so many requests within about a second, and the next ones are expected */
    GROWS_PART = 4  /* and are dearer by that part at most */
};

static bool may_begin(const struct advances *advances, const struct admit_ask *ask);
static struct advance *begin(struct advances *advances, const struct admit_ask *ask);
static int64_t amount_for(struct flow *flow, const struct admit_ask *ask);
static void fill(const struct advance *advance, struct admission *ret_admission);
static struct quota_change unused(const struct advance *advance);
static void end_all(struct advances *advances);
static void on_link_turn(struct turn *turn);

void advances_open(struct advances *advances, struct flow *flow, const uint64_t map_seed[2])
{
    advances->flow = flow;
    advances->blind = true;
    map_init(&advances->by_user, map_seed);
    list_init(&advances->leaving);
    deadline_class_open(&advances->idles, flow->loop, ADVANCE_IDLE_MS);
    deadline_class_open(&advances->waits, flow->loop, ADVANCE_WAIT_MS);
    advance_round_open(advances);
    turn_init(&advances->link, on_link_turn);
    store_on_link(flow->store, &advances->link);
}

void advances_stop(struct advances *advances)
{
    advances->stopped = true;
    end_all(advances);
}

void advances_cut(struct advances *advances)
{
    LIST_EACH (node, &advances->leaving)
        advance_carry_on_leaving(container_of(node, struct advance, link));
}

void advances_close(struct advances *advances)
{
    assert(advances->count == 0);
    turn_cancel(&advances->link);
    advance_round_close(advances);
    deadline_class_close(&advances->waits);
    deadline_class_close(&advances->idles);
    map_done(&advances->by_user);
}

void advances_set_blind(struct advances *advances, bool blind)
{
    advances->blind = blind;
    end_all(advances);
}

bool advance_use(struct advances *advances, const struct admit_ask *ask,
                 struct admission *ret_admission, char ret_id[REQUEST_ID_MAX + 1])
{
    struct flow *flow = advances->flow;
    struct advance *advance = advance_find(advances, ask->user);
    bool outgrows;

    if (!advance || !advance_is_for(advance, ask) || !store_is_up(flow->store))
        return false;
    outgrows = ask->hold_nano_usd > advance->amount_nano_usd;
    if (outgrows)
        user_memory_outgrew(&flow->user_memory, ask->user, loop_now_ms(flow->loop));
    if (outgrows || (advance->count > 0 && ask->wall_ms >= advance->holds[0].until_ms)) {
        advance_end(advances, ask->user);
        return false;
    }
    if (advance->count == 0 || ask->hold_nano_usd < advance->amount_nano_usd / 2)
        return false;
    memcpy(ret_id, advance->holds[0].id, sizeof(advance->holds[0].id));
    memmove(advance->holds, advance->holds + 1, --advance->count * sizeof(*advance->holds));
    advance->used_ms = loop_now_ms(flow->loop);
    fill(advance, ret_admission);
    metric_add(flow->metrics, MEASURE_HOLDS_AHEAD, AHEAD_USED, 0, 1);
    advance_take_more(advance, user_memory_count(&flow->user_memory, ask->user, advance->used_ms));
    return true;
}

void advance_granted(struct advances *advances, const struct admit_ask *ask,
                     struct admission *admission)
{
    struct flow *flow = advances->flow;
    unsigned lately = user_memory_count(&flow->user_memory, ask->user, loop_now_ms(flow->loop));
    struct advance *advance = advance_find(advances, ask->user);
    struct quota_change ahead;

    if (advance) {
        ahead = unused(advance);
        quota_change_add(&advance->since_view,
                         &(struct quota_change){.held_nano_usd = admission->granted_nano_usd,
                                                .messages = ask->is_message,
                                                .requests = 1,
                                                .active = 1});
        quota_view_change(&admission->view, &ahead);
    } else if (lately >= BUSY_COUNT && may_begin(advances, ask))
        advance = begin(advances, ask);
    if (advance)
        advance_take_more(advance, lately);
}

void advance_over(struct advances *advances, struct span user, const struct quota_change *change)
{
    struct advance *advance = advance_find(advances, user);

    if (!advance)
        return;
    quota_change_add(&advance->since_view, change);
    quota_change_add(&advance->since_asked, change);
}

bool advance_is_there(const struct advances *advances, struct span user)
{
    const struct advance *advance = advance_find(advances, user);

    return advance && (advance->count || advance->asked_count);
}

bool advance_make_room(struct advances *advances, struct span user)
{
    bool some = advance_is_there(advances, user);

    if (some)
        advance_end(advances, user);
    LIST_EACH (node, &advances->leaving)
        some = some || span_equal(span_of(container_of(node, struct advance, link)->user), user);
    return some;
}

void advance_forget(struct advances *advances, struct span user)
{
    struct advance *advance = advance_find(advances, user);

    if (advance)
        advance_leave(advance);
}

void advance_end(struct advances *advances, struct span user)
{
    struct advance *advance = advance_find(advances, user);

    if (!advance)
        return;
    advance_leave(advance);
    advance_carry_on_leaving(advance); /* what is asked next finds it done */
}

struct advance *advance_find(const struct advances *advances, struct span user)
{
    struct map_entry *found = map_find(&advances->by_user, user);

    return found ? container_of(found, struct advance, by_user) : NULL;
}

/* Only where the key's audit can tell that nobody used one. */
static bool may_begin(const struct advances *advances, const struct admit_ask *ask)
{
    const struct flow *flow = advances->flow;

    return flow->settings->holds_ahead > 0 && !advances->blind && !advances->stopped &&
           ask->tier->key == TIER_KEY_PROVISIONED && !ask->tier->shared_on_failure &&
           flow->management_key;
}

static struct advance *begin(struct advances *advances, const struct admit_ask *ask)
{
    struct advance *advance = must_alloc(sizeof(*advance));

    advance->advances = advances;
    advance->tier = ask->tier;
    advance->is_message = ask->is_message;
    advance->amount_nano_usd = amount_for(advances->flow, ask);
    advance->used_ms = loop_now_ms(advances->flow->loop);
    span_text(ask->user, advance->user, sizeof(advance->user));
    span_text(span_first(ask->model, METER_TEXT_MAX), advance->model, sizeof(advance->model));
    list_init(&advance->link);
    list_init(&advance->wants);
    list_init(&advance->waiting);
    turn_init(&advance->turn, advance_on_turn);
    deadline_init(&advance->due, &advance->turn);
    deadline_join(&advances->idles, &advance->due);
    map_insert(&advances->by_user, &advance->by_user, span_of(advance->user));
    advances->count++;
    return advance;
}

/* What was asked and no more: as many requests fit into a budget as if each had asked for itself. Where they grow, as
 * conversations do, a little more. */
static int64_t amount_for(struct flow *flow, const struct admit_ask *ask)
{
    int64_t amount_nano_usd = quota_amount(ask->hold_nano_usd);

    if (user_memory_grows(&flow->user_memory, ask->user, loop_now_ms(flow->loop)))
        amount_nano_usd += amount_nano_usd / GROWS_PART;
    return quota_amount(amount_nano_usd);
}

bool advance_is_for(const struct advance *advance, const struct admit_ask *ask)
{
    return advance->tier == ask->tier && advance->is_message == ask->is_message &&
           span_equal(span_of(advance->model), span_first(ask->model, METER_TEXT_MAX));
}

static void fill(const struct advance *advance, struct admission *ret_admission)
{
    struct quota_change ahead = unused(advance);

    ret_admission->call.end = STORE_OK;
    ret_admission->verdict = ADMIT_GRANTED;
    memcpy(ret_admission->tier, advance->tier->name, sizeof(ret_admission->tier));
    ret_admission->user_created = false;
    ret_admission->granted_nano_usd = advance->amount_nano_usd;
    ret_admission->now_ms = flow_store_ms(advance->advances->flow);
    ret_admission->view = advance->view;
    ret_admission->budget = advance->budget;
    ret_admission->day = advance->day;
    quota_view_change(&ret_admission->view, &advance->since_view);
    quota_view_change(&ret_admission->view, &ahead);
}

/* What the account counts and no request has. */
static struct quota_change unused(const struct advance *advance)
{
    int64_t count = (int64_t)advance->count;

    return (struct quota_change){.held_nano_usd = -count * advance->amount_nano_usd,
                                 .messages = advance->is_message ? -count : 0,
                                 .requests = -count,
                                 .active = -count};
}

static void end_all(struct advances *advances)
{
    struct map_entry *any;

    while ((any = map_any(&advances->by_user)))
        advance_leave(container_of(any, struct advance, by_user));
}

/* A Redis that went away may have forgotten holds that it had acknowledged. */
static void on_link_turn(struct turn *turn)
{
    struct advances *advances = container_of(turn, struct advances, link);

    end_all(advances);
    LIST_EACH (node, &advances->leaving) {
        struct advance *advance = container_of(node, struct advance, link);
        deadline_leave(&advance->due);
        advance_carry_on_leaving(advance);
    }
}

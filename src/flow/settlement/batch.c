/* What is asked in one call, and what becomes of its answer. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement/way.h"

enum { GATHER_PART = 4 }; /* times what a call takes are looked at for it */

static bool are_of_a_day(const struct settlement_record *a, const struct settlement_record *b);
static bool are_of_a_user(const struct settlement_record *a, const struct settlement_record *b);
static struct batch *batch_new(struct settlements *settlements, enum settlement_at at,
                               bool is_urgent);
static bool batch_takes(const struct batch *batch, const struct settlement *s);
static bool has_id(const struct batch *batch, const struct settlement *s);
static void ask(struct batch *batch);
static void ask_charge(struct batch *batch);
static void ask_book(struct batch *batch);
static void ask_forget(struct batch *batch);
static void on_batch_turn(struct turn *turn);
static bool is_untouched_charge(const struct batch *batch, size_t i);
static bool is_untouched_book(const struct batch *batch, size_t i);
static bool is_never_untouched(const struct batch *batch, size_t i);
static void tell_charged(struct batch *batch, size_t i, enum store_end end);
static void tell_booked(struct batch *batch, size_t i, enum store_end end);
static void tell_forgotten(struct batch *batch, size_t i, enum store_end end);

static const struct {
    size_t most;
    bool (*go_together)(const struct settlement_record *a, const struct settlement_record *b);
    void (*ask)(struct batch *batch);
    bool (*is_untouched)(const struct batch *batch, size_t i);
    void (*tell)(struct batch *batch, size_t i, enum store_end end);
} kinds[SETTLEMENT_AT_COUNT] = {
    [AT_CHARGE] = {SETTLE_BATCH_MAX, settlements_go_together, ask_charge, is_untouched_charge,
                   tell_charged},
    [AT_BOOK] = {BOOK_BATCH_MAX, are_of_a_day, ask_book, is_untouched_book, tell_booked},
    [AT_FORGET] = {SETTLE_BATCH_MAX, are_of_a_user, ask_forget, is_never_untouched, tell_forgotten},
};

size_t batch_ask(struct settlements *settlements, enum settlement_at at, struct list *waiting,
                 bool is_urgent)
{
    struct batch *batch = batch_new(settlements, at, is_urgent);
    size_t count, looked = 0;

    LIST_EACH (node, waiting) {
        struct settlement *s = container_of(node, struct settlement, gather);
        if (batch->count == kinds[at].most || looked++ == GATHER_PART * kinds[at].most)
            break;
        if (!batch_takes(batch, s))
            continue;
        list_remove(&s->gather);
        batch->items[batch->count++] = s;
    }
    count = batch->count;
    ask(batch);
    return count;
}

void batches_close(struct settlements *settlements)
{
    LIST_EACH (node, &settlements->round.asking) {
        struct batch *batch = container_of(node, struct batch, link);
        turn_cancel(&batch->turn);
        list_remove(&batch->link);
        must_free(batch);
    }
}

static struct batch *batch_new(struct settlements *settlements, enum settlement_at at,
                               bool is_urgent)
{
    struct batch *batch = must_alloc(sizeof(*batch));

    batch->settlements = settlements;
    batch->at = at;
    batch->is_urgent = is_urgent;
    list_init(&batch->link);
    turn_init(&batch->turn, on_batch_turn);
    return batch;
}

static bool batch_takes(const struct batch *batch, const struct settlement *s)
{
    const struct settlement *first = batch->items[0];

    return batch->count == 0 || (!first->alone && !s->alone && !has_id(batch, s) &&
                                 kinds[batch->at].go_together(&first->record, &s->record));
}

/* Two know what one request cost; the scripts take an id once in a call. */
static bool has_id(const struct batch *batch, const struct settlement *s)
{
    for (size_t i = 0; i < batch->count; i++)
        if (strcmp(batch->items[i]->record.request_id, s->record.request_id) == 0)
            return true;
    return false;
}

static bool are_of_a_day(const struct settlement_record *a, const struct settlement_record *b)
{
    return strcmp(a->day, b->day) == 0;
}

static bool are_of_a_user(const struct settlement_record *a, const struct settlement_record *b)
{
    return strcmp(a->user, b->user) == 0;
}

static void ask(struct batch *batch)
{
    struct settlements *settlements = batch->settlements;

    list_append(&settlements->round.asking, &batch->link);
    if (!batch->is_urgent)
        congestion_asked(&settlements->round.congestion[batch->at], &batch->paced, batch->count,
                         loop_now_us(settlements->flow->loop));
    kinds[batch->at].ask(batch);
}

static void ask_charge(struct batch *batch)
{
    struct settlement_record *records[SETTLE_BATCH_MAX];

    for (size_t i = 0; i < batch->count; i++)
        records[i] = &batch->items[i]->record;
    batch->call = &batch->ask.settle.call;
    quota_settle(batch->settlements->flow->store, &batch->ask.settle, records, batch->count,
                 &batch->turn);
}

static void ask_book(struct batch *batch)
{
    const struct settlement_record *records[BOOK_BATCH_MAX];

    for (size_t i = 0; i < batch->count; i++)
        records[i] = &batch->items[i]->record;
    batch->call = &batch->ask.book.call;
    book_settlements(batch->settlements->flow->store, &batch->ask.book, records, batch->count,
                     &batch->turn);
}

static void ask_forget(struct batch *batch)
{
    struct span ids[SETTLE_BATCH_MAX];

    for (size_t i = 0; i < batch->count; i++)
        ids[i] = span_of(batch->items[i]->record.request_id);
    batch->call = &batch->ask.forget.call;
    quota_forget_settled(batch->settlements->flow->store, &batch->ask.forget,
                         span_of(batch->items[0]->record.user), ids, batch->count, &batch->turn);
}

static void on_batch_turn(struct turn *turn)
{
    struct batch *batch = container_of(turn, struct batch, turn), *again = NULL;
    struct settlements *settlements = batch->settlements;
    enum store_end end = batch->call->end;

    list_remove(&batch->link);
    if (!batch->is_urgent)
        congestion_answered(&settlements->round.congestion[batch->at], &batch->paced,
                            end == STORE_OK, loop_now_us(settlements->flow->loop),
                            settlements_due_count(settlements));
    round_answered(settlements, end);
    for (size_t i = 0; i < batch->count; i++)
        if (!kinds[batch->at].is_untouched(batch, i))
            kinds[batch->at].tell(batch, i, end);
        else {
            again = again ? again : batch_new(settlements, batch->at, true);
            again->items[again->count++] = batch->items[i];
        }
    if (again)
        ask(again);
    must_free(batch);
}

/* Where some had been charged or booked before, the others were not touched. */
static bool is_untouched_charge(const struct batch *batch, size_t i)
{
    const struct settle *settle = &batch->ask.settle;

    return settle->call.end == STORE_OK && settle->some_already && !settle->items[i].already;
}

static bool is_untouched_book(const struct batch *batch, size_t i)
{
    const struct book *book = &batch->ask.book;

    return book->call.end == STORE_OK && book->some_already && !book->already[i];
}

static bool is_never_untouched(const struct batch *batch, size_t i)
{
    (void)batch, (void)i;
    return false;
}

static void tell_charged(struct batch *batch, size_t i, enum store_end end)
{
    settlement_charged(batch->items[i], end, &batch->ask.settle.items[i]);
}

static void tell_booked(struct batch *batch, size_t i, enum store_end end)
{
    settlement_booked(batch->items[i], end);
}

static void tell_forgotten(struct batch *batch, size_t i, enum store_end end)
{
    settlement_forgotten(batch->items[i], end);
}

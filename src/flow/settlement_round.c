/* What is asked in one call, and how much is asked at once. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement_way.h"

#include <assert.h>

/* ASKED, BATCHES: at once, well within what Redis answers in time. */
enum {
    ASKED_MAX = 1024,
    BATCHES_MAX = 16,
    FAILURES_MAX = 16,
    PAUSE_FIRST_MS = 50,
    PAUSE_LAST_MS = 2000
};

static void on_round_turn(struct turn *turn);
static void arm(struct settlements *settlements);
static bool anything_waits(const struct settlement_round *round);
static bool has_id(const struct batch *batch, const struct settlement *s);
static void charge_some(struct settlements *settlements);
static void book_some(struct settlements *settlements);
static void forget_some(struct settlements *settlements);
static struct batch *gather(struct settlements *settlements, struct list *list,
                            enum settlement_at at);
static void ask(struct batch *batch);
static void ask_charge(struct batch *batch);
static void ask_book(struct batch *batch);
static void ask_forget(struct batch *batch);
static void on_batch_turn(struct turn *turn);
static void got_charge(struct batch *batch);
static void got_book(struct batch *batch);
static void got_forget(struct batch *batch);
static struct batch *add_again(struct batch *again, const struct batch *batch, size_t i);
static void answered(struct settlements *settlements, enum store_end end);

static const struct {
    size_t most;
    void (*ask)(struct batch *batch);
    void (*got)(struct batch *batch);
} kinds[] = {
    [AT_CHARGE] = {SETTLE_BATCH_MAX, ask_charge, got_charge},
    [AT_BOOK] = {BOOK_BATCH_MAX, ask_book, got_book},
    [AT_FORGET] = {SETTLE_BATCH_MAX, ask_forget, got_forget},
};

void round_open(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    list_init(&round->ready);
    list_init(&round->to_book);
    list_init(&round->to_forget);
    list_init(&round->asking);
    turn_init(&round->turn, on_round_turn);
    deadline_class_open(&round->rounds, settlements->flow->loop, ROUND_MS);
    deadline_init(&round->due, &round->turn);
}

void round_close(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    list_take_all(&round->asking, &round->ready);
    LIST_EACH (node, &round->asking) {
        struct batch *batch = container_of(node, struct batch, link);
        turn_cancel(&batch->turn);
        list_remove(&batch->link);
        must_free(batch);
    }
    deadline_leave(&round->due);
    deadline_class_close(&round->rounds);
    turn_cancel(&round->turn);
}

void round_join(struct settlement *s)
{
    struct settlement_round *round = &s->settlements->round;

    assert(s->at != AT_CHARGE);
    list_append(s->at == AT_BOOK ? &round->to_book : &round->to_forget, &s->gather);
    arm(s->settlements);
}

void round_charge(struct batch *batch, enum settle_when when)
{
    struct settlements *settlements = batch->settlements;

    list_append(&settlements->round.ready, &batch->link);
    if (when == SETTLE_NOW) {
        ask(batch);
        return;
    }
    if (!round_is_troubled(settlements))
        charge_some(settlements);
    arm(settlements);
}

void round_resume(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    round->failures = 0;
    round->failed = false;
    deadline_leave(&round->due);
    arm(settlements);
}

bool round_is_troubled(const struct settlements *settlements)
{
    return settlements->round.failures > 0 || settlements->round.failed;
}

struct batch *batch_new(struct settlements *settlements, enum settlement_at at)
{
    struct batch *batch = must_alloc(sizeof(*batch));

    batch->settlements = settlements;
    batch->at = at;
    list_init(&batch->link);
    turn_init(&batch->turn, on_batch_turn);
    return batch;
}

bool batch_takes(const struct batch *batch, const struct settlement *s)
{
    const struct settlement *first = batch->items[0];

    if (batch->count == 0)
        return true;
    if (batch->count == kinds[batch->at].most || first->alone || s->alone || has_id(batch, s))
        return false;
    switch (batch->at) {
    case AT_CHARGE:
        return settlements_go_together(&first->record, &s->record);
    case AT_BOOK:
        return strcmp(first->record.day, s->record.day) == 0;
    case AT_FORGET:
        break;
    }
    return strcmp(first->record.user, s->record.user) == 0;
}

/* Two know what one request cost; the scripts take an id once in a call. */
static bool has_id(const struct batch *batch, const struct settlement *s)
{
    for (size_t i = 0; i < batch->count; i++)
        if (strcmp(batch->items[i]->record.request_id, s->record.request_id) == 0)
            return true;
    return false;
}

void batch_add(struct batch *batch, struct settlement *s)
{
    assert(batch_takes(batch, s));
    batch->items[batch->count++] = s;
}

static void arm(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    if (!anything_waits(round) || deadline_is_set(&round->due) || round->due.passed)
        return;
    if (round->failed)
        deadline_join_in(&settlements->flow->pauses, &round->due,
                         PAUSE_FIRST_MS + backoff_ms(round->failures, PAUSE_FIRST_MS, PAUSE_LAST_MS,
                                                     settlements->flow->random()));
    else
        deadline_join(&round->rounds, &round->due);
}

static bool anything_waits(const struct settlement_round *round)
{
    return !list_is_empty(&round->ready) || !list_is_empty(&round->to_book) ||
           !list_is_empty(&round->to_forget);
}

static void on_round_turn(struct turn *turn)
{
    struct settlement_round *round = container_of(turn, struct settlement_round, turn);
    struct settlements *settlements = container_of(round, struct settlements, round);

    deadline_leave(&round->due);
    round->failures = !round->failed                   ? 0
                      : round->failures < FAILURES_MAX ? round->failures + 1
                                                       : FAILURES_MAX;
    round->failed = false;
    charge_some(settlements);
    book_some(settlements);
    forget_some(settlements);
}

/* What is left waits for an answer. */
static void charge_some(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;
    struct list *first;

    while (round->asked < ASKED_MAX && (first = list_first(&round->ready)))
        ask(container_of(first, struct batch, link));
}

static void book_some(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    while (round->book_count < BATCHES_MAX && !list_is_empty(&round->to_book))
        ask(gather(settlements, &round->to_book, AT_BOOK));
}

static void forget_some(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    while (round->asked < ASKED_MAX && !list_is_empty(&round->to_forget))
        ask(gather(settlements, &round->to_forget, AT_FORGET));
}

/* The first and those behind it that go with it: of one user they came together. */
static struct batch *gather(struct settlements *settlements, struct list *list,
                            enum settlement_at at)
{
    struct batch *batch = batch_new(settlements, at);

    LIST_EACH (node, list) {
        struct settlement *s = container_of(node, struct settlement, gather);
        if (!batch_takes(batch, s))
            break;
        list_remove(&s->gather);
        batch_add(batch, s);
    }
    list_append(&settlements->round.asking, &batch->link);
    return batch;
}

static void ask(struct batch *batch)
{
    struct settlement_round *round = &batch->settlements->round;

    list_remove(&batch->link);
    list_append(&round->asking, &batch->link);
    if (batch->at == AT_BOOK)
        round->book_count++;
    else
        round->asked += batch->count;
    kinds[batch->at].ask(batch);
}

static void ask_charge(struct batch *batch)
{
    struct settlement_record *records[SETTLE_BATCH_MAX];

    for (size_t i = 0; i < batch->count; i++)
        records[i] = &batch->items[i]->record;
    quota_settle(batch->settlements->flow->store, &batch->ask.settle, records, batch->count,
                 &batch->turn);
}

static void ask_book(struct batch *batch)
{
    const struct settlement_record *records[BOOK_BATCH_MAX];

    for (size_t i = 0; i < batch->count; i++)
        records[i] = &batch->items[i]->record;
    book_settlements(batch->settlements->flow->store, &batch->ask.book, records, batch->count,
                     &batch->turn);
}

static void ask_forget(struct batch *batch)
{
    struct span ids[SETTLE_BATCH_MAX];

    for (size_t i = 0; i < batch->count; i++)
        ids[i] = span_of(batch->items[i]->record.request_id);
    quota_forget_settled(batch->settlements->flow->store, &batch->ask.forget,
                         span_of(batch->items[0]->record.user), ids, batch->count, &batch->turn);
}

static void on_batch_turn(struct turn *turn)
{
    struct batch *batch = container_of(turn, struct batch, turn);
    struct settlement_round *round = &batch->settlements->round;

    list_remove(&batch->link);
    if (batch->at == AT_BOOK)
        round->book_count--;
    else
        round->asked -= batch->count;
    kinds[batch->at].got(batch);
    must_free(batch);
}

/* Those that had been charged are done with; where there are some, the others were not touched. */
static void got_charge(struct batch *batch)
{
    const struct settle *settle = &batch->ask.settle;
    struct batch *again = NULL;

    answered(batch->settlements, settle->call.end);
    for (size_t i = 0; i < batch->count; i++)
        if (settle->call.end == STORE_OK && settle->some_already && !settle->items[i].already)
            again = add_again(again, batch, i);
        else
            settlement_charged(batch->items[i], settle->call.end, &settle->items[i]);
    if (again)
        ask(again);
}

/* In the same way. */
static void got_book(struct batch *batch)
{
    const struct book *book = &batch->ask.book;
    struct batch *again = NULL;

    answered(batch->settlements, book->call.end);
    for (size_t i = 0; i < batch->count; i++)
        if (book->call.end == STORE_OK && book->already_count > 0 && !book->already[i])
            again = add_again(again, batch, i);
        else
            settlement_booked(batch->items[i], book->call.end);
    if (again)
        ask(again);
}

static struct batch *add_again(struct batch *again, const struct batch *batch, size_t i)
{
    if (!again)
        again = batch_new(batch->settlements, batch->at);
    batch_add(again, batch->items[i]);
    return again;
}

static void got_forget(struct batch *batch)
{
    enum store_end end = batch->ask.forget.call.end;

    answered(batch->settlements, end);
    for (size_t i = 0; i < batch->count; i++)
        settlement_forgotten(batch->items[i], end);
}

static void answered(struct settlements *settlements, enum store_end end)
{
    struct settlement_round *round = &settlements->round;

    round->failed = end == STORE_DOWN || end == STORE_UNKNOWN;
    if (end == STORE_OK && !anything_waits(round) && list_is_empty(&round->asking))
        round->failures = 0; /* no round would come to say so */
    if (!round_is_troubled(settlements))
        charge_some(settlements);
    arm(settlements);
}

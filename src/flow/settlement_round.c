/* What ended at about the same time leaves together: one write, and for the books one call. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement_way.h"

#include <assert.h>

/* ASKED, BATCHES: at once, well within what Redis answers in time. */
enum {
    ASKED_MAX = 512,
    BATCHES_MAX = 8,
    FAILURES_MAX = 16,
    PAUSE_FIRST_MS = 50,
    PAUSE_LAST_MS = 2000
};

struct batch {
    struct list link; /* round->batches */
    struct turn turn;
    struct book book;
    size_t count;
    struct settlement *settlements[BOOK_BATCH_MAX]; /* borrowed: they wait for it */
};

static struct list *list_of(struct settlement *s);
static void on_round_turn(struct turn *turn);
static void arm(struct settlements *settlements);
static void charge_some(struct settlement_round *round);
static void charge(struct settlement *s);
static void forget_some(struct settlements *settlements);
static void book_some(struct settlements *settlements);
static void book_batch(struct settlements *settlements);
static bool fits(const struct batch *batch, const struct settlement *s);
static void on_batch_turn(struct turn *turn);

void round_open(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    list_init(&round->to_charge);
    list_init(&round->to_book);
    list_init(&round->to_forget);
    list_init(&round->batches);
    turn_init(&round->turn, on_round_turn);
    deadline_class_open(&round->rounds, settlements->flow->loop, ROUND_MS);
    deadline_init(&round->due, &round->turn);
}

void round_close(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    LIST_EACH (node, &round->batches) {
        struct batch *batch = container_of(node, struct batch, link);
        assert(!store_call_is_open(&batch->book.call));
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

    list_append(list_of(s), &s->gather);
    round->to_charge_count += s->at == AT_CHARGE;
    arm(s->settlements);
}

void round_answered(struct settlements *settlements, enum store_end end)
{
    struct settlement_round *round = &settlements->round;

    round->failed = end == STORE_DOWN || end == STORE_UNKNOWN;
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

void settlements_hurry(struct settlements *settlements, struct span user)
{
    struct settlement_round *round = &settlements->round;

    if (round->failures || round->to_charge_count > ASKED_MAX)
        return;
    LIST_EACH (node, &round->to_charge) {
        struct settlement *s = container_of(node, struct settlement, gather);
        if (span_equal(span_of(s->record.user), user))
            charge(s);
    }
}

static void arm(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;
    bool waits = !list_is_empty(&round->to_charge) || !list_is_empty(&round->to_book) ||
                 !list_is_empty(&round->to_forget);

    if (!waits || deadline_is_set(&round->due) || round->due.passed)
        return;
    if (round->failed)
        deadline_join_in(&settlements->flow->pauses, &round->due,
                         PAUSE_FIRST_MS + backoff_ms(round->failures, PAUSE_FIRST_MS, PAUSE_LAST_MS,
                                                     settlements->flow->random()));
    else
        deadline_join(&round->rounds, &round->due);
}

static struct list *list_of(struct settlement *s)
{
    struct settlement_round *round = &s->settlements->round;

    switch (s->at) {
    case AT_CHARGE:
        return &round->to_charge;
    case AT_BOOK:
        return &round->to_book;
    case AT_FORGET:
        break;
    }
    return &round->to_forget;
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
    charge_some(round);
    book_some(settlements);
    forget_some(settlements);
}

/* What is left waits for an answer. */
static void charge_some(struct settlement_round *round)
{
    struct list *first;

    while (round->asked < ASKED_MAX && (first = list_first(&round->to_charge)))
        charge(container_of(first, struct settlement, gather));
}

static void charge(struct settlement *s)
{
    list_remove(&s->gather);
    s->settlements->round.to_charge_count--;
    settlement_charge(s);
}

static void forget_some(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;
    struct list *first;

    while (round->asked < ASKED_MAX && (first = list_first(&round->to_forget))) {
        struct settlement *s = container_of(first, struct settlement, gather);
        list_remove(first);
        round->asked++;
        quota_forget_settled(settlements->flow->store, &s->forget, span_of(s->record.user),
                             span_of(s->record.request_id), &s->turn);
    }
}

static void book_some(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    while (round->batch_count < BATCHES_MAX && !list_is_empty(&round->to_book))
        book_batch(settlements);
}

/* Those of the first one's day. */
static void book_batch(struct settlements *settlements)
{
    struct batch *batch = must_alloc(sizeof(*batch));
    const struct settlement_record *records[BOOK_BATCH_MAX];

    LIST_EACH (node, &settlements->round.to_book) {
        struct settlement *s = container_of(node, struct settlement, gather);
        if (batch->count == BOOK_BATCH_MAX || (batch->count && batch->settlements[0]->alone))
            break;
        if (!fits(batch, s))
            continue;
        list_remove(&s->gather);
        records[batch->count] = &s->record;
        batch->settlements[batch->count++] = s;
    }
    turn_init(&batch->turn, on_batch_turn);
    list_append(&settlements->round.batches, &batch->link);
    settlements->round.batch_count++;
    book_settlements(settlements->flow->store, &batch->book, records, batch->count, &batch->turn);
}

static bool fits(const struct batch *batch, const struct settlement *s)
{
    const struct settlement *first = batch->settlements[0];

    return batch->count == 0 || (!s->alone && strcmp(first->record.day, s->record.day) == 0);
}

static void on_batch_turn(struct turn *turn)
{
    struct batch *batch = container_of(turn, struct batch, turn);
    struct settlements *settlements = batch->settlements[0]->settlements;

    if (store_call_is_open(&batch->book.call))
        return;
    list_remove(&batch->link);
    settlements->round.batch_count--;
    round_answered(settlements, batch->book.call.end);
    for (size_t i = 0; i < batch->count; i++)
        settlement_booked(batch->settlements[i], batch->book.call.end);
    must_free(batch);
}

/* What ended at about the same time leaves together: one write, and for the books one call. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement_way.h"

#include <assert.h>

struct batch {
    struct list link; /* round->batches */
    struct turn turn;
    struct book book;
    size_t count;
    struct settlement *settlements[BOOK_BATCH_MAX]; /* borrowed: they wait for it */
};

static struct list *list_of(struct settlement *s);
static void on_round_turn(struct turn *turn);
static void charge_all(struct settlements *settlements);
static void forget_all(struct settlements *settlements);
static void book_all(struct settlements *settlements);
static void book_some(struct settlements *settlements);
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
    deadline_class_close(&round->rounds);
    turn_cancel(&round->turn);
}

void round_join(struct settlement *s)
{
    struct settlement_round *round = &s->settlements->round;

    list_append(list_of(s), &s->gather);
    if (!deadline_is_set(&round->due) && !round->due.passed)
        deadline_join(&round->rounds, &round->due);
}

void settlements_hurry(struct settlements *settlements, struct span user)
{
    LIST_EACH (node, &settlements->round.to_charge) {
        struct settlement *s = container_of(node, struct settlement, gather);
        if (span_equal(span_of(s->record.user), user)) {
            list_remove(&s->gather);
            settlement_charge(s);
        }
    }
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
    charge_all(settlements);
    book_all(settlements);
    forget_all(settlements);
}

static void charge_all(struct settlements *settlements)
{
    struct list *first;

    while ((first = list_first(&settlements->round.to_charge))) {
        list_remove(first);
        settlement_charge(container_of(first, struct settlement, gather));
    }
}

static void forget_all(struct settlements *settlements)
{
    struct list *first;

    while ((first = list_first(&settlements->round.to_forget))) {
        struct settlement *s = container_of(first, struct settlement, gather);
        list_remove(first);
        quota_forget_settled(settlements->flow->store, &s->forget, span_of(s->record.user),
                             span_of(s->record.request_id), &s->turn);
    }
}

static void book_all(struct settlements *settlements)
{
    while (!list_is_empty(&settlements->round.to_book))
        book_some(settlements);
}

/* Those of the first one's day. */
static void book_some(struct settlements *settlements)
{
    struct batch *batch = must_alloc(sizeof(*batch));
    const struct settlement_record *records[BOOK_BATCH_MAX];

    LIST_EACH (node, &settlements->round.to_book) {
        struct settlement *s = container_of(node, struct settlement, gather);
        if (batch->count == BOOK_BATCH_MAX)
            break;
        if (!fits(batch, s))
            continue;
        list_remove(&s->gather);
        records[batch->count] = &s->record;
        batch->settlements[batch->count++] = s;
    }
    turn_init(&batch->turn, on_batch_turn);
    list_append(&settlements->round.batches, &batch->link);
    book_settlements(settlements->flow->store, &batch->book, records, batch->count, &batch->turn);
}

static bool fits(const struct batch *batch, const struct settlement *s)
{
    const struct settlement *first = batch->settlements[0];

    return batch->count == 0 ||
           (!first->alone && !s->alone && strcmp(first->record.day, s->record.day) == 0);
}

static void on_batch_turn(struct turn *turn)
{
    struct batch *batch = container_of(turn, struct batch, turn);

    if (store_call_is_open(&batch->book.call))
        return;
    list_remove(&batch->link);
    for (size_t i = 0; i < batch->count; i++)
        settlement_booked(batch->settlements[i], batch->book.call.end);
    must_free(batch);
}

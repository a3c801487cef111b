/* What is asked in one call, and how much is asked at once. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement_way.h"

#include <assert.h>

/* Of what waits, each round asks one call, and one more for so many calls that wait. CALLS_MAX of a kind are open at most:
 * well within what Redis answers in time. */
enum {
    PART = 64,
    CALLS_MAX = 16,
    LONELY_ROUNDS = 16, /* so long what is to be booked waits for company */
    FAILURES_MAX = 16,
    PAUSE_FIRST_MS = 50,
    PAUSE_LAST_MS = 2000
};

static void on_round_turn(struct turn *turn);
static bool anything_waits(const struct settlements *settlements);
static bool has_id(const struct batch *batch, const struct settlement *s);
static bool are_of_a_day(const struct settlement_record *a, const struct settlement_record *b);
static bool are_of_a_user(const struct settlement_record *a, const struct settlement_record *b);
static void ask_some(struct settlements *settlements);
static size_t calls_to_book(const struct settlement_round *round);
static bool book_next(struct settlements *settlements);
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
    bool (*go_together)(const struct settlement_record *a, const struct settlement_record *b);
    void (*ask)(struct batch *batch);
    void (*got)(struct batch *batch);
} kinds[SETTLEMENT_AT_COUNT] = {
    [AT_CHARGE] = {SETTLE_BATCH_MAX, settlements_go_together, ask_charge, got_charge},
    [AT_BOOK] = {BOOK_BATCH_MAX, are_of_a_day, ask_book, got_book},
    [AT_FORGET] = {SETTLE_BATCH_MAX, are_of_a_user, ask_forget, got_forget},
};

void round_open(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    list_init(&round->to_book);
    list_init(&round->asking);
    turn_init(&round->turn, on_round_turn);
    deadline_class_open(&round->rounds, settlements->flow->loop, ROUND_MS);
    deadline_init(&round->due, &round->turn);
}

void round_close(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

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

void round_book(struct settlement *s)
{
    struct settlement_round *round = &s->settlements->round;

    s->at = AT_BOOK;
    list_append(&round->to_book, &s->gather);
    round->to_book_count++;
    round_arm(s->settlements);
}

void round_arm(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    if (!anything_waits(settlements) || deadline_is_set(&round->due) || round->due.passed)
        return;
    if (round->failed)
        deadline_join_in(&settlements->flow->pauses, &round->due,
                         PAUSE_FIRST_MS + backoff_ms(round->failures, PAUSE_FIRST_MS, PAUSE_LAST_MS,
                                                     settlements->flow->random()));
    else
        deadline_join(&round->rounds, &round->due);
}

void round_ask(struct batch *batch)
{
    struct settlement_round *round = &batch->settlements->round;

    list_append(&round->asking, &batch->link);
    round->open[batch->at]++;
    kinds[batch->at].ask(batch);
}

bool round_has_room(const struct settlements *settlements, enum settlement_at at)
{
    return settlements->round.open[at] < CALLS_MAX;
}

void round_resume(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    round->failures = 0;
    round->failed = false;
    deadline_leave(&round->due);
    LIST_EACH (node, &round->to_book) {
        list_remove(node);
        settlement_charge_again(container_of(node, struct settlement, gather));
    }
    round->to_book_count = 0;
    parcels_charge_again(settlements);
    round_arm(settlements);
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
    return kinds[batch->at].go_together(&first->record, &s->record);
}

static bool are_of_a_day(const struct settlement_record *a, const struct settlement_record *b)
{
    return strcmp(a->day, b->day) == 0;
}

static bool are_of_a_user(const struct settlement_record *a, const struct settlement_record *b)
{
    return strcmp(a->user, b->user) == 0;
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

static bool anything_waits(const struct settlements *settlements)
{
    return settlements->parcels.due_count > 0 || settlements->round.to_book_count > 0;
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
    ask_some(settlements);
    round_arm(settlements);
}

static void ask_some(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;
    size_t calls = 1 + (settlements->parcels.due_count + calls_to_book(round)) / PART;
    bool (*const next[])(struct settlements *) = {parcels_send_next, book_next};

    round->lonely_rounds = round->to_book_count ? round->lonely_rounds + 1 : 0;
    for (size_t idle = 0; calls > 0 && idle < sizeof(next) / sizeof(*next);) {
        bool some = next[round->books_are_next](settlements);
        round->books_are_next = !round->books_are_next;
        idle = some ? 0 : idle + 1;
        calls -= some;
    }
}

static size_t calls_to_book(const struct settlement_round *round)
{
    size_t full = round->to_book_count / BOOK_BATCH_MAX;

    return full > 0 || round->lonely_rounds < LONELY_ROUNDS ? full : 1;
}

/* The first and those behind it that go with it. */
static bool book_next(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;
    struct batch *batch;

    if (calls_to_book(round) == 0 || !round_has_room(settlements, AT_BOOK))
        return false;
    batch = batch_new(settlements, AT_BOOK);
    LIST_EACH (node, &round->to_book) {
        struct settlement *s = container_of(node, struct settlement, gather);
        if (!batch_takes(batch, s))
            break;
        list_remove(&s->gather);
        batch_add(batch, s);
    }
    round->to_book_count -= batch->count;
    round->lonely_rounds = 0;
    round_ask(batch);
    return true;
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
    round->open[batch->at]--;
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
        round_ask(again);
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
        round_ask(again);
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
    if (end == STORE_OK && !anything_waits(settlements) && list_is_empty(&round->asking))
        round->failures = 0; /* no round would come to say so */
    round_arm(settlements);
}

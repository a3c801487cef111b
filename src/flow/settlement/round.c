/* When what waits is asked: in rounds, and after a failure later and later. */
#include "flow/flow.h"
#include "flow/settlement/way.h"

enum {
    PART = 64,                     /* a round asks one call, and one more for so many that wait */
    ROOM_LEAST = FULL_CALL_WEIGHT, /* of each kind */
    ROOM_MOST = 12 * FULL_CALL_WEIGHT, /* a millisecond or two of Redis */
    BOOK_COMPANY = 8,                  /* what is to be booked waits for so many */
    LONELY_ROUNDS = 16,                /* but no longer than that */
    FAILURES_MAX = 16,
    PAUSE_FIRST_MS = 50,
    PAUSE_LAST_MS = 2000
};

static void on_round_turn(struct turn *turn);
static bool anything_waits(const struct settlements *settlements);
static void ask_some(struct settlements *settlements);
static size_t calls_to_book(const struct settlement_round *round);
static bool book_next(struct settlements *settlements);

void round_open(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    list_init(&round->to_book);
    list_init(&round->asking);
    for (size_t at = 0; at < SETTLEMENT_AT_COUNT; at++)
        congestion_init(&round->congestion[at], ROOM_LEAST, ROOM_MOST);
    turn_init(&round->turn, on_round_turn);
    deadline_class_open(&round->rounds, settlements->flow->loop, ROUND_MS);
    deadline_init(&round->due, &round->turn);
}

void round_close(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    batches_close(settlements);
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

void round_charge_again(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    LIST_EACH (node, &round->to_book) {
        struct settlement *s = container_of(node, struct settlement, gather);
        list_remove(&s->gather);
        s->at = AT_CHARGE;
        parcel_join(s, SETTLE_SOON);
    }
    round->to_book_count = 0;
    parcels_charge_again(settlements);
}

void round_resume(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    round->failures = 0;
    round->failed = false;
    deadline_leave(&round->due);
    round_charge_again(settlements);
    round_arm(settlements);
}

struct settlements_stats settlements_stats(const struct settlements *settlements)
{
    struct settlements_stats stats = {settlements->count, settlements->journalled, 0};

    for (size_t at = 0; at < SETTLEMENT_AT_COUNT; at++)
        stats.late += settlements->round.congestion[at].late;
    return stats;
}

bool settlements_are_troubled(const struct settlements *settlements)
{
    return settlements->round.failures > 0 || settlements->round.failed;
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

/* Full ones, and one more for a rest that is company enough. */
static size_t calls_to_book(const struct settlement_round *round)
{
    size_t calls = (round->to_book_count + BOOK_BATCH_MAX - BOOK_COMPANY) / BOOK_BATCH_MAX;

    return calls > 0 || round->lonely_rounds < LONELY_ROUNDS ? calls : 1;
}

static bool book_next(struct settlements *settlements)
{
    struct settlement_round *round = &settlements->round;

    if (calls_to_book(round) == 0 || !congestion_has_room(&round->congestion[AT_BOOK]))
        return false;
    round->to_book_count -= batch_ask(settlements, AT_BOOK, &round->to_book, false);
    round->lonely_rounds = 0;
    return true;
}

/* What is not asked again at once is to outlive us. */
void round_answered(struct settlements *settlements, enum store_end end)
{
    struct settlement_round *round = &settlements->round;
    bool had_failed = round->failed;

    round->failed = end == STORE_DOWN || end == STORE_UNKNOWN;
    if (round->failed && !had_failed) {
        deadline_leave(&round->due);
        settlements_keep_all(settlements);
    }
    if (end == STORE_OK && !anything_waits(settlements) && list_is_empty(&round->asking))
        round->failures = 0; /* no round would come to say so */
    round_arm(settlements);
}

void settlements_keep_all(struct settlements *settlements)
{
    LIST_EACH (node, &settlements->under_way)
        settlement_keep(container_of(node, struct settlement, link));
}

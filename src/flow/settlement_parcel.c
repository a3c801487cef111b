/* Charges of one user that leave in one call. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement_way.h"

/* Due and not done: some forty megabytes. */
enum { BEHIND_COUNT = 32768 };

struct parcel {
    struct map_entry by_user;
    struct deadline due;
    struct turn turn;
    enum settle_when when;
    struct batch *batch;
};

static struct parcel *find_or_make(struct settlement *s);
static void on_parcel_turn(struct turn *turn);
static void leave(struct parcel *parcel, enum settle_when when);
static struct batch *unpack(struct parcel *parcel);

void parcels_open(struct settlements *settlements, const uint64_t map_seed[2])
{
    map_init(&settlements->parcels, map_seed);
    deadline_class_open(&settlements->soon, settlements->flow->loop, ROUND_MS);
    deadline_class_open(&settlements->later, settlements->flow->loop, LATER_MS);
}

/* Their settlements are in the journal. */
void parcels_close(struct settlements *settlements)
{
    struct map_entry *any;

    while ((any = map_any(&settlements->parcels)))
        must_free(unpack(container_of(any, struct parcel, by_user)));
    map_done(&settlements->parcels);
    deadline_class_close(&settlements->later);
    deadline_class_close(&settlements->soon);
}

/* What is asked for by itself is in a parcel that nobody finds. */
void parcel_join(struct settlement *s, enum settle_when when)
{
    struct settlements *settlements = s->settlements;
    struct parcel *parcel;
    struct batch *alone;

    s->at = AT_CHARGE;
    if (s->alone) {
        alone = batch_new(settlements, AT_CHARGE);
        batch_add(alone, s);
        round_charge(alone, when);
        return;
    }
    parcel = find_or_make(s);
    batch_add(parcel->batch, s);
    settlements->in_parcels++;
    if (when == SETTLE_NOW || parcel->batch->count == SETTLE_BATCH_MAX)
        leave(parcel, when);
    else if (when < parcel->when || !deadline_is_set(&parcel->due)) {
        parcel->when = when;
        deadline_join(when == SETTLE_SOON ? &settlements->soon : &settlements->later, &parcel->due);
    }
}

void settlements_hurry(struct settlements *settlements, struct span user)
{
    struct map_entry *found = map_find(&settlements->parcels, user);

    if (found && !round_is_troubled(settlements))
        leave(container_of(found, struct parcel, by_user), SETTLE_NOW);
}

bool settlements_are_behind(const struct settlements *settlements)
{
    return settlements->count - settlements->in_parcels > BEHIND_COUNT;
}

static struct parcel *find_or_make(struct settlement *s)
{
    struct settlements *settlements = s->settlements;
    struct span user = span_of(s->record.user);
    struct map_entry *found = map_find(&settlements->parcels, user);
    struct parcel *parcel = found ? container_of(found, struct parcel, by_user) : NULL;

    if (parcel && batch_takes(parcel->batch, s))
        return parcel;
    if (parcel)
        leave(parcel, SETTLE_SOON);
    parcel = must_alloc(sizeof(*parcel));
    parcel->batch = batch_new(settlements, AT_CHARGE);
    parcel->when = SETTLE_LATER;
    turn_init(&parcel->turn, on_parcel_turn);
    deadline_init(&parcel->due, &parcel->turn);
    map_insert(&settlements->parcels, &parcel->by_user, user);
    return parcel;
}

static void on_parcel_turn(struct turn *turn)
{
    struct parcel *parcel = container_of(turn, struct parcel, turn);

    if (parcel->due.passed)
        leave(parcel, SETTLE_SOON);
}

static void leave(struct parcel *parcel, enum settle_when when)
{
    round_charge(unpack(parcel), when);
}

static struct batch *unpack(struct parcel *parcel)
{
    struct batch *batch = parcel->batch;

    map_remove(&batch->settlements->parcels, &parcel->by_user);
    batch->settlements->in_parcels -= batch->count;
    deadline_leave(&parcel->due);
    turn_cancel(&parcel->turn);
    must_free(parcel);
    return batch;
}

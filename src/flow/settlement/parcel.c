/* What one user's account is told at once: what is to be charged, and what is booked and to be forgotten. A parcel takes more
 * until all of it has left, also while it waits for its round. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement/way.h"

#include <assert.h>

enum { LOOKS_MAX = 8 }; /* for one of which something has room */

struct parcel {
    struct map_entry by_user;
    struct list link; /* parcels->due */
    struct deadline early;
    struct turn turn;
    enum settle_when when;
    struct settlements *settlements; /* borrowed */
    struct list charge, forget;      /* settlements */
    size_t count;
    char user[USER_ID_MAX + 1];
};

static struct parcel *find_or_make(struct settlement *s);
static struct list *part_for(struct parcel *parcel, const struct settlement *s);
static void on_parcel_turn(struct turn *turn);
static void be_due(struct parcel *parcel);
static bool ask_what_has_room(struct parcel *parcel);
static void send_all(struct parcel *parcel);
static void ask_one(struct parcel *parcel, enum settlement_at at, bool is_urgent);
static void free_if_empty(struct parcel *parcel);
static void visit_closed(struct map_entry *entry, void *context);
static void visit_drained(struct map_entry *entry, void *context);
static void visit_doubted(struct map_entry *entry, void *context);

void parcels_open(struct settlements *settlements, const uint64_t map_seed[2])
{
    struct settlement_parcels *parcels = &settlements->parcels;

    map_init(&parcels->by_user, map_seed);
    list_init(&parcels->due);
    deadline_class_open(&parcels->soon, settlements->flow->loop, SOON_MS);
    deadline_class_open(&parcels->later, settlements->flow->loop, LATER_MS);
}

/* Their settlements are in the journal. */
void parcels_close(struct settlements *settlements)
{
    struct settlement_parcels *parcels = &settlements->parcels;

    map_each(&parcels->by_user, visit_closed, NULL);
    map_done(&parcels->by_user);
    deadline_class_close(&parcels->later);
    deadline_class_close(&parcels->soon);
}

void parcel_join(struct settlement *s, enum settle_when when)
{
    struct settlements *settlements = s->settlements;
    struct settlement_parcels *parcels = &settlements->parcels;
    struct parcel *parcel = find_or_make(s);
    bool is_due = list_is_linked(&parcel->link),
         is_troubled = settlements_are_troubled(settlements);

    if (is_troubled)
        settlement_keep(s);
    list_append(part_for(parcel, s), &s->gather);
    parcel->count++;
    parcels->early_count += !is_due;
    if (when == SETTLE_LATER && settlements->flow->draining)
        when = SETTLE_SOON;
    if (when == SETTLE_NOW && !is_troubled)
        send_all(parcel);
    else if (when == SETTLE_NOW || s->alone || parcel->count >= SETTLE_BATCH_MAX)
        be_due(parcel);
    else if (!is_due && !parcel->early.passed &&
             (when < parcel->when || !deadline_is_set(&parcel->early))) {
        parcel->when = when;
        deadline_join(when == SETTLE_SOON ? &parcels->soon : &parcels->later, &parcel->early);
    }
}

bool parcels_send_next(struct settlements *settlements)
{
    struct settlement_parcels *parcels = &settlements->parcels;
    size_t looks = parcels->due_count < LOOKS_MAX ? parcels->due_count : LOOKS_MAX;

    for (; looks > 0; looks--) {
        struct parcel *parcel = container_of(list_first(&parcels->due), struct parcel, link);
        list_remove(&parcel->link);
        list_append(&parcels->due, &parcel->link); /* the rest of it, after all others */
        if (ask_what_has_room(parcel))
            return true;
    }
    return false;
}

void settlements_hurry(struct settlements *settlements, struct span user)
{
    struct map_entry *found = map_find(&settlements->parcels.by_user, user);

    if (found && !settlements_are_troubled(settlements))
        send_all(container_of(found, struct parcel, by_user));
}

void settlements_drain(struct settlements *settlements)
{
    map_each(&settlements->parcels.by_user, visit_drained, NULL);
}

size_t settlements_due_count(const struct settlements *settlements)
{
    return settlements->count - settlements->parcels.early_count;
}

bool settlements_are_behind(const struct settlements *settlements)
{
    return settlements_due_count(settlements) >= settlements->behind_count;
}

void parcels_charge_again(struct settlements *settlements)
{
    map_each(&settlements->parcels.by_user, visit_doubted, NULL);
}

static struct parcel *find_or_make(struct settlement *s)
{
    struct settlement_parcels *parcels = &s->settlements->parcels;
    struct span user = span_of(s->record.user);
    struct map_entry *found = map_find(&parcels->by_user, user);
    struct parcel *parcel;

    if (found)
        return container_of(found, struct parcel, by_user);
    parcel = must_alloc(sizeof(*parcel));
    parcel->settlements = s->settlements;
    parcel->when = SETTLE_LATER;
    list_init(&parcel->link);
    list_init(&parcel->charge);
    list_init(&parcel->forget);
    turn_init(&parcel->turn, on_parcel_turn);
    deadline_init(&parcel->early, &parcel->turn);
    span_text(user, parcel->user, sizeof(parcel->user));
    map_insert(&parcels->by_user, &parcel->by_user, span_of(parcel->user));
    return parcel;
}

static struct list *part_for(struct parcel *parcel, const struct settlement *s)
{
    assert(s->at != AT_BOOK);
    return s->at == AT_CHARGE ? &parcel->charge : &parcel->forget;
}

static void on_parcel_turn(struct turn *turn)
{
    struct parcel *parcel = container_of(turn, struct parcel, turn);

    if (parcel->early.passed)
        be_due(parcel);
}

static void be_due(struct parcel *parcel)
{
    struct settlement_parcels *parcels = &parcel->settlements->parcels;

    if (list_is_linked(&parcel->link))
        return;
    deadline_leave(&parcel->early);
    list_append(&parcels->due, &parcel->link);
    parcels->due_count++;
    parcels->early_count -= parcel->count;
    round_arm(parcel->settlements);
}

static bool ask_what_has_room(struct parcel *parcel)
{
    const struct congestion *congestion = parcel->settlements->round.congestion;
    bool charges = !list_is_empty(&parcel->charge) && congestion_has_room(&congestion[AT_CHARGE]);
    bool forgets = !list_is_empty(&parcel->forget) && congestion_has_room(&congestion[AT_FORGET]);

    if (charges)
        ask_one(parcel, AT_CHARGE, false);
    if (forgets)
        ask_one(parcel, AT_FORGET, false);
    free_if_empty(parcel);
    return charges || forgets;
}

static void send_all(struct parcel *parcel)
{
    while (!list_is_empty(&parcel->charge))
        ask_one(parcel, AT_CHARGE, true);
    while (!list_is_empty(&parcel->forget))
        ask_one(parcel, AT_FORGET, true);
    free_if_empty(parcel);
}

static void ask_one(struct parcel *parcel, enum settlement_at at, bool is_urgent)
{
    struct settlement_parcels *parcels = &parcel->settlements->parcels;
    struct list *part = at == AT_CHARGE ? &parcel->charge : &parcel->forget;
    size_t asked = list_is_empty(part) ? 0 : batch_ask(parcel->settlements, at, part, is_urgent);

    parcel->count -= asked;
    if (!list_is_linked(&parcel->link))
        parcels->early_count -= asked;
}

static void free_if_empty(struct parcel *parcel)
{
    struct settlement_parcels *parcels = &parcel->settlements->parcels;

    if (parcel->count > 0)
        return;
    map_remove(&parcels->by_user, &parcel->by_user);
    parcels->due_count -= list_is_linked(&parcel->link);
    list_remove(&parcel->link);
    deadline_leave(&parcel->early);
    turn_cancel(&parcel->turn);
    must_free(parcel);
}

static void visit_closed(struct map_entry *entry, void *context)
{
    struct parcel *parcel = container_of(entry, struct parcel, by_user);

    (void)context;
    parcel->count = 0;
    free_if_empty(parcel);
}

static void visit_drained(struct map_entry *entry, void *context)
{
    (void)context;
    be_due(container_of(entry, struct parcel, by_user));
}

/* Its charges may be lost. */
static void visit_doubted(struct map_entry *entry, void *context)
{
    struct parcel *parcel = container_of(entry, struct parcel, by_user);

    (void)context;
    LIST_EACH (node, &parcel->forget) {
        struct settlement *s = container_of(node, struct settlement, gather);
        list_remove(&s->gather);
        s->at = AT_CHARGE;
        list_append(&parcel->charge, &s->gather);
    }
    be_due(parcel);
}

/* What one user's account is told at once: what is to be charged, and what is booked and to be forgotten. A parcel takes more
 * until it leaves, also while it waits for its round. */
#include "base/alloc.h"
#include "flow/flow.h"
#include "flow/settlement_way.h"

#include <assert.h>

struct parcel {
    struct map_entry by_user;
    struct list link; /* parcels->due */
    struct deadline early;
    struct turn turn;
    enum settle_when when;
    struct settlements *settlements; /* borrowed */
    struct batch *charge, *forget;   /* NULL: none of that */
    char user[USER_ID_MAX + 1];      /* "": not in by_user */
};

static struct parcel *make(struct settlements *settlements);
static struct parcel *find_or_make(struct settlement *s);
static struct batch **part_for(struct parcel *parcel, const struct settlement *s);
static void add(struct parcel *parcel, struct settlement *s);
static bool is_full(const struct parcel *parcel);
static size_t size_of(const struct parcel *parcel);
static void on_parcel_turn(struct turn *turn);
static void close_for_more(struct parcel *parcel);
static void be_due(struct parcel *parcel);
static void send(struct parcel *parcel);
static void take_apart(struct parcel *parcel);
static void drop(struct parcel *parcel);
static void visit_drained(struct map_entry *entry, void *context);
static void visit_early(struct map_entry *entry, void *context);
static void move_forget(struct parcel *parcel, struct list *ret_batches);

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
    struct map_entry *any;
    struct list *first;

    while ((first = list_first(&parcels->due)))
        drop(container_of(first, struct parcel, link));
    while ((any = map_any(&parcels->by_user)))
        drop(container_of(any, struct parcel, by_user));
    map_done(&parcels->by_user);
    deadline_class_close(&parcels->later);
    deadline_class_close(&parcels->soon);
}

void parcel_join(struct settlement *s, enum settle_when when)
{
    struct settlement_parcels *parcels = &s->settlements->parcels;
    struct parcel *parcel = s->alone ? make(s->settlements) : find_or_make(s);

    if (when == SETTLE_LATER && s->settlements->flow->draining)
        when = SETTLE_SOON;
    add(parcel, s);
    if (when == SETTLE_NOW || (is_full(parcel) && !round_is_troubled(s->settlements) &&
                               round_has_room(s->settlements, s->at)))
        send(parcel);
    else if (is_full(parcel) || s->alone)
        be_due(parcel);
    else if (!list_is_linked(&parcel->link) &&
             (when < parcel->when || !deadline_is_set(&parcel->early))) {
        parcel->when = when;
        deadline_join(when == SETTLE_SOON ? &parcels->soon : &parcels->later, &parcel->early);
    }
}

bool parcels_send_next(struct settlements *settlements)
{
    struct list *first = list_first(&settlements->parcels.due);

    if (!first || !round_has_room(settlements, AT_CHARGE) ||
        !round_has_room(settlements, AT_FORGET))
        return false;
    send(container_of(first, struct parcel, link));
    return true;
}

void settlements_drain(struct settlements *settlements)
{
    map_each(&settlements->parcels.by_user, visit_drained, NULL);
}

void settlements_hurry(struct settlements *settlements, struct span user)
{
    struct map_entry *found = map_find(&settlements->parcels.by_user, user);

    if (found && !round_is_troubled(settlements))
        send(container_of(found, struct parcel, by_user));
}

bool settlements_are_behind(const struct settlements *settlements)
{
    return settlements->count - settlements->parcels.early_count >= settlements->behind_count;
}

void parcels_charge_again(struct settlements *settlements)
{
    struct list batches;

    list_init(&batches);
    LIST_EACH (node, &settlements->parcels.due)
        move_forget(container_of(node, struct parcel, link), &batches);
    map_each(&settlements->parcels.by_user, visit_early, &batches);
    LIST_EACH (node, &batches) {
        struct batch *batch = container_of(node, struct batch, link);
        list_remove(&batch->link);
        for (size_t i = 0; i < batch->count; i++)
            settlement_charge_again(batch->items[i]);
        must_free(batch);
    }
}

static struct parcel *make(struct settlements *settlements)
{
    struct parcel *parcel = must_alloc(sizeof(*parcel));

    parcel->settlements = settlements;
    parcel->when = SETTLE_LATER;
    list_init(&parcel->link);
    turn_init(&parcel->turn, on_parcel_turn);
    deadline_init(&parcel->early, &parcel->turn);
    return parcel;
}

static struct parcel *find_or_make(struct settlement *s)
{
    struct settlement_parcels *parcels = &s->settlements->parcels;
    struct span user = span_of(s->record.user);
    struct map_entry *found = map_find(&parcels->by_user, user);
    struct parcel *parcel = found ? container_of(found, struct parcel, by_user) : NULL;
    const struct batch *part = parcel ? *part_for(parcel, s) : NULL;

    if (parcel && (!part || batch_takes(part, s)))
        return parcel;
    if (parcel)
        be_due(parcel);
    if (parcel)
        close_for_more(parcel);
    parcel = make(s->settlements);
    span_text(user, parcel->user, sizeof(parcel->user));
    map_insert(&parcels->by_user, &parcel->by_user, span_of(parcel->user));
    return parcel;
}

static struct batch **part_for(struct parcel *parcel, const struct settlement *s)
{
    assert(s->at != AT_BOOK);
    return s->at == AT_CHARGE ? &parcel->charge : &parcel->forget;
}

static void add(struct parcel *parcel, struct settlement *s)
{
    struct batch **part = part_for(parcel, s);

    if (!*part)
        *part = batch_new(parcel->settlements, s->at);
    batch_add(*part, s);
    if (!list_is_linked(&parcel->link))
        parcel->settlements->parcels.early_count++;
}

static bool is_full(const struct parcel *parcel)
{
    return (parcel->charge && parcel->charge->count == SETTLE_BATCH_MAX) ||
           (parcel->forget && parcel->forget->count == SETTLE_BATCH_MAX);
}

static size_t size_of(const struct parcel *parcel)
{
    return (parcel->charge ? parcel->charge->count : 0) +
           (parcel->forget ? parcel->forget->count : 0);
}

static void on_parcel_turn(struct turn *turn)
{
    struct parcel *parcel = container_of(turn, struct parcel, turn);

    if (parcel->early.passed)
        be_due(parcel);
}

static void close_for_more(struct parcel *parcel)
{
    if (parcel->user[0])
        map_remove(&parcel->settlements->parcels.by_user, &parcel->by_user);
    parcel->user[0] = '\0';
}

static void be_due(struct parcel *parcel)
{
    struct settlement_parcels *parcels = &parcel->settlements->parcels;

    if (is_full(parcel))
        close_for_more(parcel);
    if (list_is_linked(&parcel->link))
        return;
    deadline_leave(&parcel->early);
    list_append(&parcels->due, &parcel->link);
    parcels->due_count++;
    parcels->early_count -= size_of(parcel);
    round_arm(parcel->settlements);
}

static void send(struct parcel *parcel)
{
    struct batch *charge = parcel->charge, *forget = parcel->forget;

    take_apart(parcel);
    if (charge)
        round_ask(charge);
    if (forget)
        round_ask(forget);
}

static void take_apart(struct parcel *parcel)
{
    struct settlement_parcels *parcels = &parcel->settlements->parcels;

    close_for_more(parcel);
    if (list_is_linked(&parcel->link))
        parcels->due_count--;
    else
        parcels->early_count -= size_of(parcel);
    list_remove(&parcel->link);
    deadline_leave(&parcel->early);
    turn_cancel(&parcel->turn);
    must_free(parcel);
}

static void drop(struct parcel *parcel)
{
    struct batch *charge = parcel->charge, *forget = parcel->forget;

    take_apart(parcel);
    must_free(charge);
    must_free(forget);
}

static void visit_drained(struct map_entry *entry, void *context)
{
    (void)context;
    be_due(container_of(entry, struct parcel, by_user));
}

static void visit_early(struct map_entry *entry, void *context)
{
    struct parcel *parcel = container_of(entry, struct parcel, by_user);

    if (!list_is_linked(&parcel->link))
        move_forget(parcel, context);
}

static void move_forget(struct parcel *parcel, struct list *ret_batches)
{
    struct batch *forget = parcel->forget;

    if (!forget)
        return;
    list_append(ret_batches, &forget->link);
    if (!list_is_linked(&parcel->link))
        parcel->settlements->parcels.early_count -= forget->count;
    parcel->forget = NULL;
    if (!parcel->charge)
        take_apart(parcel);
}

#include "flow/flow.h"
#include "flow/settlement/way.h"

#include "base/alloc.h"

#include <assert.h>

enum { LINE_MAX_BYTES = 2048, PAUSE_FIRST_MS = 50, PAUSE_LAST_MS = 2000 };
enum { BEHIND_COUNT = 16384 }; /* some twenty megabytes */
/* Redis knows a settled request for 48 h: what is older than that would be charged twice. */
enum { REPLAYED_MAX_MS = 47 * 3600 * 1000 };

static struct settlement *begin(struct settlements *settlements,
                                const struct settlement_record *record);
static void on_settlement_turn(struct turn *turn);
static void try_again(struct settlement *s, enum store_end end);
static void finished(struct settlement *s);
static void replay_line(struct span line, void *context);

void settlements_open(struct settlements *settlements, struct flow *flow, struct journal *journal,
                      const uint64_t map_seed[2])
{
    settlements->flow = flow;
    settlements->journal = journal;
    settlements->behind_count = BEHIND_COUNT;
    list_init(&settlements->under_way);
    parcels_open(settlements, map_seed);
    round_open(settlements);
    settled_open(settlements);
}

void settlements_replay(struct settlements *settlements)
{
    if (settlements->journal)
        journal_each(settlements->journal, replay_line, settlements);
    if (settlements->count)
        log_info(settlements->flow->log,
                 "settlements of an earlier run are taken up from the journal",
                 log_int("count", (int64_t)settlements->count));
}

void settlements_close(struct settlements *settlements)
{
    parcels_close(settlements);
    round_close(settlements);
    LIST_EACH (node, &settlements->under_way) {
        struct settlement *s = container_of(node, struct settlement, link);
        deadline_leave(&s->pause);
        turn_cancel(&s->turn);
        list_remove(&s->link);
        must_free(s);
    }
    settled_close(settlements);
}

void settlement_begin(struct settlements *settlements, const struct settlement_record *record,
                      enum settle_when when)
{
    parcel_join(begin(settlements, record), when);
}

void settlement_begin_again(struct settlements *settlements, const struct settlement_record *record)
{
    struct settlement *s = begin(settlements, record);

    s->is_again = true;
    settlements->again_count++;
    parcel_join(s, SETTLE_SOON);
}

void settlement_begin_charged(struct settlements *settlements,
                              const struct settlement_record *record)
{
    struct settlement *s = begin(settlements, record);

    s->charged = s->already = true;
    round_book(s);
}

void settlement_begin_for(struct settlements *settlements, const struct settlement_record *record,
                          struct settlement_wait *wait, struct turn *wake)
{
    struct settlement *s = begin(settlements, record);

    *wait = (struct settlement_wait){.settlement = s, .wake = wake};
    s->wait = wait;
    parcel_join(s, SETTLE_NOW);
}

void settlement_leave(struct settlement_wait *wait)
{
    if (wait->settlement)
        wait->settlement->wait = NULL;
    wait->settlement = NULL;
}

static struct settlement *begin(struct settlements *settlements,
                                const struct settlement_record *record)
{
    struct settlement *s = must_alloc(sizeof(*s));

    s->settlements = settlements;
    s->record = *record;
    turn_init(&s->turn, on_settlement_turn);
    deadline_init(&s->pause, &s->turn);
    list_init(&s->gather);
    list_append(&settlements->under_way, &s->link);
    settlements->count++;
    return s;
}

/* It was put off for a while. */
static void on_settlement_turn(struct turn *turn)
{
    struct settlement *s = container_of(turn, struct settlement, turn);

    if (!s->pause.passed)
        return;
    deadline_leave(&s->pause);
    parcel_join(s, SETTLE_SOON);
}

void settlement_charged(struct settlement *s, enum store_end end, const struct settled *settled)
{
    if (end != STORE_OK) {
        try_again(s, end);
        return;
    }
    s->already = s->charged ? s->already : settled->already;
    s->is_booked = settled->is_booked;
    s->charged = true;
    if (s->is_booked) {
        finished(s);
        return;
    }
    round_book(s);
}

void settlement_booked(struct settlement *s, enum store_end end)
{
    if (end != STORE_OK) {
        try_again(s, end);
        return;
    }
    s->at = AT_FORGET;
    parcel_join(s, s->wait ? SETTLE_SOON : SETTLE_LATER);
}

void settlement_forgotten(struct settlement *s, enum store_end end)
{
    if (end == STORE_OK)
        finished(s);
    else
        try_again(s, end);
}

/* From the charge on: a Redis that went away may have forgotten that, too. */
static void try_again(struct settlement *s, enum store_end end)
{
    struct flow *flow = s->settlements->flow;

    settlement_keep(s);
    s->at = AT_CHARGE;
    s->alone = end == STORE_BROKEN;
    if (s->alone)
        deadline_join_in(&flow->pauses, &s->pause,
                         backoff_ms(s->tries++, PAUSE_FIRST_MS, PAUSE_LAST_MS, flow->random()));
    else
        parcel_join(s, SETTLE_SOON);
}

void settlement_keep(struct settlement *s)
{
    struct settlements *settlements = s->settlements;
    struct buffer line;

    if (s->journalled || !settlements->journal)
        return;
    buffer_init(&line, LINE_MAX_BYTES);
    s->journalled = settlement_write(&s->record, &line) &&
                    journal_append(settlements->journal, buffer_view(&line));
    buffer_done(&line);
    if (s->journalled)
        settlements->journalled++;
    else
        log_error(settlements->flow->log,
                  "a settlement could not be written to the journal: keep this process running "
                  "until Redis is back, or its cost is corrected only by reconciliation",
                  log_text("request_id", s->record.request_id),
                  log_int("cost_nano_usd", s->record.cost_nano_usd));
}

/* The journal is emptied when nothing in it is open: replaying a settled line would be told "already". */
static void finished(struct settlement *s)
{
    struct settlements *settlements = s->settlements;
    struct metrics *metrics = settlements->flow->metrics;
    struct settlement_wait *wait = s->wait;

    settlements->count--;
    settlements->again_count -= s->is_again;
    metric_add(metrics, MEASURE_SETTLED, s->record.source, 0, !s->already);
    metric_add(metrics, MEASURE_SETTLED_NANO_USD, s->record.source, 0,
               s->already ? 0 : s->record.cost_nano_usd);
    if (!(s->already && s->is_booked)) /* another's figure, which we do not know */
        settled_keep(settlements, &s->record);
    if (s->journalled && --settlements->journalled == 0 && !settlements->journal_is_torn)
        journal_empty(settlements->journal);
    if (wait) {
        wait->settlement = NULL;
        wait->already = s->already;
        wait->cost_nano_usd = s->record.cost_nano_usd;
        loop_post(settlements->flow->loop, wait->wake);
    }
    list_remove(&s->link);
    must_free(s);
    settled_ask_again(settlements);
}

static void replay_line(struct span line, void *context)
{
    struct settlements *settlements = context;
    struct settlement_record record;
    struct settlement *s;

    if (!settlement_read(line, &record)) {
        settlements->journal_is_torn = true;
        log_error(settlements->flow->log,
                  "a line of the journal cannot be read; the file is kept, and the request is "
                  "settled by whoever sweeps, if its hold is still there",
                  log_int("bytes", (int64_t)line.size));
        return;
    }
    if (loop_wall_ms(settlements->flow->loop) - record.finished_ms > REPLAYED_MAX_MS) {
        log_error(settlements->flow->log,
                  "a settlement in the journal is too old to be asked again: Redis may not know "
                  "any more that it was settled. Compare it with `keyturn usage`",
                  log_text("request_id", record.request_id), log_text("user", record.user),
                  log_int("cost_nano_usd", record.cost_nano_usd));
        return;
    }
    s = begin(settlements, &record);
    s->journalled = true;
    settlements->journalled++;
    parcel_join(s, SETTLE_SOON);
}

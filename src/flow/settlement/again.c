/* What Redis acknowledged just before it went away is asked again when it is back. */
#include "flow/flow.h"
#include "flow/settlement/way.h"

enum { AT_ONCE_MAX = 500 };
#define OUTAGE_MAX_MS \
    (UINT64_C(24) * 3600 * 1000) /* request ids are known as settled for twice that time */

static void on_link_turn(struct turn *turn);
static void make_way(struct settled_lines *settled, uint64_t now_ms);
static void drop(struct buffer *lines);

void settled_open(struct settlements *settlements)
{
    struct settled_lines *settled = &settlements->settled;

    buffer_init(&settled->now, SETTLED_KEPT_BYTES);
    buffer_init(&settled->before, SETTLED_KEPT_BYTES);
    buffer_init(&settled->again, 2 * SETTLED_KEPT_BYTES);
    settled->since_ms = settled->up_ms = loop_now_ms(settlements->flow->loop);
    turn_init(&settled->link, on_link_turn);
    store_on_link(settlements->flow->store, &settled->link);
}

void settled_close(struct settlements *settlements)
{
    struct settled_lines *settled = &settlements->settled;

    turn_cancel(&settled->link);
    buffer_done(&settled->now);
    buffer_done(&settled->before);
    buffer_done(&settled->again);
}

uint64_t settlements_up_for_ms(const struct settlements *settlements)
{
    const struct settled_lines *settled = &settlements->settled;

    return settled->down_ms ? 0 : loop_now_ms(settlements->flow->loop) - settled->up_ms;
}

/* What does not fit is not kept: it is acknowledged. */
void settled_keep(struct settlements *settlements, const struct settlement_record *record)
{
    struct settled_lines *settled = &settlements->settled;

    make_way(settled, loop_now_ms(settlements->flow->loop));
    settlement_write(record, &settled->now);
}

void settled_ask_again(struct settlements *settlements)
{
    struct buffer *again = &settlements->settled.again;
    struct settlement_record record;

    while (buffer_size(again) > 0 && settlements->again_count < AT_ONCE_MAX) {
        struct span rest = buffer_view(again), line;
        span_split(&rest, '\n', &line);
        if (settlement_read(line, &record))
            settlement_begin_again(settlements, &record);
        buffer_consume(again, line.size + 1);
    }
    if (buffer_size(again) == 0)
        buffer_shrink(again);
}

/* During an outage nothing is acknowledged and nothing grows old. */
static void on_link_turn(struct turn *turn)
{
    struct settled_lines *settled = container_of(turn, struct settled_lines, link);
    struct settlements *settlements = container_of(settled, struct settlements, settled);
    uint64_t now_ms = loop_now_ms(settlements->flow->loop), down_ms = settled->down_ms;

    if (!down_ms)
        make_way(settled, now_ms);
    if (!store_is_up(settlements->flow->store)) {
        settled->down_ms = down_ms ? down_ms : now_ms;
        round_charge_again(settlements);
        return;
    }
    settled->down_ms = 0;
    settled->up_ms = now_ms;
    round_resume(settlements);
    if (!down_ms || now_ms - down_ms < OUTAGE_MAX_MS) {
        buffer_append(&settled->again, buffer_view(&settled->before));
        buffer_append(&settled->again, buffer_view(&settled->now));
    }
    drop(&settled->before);
    drop(&settled->now);
    settled->since_ms = now_ms;
    if (buffer_size(&settled->again) > 0)
        log_info(settlements->flow->log,
                 "the link to Redis is back: what it acknowledged just before is settled again, "
                 "should it have forgotten",
                 log_int("bytes", (int64_t)buffer_size(&settled->again)));
    settled_ask_again(settlements);
}

static void make_way(struct settled_lines *settled, uint64_t now_ms)
{
    uint64_t age_ms = now_ms - settled->since_ms;
    struct buffer before = settled->before;

    if (age_ms < SETTLED_KEPT_MS)
        return;
    drop(&before);
    settled->before = settled->now;
    settled->now = before;
    settled->since_ms = now_ms;
    if (age_ms >= 2 * SETTLED_KEPT_MS)
        drop(&settled->before);
}

static void drop(struct buffer *lines)
{
    buffer_consume(lines, buffer_size(lines));
}

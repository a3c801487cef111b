#include "api/usage_reader.h"

static void ask(struct usage_reader *reader, int64_t at_ms);
static void on_answer(struct turn *turn);
static void take(struct sums_read *read, const struct sums_row *row);

void usage_read(struct store *store, struct usage_reader *reader, const struct usage_query *query,
                struct usage_sheet *sheet, struct turn *wake)
{
    reader->store = store;
    reader->query = query;
    reader->sheet = sheet;
    reader->wake = wake;
    reader->done = false;
    turn_init(&reader->turn, on_answer);
    ask(reader, query->first.starts_ms);
}

static void ask(struct usage_reader *reader, int64_t at_ms)
{
    reader->window = usage_window(reader->query, at_ms);
    sums_of(reader->store, &reader->read, &reader->window, reader->query->group, take,
            &reader->turn);
}

static void on_answer(struct turn *turn)
{
    struct usage_reader *reader = container_of(turn, struct usage_reader, turn);

    reader->end = reader->read.call.end;
    if (reader->end == STORE_OK && reader->window.ends_ms < reader->query->last.ends_ms) {
        ask(reader, reader->window.ends_ms);
        return;
    }
    reader->done = true;
    loop_post(reader->store->loop, reader->wake);
}

static void take(struct sums_read *read, const struct sums_row *row)
{
    struct usage_reader *reader = container_of(read, struct usage_reader, read);

    if (reader->query->group != SUMS_BY_DAY || usage_query_covers(reader->query, row->name))
        usage_sheet_add(reader->sheet, row);
}

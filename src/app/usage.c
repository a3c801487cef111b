/* keyturn usage: what was spent, from the books in the store itself: the figures of GET /admin/usage. */
#include "api/usage_reader.h"
#include "app/command.h"
#include "app/gate.h"
#include "base/clock.h"
#include "crypto/random.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 3000 };

struct work {
    struct turn turn;
    struct core core;
    struct gate gate;
    struct usage_query query;
    struct usage_sheet sheet;
    struct usage_reader reader;
    enum { AT_GATE, AT_BOOKS, AT_END } at;
    bool read;
    char error[sizeof(((struct gate *)0)->error)];
};

static bool read_arguments(struct usage_query *query, int argc, char **argv,
                           char ret_error[USAGE_ERROR_SIZE]);
static bool read_option(struct usage_query *query, int argc, char **argv, int *index,
                        char ret_error[USAGE_ERROR_SIZE]);
static void on_turn(struct turn *turn);
static void end(struct work *work, const char *error);
static bool print(struct work *work);

int command_usage(int argc, char **argv)
{
    struct work work = {.at = AT_GATE};
    struct core_options options = {.quiet = true};
    char error[USAGE_ERROR_SIZE] = "";
    bool printed;

    if (!read_arguments(&work.query, argc, argv, error)) {
        fprintf(stderr,
                "keyturn usage: %s\nusage: keyturn usage [--from DAY] [--to DAY] [--group-by "
                "user|tier|model|day] [--csv|--json]\nDAY is like 2026-11-20, UTC; without them "
                "it is this month so far.\n",
                error);
        return EXIT_USAGE;
    }
    usage_sheet_init(&work.sheet, (uint64_t[2]){random_u64(), random_u64()});
    turn_init(&work.turn, on_turn);
    if (core_open(&work.core, &options)) {
        gate_open(&work.gate, &work.core, true, PATIENCE_MS, &work.turn);
        loop_run(work.core.loop);
        core_close_redis(&work.core);
        gate_close(&work.gate);
    }
    core_close(&work.core);
    printed = work.read && print(&work);
    if (work.error[0])
        fprintf(stderr, "keyturn usage: %s\n", work.error);
    usage_sheet_done(&work.sheet);
    return printed ? EXIT_DONE : EXIT_FAILED;
}

static bool read_arguments(struct usage_query *query, int argc, char **argv,
                           char ret_error[USAGE_ERROR_SIZE])
{
    *query = (struct usage_query){.group = SUMS_BY_USER, .format = USAGE_TABLE};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--csv") == 0)
            query->format = USAGE_CSV;
        else if (strcmp(argv[i], "--json") == 0)
            query->format = USAGE_JSON;
        else if (!read_option(query, argc, argv, &i, ret_error))
            return false;
    }
    return usage_query_seal(query, clock_wall_ms(), ret_error);
}

static bool read_option(struct usage_query *query, int argc, char **argv, int *index,
                        char ret_error[USAGE_ERROR_SIZE])
{
    static const char *const options[][2] = {
        {"--from", "from"}, {"--to", "to"}, {"--group-by", "group_by"}};

    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        const char *value = option_value(argc, argv, index, options[i][0]);
        if (value)
            return usage_query_set(query, span_of(options[i][1]), span_of(value), ret_error);
    }
    snprintf(ret_error, USAGE_ERROR_SIZE, "there is no option '%.100s'", argv[*index]);
    return false;
}

static void on_turn(struct turn *turn)
{
    struct work *work = container_of(turn, struct work, turn);

    switch (work->at) {
    case AT_GATE:
        if (work->gate.state != GATE_OPEN) {
            end(work, work->gate.error);
            return;
        }
        work->at = AT_BOOKS;
        usage_read(&work->core.store, &work->reader, &work->query, &work->sheet, turn);
        return;
    case AT_BOOKS:
        if (!work->reader.done)
            return;
        work->read = work->reader.end == STORE_OK;
        end(work, work->read ? "" : "Redis did not answer; run it again");
        return;
    case AT_END:
        return;
    }
}

static void end(struct work *work, const char *error)
{
    snprintf(work->error, sizeof(work->error), "%s", error);
    work->at = AT_END;
    loop_stop(work->core.loop);
}

static bool print(struct work *work)
{
    struct buffer out;
    bool fits, written;

    buffer_init(&out, USAGE_PRINTED_MAX);
    fits = !work->sheet.full && usage_print(&work->sheet, &work->query, &out);
    if (!fits)
        snprintf(work->error, sizeof(work->error),
                 "there are too many rows; ask for fewer days or by another group");
    written = fits &&
              fwrite(buffer_view(&out).at, 1, buffer_size(&out), stdout) == buffer_size(&out) &&
              fflush(stdout) == 0;
    buffer_done(&out);
    return written;
}

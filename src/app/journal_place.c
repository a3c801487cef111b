#include "app/journal_place.h"

#include "app/data_directory.h"

#include <stdio.h>
#include <unistd.h>

enum { PLACES_MAX = 64 };

static bool place_name(const char *directory, int place, char ret_path[512]);
static bool move_lines(struct journal *from, struct journal *to);
static void move_line(struct span line, void *context);

struct move {
    struct journal *to;
    bool whole;
};

struct journal *journal_place_take(const char *directory, char ret_error[160])
{
    struct journal *ours = NULL;
    char path[512], ignored[160];

    data_directory_make(directory);
    for (int place = 0; place < PLACES_MAX; place++) {
        struct journal *found;
        if (!place_name(directory, place, path) || (ours && access(path, F_OK) != 0))
            continue;
        found = journal_open(path, ours ? ignored : ret_error);
        if (!found || !ours) {
            ours = ours ? ours : found;
            continue;
        }
        if (move_lines(found, ours))
            journal_empty(found);
        journal_close(found);
    }
    return ours;
}

static bool place_name(const char *directory, int place, char ret_path[512])
{
    return snprintf(ret_path, 512, "%s/journal-%d", directory, place) < 512;
}

/* False: some could not be written; they stay where they are, and those that could are told "already" next time. */
static bool move_lines(struct journal *from, struct journal *to)
{
    struct move move = {to, true};

    journal_each(from, move_line, &move);
    return move.whole;
}

static void move_line(struct span line, void *context)
{
    struct move *move = context;
    char text[4096];

    if (line.size + 2 <= sizeof(text))
        move->whole =
            journal_append(move->to,
                           (struct span){text, (size_t)snprintf(text, sizeof(text), "%.*s\n",
                                                                SPAN_PRINT(line))}) &&
            move->whole;
}

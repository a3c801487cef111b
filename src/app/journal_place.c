#include "app/journal_place.h"

#include "app/data_directory.h"

#include <stdio.h>
#include <unistd.h>

enum { PLACES_MAX = 64 };

static bool place_name(const char *directory, int place, char ret_path[512]);
static void move_line(struct span line, void *context);

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
        journal_each(found, move_line, ours);
        journal_empty(found);
        journal_close(found);
    }
    return ours;
}

static bool place_name(const char *directory, int place, char ret_path[512])
{
    return snprintf(ret_path, 512, "%s/journal-%d", directory, place) < 512;
}

static void move_line(struct span line, void *context)
{
    char text[4096];

    if (line.size + 2 <= sizeof(text))
        journal_append(context, (struct span){text, (size_t)snprintf(text, sizeof(text), "%.*s\n",
                                                                     SPAN_PRINT(line))});
}

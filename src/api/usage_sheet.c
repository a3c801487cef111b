#include "api/usage_sheet.h"

#include "base/alloc.h"
#include "base/list.h"

#include <stdlib.h>

struct entry {
    struct map_entry by_name;
    struct sums_row row; /* its name is text */
    char text[];
};

/* What map_each fills. */
struct collection {
    const struct sums_row **rows;
    size_t count;
};

static struct entry *entry_of(struct usage_sheet *sheet, struct span name);
static void collect(struct map_entry *found, void *context);
static int compare_names(const void *a, const void *b);
static int compare_costs(const void *a, const void *b);

void usage_sheet_init(struct usage_sheet *sheet, const uint64_t map_seed[2])
{
    *sheet = (struct usage_sheet){0};
    map_init(&sheet->by_name, map_seed);
}

void usage_sheet_done(struct usage_sheet *sheet)
{
    struct map_entry *found;

    while ((found = map_any(&sheet->by_name))) {
        map_remove(&sheet->by_name, found);
        must_free(container_of(found, struct entry, by_name));
    }
    map_done(&sheet->by_name);
}

void usage_sheet_add(struct usage_sheet *sheet, const struct sums_row *row)
{
    struct entry *entry = entry_of(sheet, row->name);

    if (entry)
        sums_row_add(&entry->row, row);
    sums_row_add(&sheet->totals, row);
}

size_t usage_sheet_size(const struct usage_sheet *sheet)
{
    return sheet->by_name.size;
}

const struct sums_row **usage_sheet_rows(const struct usage_sheet *sheet, bool by_name)
{
    size_t size = usage_sheet_size(sheet);
    struct collection all = {must_alloc((size + 1) * sizeof(*all.rows)), 0};
    struct map by_names = sheet->by_name; /* map_each may change it; collect does not */

    map_each(&by_names, collect, &all);
    qsort(all.rows, all.count, sizeof(*all.rows), by_name ? compare_names : compare_costs);
    return all.rows;
}

int64_t usage_sheet_cost(const struct usage_sheet *sheet, const struct usage_query *query)
{
    const struct sums_row **rows = usage_sheet_rows(sheet, true);
    int64_t cost = 0;

    for (size_t i = 0; i < usage_sheet_size(sheet); i++)
        if (usage_query_covers(query, rows[i]->name))
            cost += rows[i]->cost_nano_usd;
    must_free(rows);
    return cost;
}

/* NULL when there are too many names. */
static struct entry *entry_of(struct usage_sheet *sheet, struct span name)
{
    struct map_entry *found = map_find(&sheet->by_name, name);
    struct entry *entry;

    if (found)
        return container_of(found, struct entry, by_name);
    if (sheet->by_name.size == USAGE_ROWS_MAX) {
        sheet->full = true;
        return NULL;
    }
    entry = must_alloc(sizeof(*entry) + name.size + 1);
    memcpy(entry->text, name.at, name.size);
    entry->row.name = (struct span){entry->text, name.size};
    map_insert(&sheet->by_name, &entry->by_name, entry->row.name);
    return entry;
}

static void collect(struct map_entry *found, void *context)
{
    struct collection *all = context;

    all->rows[all->count++] = &container_of(found, struct entry, by_name)->row;
}

static int compare_names(const void *a, const void *b)
{
    struct span one = (*(const struct sums_row *const *)a)->name;
    struct span other = (*(const struct sums_row *const *)b)->name;
    int order = memcmp(one.at, other.at, one.size < other.size ? one.size : other.size);

    return order ? order : (one.size > other.size) - (one.size < other.size);
}

static int compare_costs(const void *a, const void *b)
{
    int64_t one = (*(const struct sums_row *const *)a)->cost_nano_usd;
    int64_t other = (*(const struct sums_row *const *)b)->cost_nano_usd;

    return one == other ? compare_names(a, b) : one < other ? 1 : -1;
}

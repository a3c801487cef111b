/* Chains in a table of a power of two; at most one entry per slot on average. It grows and never
 * shrinks. */
#include "base/map.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/sip_hash.h"

enum { FIRST_SLOTS = 16 };

static struct map_entry **slot_of(const struct map *map, uint64_t hash);
static void map_grow(struct map *map);

void map_init(struct map *map, const uint64_t seed[2])
{
    *map = (struct map){.seed = {seed[0], seed[1]}};
}

void map_done(struct map *map)
{
    must_free(map->slots);
    map_init(map, (uint64_t[2]){map->seed[0], map->seed[1]});
}

uint64_t map_hash(const struct map *map, struct span key)
{
    return sip_hash(map->seed, key);
}

struct map_entry *map_find(const struct map *map, struct span key)
{
    if (map->size == 0)
        return NULL;
    uint64_t hash = sip_hash(map->seed, key);
    for (struct map_entry *entry = *slot_of(map, hash); entry; entry = entry->next)
        if (entry->hash == hash && span_equal(entry->key, key))
            return entry;
    return NULL;
}

void map_insert(struct map *map, struct map_entry *entry, struct span key)
{
    assert(!map_find(map, key));
    if (map->size == map->slot_count)
        map_grow(map);
    entry->key = key;
    entry->hash = sip_hash(map->seed, key);
    struct map_entry **slot = slot_of(map, entry->hash);
    entry->next = *slot;
    *slot = entry;
    map->size++;
    if ((size_t)(slot - map->slots) < map->first_slot)
        map->first_slot = (size_t)(slot - map->slots);
}

void map_remove(struct map *map, struct map_entry *entry)
{
    assert(map->size > 0);
    struct map_entry **link = slot_of(map, entry->hash);
    while (*link && *link != entry)
        link = &(*link)->next;
    assert(*link == entry);
    *link = entry->next;
    entry->next = NULL;
    map->size--;
}

struct map_entry *map_any(struct map *map)
{
    if (map->size == 0)
        return NULL;
    while (!map->slots[map->first_slot])
        map->first_slot++;
    return map->slots[map->first_slot];
}

void map_each(struct map *map, void (*visit)(struct map_entry *entry, void *context), void *context)
{
    for (size_t i = 0; i < map->slot_count; i++) {
        struct map_entry *entry = map->slots[i];
        while (entry) {
            struct map_entry *next = entry->next;
            visit(entry, context);
            entry = next;
        }
    }
}

static struct map_entry **slot_of(const struct map *map, uint64_t hash)
{
    return &map->slots[hash & (map->slot_count - 1)];
}

/* An entry stays in its slot or goes up by the old number of slots, so first_slot stays true. */
static void map_grow(struct map *map)
{
    struct map old = *map;
    map->slot_count = old.slot_count ? old.slot_count * 2 : FIRST_SLOTS;
    map->slots = must_alloc(map->slot_count * sizeof(struct map_entry *));
    for (size_t i = 0; i < old.slot_count; i++) {
        while (old.slots[i]) {
            struct map_entry *entry = old.slots[i];
            old.slots[i] = entry->next;
            struct map_entry **slot = slot_of(map, entry->hash);
            entry->next = *slot;
            *slot = entry;
        }
    }
    must_free(old.slots);
}

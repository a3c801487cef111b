/* map.h: a hash map from bytes to objects, the entries living inside the objects.
 * Keyed hashing (SipHash-2-4 with a process-wide random key): a client that chooses ids cannot choose collisions.
 *
 * Owns      its table, not the entries nor their keys.
 * Units     bytes of the key are borrowed from the object and stay put while it is in the map.
 */
#ifndef KEYTURN_BASE_MAP_H
#define KEYTURN_BASE_MAP_H

#include "base/span.h"

struct map_entry {
    struct map_entry *next;
    struct span key;
    uint64_t hash;
};

struct map {
    struct map_entry **slots;
    size_t slot_count, size;
    size_t first_slot; /* no entry is below it: emptying with map_any stays linear */
    uint64_t seed[2];
};

void map_init(struct map *map, const uint64_t seed[2]);
void map_done(struct map *map); /* the map must be empty or its entries no longer wanted */
uint64_t map_hash(const struct map *map, struct span key);
struct map_entry *map_find(const struct map *map, struct span key);
/* The key must not be in yet. */
void map_insert(struct map *map, struct map_entry *entry, struct span key);
void map_remove(struct map *map, struct map_entry *entry);
/* Any entry, or NULL when empty; for emptying. */
struct map_entry *map_any(struct map *map);
/* Calls visit for each entry; visit may remove the entry it was given and no other. */
void map_each(struct map *map, void (*visit)(struct map_entry *entry, void *context),
              void *context);

#endif

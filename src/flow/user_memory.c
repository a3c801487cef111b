#include "flow/user_memory.h"

#include "base/alloc.h"
#include "domain/credential.h"

enum { COUNTED_MS = 500, GROWS_MS = 10000 };

struct entry {
    struct map_entry by_user;
    struct list by_age;
    const struct tier *tier; /* borrowed from the configuration */
    uint64_t note_after_ms, look_after_ms;
    uint64_t counted_ms; /* since when requests are counted */
    unsigned count, count_before;
    uint64_t grows_until_ms;
    char user[USER_ID_MAX + 1];
};

static struct entry *entry_of(const struct user_memory *memory, struct span user);
static void drop(struct user_memory *memory, struct entry *entry);

void user_memory_open(struct user_memory *memory, size_t entries_max, const uint64_t map_seed[2])
{
    map_init(&memory->by_user, map_seed);
    list_init(&memory->by_age);
    memory->entries_max = entries_max;
}

void user_memory_close(struct user_memory *memory)
{
    struct list *node;

    while ((node = list_first(&memory->by_age)))
        drop(memory, container_of(node, struct entry, by_age));
    map_done(&memory->by_user);
}

const struct tier *user_memory_find(const struct user_memory *memory, struct span user)
{
    struct entry *entry = entry_of(memory, user);

    return entry ? entry->tier : NULL;
}

void user_memory_set(struct user_memory *memory, struct span user, const struct tier *tier)
{
    struct entry *entry = entry_of(memory, user);

    if (!entry) {
        if (memory->by_user.size >= memory->entries_max)
            drop(memory, container_of(list_first(&memory->by_age), struct entry, by_age));
        entry = must_alloc(sizeof(*entry));
        list_init(&entry->by_age);
        span_text(user, entry->user, sizeof(entry->user));
        map_insert(&memory->by_user, &entry->by_user, span_of(entry->user));
        list_append(&memory->by_age, &entry->by_age);
    }
    entry->tier = tier;
}

unsigned user_memory_count(struct user_memory *memory, struct span user, uint64_t now_ms)
{
    struct entry *entry = entry_of(memory, user);
    uint64_t age_ms = entry ? now_ms - entry->counted_ms : 0;

    if (!entry)
        return 0;
    if (age_ms >= COUNTED_MS) {
        entry->count_before = age_ms < 2 * COUNTED_MS ? entry->count : 0;
        entry->count = 0;
        entry->counted_ms = now_ms;
    }
    entry->count++;
    return entry->count + entry->count_before;
}

void user_memory_outgrew(struct user_memory *memory, struct span user, uint64_t now_ms)
{
    struct entry *entry = entry_of(memory, user);

    if (entry)
        entry->grows_until_ms = now_ms + GROWS_MS;
}

bool user_memory_grows(const struct user_memory *memory, struct span user, uint64_t now_ms)
{
    struct entry *entry = entry_of(memory, user);

    return entry && now_ms < entry->grows_until_ms;
}

bool user_memory_note(struct user_memory *memory, struct span user, uint64_t now_ms,
                      uint64_t every_ms)
{
    struct entry *entry = entry_of(memory, user);

    if (entry && now_ms < entry->note_after_ms)
        return false;
    if (entry)
        entry->note_after_ms = now_ms + every_ms;
    return true;
}

bool user_memory_look(struct user_memory *memory, struct span user, uint64_t now_ms,
                      uint64_t every_ms)
{
    struct entry *entry = entry_of(memory, user);
    bool is_due = entry && entry->look_after_ms && now_ms >= entry->look_after_ms;

    if (entry && (is_due || !entry->look_after_ms))
        entry->look_after_ms = now_ms + every_ms;
    return is_due;
}

void user_memory_note_failed(struct user_memory *memory, struct span user)
{
    struct entry *entry = entry_of(memory, user);

    if (entry)
        entry->note_after_ms = 0;
}

static struct entry *entry_of(const struct user_memory *memory, struct span user)
{
    struct map_entry *found = map_find(&memory->by_user, user);

    return found ? container_of(found, struct entry, by_user) : NULL;
}

static void drop(struct user_memory *memory, struct entry *entry)
{
    map_remove(&memory->by_user, &entry->by_user);
    list_remove(&entry->by_age);
    must_free(entry);
}

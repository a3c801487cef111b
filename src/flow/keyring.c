#include "flow/keyring.h"

#include "base/alloc.h"
#include "flow/flow.h"

#include <assert.h>

struct entry {
    struct map_entry by_user;
    struct list waiters; /* key_ask.link; only while loading */
    struct turn turn;    /* the load was answered, or the entry was idle for long */
    struct deadline idle;
    struct key_load load;
    struct open_key key; /* set when verdict is KEY_ASK_READY */
    struct keyring *keyring;
    enum key_ask_verdict verdict; /* KEY_ASK_WAITING while loading */
    bool stale; /* changed in Redis while we were loading, or nobody tells us of changes */
    char user[USER_ID_MAX + 1];
};

static struct entry *entry_find(struct keyring *keyring, struct span user);
static struct entry *entry_new(struct keyring *keyring, struct span user);
static void entry_drop(struct entry *entry);
static void on_entry_turn(struct turn *turn);
static enum key_ask_verdict open_record(struct entry *entry, const struct key_record *record);
static void set_key(struct entry *entry, const struct key_record *record);
static void forget_one(struct map_entry *found, void *context);
static void make_room(struct keyring *keyring);

void keyring_open(struct keyring *keyring, struct flow *flow, const uint64_t map_seed[2])
{
    keyring->flow = flow;
    keyring->blind = true;
    map_init(&keyring->entries, map_seed);
    deadline_class_open(&keyring->idle, flow->loop, flow->settings->key_idle_ms);
}

void keyring_close(struct keyring *keyring)
{
    struct map_entry *found;

    while ((found = map_any(&keyring->entries)))
        entry_drop(container_of(found, struct entry, by_user));
    map_done(&keyring->entries);
    deadline_class_close(&keyring->idle);
}

void key_ask(struct keyring *keyring, struct key_ask *ask, struct span user, struct turn *wake)
{
    struct entry *entry = entry_find(keyring, user);

    list_init(&ask->link);
    ask->wake = wake;
    if (!entry) {
        entry = entry_new(keyring, user);
        entry->verdict = KEY_ASK_WAITING;
        entry->stale = keyring->blind;
        key_load(keyring->flow->store, &entry->load, span_of(entry->user), &entry->turn);
    }
    ask->verdict = entry->verdict;
    if (ask->verdict == KEY_ASK_WAITING)
        list_append(&entry->waiters, &ask->link);
    else
        deadline_join(&keyring->idle, &entry->idle);
}

size_t keyring_count(const struct keyring *keyring)
{
    return keyring->entries.size;
}

struct open_key *keyring_find(struct keyring *keyring, struct span user)
{
    struct entry *entry = entry_find(keyring, user);

    return entry && entry->verdict == KEY_ASK_READY ? &entry->key : NULL;
}

void keyring_put(struct keyring *keyring, struct span user, const struct key_record *record,
                 struct secret *take_secret)
{
    struct entry *entry = entry_find(keyring, user);

    if (entry &&
        entry->verdict ==
            KEY_ASK_WAITING) { /* a load is under way: it will bring at least this version */
        secret_done(take_secret);
        return;
    }
    if (keyring->blind) { /* nobody would tell us of a change: whoever needs it reads it */
        secret_done(take_secret);
        if (entry)
            entry_drop(entry);
        return;
    }
    if (!entry)
        entry = entry_new(keyring, user);
    secret_done(&entry->key.secret);
    entry->key.secret = *take_secret;
    *take_secret = (struct secret){0};
    set_key(entry, record);
    deadline_join(&keyring->idle, &entry->idle);
}

void keyring_forget(struct keyring *keyring, struct span user)
{
    struct entry *entry = entry_find(keyring, user);

    if (entry)
        forget_one(&entry->by_user, NULL);
}

void keyring_set_blind(struct keyring *keyring, bool blind)
{
    keyring->blind = blind;
    map_each(&keyring->entries, forget_one, NULL);
}

static struct entry *entry_find(struct keyring *keyring, struct span user)
{
    struct map_entry *found = map_find(&keyring->entries, user);

    return found ? container_of(found, struct entry, by_user) : NULL;
}

static struct entry *entry_new(struct keyring *keyring, struct span user)
{
    struct entry *entry = must_alloc(sizeof(*entry));

    make_room(keyring);
    entry->keyring = keyring;
    list_init(&entry->waiters);
    turn_init(&entry->turn, on_entry_turn);
    deadline_init(&entry->idle, &entry->turn);
    span_text(user, entry->user, sizeof(entry->user));
    flow_pseudonym(keyring->flow, user, entry->key.pseudonym);
    map_insert(&keyring->entries, &entry->by_user, span_of(entry->user));
    return entry;
}

static void entry_drop(struct entry *entry)
{
    assert(list_is_empty(&entry->waiters));
    map_remove(&entry->keyring->entries, &entry->by_user);
    turn_cancel(&entry->turn);
    deadline_leave(&entry->idle);
    secret_done(&entry->key.secret);
    must_free(entry);
}

/* Either the load was answered, or nobody used the entry for long. What the waiters are told stays true for the turns
 * this one posts: they are next in the queue, and an entry that may not be kept is dropped behind them. */
static void on_entry_turn(struct turn *turn)
{
    struct entry *entry = container_of(turn, struct entry, turn);
    struct loop *loop = entry->keyring->flow->loop;
    struct list *node;

    if (entry->verdict != KEY_ASK_WAITING) {
        entry_drop(entry);
        return;
    }
    entry->verdict = entry->load.call.end == STORE_OK ? open_record(entry, &entry->load.record)
                                                      : KEY_ASK_STORE_DOWN;
    while ((node = list_first(&entry->waiters))) {
        struct key_ask *ask = container_of(node, struct key_ask, link);
        list_remove(node);
        ask->verdict = entry->verdict;
        loop_post(loop, ask->wake);
    }
    if (entry->verdict != KEY_ASK_READY || entry->stale)
        loop_post(loop, &entry->turn);
    else
        deadline_join(&entry->keyring->idle, &entry->idle);
}

static enum key_ask_verdict open_record(struct entry *entry, const struct key_record *record)
{
    struct seal_context context = {span_of(entry->user), SPAN("sub-key"), record->version};

    if (record->state == KEY_ABSENT)
        return KEY_ASK_ABSENT;
    if (record->state == KEY_DISABLED)
        return KEY_ASK_DISABLED;
    if (vault_unseal(entry->keyring->flow->vault, &context, span_of(record->sealed),
                     &entry->key.secret) != SEAL_OPENED)
        return KEY_ASK_UNREADABLE;
    set_key(entry, record);
    return KEY_ASK_READY;
}

static void set_key(struct entry *entry, const struct key_record *record)
{
    entry->verdict = KEY_ASK_READY;
    entry->key.version = record->version;
    entry->key.expires_at_ms = record->expires_at_ms;
    entry->key.made_at_ms = record->updated_at_ms;
    entry->key.proven = record->proven;
}

static void forget_one(struct map_entry *found, void *context)
{
    struct entry *entry = container_of(found, struct entry, by_user);

    (void)context;
    if (entry->verdict == KEY_ASK_WAITING)
        entry->stale = true;
    else
        entry_drop(entry);
}

/* The least recently used entry is the first of the idle class. */
static void make_room(struct keyring *keyring)
{
    struct list *first;

    if (keyring->entries.size < keyring->flow->settings->cache_max ||
        !(first = list_first(&keyring->idle.members)))
        return;
    entry_drop(container_of(container_of(first, struct deadline, link), struct entry, idle));
}

/* keys.h: the users' upstream keys and the lease under which one of them is made.
 *
 * The life of a renewal in Redis:
 *     index_add          "<user> <nonce>" into kt:renewals, so that a crash leaves a trace
 *     claim              lease, fence and intent (the name the key will have) in one script; what earlier attempts left
 *                        behind comes back in the answer
 *     commit             compare-and-set by fence: record, version + 1; a fenced writer learns it and deletes its key
 *   or release           gives the lease back with an outcome that others may use for a while
 *     raised             the key stays and has another limit at OpenRouter: the record learns it
 *     proven             the new key answered a request: hands out the doomed hashes, to be deleted upstream
 *     buried             one doomed hash is deleted
 *     index_remove       nothing is left to do
 * A lease that runs out is anybody's; correctness hangs on fence and compare-and-set, not on the lease.
 *
 * Owns      the answers' texts, in place.
 * Units     unix milliseconds of Redis' clock.
 * Source    design 5.2, reliability D22 to D25; lua/key_*.lua
 */
#ifndef KEYTURN_STORE_KEYS_H
#define KEYTURN_STORE_KEYS_H

#include "domain/credential.h"
#include "domain/key_record.h"
#include "store/store.h"

enum { KEY_LIST_MAX = 4, NONCE_SIZE = 16, INSTANCE_ID_MAX = 32 };

/* A short list of names or hashes, kept in one field, separated by spaces. */
struct key_list {
    size_t count;
    char items[KEY_LIST_MAX][KEY_NAME_MAX + 1];
};

struct key_load {
    struct store_call call;
    struct key_record record; /* KEY_ABSENT when there is none */
};
void key_load(struct store *store, struct key_load *load, struct span user, struct turn *wake);

/* Why a lease is wanted: decides what the script grants. */
enum claim_reason {
    CLAIM_PROVISION, /* no key yet: granted if there is none */
    CLAIM_RENEW, /* seen_version got 401: granted if it is still the current one and the pace allows */
    CLAIM_AHEAD, /* seen_version expires soon: the same */
    CLAIM_RAISE, /* seen_version's limit was met: the same, at any pace */
    CLAIM_MEND   /* the sweeper: granted if no lease is live */
};

enum claim_verdict {
    CLAIM_GRANTED,
    CLAIM_NEWER,    /* a newer active key is there: use it */
    CLAIM_DISABLED, /* the record says disabled by us */
    CLAIM_BUSY,     /* another holds the lease, for wait_ms at most */
    CLAIM_OUTCOME,  /* another just found out about this version: outcome */
    CLAIM_PACED     /* renewed less than pace_ms ago */
};

/* What a released lease tells the others. */
enum claim_outcome {
    OUTCOME_NONE,
    OUTCOME_RENEWED,
    OUTCOME_HEALTHY,
    OUTCOME_UNKNOWN_HEALTH,
    OUTCOME_SWITCHED_OFF,
    OUTCOME_MANAGEMENT_REFUSED,
    OUTCOME_CREATE_FAILED,
    OUTCOME_MENDED,
    OUTCOME_LIMIT_RAISED,
    OUTCOME_LIMIT_STANDS
};

struct key_claim_ask {
    struct span user, holder, nonce;
    struct span
        name_head; /* "keyturn/<deployment>/<pseudonym>": the script appends /v<version>/<fence>/<nonce> */
    enum claim_reason reason;
    int64_t seen_version;
    int64_t lease_ms, pace_ms, outcome_hold_ms;
};

struct key_claim {
    struct store_call call;
    enum claim_verdict verdict;
    enum claim_outcome outcome;  /* of CLAIM_OUTCOME */
    int64_t fence, version;      /* version: the one to be made */
    int64_t wait_ms, now_ms;     /* now_ms: the store's clock */
    char name[KEY_NAME_MAX + 1]; /* the intent, when granted */
    struct key_list leftovers; /* names of attempts whose end is unknown: delete before creating */
    struct key_list doomed;    /* hashes of replaced keys, still to be deleted */
    struct key_record record;
};
void key_claim(struct store *store, struct key_claim *claim, const struct key_claim_ask *ask,
               struct turn *wake);

struct key_commit {
    struct store_call call;
    bool fenced; /* somebody else took over: delete the key just made */
};
/* record->version must be the claimed one. leftovers: names that still need a second look. doomed_hash: the replaced
 * key, empty if there is none. */
void key_commit(struct store *store, struct key_commit *commit, struct span user, int64_t fence,
                const struct key_record *record, const struct key_list *leftovers,
                struct span doomed_hash, struct turn *wake);

struct key_release {
    struct store_call call;
    bool fenced;
};
/* The intent was not used (or its key was deleted) unless its name is among the leftovers. */
void key_release(struct store *store, struct key_release *release, struct span user, int64_t fence,
                 int64_t seen_version, enum claim_outcome outcome, const struct key_list *leftovers,
                 struct turn *wake);

struct key_raised {
    struct store_call call;
    bool noted; /* the record is still of that version; repeating is safe */
};
void key_raised(struct store *store, struct key_raised *raised, struct span user, int64_t version,
                int64_t limit_nano_usd, enum limit_reset limit_reset, struct turn *wake);

struct key_proven {
    struct store_call call;
    struct key_list doomed;
};
void key_proven(struct store *store, struct key_proven *proven, struct span user, int64_t version,
                struct turn *wake);

struct key_buried {
    struct store_call call;
    bool settled; /* neither doomed hashes nor leftovers remain and no lease is live */
};
void key_buried(struct store *store, struct key_buried *buried, struct span user, struct span hash,
                struct turn *wake);

/* The sweeper's list. A member is "<user> <nonce>". */
enum { RENEWAL_MEMBER_MAX = USER_ID_MAX + 1 + NONCE_SIZE, RENEWALS_PAGE = 32 };
struct renewal_index {
    struct store_call call;
    size_t count;
    char members[RENEWALS_PAGE][RENEWAL_MEMBER_MAX + 1];
};
void renewal_index_add(struct store *store, struct renewal_index *index, struct span user,
                       struct span nonce, struct turn *wake);
void renewal_index_remove(struct store *store, struct renewal_index *index, struct span member,
                          struct turn *wake);
/* Members started more than age_ms ago, oldest first, a page from offset on. */
void renewal_index_old(struct store *store, struct renewal_index *index, int64_t age_ms,
                       size_t offset, struct turn *wake);

/* Who sweeps: true for at most one holder at a time; asking again extends. */
struct sweeper_claim {
    struct store_call call;
    bool granted;
};
void sweeper_claim(struct store *store, struct sweeper_claim *claim, struct span holder,
                   int64_t lease_ms, struct turn *wake);

#endif

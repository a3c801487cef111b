/* renewal/way.h: one renewal, for the files of renewal/, which hold its rows. */
#ifndef KEYTURN_FLOW_RENEWAL_WAY_H
#define KEYTURN_FLOW_RENEWAL_WAY_H

#include "domain/key_api.h"
#include "flow/flow.h"
#include "flow/renewal.h"
#include "flow/step.h"

enum renewal_at {
#define ROW(name, text) RENEWAL_AT_##name,
    RENEWAL_WAY(ROW)
#undef ROW
        RENEWAL_AT_COUNT
};

struct renewal {
    struct map_entry by_user;
    struct turn turn;
    struct flow *flow;   /* borrowed */
    struct list waiters; /* renewal_wait.link */
    struct deadline pause;
    enum renewal_at at;
    enum renewal_outcome outcome;
    enum claim_reason reason;
    int64_t seen_version;
    const struct tier *tier; /* borrowed from the configuration; NULL when mending */
    bool raises;             /* somebody met the key's limit: */
    struct key_budget budget;

    unsigned attempt;        /* of the whole way: a lost create starts a new one under a new name */
    unsigned tries;          /* of the present question */
    bool traced;             /* our member is in the sweeper's index */
    bool commit_unknown;     /* it may have been applied: the key must not be deleted */
    uint64_t lease_until_ms; /* by the loop's clock */
    bool keep_trace;         /* something is left for the sweeper */
    bool again;              /* after the release: pause, claim anew */
    uint64_t again_after_ms;
    enum claim_outcome told; /* what the release tells others */

    struct key_claim claim;
    struct key_commit commit;
    struct key_release release;
    struct key_raised raised;
    struct renewal_index index;
    struct fetch_call fetch;

    struct key_facts facts; /* of the old key, where verify told */
    enum key_health health;
    int64_t limit_nano_usd; /* the one it is raised to */
    struct key_list kept;   /* leftover names that need a second look */
    struct key_list found;  /* hashes of leftovers to be deleted */
    size_t list_offset, next_found;
    bool listed;
    struct secret made_key;
    struct key_record made;

    char user[USER_ID_MAX + 1];
    char trace[NONCE_SIZE + 1]; /* the index member is "<user> <trace>" */
    char nonce[NONCE_SIZE + 1]; /* of this attempt's name */
    char path[512];
};

enum { RENEWAL_ATTEMPTS_MAX = 4, RENEWAL_TRIES_MAX = 3 };

#define ROW(name, text) enum verdict renewal_##name(struct renewal *r);
RENEWAL_WAY(ROW)
#undef ROW

/* Helpers the rows share. */
enum verdict renewal_go(struct renewal *r, enum renewal_at at);
enum verdict renewal_pause(struct renewal *r, uint64_t after_ms, enum renewal_at at);
enum verdict renewal_end(struct renewal *r,
                         enum renewal_outcome outcome); /* nothing is held: tell */
/* Gives the lease back: others are told `told`, our waiters `outcome`. */
enum verdict renewal_give_up(struct renewal *r, enum renewal_outcome outcome,
                             enum claim_outcome told);
/* Gives the lease back and claims anew after a pause; gives up when it has tried often enough. */
enum verdict renewal_once_more(struct renewal *r, uint64_t after_ms, enum renewal_outcome outcome);
uint64_t renewal_backoff_ms(const struct renewal *r);
void renewal_fetch(struct renewal *r, const char *method, struct span body, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
uint64_t renewal_hinted_ms(const struct renewal *r, int64_t retry_after_s); /* or the back-off */
bool renewal_may_try_again(struct renewal *r); /* counts the tries of one question */
void renewal_management_refused(struct renewal *r, int status);
bool key_list_has(const struct key_list *list, struct span item);
void key_list_add(struct key_list *list, struct span item);
void renewal_new_nonce(const struct renewal *r, char ret_nonce[NONCE_SIZE + 1]);

#endif

/* quota.h: the hold before a request, the settlement after it, in one script call each.
 *
 *     admit    status, tier, minute, day, budget and concurrency together; takes the hold or says which axis refused (of
 *              several the one that takes longest to go away) and everything the reply needs. Refused requests change
 *              and count nothing. Idempotent by request id while the hold lives; after that the answer is ADMIT_OVER.
 *     ahead    holds for requests that will come, taken and given back, for who sends many a second.
 *     extend   a running request's lease goes on.
 *     settle   the full actual cost, even above the cap; the message counts or is given back. Idempotent by request id,
 *              before and after the lease ran out. What is settled stands in the account until it is in the books.
 *     forget   it is in the books.
 *     expire   holds whose lease ran out become spent-unconfirmed, and are listed for reconciliation until settled; and
 *              what was settled and nobody booked.
 *     billed   what settlements cost with one version of the user's key, to be held against what OpenRouter says of it.
 *
 * State (all with the user's hash tag; store/schema.h):
 *     user      status, tier, created_at; overrides o_limit_nano_usd, o_messages_per_day, o_requests_per_minute,
 *               o_max_concurrent; boost_nano_usd, boost_until_ms
 *     account   hash, all that changes with a request:
 *                 request id → its open hold: live, or unconfirmed since its lease ran out (amount, period, day,
 *                 generation id, key version, model ...); or, when it is settled, what is to be booked, until it is
 *                 held|<period>, unconfirmed|<period>, spent|<period>, messages|<day> (held), delivered|<day>: sums, of the
 *                 last four windows of a length
 *                 live|, next|: how many holds are live, and when the first lease may end
 *                 minute|, requests|: requests of the current minute by Redis' clock
 *                 billed|<key version>: what settlements cost with the user's own key, of the last three versions
 *                 settled|: when the last settlement was
 *     settled   set per UTC day of the admission: request ids, so that settling twice is told "already"
 *     usage     per UTC month: sums of this user by day and model
 *
 * Owns      the answers' texts, in place.
 * Units     nano-USD; -1 unlimited; unix milliseconds of Redis' clock. One amount is at most QUOTA_AMOUNT_MAX (more is
 *           taken as that much), what a user spent and holds in a window at most eight million dollars, and what one
 *           key costs in its life as much: sums stay below 2^53, which Lua counts exactly.
 * Fails     as store.h; an admission that is STORE_UNKNOWN may have taken the hold: settle it with cost 0.
 * Source    design 5.1; reliability D17 to D19; peers 3.2; docs/decisions/013, 019, 020; lua/admit.lua,
 *           give_back.lua, extend.lua, settle.lua, expire.lua, billed.lua
 */
#ifndef KEYTURN_STORE_QUOTA_H
#define KEYTURN_STORE_QUOTA_H

#include "base/request_id.h"
#include "domain/credential.h"
#include "domain/period.h"
#include "domain/tier.h"
#include "domain/usage_meter.h"
#include "store/store.h"

#define QUOTA_AMOUNT_MAX INT64_C(1000000000000000) /* a million dollars */
int64_t quota_amount(int64_t nano_usd);            /* not negative; at most that much */

enum admit_verdict {
    ADMIT_GRANTED,
    ADMIT_NO_USER, /* unknown, and no tier to make it with */
    ADMIT_USER_DISABLED,
    ADMIT_OTHER_TIER,     /* the user's tier is not the one we asked with: ask again with `tier` */
    ADMIT_OTHER_PERIOD,   /* Redis' clock is in another window: ask again with `now_ms` */
    ADMIT_BUDGET_SPENT,   /* 402 insufficient_quota */
    ADMIT_BUDGET_HELD,    /* 429 budget_held: the rest is held by the user's other requests */
    ADMIT_MESSAGES_SPENT, /* 429 daily_message_limit_reached */
    ADMIT_TOO_FAST,       /* 429 rate_limit_exceeded */
    ADMIT_TOO_MANY,       /* 429 too_many_concurrent_requests */
    ADMIT_OVER /* this request id had its hold: settled, or its lease ran out; take a new id */
};

struct admit_ask {
    struct span user, request_id, holder; /* holder: the instance */
    const struct tier *tier;              /* the one the asker believes in */
    bool make_user;                       /* unknown users get this tier */
    bool is_message;                      /* counts against messages_per_day (embeddings do not) */
    int64_t wall_ms;       /* Redis' time as the asker estimates it: names the windows */
    int64_t hold_nano_usd; /* the upper bound */
    int64_t
        least_nano_usd; /* the request still makes sense with so much; = hold when it cannot shrink */
    int64_t lease_ms;
    struct span model; /* kept in the hold for reconciliation and the books */
};

/* Everything headers and error bodies need. limit: with a live boost; spent: settled and unconfirmed; debt: what was
 * spent above the limit; used and active: with what is held. Of an unlimited axis limit and remaining are -1. */
struct quota_view {
    int64_t limit_nano_usd, spent_nano_usd, held_nano_usd, debt_nano_usd, remaining_nano_usd;
    int64_t messages_limit, messages_used, requests_limit, requests_used, active_limit, active;
    int64_t budget_resets_ms, day_resets_ms, minute_resets_ms;
};

/* What came since a view was told. */
struct quota_change {
    int64_t spent_nano_usd, held_nano_usd, messages, requests, active;
};
void quota_change_add(struct quota_change *change, const struct quota_change *more);
void quota_view_change(struct quota_view *view, const struct quota_change *change);

struct admission {
    struct store_call call;
    enum admit_verdict verdict;
    char tier[TIER_NAME_MAX + 1];
    bool user_created;
    int64_t granted_nano_usd; /* between least and hold */
    int64_t now_ms;
    struct quota_view view;
    struct period budget, day; /* the windows the hold lives in: settle needs them */
};
void quota_admit(struct store *store, struct admission *admission, const struct admit_ask *ask,
                 struct turn *wake);

/* Holds for requests that will come, under ids they will have; a request that has one need not ask. They are as good as
 * any: live for ask->lease_ms, counted on every axis, reconciled when nobody settles them. Fewer than asked for, or none,
 * where they would be more than an eighth of what is left on some axis, and for a user who is not there, disabled or of
 * another tier. ask->request_id is SPAN_NONE. */
enum { AHEAD_MAX = 32 };
struct quota_ahead {
    struct store_call call;
    size_t asked, taken; /* those with the first ids */
    int64_t now_ms;
    struct quota_view view; /* with what was taken */
    struct period budget, day;
};
void quota_take_ahead(struct store *store, struct quota_ahead *ahead, const struct admit_ask *ask,
                      const struct span *ids, size_t count, struct turn *wake);

/* No request used them: as if they had never been taken. Those that are not there do no harm. */
struct quota_give_back {
    struct store_call call;
};
void quota_give_back(struct store *store, struct quota_give_back *back, struct span user,
                     const struct span *ids, size_t count, struct turn *wake);

struct quota_extend {
    struct store_call call;
    bool alive; /* false: the hold expired meanwhile; it is still to be settled */
};
/* generation_id may be SPAN_NONE; kept so that a dead instance's request can be looked up. */
void quota_extend(struct store *store, struct quota_extend *extend, struct span user,
                  struct span request_id, int64_t lease_ms, struct span generation_id,
                  int64_t key_version, struct turn *wake);

/* Who cannot tell what it cost leaves the hold to its lease, with what is known; a message that was not delivered is given
 * back at once. */
void quota_leave(struct store *store, struct quota_extend *extend, struct span user,
                 struct span request_id, struct span generation_id, int64_t key_version,
                 bool delivered, struct turn *wake);

/* Where a figure came from. KEY: from what OpenRouter billed to the user's key in all (flow/key_audit.h). */
enum cost_source {
    COST_FROM_USAGE,
    COST_FROM_GENERATION,
    COST_FROM_KEY,
    COST_FROM_ESTIMATE,
    COST_NOTHING_SENT
};
const char *cost_source_name(enum cost_source source);

/* Self-contained: it may wait in a journal. */
struct settlement_record {
    char user[USER_ID_MAX + 1], request_id[REQUEST_ID_MAX + 1], tier[TIER_NAME_MAX + 1];
    char model[METER_TEXT_MAX + 1], generation_id[METER_TEXT_MAX + 1];
    char budget_period[PERIOD_NAME_SIZE], day[PERIOD_NAME_SIZE];
    int64_t cost_nano_usd, prompt_tokens, cached_tokens, completion_tokens,
        reasoning_tokens; /* tokens: -1 unknown */
    int64_t key_version;  /* of the user's own key it ran on; 0: the shared key, or never sent */
    int64_t finished_ms;
    enum cost_source source;
    bool delivered; /* the message counts */
};

/* Several of one user in one call, if they settle together: their sums are read and written once. Their request ids
 * differ. Where some had been settled before, nothing changes, and the others are to be asked again without those. */
enum { SETTLE_BATCH_MAX = 32 };
struct settled {
    struct settlement_record *record; /* borrowed */
    /* It had been settled before: *record is then what was settled, or else it is booked, too. */
    bool already, is_booked;
};
struct settle {
    struct store_call call;
    size_t count;
    struct settled items[SETTLE_BATCH_MAX];
    bool some_already;
};
/* Same user, windows and key. */
bool settlements_go_together(const struct settlement_record *a, const struct settlement_record *b);
void quota_settle(struct store *store, struct settle *settle,
                  struct settlement_record *const *records, size_t count, struct turn *wake);

/* They are booked. */
struct settled_forget {
    struct store_call call;
};
void quota_forget_settled(struct store *store, struct settled_forget *forget, struct span user,
                          const struct span *request_ids, size_t count, struct turn *wake);

/* Holds of a user whose lease ran out, now unconfirmed: those whose generation is known first, those taken ahead of which no
 * request told last, of each the oldest first. */
enum { EXPIRED_PAGE = 64 };
struct expired_hold {
    char request_id[REQUEST_ID_MAX + 1], generation_id[METER_TEXT_MAX + 1],
        model[METER_TEXT_MAX + 1];
    char budget_period[PERIOD_NAME_SIZE], day[PERIOD_NAME_SIZE], tier[TIER_NAME_MAX + 1];
    int64_t amount_nano_usd, taken_ms, expired_ms;
    int64_t key_version; /* 0: nobody told it, or it ran on the shared key */
    bool ahead;          /* taken ahead, and nobody told of a request that used it */
};
struct quota_expire {
    struct store_call call;
    char user[USER_ID_MAX + 1];
    size_t count, unbooked_count;
    struct expired_hold holds[EXPIRED_PAGE];
    struct settlement_record unbooked[EXPIRED_PAGE]; /* settled a while ago and not in the books */
    bool more;                                       /* holds than fit */
    bool
        busy; /* the user still has live holds, more expired ones than fit, or something unbooked */
    int64_t now_ms;
};
void quota_expire(struct store *store, struct quota_expire *expire, struct span user,
                  struct turn *wake);

/* What is settled of one version of the user's key. While no hold is live, what OpenRouter billed to that key beyond it
 * is what the holds cost that nobody could settle. */
struct quota_billed {
    struct store_call call;
    int64_t live; /* holds whose lease goes on */
    int64_t billed_nano_usd;
    int64_t settled_ms, now_ms; /* settled_ms: the user's last settlement; 0: none that is known */
};
void quota_billed(struct store *store, struct quota_billed *billed, struct span user,
                  int64_t key_version, struct turn *wake);

/* Users with holds, so that somebody looks after those that nobody finishes: "seen until", one write per user and ten
 * seconds. In a slot of its own. until_after_ms must cover the lease and those ten seconds. add only moves a user later;
 * remove takes one that is still due and leaves one that was added meanwhile. A user whose quota_expire is busy is added
 * again rather than removed, so that the page goes on to others. */
enum { HOLDERS_PAGE = 32 };
struct holders_place { /* zero: the first */
    int64_t due_ms;
    size_t passed; /* of those that are due then */
};
struct holders {
    struct store_call call;
    struct holders_place next; /* behind this page */
    size_t count;
    char users[HOLDERS_PAGE][USER_ID_MAX + 1];
};
void holders_add(struct store *store, struct holders *holders, struct span user,
                 int64_t until_after_ms, struct turn *wake);
/* Those whose time has come, the longest due first, a page from there on. */
void holders_due(struct store *store, struct holders *holders, struct holders_place from,
                 struct turn *wake);
void holders_remove(struct store *store, struct holders *holders, struct span user,
                    struct turn *wake);

/* The user's quota without taking anything: GET /v1/me. The same windows and overrides as admit. */
struct quota_look {
    struct store_call call;
    bool found, disabled;
    char tier[TIER_NAME_MAX + 1];
    struct quota_view view;
    int64_t now_ms;
};
void quota_look(struct store *store, struct quota_look *look, struct span user,
                const struct tier *tier, int64_t wall_ms, struct turn *wake);

#endif

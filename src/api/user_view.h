/* user_view.h: one user as operators see it: what its hash says, its quota, the state of its key; after a change, if
 * one is asked for.
 *
 * Owns      its questions; borrows the store and the tiers until wake is posted.
 * Runs on   the loop; wake is posted once, at the end. It cannot be called off.
 * Fails     end is not USER_SEEN: nothing of it may be shown. With USER_STORE_DOWN a change may have been applied;
 *           asking again is safe. Printing: false when out is full.
 * Source    design 4.1, 4.4, 4.5
 */
#ifndef KEYTURN_API_USER_VIEW_H
#define KEYTURN_API_USER_VIEW_H

#include "base/buffer.h"
#include "store/keys.h"
#include "store/quota.h"
#include "store/users.h"

enum { USER_PRINTED_MAX = 16 * 1024 };
enum user_view_end { USER_SEEN, USER_UNKNOWN, USER_STORE_DOWN };

struct user_view {
    struct store *store;       /* borrowed */
    const struct tiers *tiers; /* borrowed */
    const struct tier *preset; /* borrowed: of users without a tier of their own */
    struct turn turn, *wake;   /* wake: borrowed */
    enum { VIEW_AT_USER, VIEW_AT_QUOTA, VIEW_AT_KEY } at;
    char user[USER_ID_MAX + 1];

    struct user_set set;     /* with the change, or only looking */
    const struct tier *tier; /* NULL: it is not in the configuration, and there is no quota */
    struct quota_look look;
    int64_t now_ms; /* Redis' time, an estimate at first: names the windows */
    unsigned looks;
    struct key_load key;

    bool done;
    enum user_view_end end;
};

/* Where there is no default tier, default_tier is NULL. */
void user_view_ask(struct user_view *view, struct store *store, const struct tiers *tiers,
                   const struct tier *default_tier, struct span user,
                   const struct user_change *change, int64_t now_ms, struct turn *wake);

/* user_print.c */
bool user_print_json(const struct user_view *view, struct buffer *out);
bool user_print_text(const struct user_view *view, struct buffer *out);

#endif

/* users.h: users, and admission: the one call a request makes before it may go upstream.
 *
 * Admission decides today who may pass at all (a user's status), and makes a user on first sight where a default tier
 * is given. It is the place where limits and the hold belong: same call, same script (lua/admit.lua).
 *
 * Source    design 4.3, 5.1
 */
#ifndef KEYTURN_STORE_USERS_H
#define KEYTURN_STORE_USERS_H

#include "store/store.h"

enum { TIER_NAME_MAX = 64 };
enum user_status { USER_UNKNOWN, USER_ACTIVE, USER_DISABLED };

struct user_admission {
    struct store_call call;
    enum user_status status; /* USER_UNKNOWN: not there and no default tier was given */
    bool created;
    char tier[TIER_NAME_MAX + 1];
};
/* default_tier SPAN_NONE: unknown users stay unknown. */
void user_admit(struct store *store, struct user_admission *admission, struct span user,
                struct span default_tier, struct turn *wake);

/* Makes the user if it is not there and sets its tier when one is given. */
struct user_ensure {
    struct store_call call;
    bool created;
};
void user_ensure(struct store *store, struct user_ensure *ensure, struct span user,
                 struct span tier, struct turn *wake);

#endif

/* user_patch.h: what somebody wants changed of a user: read and checked, the same for the admin API and the shell.
 * Pure.
 *
 *     body      fields
 *     FIELDS    any of status, tier, limit_usd, messages_per_day, requests_per_minute, max_concurrent
 *     TIER      tier
 *     BOOST     limit_usd, until
 * In a body the fields are members of a JSON object, in the shell options (--limit-usd). null, or the word none, takes a
 * limit of the user's own away; -1 is no limit.
 *
 * Owns      its texts, in place.
 * Units     amounts are decimal USD, kept in nano-USD; finer parts are rounded up (domain/nano_usd.h). Times RFC 3339.
 * Fails     false, with a sentence for people in detail and the field in param ("" where it is none).
 * Source    design 4.1, 4.4; the limits of the values are those of a tier's fields
 */
#ifndef KEYTURN_API_USER_PATCH_H
#define KEYTURN_API_USER_PATCH_H

#include "store/users.h"

enum user_body { USER_BODY_FIELDS = 1, USER_BODY_TIER = 2, USER_BODY_BOOST = 4 };
enum { USER_DETAIL_SIZE = 600, USER_PARAM_SIZE = 48 };

struct user_patch {
    enum user_body body;
    bool shell;     /* sentences name options, not members */
    unsigned given; /* fields that were set; none twice */
    struct user_change change;
    char detail[USER_DETAIL_SIZE], param[USER_PARAM_SIZE];
};

/* A whole JSON text. */
bool user_patch_read(struct user_patch *patch, struct span text);
/* The options of its body, one after the other; NULL behind the last. */
const char *user_patch_option(const struct user_patch *patch, size_t index);
bool user_patch_set_option(struct user_patch *patch, size_t index, struct span word);

/* After the last field: is everything there that must be? */
bool user_patch_whole(struct user_patch *patch);
/* The same, and: is there such a tier, does a boost end in the future? */
bool user_patch_seal(struct user_patch *patch, const struct tiers *tiers, int64_t now_ms);
/* After that: a user that is not there is made, with the tier that was given, or else the preset one (may be NULL). */
bool user_patch_make(struct user_patch *patch, const struct tier *preset);

#endif

/* quota_print.h: a user's quota and the state of its key, as members of an open JSON object: the same for the user
 * itself and for operators; and limits as texts.
 *
 * Units     as in json_parts.h.
 * Source    design 4.5; of the key nothing is shown but its state
 */
#ifndef KEYTURN_API_QUOTA_PRINT_H
#define KEYTURN_API_QUOTA_PRINT_H

#include "base/json_write.h"
#include "store/keys.h"
#include "store/quota.h"

void quota_print_budget(struct json *j, const struct quota_view *view, const struct tier *tier);
void quota_print_counts(struct json *j, const struct quota_view *view);
/* tier: NULL when it is not known which key it has. */
void quota_print_key(struct json *j, const struct key_record *record, const struct tier *tier);
const char *tier_key_name(enum tier_key key); /* "provisioned", ... */

/* For people: "12.5", "unlimited". */
enum { QUOTA_TEXT_SIZE = 40 };
const char *quota_usd_text(int64_t nano_usd, char ret_text[QUOTA_TEXT_SIZE]);
const char *quota_count_text(int64_t count, char ret_text[QUOTA_TEXT_SIZE]);

#endif

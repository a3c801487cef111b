/* guard.h: the door of the admin routes: one bearer, compared in constant time.
 *
 * Source    design 4.4
 */
#ifndef KEYTURN_API_GUARD_H
#define KEYTURN_API_GUARD_H

#include "base/fault.h"
#include "base/secret.h"
#include "io/header.h"

/* FAULT_NONE: the request carries the key in exactly one Authorization field. Without a key (NULL) nobody may. */
enum fault guard_admin(const struct secret *admin_key, struct headers headers);

#endif

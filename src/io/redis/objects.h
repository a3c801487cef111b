/* redis/objects.h: replies as hiredis' reader builds them, but in one piece of memory that is used again for the next.
 *
 * A reply of twenty fields would otherwise be twenty allocations and as many frees.
 *
 * Owns      the reply being read and the last one read: valid until the arena is reset.
 * Units     bytes.
 * Fails     a reply above the limit is "out of memory" to the reader: a protocol fault of the link.
 * Source    hiredis read.h: redisReplyObjectFunctions
 */
#ifndef KEYTURN_IO_REDIS_OBJECTS_H
#define KEYTURN_IO_REDIS_OBJECTS_H

#include "base/arena.h"

#include <hiredis/hiredis.h>

/* From now on the reader's replies are in this arena, which must outlive it; nobody calls freeReplyObject. */
void redis_objects_use(redisReader *reader, struct arena *arena);

#endif

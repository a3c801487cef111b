/* free_models.h: the requests to free models, which OpenRouter limits for the whole account: counted over all instances and
 * shared between the users.
 *
 *     take     one request, of the minute and of the UTC day, or which of them refused. Of each window the first half goes
 *              to whoever asks; of the rest nobody gets more than an equal share: the limit by the number of users who
 *              asked in this window or in the one before, rounded up. Refused asks make their user one who asks, and
 *              count nothing. Idempotent by request id within a minute: a repeat that comes after its turn counts again,
 *              which errs on the safe side.
 *     close    OpenRouter says that a window is used up: nobody takes anything until then, over all instances.
 *
 * Nothing is given back. A request that was taken and never sent (its key could not be made, its client left) costs the
 * others one of the window, rarely; giving it back would need a second call that can be lost, or a lease.
 *
 * Both windows are two hashes each, this one and the one before, in a slot of their own. The window stands in a field, not in
 * the key's name: a name would have to be guessed by the asker, whose clock is not Redis'.
 *
 * Owns      the answers, in place.
 * Units     unix milliseconds of Redis' clock, which names the windows; limits of -1: not limited by us, closed all the same.
 * Fails     as store.h; a take that is STORE_UNKNOWN may have counted.
 * Source    openrouter-api 6; lua/free_take.lua, free_close.lua; decision 017
 */
#ifndef KEYTURN_STORE_FREE_MODELS_H
#define KEYTURN_STORE_FREE_MODELS_H

#include "domain/free_model.h"
#include "store/store.h"

enum free_verdict {
    FREE_GRANTED,
    FREE_SPENT,       /* the window's limit is used up */
    FREE_SHARE_SPENT, /* the user's share of it is */
    FREE_CLOSED       /* OpenRouter says that it is, whatever we counted */
};

struct free_ask {
    struct span user, request_id;
    int64_t per_minute, per_day;
};

/* window: the one that refused, the day's if both did; the minute where it was granted. The rest is that window's. */
struct free_take {
    struct store_call call;
    enum free_verdict verdict;
    enum free_window window;
    int64_t now_ms, resets_ms, limit, used;
    int64_t share; /* the user's; it may be more where the first half is not gone */
};
void free_take(struct store *store, struct free_take *take, const struct free_ask *ask,
               struct turn *wake);

struct free_close {
    struct store_call call;
    int64_t now_ms,
        until_ms; /* the latest that anybody was told; not after now: it is not closed */
};
/* until_ms 0: not known, so the window's end. */
void free_close(struct store *store, struct free_close *close, enum free_window window,
                int64_t until_ms, struct turn *wake);

#endif

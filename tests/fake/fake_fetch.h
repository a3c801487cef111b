/* fake_fetch.h: io/fetch.h for scenes: a started fetch waits until the scene delivers it to fake_keys.h; GET /models and
 * GET /generation are answered from fake_bills.h.
 *
 * Owns      copies of what was asked.
 * Runs on   the scene; a fetch whose answer is withheld ends by its own total_ms.
 * Fails     delivering when nothing is pending stops the scene.
 * Ends      fake_fetch_forget: the instance died, what it asked for was carried out or not.
 */
#ifndef KEYTURN_TESTS_FAKE_FETCH_H
#define KEYTURN_TESTS_FAKE_FETCH_H

#include "fake/fake_keys.h"
#include "fake/fake_upstream.h"
#include "io/fetch.h"

enum fake_fetched {
    FETCHED_ANSWER,
    FETCHED_UNREACHED,
    FETCHED_UNKNOWN_DONE,   /* carried out, the connection breaks before the answer */
    FETCHED_UNKNOWN_UNDONE, /* swallowed: nothing is heard until total_ms is over */
    FETCHED_500,            /* refused */
    FETCHED_502_DONE,       /* carried out, and yet a gateway says 502 */
    FETCHED_429,
    FETCHED_401,
    FETCHED_403,
    FETCHED_GARBAGE /* carried out; what comes is no JSON */
};

enum { FAKE_FETCH_LABEL_SIZE = 32 };

void fake_fetch_serve(struct fetcher *fetcher, struct fake_keys *keys, struct fake_asks *asks,
                      struct span base_path);
void fake_fetch_retry_after(struct fetcher *fetcher, int64_t seconds); /* of the next 429 */
size_t fake_fetch_pending(const struct fetcher *fetcher);
size_t fake_fetch_open(const struct fetcher *fetcher); /* those withheld, too */
/* "POST /keys", "GET /keys/{hash}", ...: the one delivered next. */
void fake_fetch_oldest(const struct fetcher *fetcher, char ret_label[FAKE_FETCH_LABEL_SIZE]);
void fake_fetch_deliver(struct fetcher *fetcher, enum fake_fetched how);
void fake_fetch_forget(struct fetcher *fetcher, bool carried_out);

#endif

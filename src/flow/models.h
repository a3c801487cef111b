/* models.h: the model catalogue of this process: prices for holds, names for GET /v1/models.
 *
 * Loaded from the store at start (so prices outlive a restart and an outage), then from GET /models, again every
 * refresh_ms; one refresh at a time. A failed refresh keeps what is there.
 *
 * Owns      the catalogue; users borrow it until the loop's next turn.
 * Runs on   the loop.
 * Source    openrouter-api 2 (no Authorization: an expired bearer would get 401 here)
 */
#ifndef KEYTURN_FLOW_MODELS_H
#define KEYTURN_FLOW_MODELS_H

#include "domain/catalogue.h"
#include "io/deadline.h"
#include "io/fetch.h"
#include "store/text_cell.h"

struct flow;

struct models {
    struct flow *flow; /* borrowed */
    struct turn turn;
    struct deadline_class refresh;
    struct deadline due;
    struct text_load load;
    struct text_save save;
    struct fetch_call fetch;
    enum { MODELS_LOAD, MODELS_FETCH, MODELS_SAVE, MODELS_REST } at;
    struct catalogue *catalogue; /* NULL until the first one came */
    char path[256];
    bool stopped;
};

void models_open(struct models *models, struct flow *flow, uint64_t refresh_ms);
void models_stop(struct models *models);
bool models_is_idle(const struct models *models);
void models_close(struct models *models);

#endif

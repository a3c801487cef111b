#include "flow/models.h"

#include "domain/key_api.h"
#include "flow/flow.h"

#include <stdio.h>

enum { RETRY_MS = 10000 };

static void on_models_turn(struct turn *turn);
static void ask_upstream(struct models *models);
static bool take(struct models *models, struct span body);
static void rest(struct models *models, bool soon);

void models_open(struct models *models, struct flow *flow, uint64_t refresh_ms)
{
    models->flow = flow;
    turn_init(&models->turn, on_models_turn);
    deadline_class_open(&models->refresh, flow->loop, refresh_ms);
    deadline_init(&models->due, &models->turn);
    models->at = MODELS_LOAD;
    text_load(flow->store, &models->load, STORE_KEY_CATALOGUE, &models->turn);
}

void models_stop(struct models *models)
{
    models->stopped = true;
    deadline_leave(&models->due);
}

bool models_is_idle(const struct models *models)
{
    return models->at == MODELS_REST;
}

void models_close(struct models *models)
{
    models_stop(models);
    turn_cancel(&models->turn);
    deadline_class_close(&models->refresh);
    if (models->catalogue)
        catalogue_free(models->catalogue);
}

/* load → fetch → save → rest → fetch ... */
static void on_models_turn(struct turn *turn)
{
    struct models *models = container_of(turn, struct models, turn);
    bool taken;

    switch (models->at) {
    case MODELS_LOAD:
        if (models->load.call.end == STORE_OK)
            take(models, buffer_view(&models->load.text));
        text_load_done(&models->load);
        ask_upstream(models);
        return;
    case MODELS_FETCH:
        taken = models->fetch.end == FETCH_ANSWERED && key_api_done(models->fetch.status) &&
                take(models, buffer_view(&models->fetch.body));
        if (taken) {
            models->at = MODELS_SAVE;
            text_save(models->flow->store, &models->save, STORE_KEY_CATALOGUE,
                      buffer_view(&models->fetch.body), &models->turn);
        } else {
            log_warn(models->flow->log,
                     "the model catalogue could not be read; the one before stays",
                     log_int("models",
                             models->catalogue ? (int64_t)catalogue_size(models->catalogue) : 0));
            rest(models, true);
        }
        fetch_done(&models->fetch);
        return;
    case MODELS_SAVE:
        rest(models, false);
        return;
    case MODELS_REST:
        if (models->due.passed)
            ask_upstream(models);
        return;
    }
}

static void ask_upstream(struct models *models)
{
    struct flow *flow = models->flow;

    if (models->stopped) {
        rest(models, false);
        return;
    }
    models->at = MODELS_FETCH;
    snprintf(models->path, sizeof(models->path), "%.*s/models",
             SPAN_PRINT(flow->settings->base_path));
    fetch_start(flow->fetcher, &models->fetch, "GET", span_of(models->path), NULL, SPAN_NONE,
                flow->settings->control_ms, &models->turn);
}

static bool take(struct models *models, struct span body)
{
    struct catalogue *fresh = body.size ? catalogue_read(body) : NULL;

    if (!fresh)
        return false;
    if (models->catalogue)
        catalogue_free(models->catalogue);
    models->catalogue = fresh;
    return true;
}

static void rest(struct models *models, bool soon)
{
    models->at = MODELS_REST;
    if (models->stopped)
        return;
    if (soon)
        deadline_join_in(&models->refresh, &models->due, RETRY_MS);
    else
        deadline_join(&models->refresh, &models->due);
}
